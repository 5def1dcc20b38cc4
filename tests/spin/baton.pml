/* The baton (bus/baton.h, bus/ring_reader.h, bus/bus.h): the bus's thread and that of the sole
 * subscription read the ring by turns; a producer, the close, and a subscription that is
 * abandoned or whose callback never returns. The ring is reduced as in fan_out.pml, the queue to
 * its two counters; each of the two threads waits on an event count of its own.
 *
 * One atomic or d_step block is one atomic operation of the C++ code, named beside it. A loop
 * around a yield or a nap is a guard, so that to wait for ever is a deadlock.
 */
#define BUS 0
#define OWN 1
#define PRODUCERS 1
#define PUBLISHES 2
#define LAST 2          /* of them all */
#define BATCH 1

/* An event count, each operation in one step (fan_out.pml has it in full): whether the key that
 * its one waiter took is still good, and whether it is inside the futex. */
bit fresh[2], blocked[2];

byte claimed;           /* word_ of the ring; positions start at 0 here */
bit closed, asleep;
bit stamp[LAST + 1];    /* of position p: its record is whole */
byte end_at, pos;       /* pos: position_ of the reader */
bit end_known;

mtype = { free, held, asked };
mtype baton = free;     /* word_ of the baton */
bit waiter = BUS;       /* waiter_ */
bit in_use;             /* somebody does what only the holder may do */

byte tail, front, done; /* of the queue */
bit sub_closing, abandoned, stuck, sub_over, over;

#define Notify(who) d_step { fresh[who] = 0; blocked[who] = 0 }
#define PrepareWait(who) fresh[who] = 1
inline Wait(who) {
  d_step { blocked[who] = fresh[who] };             /* FutexWait: compares, then blocks */
  !blocked[who]
}

#ifdef M_TAKE_IN_TWO_STEPS
#define TakeFree taken = baton == free; if :: taken -> baton = held :: else fi
#else
#define TakeFree d_step { taken = baton == free; if :: taken -> baton = held :: else fi }
#endif

inline TakeOrAsk() {
  d_step {                                          /* compare-and-swap */
    taken = baton == free;
    if
    :: baton == free -> baton = held
    :: baton == held -> baton = asked
    :: else
    fi
  }
}

inline Give() {                                     /* exchange(kFree) */
  d_step { taken = baton == asked; baton = free };
#ifndef M_REFUSED_AND_FORGOTTEN
  if :: taken -> Notify(BUS) :: else fi;
#endif
  taken = 0
}

inline GiveToBus() {
  baton = free;                                     /* store(kFree) */
#ifndef M_GIVE_WITHOUT_NOTIFY
  Notify(BUS)
#endif
}

/* Drain: a record to the queue, if `limit` allows. */
inline Drain() {
  atomic { assert(!in_use); in_use = 1 };           /* B1 */
  if :: limit > 0 && stamp[pos] -> d_step { pos++; limit-- } :: else fi;
  if
  :: tail != pos -> tail = pos; Notify(OWN)         /* tail_.store(release), Flush */
  :: else
  fi;
  in_use = 0
}

#define MaySleep (!closed && claimed == pos)        /* TrySleep: compare-and-swap on word_ */
#define Exhausted (end_known && pos == end_at)

active [PRODUCERS] proctype Producer() {
  byte n, p;
  bit claim, slept, owes, who;
  do
  :: n < PUBLISHES ->
     d_step {                                       /* the claim */
       p = claimed; claim = !closed; slept = asleep && claim;
       if :: claim -> claimed++ :: else fi
     };
     if :: claim -> stamp[p] = 1 :: else fi;        /* stamp.store(p + 1, release) */
     if
     :: slept ->
        d_step { slept = asleep; asleep = 0 };      /* word_.fetch_and(~asleep) */
        owes = owes || slept
     :: else
     fi;
     if
     :: owes && n + 1 < PUBLISHES                   /* LateWake: when more is published */
     :: owes -> who = waiter; Notify(who); owes = 0 /* NotifyWaiter */
     :: else
     fi;
     d_step { n++; p = 0; claim = 0; slept = 0; who = 0 }
  :: else -> break
  od;
  done++
}

