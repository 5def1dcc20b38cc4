/* The ring of the bus (bus/ring.h, lane.h, merge.h, loss_count.h): room, ticket, write, stamp,
 * merge, shed, sleep, close.
 *
 * One atomic or d_step block is one atomic operation of the C++ code, named beside it;
 * neighbouring plain accesses of one thread are merged. The event count is one bit here
 * (`notified`: the epoch is no longer the reader's key); fan_out.pml has it in full. A loop
 * around a nap is a guard, so that to wait for ever is a deadlock.
 *
 * Variants are files that define something and include this one:
 *   FROZEN   a producer stops for ever between ticket and stamp
 *   LATE     after the close the reader may give a slow producer up
 *   REPORT   the reader's own thread publishes too, in a lane of its own
 * Planted bugs: every M_... but M itself.
 */
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef PUBLISHES
#define PUBLISHES 2
#endif
#ifdef REPORT
#define LANES 3         /* the last one is the reader's */
#else
#define LANES 2
#endif
#define CAP 2           /* capacity_: unread slots of a lane before it sheds */
#define PHYS 2          /* slots there are in a lane; a power of two */
#define M 8             /* positions are counted mod M: 2^32 in C++ */
#define START 7         /* they wrap in every run */
#define TICKETS 12      /* more than are drawn; they never wrap */
#define TORN 255        /* a record being written */
#ifdef SHORT_ONLY
#define LEN(n) 1
#else
#define LEN(n) (1 + ((_pid + (n)) & 1))      /* slots of a claim: one or two ... */
#endif
#define RECORDS(n) (_pid == 1 -> LEN(n) : 1) /* ... a run of records from the second producer, */
#define SPAN(n) (_pid == 1 -> 1 : LEN(n))    /* else one long record */
#define At(lane, p) ((lane) * PHYS + (p) % PHYS)
#define Minus(a, b) (((a) + M - (b)) % M)

byte claimed;                            /* word_ */
bit closed, asleep;
byte end_at;                             /* end_ */
bit end_known;
byte stamp[LANES * PHYS];                /* slots_ of each lane: the ticket; 0: none */
bit lossy[LANES * PHYS];                 /* a bit of the stamp */
byte rec[LANES * PHYS], lost_before[LANES * PHYS];
byte head[LANES] = START, lost[LANES];   /* head_, losses_ */
bit sealed[LANES];
bit notified;                            /* events_ */
/* The reader's own. */
byte position[LANES] = START, last[LANES], lost_seen[LANES], accounted, bound;
/* For the checks only, by ticket: who was stamped before it was drawn; what its lane had lost
   when it was written; how many slots it takes. */
short before[TICKETS], stamped, read;
bit over;                                /* the reader has told its last */
byte gap[TICKETS], span[TICKETS], done, missing;
bit frozen;

inline Notify() { notified = 1 }         /* events_.Notify() */

#ifdef M_ROOM_OFF_BY_ONE
#define Fits(k) (Minus(tail, head_seen) < CAP && Minus(tail, head_seen) + (k) <= PHYS + 1)
#else
#define Fits(k) (Minus(tail, head_seen) < CAP && Minus(tail, head_seen) + (k) <= PHYS)
#endif

inline WriteRecord(lane, n) {
  ticket++;
#ifdef M_STAMP_BEFORE_WRITE
  d_step { stamp[At(lane, tail)] = ticket; lossy[At(lane, tail)] = 0 };
#endif
  d_step {                                          /* fill(): in two halves */
    rec[At(lane, tail)] = TORN;
    if :: SPAN(n) == 2 -> rec[At(lane, tail + 1)] = TORN :: else fi
  };
#ifdef FROZEN
  if
  :: _pid != 0
  :: else ->
     d_step { frozen = 1; missing = RECORDS(n) };
end_frozen:
     false
  fi;
#endif
  d_step {
    rec[At(lane, tail)] = ticket; span[ticket] = SPAN(n); gap[ticket] = lost[lane];
    if :: SPAN(n) == 2 -> rec[At(lane, tail + 1)] = ticket :: else fi;
    lost_before[At(lane, tail)] = lost[lane]
  };
#ifndef M_STAMP_BEFORE_WRITE
  d_step {                                          /* stamp.store(release) */
    stamp[At(lane, tail)] = ticket; lossy[At(lane, tail)] = lost[lane] != told;
    told = lost[lane]; stamped = stamped | (1 << ticket)
  };
#endif
  tail = (tail + SPAN(n)) % M
}

