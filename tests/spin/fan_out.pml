/* Sleep and wake of the fan-out thread (bus/bus.h): two producers, the close, and the event
 * count in full. The ring is reduced to what that needs: claims, stamps and the two bits of
 * the word; ring.pml has the rest.
 *
 * One atomic or d_step block is one atomic operation of the C++ code, named beside it. A loop
 * around a nap is a guard, so that to wait for ever is a deadlock.
 * Planted bugs: every M_... in here and in event_count.inc.
 */
#include "event_count.inc"

#define PRODUCERS 2
#define PUBLISHES (_pid == 0 -> 2 : 1)
#define LAST 3          /* of them all */

byte claimed;           /* word_ of the ring; positions start at 0 here */
bit closed, asleep;
bit stamp[LAST + 1];    /* of position p: its record is whole */
byte end_at, pos, done; /* pos: position_ of the fan-out */
bit end_known, over;

active [PRODUCERS] proctype Producer() {
  byte n, p;
  bit claim, slept, owes, woke;
  do
  :: n < PUBLISHES ->
     d_step {                                       /* the claim, blind or exact */
       p = claimed; claim = !closed; slept = asleep && claim;
       if :: claim -> claimed++ :: else fi          /* void claims: see ring.pml */
     };
     if :: claim -> stamp[p] = 1 :: else fi;        /* stamp.store(p + 1, release) */
     if
     :: slept ->
        d_step { slept = asleep; asleep = 0 };      /* word_.fetch_and(~asleep) */
#ifndef M_LATE_FORGOTTEN
        owes = owes || slept
#else
        owes = slept
     :: !slept && owes -> owes = 0
#endif
     :: else
     fi;
     if
     :: owes && n + 1 < PUBLISHES                   /* LateWake: when more is published */
     :: owes ->
#ifndef M_CLEAR_WITHOUT_WAKE
        Notify();
#endif
        owes = 0
     :: else
     fi;
     d_step { n++; p = 0; claim = 0; slept = 0 }
  :: else -> break
  od;
  done++
}

#define HasRecord (stamp[pos])
#define Exhausted (end_known && pos == end_at)
#ifdef M_SLEEP_WITHOUT_RECHECK
#define MaySleep (!closed)
#else
#define MaySleep (!closed && claimed == pos)
#endif

active proctype FanOut() {
  byte key;
  do
  :: Exhausted -> break
  :: !Exhausted && HasRecord -> pos++               /* stamp.load(acquire) */
  :: !Exhausted && !HasRecord ->
#ifdef M_KEY_AFTER_LOOK
     if
     :: d_step { MaySleep -> asleep = 1 }; PrepareWait(); Wait()
#else
     PrepareWait();
     if
     :: d_step { MaySleep -> asleep = 1 };          /* TrySleep: compare-and-swap on word_ */
        Wait()
#endif
     :: else ->                                     /* a hole, or closing: nap, look again */
        (HasRecord || Exhausted || MaySleep)
     fi
  od;
  over = 1
}

active proctype Closer() {
  bit woke;
  if
  :: true ->                                        /* when nothing moves any more: */
     timeout;                                       /* nobody waits, nothing is left */
     assert(done == PRODUCERS && pos == LAST)
  :: skip                                           /* or at any moment */
  fi;
  d_step { closed = 1; end_at = claimed };          /* word_.fetch_or(closed) */
  end_known = 1;                                    /* end_.store */
#ifndef M_CLOSE_WITHOUT_NOTIFY
  Notify();
#endif
  over;
  assert(pos == end_at)                             /* all of it was read, nothing later */
}
