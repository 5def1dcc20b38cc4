/* A subscriber (bus/subscription.h): its queue (bus/spsc_queue.h), how it parks, how it ends.
 * The fan-out thread copies several records, publishes the tail once, and notifies.
 *
 * One atomic or d_step block is one atomic operation of the C++ code, named beside it.
 * Planted bugs: every M_... in here and in event_count.inc.
 */
#include "event_count.inc"

#define RECORDS 5
#define QUEUE 2         /* slots of the queue */
#define POSITIONS 8     /* its positions are counted modulo this */
#define START 6         /* the counter wraps in every run */
#define TORN 255        /* a record being written */

mtype = { open, closing };
mtype state = open;                      /* state_ */
byte queue[QUEUE];
byte tail = START, front = START;        /* tail_, head_ */
byte dropped, delivered, offered;
bit over;

#define Next(p) ((p + 1) % POSITIONS)
#ifdef M_FULL_OFF_BY_ONE
#define Full ((my_tail + POSITIONS - front) % POSITIONS > QUEUE)
#else
#define Full ((my_tail + POSITIONS - front) % POSITIONS >= QUEUE)
#endif

inline PublishTail() { tail = my_tail }             /* tail_.store(pushed_, release) */

inline Flush() {
  if
  :: my_tail != tail ->
#ifdef M_NOTIFY_BEFORE_TAIL
     Notify(); PublishTail()
#else
     PublishTail(); Notify()
#endif
  :: else
  fi
}

inline Close() {
  state = closing;                                  /* state_: kOpen -> kClosing */
#ifndef M_CLOSE_WITHOUT_NOTIFY
  Notify()
#endif
}

active proctype FanOut() {
  byte my_tail = START;
  bit woke;
  do
  :: offered < RECORDS ->
     offered++;
     /* OfferAll: full perhaps only of what the thread was not told of. */
     if :: Full -> Flush() :: else fi;              /* head_.load(acquire) */
     if
     :: Full -> dropped++
     :: else ->
#ifdef M_TAIL_BEFORE_WRITE
        my_tail = Next(my_tail); PublishTail(); Notify();
        queue[(my_tail + POSITIONS - 1) % QUEUE] = offered
#else
        queue[my_tail % QUEUE] = TORN;              /* the copy, in two halves */
        queue[my_tail % QUEUE] = offered;
        my_tail = Next(my_tail)
#endif
     fi;
     if :: Flush() :: skip fi                       /* a batch may be over at any record */
  :: else -> break
  od;
#ifdef M_CLOSE_BEFORE_FLUSH
  Close();
  Flush();
#else
  Flush();
  if
  :: true ->                                        /* when nothing moves any more: */
     timeout;                                       /* nothing is left */
     assert(delivered + dropped == offered)
  :: skip                                           /* or at once */
  fi;
  Close();
#endif
  over;
  assert(delivered + dropped == offered)
}

#define Empty (tail == front)                       /* Front: tail_.load(acquire) */

/* One step for both looks: neither becomes true again by itself. */
#ifdef M_PARK_WITHOUT_RECHECK
#define MayPark (state == open)
#elif defined(M_PARK_WITHOUT_STATE)
#define MayPark Empty
#else
#define MayPark (Empty && state == open)
#endif

active proctype Subscriber() {
  byte last, key;
  mtype was = open;
  do
  :: true ->
#ifndef M_STATE_READ_LATE
     was = state;                                   /* state_.load(acquire), before Front */
#endif
     if
     :: !Empty ->
#ifdef M_POP_BEFORE_READ
        front = Next(front);
#define Here ((front + POSITIONS - 1) % QUEUE)
#else
#define Here (front % QUEUE)
#endif
        d_step {                                    /* whole, and in order */
          assert(queue[Here] != TORN && queue[Here] > last);
          last = queue[Here]
        };
        d_step { assert(queue[Here] == last); delivered++ };  /* used in place: the same */
#ifndef M_POP_BEFORE_READ
        front = Next(front)                         /* head_.store(release) */
#endif
     :: else ->
#ifdef M_STATE_READ_LATE
        was = state;
#endif
        if :: was == closing -> break :: else fi;
        PrepareWait();
        if :: MayPark -> Wait() :: else fi
     fi
  od;
  over = 1
}
