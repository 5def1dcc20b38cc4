"""The bars of lifecycle_bench: what a supervised task costs."""

from bars.bar import Bar

TITLE = "Tasks in figures"
EVERY_EVENT_COUNTS = False  # a burst may lose events; the rows see to it that each is counted
COUNTERS = ("p50_ns", "ns_per_task")

NS = "ns_per_task"
TG = "run/tg_run/100000"
PROMISE = "run/tbb_promise/100000"
WATCHED = "add/outside_{0}_watched/100000"


def bar(name, ours, baselines, limit=None, stretch=None, counter=NS, **more):
    if isinstance(baselines, str):
        baselines = (baselines,)
    return Bar(name, ours, baselines, limit, stretch, counter, **more)


def one_shot():
    yield bar("N1 batch of 1e5 / tg.run", "run/batch/100000", TG, 1.0, 0.6)
    yield bar("N2 added and watched / tbb+promise", WATCHED.format("anonymous"), PROMISE, 0.6, 0.35)
    yield bar("N3 the same, named / tbb+promise", WATCHED.format("named"), PROMISE, 0.75, 0.5)
    yield bar("N4 N1 with a subscriber / without", "run/batch_counted/100000", "run/batch/100000", 1.6, 1.25)


def round_trips():
    idle = ("round_trip/enqueue_park_idle", "round_trip/enqueue_look_idle")
    yield bar("N5 round trip, idle, p50 / arena.enqueue", "round_trip/watched_idle", idle, 1.3, 1.1,
              counter="p50_ns")
    yield bar("N5 round trip, idle, p99 / arena.enqueue", "round_trip/watched_idle", idle, 2, 1.3,
              counter="p99_ns")


def attempts():
    yield bar("N6 one attempt, repeating / tg.run inside", "repeat/success/1", "repeat/tg_redispatch/1",
              2.5, 1.5)


def information():
    for n in (1000, 1_000_000):
        yield bar(f"batch of {n} / tg.run", f"run/batch/{n}", f"run/tg_run/{n}")
    yield bar("batch of 1e5 into a warm supervisor / tg.run", "run/add_batch/100000", TG)
    yield bar("batch of 1e5 / arena.enqueue", "run/batch/100000", "run/arena_enqueue/100000")
    yield bar("added and watched / Asio packaged_task", WATCHED.format("anonymous"), "run/asio/100000")
    yield bar("added and watched / CAF spawn and monitor", WATCHED.format("anonymous"), "run/caf/100000")
    yield bar("added and watched, 1e3 / std::async", "add/outside_anonymous_watched/1000", "run/async/1000")
    yield bar("added by a body / tg.run inside", "add/inside_anonymous/100000", "inside/tg_run/100000")
    for n in (1000, 100_000):
        yield bar(f"one attempt of {n} repeating / tg.run inside", f"repeat/success/{n}",
                  f"repeat/tg_redispatch/{n}")
        yield bar(f"one attempt of {n} failing / tg.run inside", f"repeat/failure/{n}",
                  f"repeat/tg_redispatch/{n}")
    for wait in ("park", "look"):
        for way in ("idle", "at_once"):
            yield bar(f"round trip, {way}, p50 / arena.enqueue, {wait}", f"round_trip/watched_{way}",
                      f"round_trip/enqueue_{wait}_{way}", counter="p50_ns")


def bars():
    yield from one_shot()
    yield from round_trips()
    yield from attempts()
    yield from information()
