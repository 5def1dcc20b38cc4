#!/usr/bin/env python3
"""Checks that nothing on the lock-free paths can block; prints file:line and exits 1 if it may.

Looked at: every source of sched/, bus/ and supervisor/, for locks (mutex, lock_guard, call_once,
condition_variable, semaphore, ...), spin locks (atomic_flag, a loop around exchange), and waits
(a futex or event count, join, sleep, yield: a yield stands in a loop that waits).

Two lists say what may stay, each with its reason: OFF_THE_PATH, files that no operation named
lock-free in README.md goes through, and ALLOWED, single lines of the others. An entry that
matches nothing is a fault as well, so that neither list outlives what it excuses.

Usage: check_lock_free.py [ROOT]    ROOT: the tree to check, by default the one this file is in
"""

import pathlib
import re
import sys

BLOCKING = re.compile(
    r"\b(mutex|shared_mutex|lock_guard|unique_lock|shared_lock|scoped_lock|condition_variable\w*"
    r"|call_once|once_flag|atomic_flag|(counting|binary)_semaphore|latch|barrier|(?<![.])promise|future"
    r"|pthread_(mutex|cond|rwlock|spin|join|barrier)\w*|sem_wait|u?sleep|nanosleep"
    r"|sleep_(for|until)|yield|YieldCore|GiveWay|_mm_pause|FutexWait|Await\w*|Wait|WaitFor|WaitUntil)\s*[<(;]"
    r"|\bstd::(\w*mutex|once_flag|(lock_guard|(unique|scoped|shared)_lock)|condition_variable\w*)\b"
    r"|[.>](wait|join|lock|get_future)\s*\("
    r"|while\s*\([^;]*(exchange\(|test_and_set)"
)

# What a file is for, if none of the named operations goes through it.
OFF_THE_PATH = {
    "sched/event_count.h": "the wait itself; Notify, which the paths call, is wait-free",
    "sched/futex.h": "the wait itself; a wake-up does not wait",
    "sched/executor.h": "says how a thread waits, where it does",
    "sched/thread.h": "the end of a thread, for who joins it",
    "sched/timed_wait.h": "for callers that ask to wait",
    "sched/clock.cc": "the lock of a manual clock, which tests move",
    "bus/subscription.h": "its waits are those of the subscriber's own thread",
    "supervisor/alive.h": "a cache of the fan-out thread's, and its readers'",
    "supervisor/alive.cc": "a cache of the fan-out thread's, and its readers'",
    "supervisor/crash_dump.cc": "after a fatal signal",
    "sched/stack_capture.cc": "whoever asks for a stack waits for it, on a thread made for that",
    "supervisor/watchdog.cc": "the watchdog's own thread, and the end of it",
    "supervisor/shutdown.h": "a shutdown waits: that is what it is for",
    "supervisor/shutdown.cc": "a shutdown waits: that is what it is for",
    "supervisor/signals.cc": "set-up of signals, and the thread that waits for them",
    "supervisor/subscriber_set.cc": "exceptions of callbacks, and the close",
    "supervisor/include/taskvisor/task_outcome.h": "TaskWaiter: for callers that ask to wait",
    "supervisor/task_outcome.cc": "TaskWaiter: for callers that ask to wait",
    "supervisor/include/taskvisor/waiter.h": "Waiter: for callers that ask to wait",
    "supervisor/when.cc": "WhenAll and WhenAny: for callers that ask to wait",
    "supervisor/testing/fiber_executor.h": "a simulation: one thread, where nobody else waits",
    "supervisor/testing/fiber_executor.cc": "a simulation: one thread, where nobody else waits",
    "sched/crew.cc": "making and ending threads, and how they wait to be called",
    "supervisor/testing/outside.h": "a simulation: how its thread waits",
    "supervisor/testing/outside.cc": "a simulation: how its thread waits",
}