active proctype BusThread() {
  byte limit;
  bit taken, last;
  do
  :: last -> break
  :: else ->
     TakeFree;                                      /* TakeBaton */
     if
     :: taken
     :: else ->
        PrepareWait(BUS);
#ifndef M_REFUSED_WITHOUT_LOOK
        TakeOrAsk();
#endif
        if :: taken :: else -> Wait(BUS) fi
     fi;
     if :: taken && asleep -> asleep = 0 :: else fi; /* StayAwake: word_.fetch_and(~asleep) */
     do
     :: !taken -> break
     :: taken && Exhausted -> last = 1; break       /* keeps the baton */
     :: taken && !Exhausted && stamp[pos] -> limit = BATCH; Drain(); limit = 0
     :: taken && !Exhausted && !stamp[pos] ->
        waiter = BUS;                               /* Appoint */
        PrepareWait(BUS);
        if
        :: d_step { MaySleep -> asleep = 1 };
           baton = free;                            /* GiveToStandIn */
#ifndef M_STAND_IN_FORGOTTEN
           Notify(OWN);
#endif
           Wait(BUS);
           break
        :: else -> (stamp[pos] || Exhausted || MaySleep)  /* a nap */
        fi
     od;
     taken = 0
  od;
  sub_closing = 1;                                  /* Subscription::Close */
  Notify(OWN);
  over = 1
}

#define HasWork (front != tail || sub_closing || abandoned)

active proctype SubscriptionThread() {
  byte limit;
  bit taken, retired;
  do
  :: abandoned -> break
  :: !abandoned && front != tail ->
     if
     :: !stuck -> stuck = 1;                        /* a callback that never returns */
end_stuck:
        false
     :: front++                                     /* or does: Pop */
     fi
  :: !abandoned && front == tail && sub_closing -> break
  :: !abandoned && front == tail && !sub_closing -> /* Rest */
     taken = 0;
     if
     :: !retired -> goto try                        /* at the first look, */
     :: true ->                                      /* or at the last one */
        PrepareWait(OWN);
        if
        :: HasWork -> goto rested
        :: !HasWork && !retired -> goto try
        :: else -> goto wait
        fi
     fi;
try: skip;
     TakeOrAsk();
     if
     :: taken -> goto read
     :: else
     fi;
     PrepareWait(OWN);
     if :: HasWork -> goto rested :: else -> skip fi;
     TakeOrAsk();
     if :: taken -> goto read :: else fi;
wait:
     skip;
     Wait(OWN);
     goto rested;
read:
     skip; taken = 0;
     waiter = OWN;                                  /* Appoint */
#ifndef M_AWAKE_AFTER_THE_LAST_LOOK
     if :: asleep -> asleep = 0 :: else fi;         /* StayAwake: word_.fetch_and(~asleep) */
#endif
     do
     :: true ->
        limit = BATCH;
        Drain();
        if
        :: HasWork ->                               /* Leave */
#ifndef M_WAITER_IN_A_CALLBACK
#ifndef M_APPOINT_AFTER_SLEEP
           waiter = BUS;
#endif
#endif
           do
#ifdef M_LEAVE_WITHOUT_SLEEP
           :: true -> Give(); break
#elif defined(M_CALLBACK_WITH_BATON)
           :: true -> break
#else
           :: d_step { MaySleep -> asleep = 1 };
#ifdef M_APPOINT_AFTER_SLEEP
              waiter = BUS;
#endif
              Give(); break
           :: !MaySleep && (limit == 0 || !stamp[pos]) -> GiveToBus(); break
           :: !MaySleep && limit > 0 && stamp[pos] -> Drain()
#endif
           od;
           break
        :: !HasWork && closed -> retired = 1; GiveToBus(); break
        :: else ->                                  /* Park */
#ifndef M_KEY_AFTER_GIVE
           PrepareWait(OWN);
#endif
           if
           :: d_step { MaySleep -> asleep = 1 };
#ifdef M_AWAKE_AFTER_THE_LAST_LOOK
              asleep = 0;
#endif
              Give();
#ifdef M_KEY_AFTER_GIVE
              PrepareWait(OWN);
#endif
              if :: !HasWork -> Wait(OWN) :: else fi;
              break
           :: else -> (stamp[pos] || closed || MaySleep || HasWork)  /* a nap, or a look */
           fi
        fi
     od;
rested:
     skip;
     d_step { taken = 0; limit = 0 }
  od;
  sub_over = 1;
#ifndef M_RESIGN_SILENTLY
  Notify(BUS)                                       /* Resign */
#endif
}

active proctype Closer() {
  if
  :: abandoned = 1; Notify(OWN)                     /* Abandon */
  :: skip
  fi;
  if
  :: true ->                                        /* when nothing moves any more: */
     timeout;
     assert(done == PRODUCERS && pos == LAST);      /* all is read, whoever is stuck or gone */
     assert(stuck || abandoned || (front == LAST && waiter == OWN && asleep && baton == free))
  :: skip                                           /* or at any moment */
  fi;
  d_step { closed = 1; end_at = claimed };          /* word_.fetch_or(closed) */
  end_known = 1;                                    /* end_.store */
#ifndef M_CLOSE_WITHOUT_NOTIFY
  Notify(BUS);
#endif
  over;
  assert(pos == end_at && tail == pos && baton != free);
  (sub_over || stuck);
  assert(stuck || abandoned || front == end_at)
}
