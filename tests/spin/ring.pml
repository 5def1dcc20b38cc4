/* The ring of the bus (bus/ring.h): claim, write, stamp, read, shed, sleep, close.
 *
 * One atomic or d_step block is one atomic operation of the C++ code, named beside it;
 * neighbouring plain accesses of one thread are merged. The event count is one bit here
 * (`notified`: the epoch is no longer the reader's key); fan_out.pml has it in full. A loop
 * around a yield or a nap is a guard, so that to wait for ever is a deadlock.
 *
 * Variants are files that define something and include this one:
 *   FROZEN   a producer stops for ever between claim and stamp
 *   LATE     after the close the reader may give a slow producer up
 *   REPORT   the reader's own thread publishes too
 * Planted bugs: every M_... but M itself.
 */
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef PUBLISHES
#define PUBLISHES 2
#endif
#ifndef CAP
#define CAP 2           /* capacity_: unread slots before publishers shed */
#define PHYS 2          /* slots there are; a power of two */
#endif
#ifndef FAST
#define FAST 2          /* fast_limit_ */
#endif
#define M 16            /* positions are counted mod M: 2^32 in C++ */
#define START 14        /* the counter wraps in every run */
#define LM 8            /* losses are counted mod LM: 2^30 in C++ */
#define LSTART 7
#define TORN 255        /* a record being written */
#define ID(n) ((_pid + 1) * 4 + n)
#define FROM_READER(id) ((id) / 4 == PRODUCERS + 1)
#ifdef SHORT_ONLY
#define LEN(id) 1
#else
#define LEN(id) (1 + (((id) / 4 + (id)) & 1))  /* slots of a claim: one or two ... */
#endif
#define RECORDS(id) ((id) / 4 == 2 -> LEN(id) : 1)  /* ... a run of records from the second */
#define SPAN(id) ((id) / 4 == 2 -> 1 : LEN(id))     /* producer, else one long record */
#define Minus(a, b) (((a) + M - (b)) % M)
#define Slot(p) ((p) % PHYS)

byte claimed = START, lost = LSTART;     /* word_ */
bit closed, asleep;
byte gate_head = START;                  /* gate_ */
bit gate_careful;
byte head = START, end_at;               /* head_, end_ */
bit end_known, skipping;
byte stamp[PHYS] = M;                    /* slots_; M: no position has this stamp */
byte rec[PHYS], lost_before[PHYS];
bit notified;                            /* events_ */
byte pos = START, seen = LSTART;         /* position_, lost_seen_: the reader's own */
/* For the checks only. By position: the event it was given to, the losses just before. */
byte owner[M], gap[M], done;
bit frozen;

#define Grant(id) owner[o_claimed] = id; owner[(o_claimed + RECORDS(id) - 1) % M] = id

#include "ring_publish.inc"

active [PRODUCERS] proctype Producer() {
  byte n, h, o_claimed, o_lost;
  bit o_closed, o_asleep, claim, cas, took;
  do
  :: n < PUBLISHES -> Publish(ID(n)); n++
  :: else -> break
  od;
  done++
}

#define HasRecord (stamp[Slot(pos)] == (pos + 1) % M)
#define Exhausted (end_known && pos == end_at && seen == lost)
#ifdef M_TRAILING_BY_CLAIMED             /* void claims have moved it on */
#define AtLast (claimed == pos)
#else
#define AtLast ((end_known && end_at == pos) || (!end_known && claimed == pos))
#endif
#ifdef M_SLEEP_WITHOUT_CLAIMED
#define MaySleep (!closed && lost == seen)
#elif defined(M_SLEEP_WITHOUT_LOST)
#define MaySleep (!closed && claimed == pos)
#elif defined(M_SLEEP_WITHOUT_CLOSED)
#define MaySleep (claimed == pos && lost == seen)
#else
#define MaySleep (!closed && claimed == pos && lost == seen)
#endif

inline ReadRecord() {
#ifdef M_HEAD_BEFORE_READ
  head = (pos + 1) % M;
#endif
  d_step {                                          /* Take */
    id = rec[Slot(pos)];
    assert(id != 0 && id == owner[pos]);            /* whole, and in the order of the claims */
    assert((lost_before[Slot(pos)] + LM - seen) % LM == gap[pos]);  /* the gap in its place */
    seen = lost_before[Slot(pos)]
  };
  d_step {                                          /* used in place: still the same */
    assert(rec[Slot(pos)] == id && (SPAN(id) == 1 || rec[Slot(pos + 1)] == id));
    owner[pos] = 0; gap[pos] = 0;
    pos = (pos + SPAN(id)) % M; id = 0
  }
}

inline PublishHead() {                              /* head_.store(position_, release) */
#ifdef M_SKIP_MOVES_HEAD
  head = pos
#else
  if :: !skipping -> head = pos :: else fi
#endif
}

active proctype Reader() {
  byte id, h, o_claimed, o_lost;
  bit o_closed, o_asleep, claim, cas, took, reports;
#ifdef REPORT
  reports = 1;
#endif
  do
  :: Exhausted -> break
  :: !Exhausted && HasRecord ->                     /* stamp.load(acquire) */
     ReadRecord();
     if :: reports -> reports = 0; Publish(ID(0)) :: else fi;
     #ifdef FROZEN
     PublishHead()
#else
     if :: PublishHead() :: skip fi                 /* at once, or at the end of the batch */
#endif
  :: !Exhausted && !HasRecord ->
#ifndef M_HEAD_KEPT_AT_IDLE
     PublishHead();
#endif
     d_step {                                       /* TakeTrailingLosses: word_.load, end_.load */
       if
       :: AtLast -> assert((lost + LM - seen) % LM == gap[pos]); gap[pos] = 0; seen = lost
       :: else
       fi
     };
     notified = 0;                                  /* events_.PrepareWait() */
     if
     :: d_step { MaySleep -> asleep = 1 };          /* TrySleep: compare-and-swap on word_ */
        notified                                    /* events_.Wait(key) */
     :: else ->                                     /* a hole, or closing: nap, look again */
#ifdef FROZEN
end_hole:                                           /* its owner may never come */
#endif
        if
        :: HasRecord || Exhausted || (AtLast && seen != lost) || MaySleep
#ifdef LATE
        /* Its owner may still write into the slot, so that must never be given out again:
           from now on head stays where it is. */
        :: d_step { end_known && pos != end_at && !HasRecord ->
                    skipping = 1; owner[pos] = 0;
                    gap[(pos + 1) % M] = gap[(pos + 1) % M] + gap[pos]; gap[pos] = 0;
                    pos = (pos + 1) % M }
#endif
        fi
     fi
  od;
  assert(pos == end_at && seen == lost);            /* all that was admitted, nothing after */
  for (id : 0 .. M - 1) { assert(owner[id] == 0 && gap[id] == 0) }  /* read + lost == published */
}

inline Close() {
  d_step { was = closed; c = claimed; closed = 1 }; /* word_.fetch_or(closed) */
#ifndef M_CLOSE_TWICE
  if :: !was -> d_step { end_at = c; end_known = 1 } :: else fi;  /* end_.store */
#else
  d_step { end_at = c; end_known = 1 };
#endif
  Notify()
}

active proctype Closer() {
  byte c;
  bit was;
  if
  :: true ->                                        /* when nothing moves any more: */
     timeout;                                       /* nobody waits, nothing is left */
     assert(done + frozen == PRODUCERS);
     assert(!HasRecord);
     assert(frozen || (claimed == pos && lost == seen));
     Close()
#ifndef FROZEN
  :: skip; Close(); Close()                         /* or at any moment */
#endif
  fi
}