inline Wake() {
  d_step { was_asleep = asleep; asleep = 0 };       /* word_.fetch_and(~asleep) */
#ifndef M_CLEAR_WITHOUT_WAKE
  if :: was_asleep -> Notify() :: else fi
#endif
}

inline Publish(lane, n) {
  if
  :: Fits(LEN(n))
  :: else -> head_seen = head[lane]                 /* head_.load(acquire) */
  fi;
  room = Fits(LEN(n));
  if
  :: room ->
     d_step {                                       /* word_.fetch_add(records) */
       ticket = claimed; claim = !closed; was_asleep = asleep;
       claimed = claimed + RECORDS(n);
       before[ticket + 1] = stamped; before[ticket + RECORDS(n)] = stamped
     };
     if
     :: claim ->
        WriteRecord(lane, n);
        if :: RECORDS(n) == 2 -> WriteRecord(lane, n) :: else fi
     :: else                                        /* void */
     fi
  :: else ->
     claim = !closed;                               /* word_.load: Ring::Lose */
     if
     :: claim ->
        d_step {                                    /* losses_.Add */
#ifndef M_CLOSE_WITHOUT_SEAL
          claim = !sealed[lane];
#endif
          if :: claim -> assert(!over); lost[lane] = lost[lane] + RECORDS(n) :: else fi
        };
        was_asleep = asleep                         /* word_.load(seq_cst) */
     :: else
     fi
  fi;
  if
#ifdef M_SHED_WITHOUT_WAKE
  :: claim && room && was_asleep -> Wake()
#else
  :: claim && was_asleep -> Wake()                  /* a loss is to be told, too */
#endif
  :: else
  fi;
  d_step { ticket = 0; claim = 0; room = 0; was_asleep = 0 }  /* for fewer states */
}

active [PRODUCERS] proctype Producer() {
  byte n, tail = START, head_seen = START, told, ticket;
  bit room, claim, was_asleep;
  do
  :: n < PUBLISHES -> Publish(_pid, n); n++
  :: else -> break
  od;
  done++;
  d_step { n = 0; tail = 0; head_seen = 0; told = 0 }  /* for fewer states */
}

#ifdef M_STALE_STAMP                                 /* what an earlier lap left in the slot */
#define Next(l) stamp[At(l, position[l])]
#else
#define Next(l) (stamp[At(l, position[l])] > last[l] -> stamp[At(l, position[l])] : 0)
#endif
#ifdef REPORT
#define AnyLosses (lost[0] != lost_seen[0] || lost[1] != lost_seen[1] || lost[2] != lost_seen[2])
#else
#define AnyLosses (lost[0] != lost_seen[0] || lost[1] != lost_seen[1])
#endif
#define AllRead (end_known && accounted == end_at)
#define Exhausted (AllRead && !AnyLosses)

#ifdef M_SLEEP_WITHOUT_CLAIMED
#define MaySleep (!closed)
#elif defined(M_SLEEP_WITHOUT_CLOSED)
#define MaySleep (claimed == accounted)
#else
#define MaySleep (!closed && claimed == accounted)
#endif

inline Skip(l, up_to) { lost_seen[l] = up_to }      /* told at once: the difference */

inline LookAt(l) {                                  /* stamp.load(acquire); Merge::Add */
#ifdef M_PASS_WITHOUT_BOUND
  d_step { seen[l] = Next(l) }
#else
  d_step { seen[l] = Next(l); if :: seen[l] > bound -> seen[l] = 0 :: else fi }
#endif
}

#ifdef REPORT
#define ForEachLane(Do) Do(0); Do(1); Do(2)
#define AnyNews (News(0) || News(1) || News(2))
#define Third(l) seen[l]
#else
#define ForEachLane(Do) Do(0); Do(1)
#define AnyNews (News(0) || News(1))
#define Third(l) 0
#endif

