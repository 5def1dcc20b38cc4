/* A suspended body (supervisor/actor_state.h, supervisor/async_attempt.h) and the list of who waits
 * (supervisor/wake_list.h): two workers, the setter of the one thing that the body waits for, a
 * canceller, and a timer that fires late and wakes for nothing.
 *
 * One atomic or d_step block is one atomic operation of the C++ code, named beside it. A loop
 * around a yield or a nap is a guard, so that to wait for ever is a deadlock.
 */
#define WORKERS 2

mtype = { running, suspended, woken, resuming, gone };
mtype phase = woken;    /* of the word; kQueued and kStarting are told as woken and resuming here */
bit due, stopped;       /* kDue, kStop */
byte pins;
byte queued = 1;        /* in the ready queue */

bit set;                /* kOver of the WakeList: the thing has happened */
bit listed, told = 1;   /* the body's node is in it; nobody is about to wake it */
bit node;               /* the node, in the frame, is there */
bit in_body;            /* somebody resumes, looks at or destroys the frame */
bit began, over;

inline Wake(mine) {
  d_step {                                          /* ActorState::Wake: a compare-and-swap */
    mine = phase == suspended;
    if
    :: phase == suspended -> phase = woken
    :: phase == gone
#ifndef M_WAKE_WITHOUT_DUE
    :: else -> due = 1
#else
    :: else
#endif
    fi
  };
  if :: mine -> queued++ :: else fi                 /* Submit */
}

active proctype Setter() {
  bit mine, woke;
  d_step {                                          /* WakeAll: under the lock, takes it out */
#ifndef M_OVER_AFTER_WAKE
    set = 1;
#endif
    woke = listed;
    listed = 0
  };
  if
  :: woke ->
    assert(node);
    Wake(mine);
    assert(node);                                   /* Remove waits for us */
    told = 1                                        /* under the lock */
  :: else
  fi;
  set = 1
}

active proctype Canceller() {
  bit dormant, pinned;
  if :: true :: goto left fi;                      /* it may not be cancelled at all */
  d_step {                                          /* RequestStop */
    pinned = phase != gone;
    dormant = phase == suspended;
    if :: pinned -> stopped = 1; pins++ :: else fi;
    if :: dormant -> phase = woken :: else fi
  };
  if
  :: pinned ->
    assert(phase != gone);                          /* Tell */
    pins--;                                         /* Unpin */
#ifndef M_STOP_WITHOUT_SUBMIT
    if :: dormant -> queued++ :: else fi
#endif
  :: else
  fi;
left:
  skip
}

active proctype LateTimer() {
  bit mine;
  if :: true -> Wake(mine) :: true fi
}

inline Listen() {                                   /* WakeList::Add */
  node = 1;
  d_step { if :: set :: else -> listed = 1; told = 0 fi };
  began = 1
}

inline End() {
#ifndef M_LEAVE_UNTOLD
  d_step { listed || told -> listed = 0 };          /* WakeList::Remove */
#else
  listed = 0;
#endif
  node = 0;
  in_body = 0;
#ifndef M_SETTLE_WITHOUT_PINS
  d_step { pins == 0 -> phase = gone };             /* Settle */
#else
  phase = gone;
#endif
  over = 1
}

active [WORKERS] proctype Worker() {
  bit taken, refused, ends, looked;
  do
  :: over -> break
  :: atomic { !over && queued > 0 -> queued-- };
    d_step {                                        /* TryTake */
      taken = phase == woken;
      if :: taken -> phase = resuming :: else fi
    };
    if
    :: !taken
    :: taken ->
      d_step { phase = running; due = 0 };          /* TryBegin, TryResume */
      assert(!in_body);
      in_body = 1;
#ifdef M_LOOK_BEFORE_ADD
      looked = !began;
      ends = set || stopped;
#endif
      if :: !began -> Listen() :: else fi;
      refused = 1;
      do
      :: refused ->
#ifdef M_DUE_TAKEN_AFTER_LOOK
        ends = set || stopped;
        due = 0;
#else
        if
        :: looked -> looked = 0
        :: else -> ends = set || stopped            /* Leaf::Ready, Cancelled */
        fi;
#endif
        if
        :: ends -> End(); break
        :: else ->
          in_body = 0;
          d_step {                                  /* TrySuspend */
#ifdef M_SUSPEND_WITHOUT_DUE
            (stopped || pins == 0) -> refused = stopped;
#else
            (stopped || due || pins == 0) -> refused = stopped || due;
#endif
            if :: refused :: else -> phase = suspended fi
          };
          if
          :: refused -> assert(!in_body); in_body = 1; due = 0    /* TakeWake */
          :: else
          fi
        fi
      :: else -> break
      od
    fi
  od
}
