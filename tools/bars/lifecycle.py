"""The bars of lifecycle_bench: what a supervised task costs."""

from bars.bar import Bar

TITLE = "Tasks in figures"
EVERY_EVENT_COUNTS = False  # a burst may lose events; the rows see to it that each is counted
COUNTERS = ("p50_ns", "added_ns", "ns_per_task")

NS = "ns_per_task"
TG = "run/tg_run/100000"
PROMISE = "run/tbb_promise/100000"
WATCHED = "add/outside_{0}_watched/100000"
BESIDE = "add/outside_{0}_watched_beside_promise/100000"  # each round with one of the baseline


def bar(name, ours, baselines, limit=None, stretch=None, counter=NS, **more):
    if isinstance(baselines, str):
        baselines = (baselines,)
    return Bar(name, ours, baselines, limit, stretch, counter, **more)


def one_shot():
    yield bar("N1 batch of 1e5 / tg.run", "run/batch_beside_tg_run/100000", TG, 1.0, 0.6, beside="of_peer")
    yield bar("N2 added and watched / tbb+promise", BESIDE.format("anonymous"), PROMISE, 0.6, 0.35,
              beside="of_peer")
    for what, names in (("named", "counted up"), ("scattered", "scattered")):
        yield bar(f"N3 the same, names {names} / tbb+promise", BESIDE.format(what), PROMISE, 0.75, 0.5,
                  beside="of_peer")
    yield bar("N4 N1 with a subscriber / without", "run/batch_counted_beside_plain/100000",
              "run/batch/100000", 1.6, 1.25, beside="of_peer")


def round_trips():
    ours, baseline = "round_trip/watched_beside_enqueue_idle", "round_trip/enqueue_park_idle"
    yield bar("N5 round trip, idle, p50 / arena.enqueue", ours, baseline, 1.3, 1.1, counter="p50_ns",
              beside="of_peer")
    yield bar("N5 round trip, idle, p99 / arena.enqueue", ours, baseline, 2, 1.3, counter="p99_ns",
              beside="p99_of_peer")


def attempts():
    yield bar("N6 one attempt, repeating / tg.run inside", "repeat/success/1", "repeat/tg_redispatch/1",
              2.5, 1.5)


def stops():
    yield bar("N8 shutdown of 1e5 parked, per task / tg.run", "shutdown/100000", TG, 1.5, 0.8)
    yield bar("N8 shutdown of 1e6, per task / of 1e5", "shutdown/1000000", "shutdown/100000", 1.3, 1.1)


def timers():
    cancel, fire = "timers/{}_cancel/1000000", "timers/{}_fire/1000000"
    yield bar("N9 timer arm + cancel / asio::steady_timer", cancel.format("queue"), cancel.format("asio"),
              0.2, 0.08)
    yield bar("N9 the same, CPU time of all threads", cancel.format("queue"), cancel.format("asio"),
              0.2, 0.08, counter="cpu_ns")
    yield bar("N9 timer arm + fire, CPU time / asio::steady_timer", fire.format("queue"),
              fire.format("asio"), 0.4, 0.2)


def timeout_limit(rows):
    return max(25, 0.7 * rows.median("clock/now", NS))


def limits():
    yield bar("N10 what an armed timeout adds to an attempt", "timeout/added", (), timeout_limit, 10,
              counter="added_ns", unit="ns")
    for n in (2, 4):
        yield bar(f"N11 Add from {n} threads / from 1", f"churn/beside_one/{n}", "churn/1", 1.2, 0.8,
                  beside="of_one")
    yield bar("N12 add + finish among 1e6 names / 1e3", "names/1000000", "names/1000", 1.5, 1.2)
    yield bar("N13 cancellation check, with its loop", "check/cancelled", (), 1, 0.5, unit="ns")


def information():
    """Lines without a limit."""
    for n in (1000, 1_000_000):
        yield bar(f"batch of {n} / tg.run", f"run/batch/{n}", f"run/tg_run/{n}")
    yield bar("batch of 1e5 into a warm supervisor / tg.run", "run/add_batch/100000", TG)
    yield bar("batch of 1e5 / arena.enqueue", "run/batch/100000", "run/arena_enqueue/100000")
    yield bar("added and watched / Asio packaged_task", WATCHED.format("anonymous"), "run/asio/100000")
    yield bar("added and watched / CAF spawn and monitor", WATCHED.format("anonymous"), "run/caf/100000")
    yield bar("added and watched, 1e3 / std::async", "add/outside_anonymous_watched/1000", "run/async/1000")
    yield bar("added by a body / tg.run inside", "add/inside_anonymous/100000", "inside/tg_run/100000")
    yield bar("batch of 1e5, all outcomes read / tbb+promise", "run/batch_watched/100000", PROMISE)
    yield bar("batch of 1e5, no event lost / tg.run", "run/batch_none_lost/100000", TG)
    for n in (1000, 100_000):
        yield bar(f"one attempt of {n} repeating / tg.run inside", f"repeat/success/{n}",
                  f"repeat/tg_redispatch/{n}")
        yield bar(f"one attempt of {n} failing / tg.run inside", f"repeat/failure/{n}",
                  f"repeat/tg_redispatch/{n}")
    for n in (1, 1000):
        yield bar(f"attempt of {n} coroutines / of plain bodies", f"coroutine/attempt/{n}",
                  f"repeat/success/{n}")
        yield bar(f"a Yield of {n} coroutines / tg.run inside", f"coroutine/yield/{n}",
                  f"repeat/tg_redispatch/{n}")
        yield bar(f"a wake-up, {n} pairs of coroutines / tg.run inside", f"coroutine/wake/{n}",
                  f"repeat/tg_redispatch/{n}")
    for wait in ("park", "look"):
        for way in ("idle", "at_once"):
            yield bar(f"round trip, {way}, p50 / arena.enqueue, {wait}", f"round_trip/watched_{way}",
                      f"round_trip/enqueue_{wait}_{way}", counter="p50_ns")
    yield bar("round trip, idle, p50 / arena.enqueue, every slot a worker's", "round_trip/watched_idle",
              "round_trip/enqueue_wide_idle", counter="p50_ns")
    yield bar("one permit for 1000 tasks / no limit", "permits/one/1000", "permits/all/1000")
    yield bar("Cancel among 1e5 others / alone", "cancel/100000", "cancel/0")
    yield bar("Remove among 1e5 others / alone", "remove/100000", "remove/0")


def bars():
    for group in (one_shot, round_trips, attempts, stops, timers, limits, information):
        yield from group()