inline ReadRecord(l) {
#ifdef M_HEAD_BEFORE_READ
  head[l] = (position[l] + span[seen[l]]) % M;
#endif
  d_step {                                          /* Take */
    t = rec[At(l, position[l])];
    assert(t == seen[l]);                           /* whole, and what was stamped */
    assert((before[t] & ~read) == 0);               /* R3: nothing that came before is missing */
    if :: lossy[At(l, position[l])] -> Skip(l, lost_before[At(l, position[l])]) :: else fi;
    assert(lost_seen[l] == gap[t]);                 /* R4: the gap in its place */
    t = 0
  };
  d_step {                                          /* used in place: still the same */
    t = seen[l];
    assert((read & (1 << t)) == 0);
    assert(rec[At(l, position[l])] == t && (span[t] == 1 || rec[At(l, position[l] + 1)] == t));
    read = read | (1 << t);
    last[l] = t; position[l] = (position[l] + span[t]) % M; accounted++;
    before[t] = 0; gap[t] = 0; span[t] = 0; t = 0   /* for fewer states */
  };
  head[l] = position[l]                             /* head_.store(release) */
}

inline Trailing(l) {                                /* Lane::TakeTrailingLosses */
  t = lost[l];                                      /* lost_.load(acquire) */
#ifdef M_TRAILING_WITHOUT_LOOK
  d_step { Skip(l, t) };
#elif defined(M_TRAILING_READ_TWICE)
  if :: Next(l) == 0 -> d_step { Skip(l, lost[l]) } :: else fi;
#else
  d_step { if :: Next(l) == 0 || AllRead -> Skip(l, t) :: else fi };
#endif
  t = 0
}

inline LookForLosses(l) { if :: lost[l] != lost_seen[l] -> t = 1 :: else fi }
inline Seal(l) { sealed[l] = 1 }
#define News(l) (lost[l] != lost_seen[l] || Next(l) != 0)
#define Before(a, b) (b == 0 || a < b)
#define Least(a, b, c) (seen[a] != 0 && Before(seen[a], seen[b]) && Before(seen[a], Third(c)))

active proctype Reader() {
  byte seen[LANES], t;
#ifdef REPORT
  byte tail = START, head_seen = START, told, ticket, n;
  bit room, claim, was_asleep, reports = 1;
#endif
  do
  :: Exhausted -> break
  :: else ->
#ifdef M_BOUND_AFTER_LANES
     bound = TICKETS; ForEachLane(LookAt);
#endif
     t = claimed;                                   /* Last: word_.load(acquire) */
     d_step { bound = (end_known -> end_at : t); t = 0 };  /* end_.load */
#ifndef M_BOUND_AFTER_LANES
     if :: bound != accounted -> ForEachLane(LookAt) :: else fi;
#endif
     do                                             /* the pass: in the order of the tickets */
     :: Least(0, 1, 2) -> ReadRecord(0); LookAt(0)
     :: Least(1, 0, 2) -> ReadRecord(1); LookAt(1)
#ifdef REPORT
     :: seen[2] != 0 && Before(seen[2], seen[0]) && Before(seen[2], seen[1]) ->
        ReadRecord(2); LookAt(2)
#endif
     :: else -> break
     od;
#ifdef REPORT
     if :: reports && read != 0 -> reports = 0; Publish(2, n) :: else fi;
#endif
     ForEachLane(Trailing);
     d_step { notified = 0; bound = 0 };            /* events_.PrepareWait() */
     if
     :: Exhausted
     :: d_step { MaySleep -> asleep = 1 };          /* TrySleep: compare-and-swap on word_ */
#ifndef M_SLEEP_WITHOUT_LOSSES
        ForEachLane(LookForLosses);
        if :: t -> asleep = 0; t = 0 :: else -> notified fi  /* StayAwake; events_.Wait(key) */
#else
        notified
#endif
     :: else ->                                     /* a hole, or closing: nap, look again */
#ifdef FROZEN
end_hole:                                           /* its owner may never come */
#endif
        if
        :: AnyNews || Exhausted || MaySleep
#ifdef LATE
        :: d_step { end_known && !AnyNews && !Exhausted ->
                    accounted = end_at }            /* SkipHoles */
#endif
        fi
     fi
  od;
#ifndef M_CLOSE_WITHOUT_SEAL
  ForEachLane(Seal);                                /* losses_.Seal() */
#endif
  ForEachLane(Trailing);
  d_step {
    assert(!AnyLosses);                             /* all that was lost, nothing after */
    over = 1;
    assert(accounted == end_at)                     /* all that was admitted, nothing after */
  }
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
     assert(claimed == accounted + missing);        /* but for what a frozen one holds */
     assert(!AnyLosses);
     Close()
#ifndef FROZEN
  :: skip; Close(); Close()                         /* or at any moment */
#endif
  fi
}