# (file, a part of the line, why the line may stay)
ALLOWED = (
    ("sched/timer_queue.cc", "GiveWay();", "a timer thread that an executor runs"),
    ("sched/delays.h", "YieldCore() {", "its definition"),
    ("sched/delays.h", "std::this_thread::yield();", "who calls it is looked at"),
    ("sched/pool.cc", "std::this_thread::yield();", "an item that has nothing to run looks on"),
    ("sched/pool.cc", "Await(idle_", "Join, at the end"),
    ("sched/ready_queue.h", "YieldCore();",
     "as in ready_lanes.h"),
    ("sched/ready_lanes.h", "YieldCore();",
     "an element is there for each who counted: see there"),
    ("sched/crew.h", "bool AwaitCall();", "how a thread of the crew waits"),
    ("sched/timer_queue.cc", "thread_.join();", "Stop, at the end"),
    ("sched/timer_queue.cc", "events_.WaitUntil(", "the timer thread sleeps"),
    ("bus/bus.h", "thread_.join();", "the close"),
    ("bus/bus.h", "std::this_thread::yield()", "the fan-out thread looks again"),
    ("bus/bus.h", "events.Wait", "the fan-out thread sleeps"),
    ("bus/bus.h", "Await(baton_->bus_events()", "the fan-out thread waits for the baton"),
    ("bus/ring_reader.h", "std::this_thread::yield();", "a subscriber's thread looks again"),
    ("bus/ring_reader.h", "own.events().Wait", "a subscriber's thread sleeps"),
    ("supervisor/actor_state.h", "GiveWay();",
     "Settle: the worker of a body that is being cancelled just now waits for the canceller"),
    ("supervisor/attempt_context.h", "once_flag", "a body asks for its own name"),
    ("supervisor/attempt_context.cc", "std::call_once(", "a body asks for its own name"),
    ("supervisor/attempt_context.cc", "AwaitUntil(", "SleepFor: a body asks to sleep"),
    ("supervisor/attempt_context.cc", "WaitFor(const Signal&", "a body asks to wait"),
    ("supervisor/include/taskvisor/task_context.h", "WaitFor(const Signal&", "a body asks to wait"),
    ("supervisor/registry.h", "AwaitGone(", "Cancel: for callers that ask to wait"),
    ("supervisor/registry.cc", "AwaitGone(", "Cancel: for callers that ask to wait"),
    ("supervisor/registry.cc", "AwaitUntil(", "Cancel: for callers that ask to wait"),
    ("supervisor/registry.cc", "std::this_thread::yield();",
     "more than kSpareSlots threads stand still while they give a slot back"),
    ("supervisor/runtime.h", "once_flag", "Start"),
    ("supervisor/runtime.cc", "std::call_once(", "Start"),
    ("supervisor/awaiters.cc", "here->GiveWay()", "in a simulation only"),
    ("supervisor/runtime.cc", "Await(&clock(), gate.changed()", "Run, and Add on a full supervisor"),
    ("supervisor/runtime.cc", "AwaitGone(", "Cancel: for callers that ask to wait"),
    ("supervisor/runtime.cc", "shutdown_.Wait", "Run and Shutdown"),
    ("bus/bus.h", "nanosleep(&kNap, nullptr);", "CatchUp: for who asks to see what was published"),
    ("supervisor/awaiters.cc", "waiter_.Wait()", "the outcome is there"),
    ("supervisor/wake_list.h", "YieldCore();",
     "who watches an outcome waits for who comes or goes just now; see there"),
    ("supervisor/runtime.cc", "mutex", "Leak: at the end of a supervisor with stuck bodies"),
)


def lines_of(path):
    """The lines with comments and texts taken out."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        yield number, re.sub(r'"(\\.|[^"\\])*"', '""', line).split("//")[0]


def main():
    if len(sys.argv) > 2 or sys.argv[1:2] in (["-h"], ["--help"]):
        print(__doc__)
        return 0 if len(sys.argv) == 2 else 2
    root = pathlib.Path(sys.argv[1] if len(sys.argv) == 2 else __file__ + "/../..").resolve()
    if not (root / "sched").is_dir():
        print(f"check_lock_free.py: no tree of this project: {root}", file=sys.stderr)
        return 2
    faults, checked = [], 0
    unused = set(OFF_THE_PATH) | {entry[:2] for entry in ALLOWED}
    rooms = [root / room for room in ("sched", "bus", "supervisor")]
    for path in sorted(path for room in rooms for path in room.rglob("*")):
        name = str(path.relative_to(root))
        if path.suffix not in (".h", ".cc"):
            continue
        checked += 1
        for number, line in lines_of(path):
            if not BLOCKING.search(line):
                continue
            excuses = {name} & set(OFF_THE_PATH)
            excuses |= {(n, part) for n, part, _ in ALLOWED if n == name and part in line}
            unused -= excuses
            if not excuses:
                faults.append(f"{name}:{number}: may block: {line.strip()}")
    faults += [f"tools/check_lock_free.py: matches nothing any more: {entry}" for entry in
               sorted(map(str, unused))]
    print("\n".join(faults + [f"lock-free: {checked} files checked, {len(faults)} faults"]))
    return 1 if faults or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
