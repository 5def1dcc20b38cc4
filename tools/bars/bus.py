"""The bars of bus_bench: what an event costs."""

from bars.bar import Bar

TITLE = "The bus in figures"
EVERY_EVENT_COUNTS = True
COUNTERS = ("p50_ns", "ns_per_event", "cpu_s_in_10_s")  # the first one a row has is its figure

PEERS = ("publish/tbb/{0}", "publish/boost/{0}", "publish/mutex_vector/{0}")
FAN_OUT_PEERS = ("fan_out/mutex_swap/8", "fan_out/tbb/8", "fan_out/moodycamel/8")


def bar(name, ours, baselines, limit, stretch=None, **more):
    if isinstance(baselines, str):
        baselines = (baselines,)
    return Bar(name, ours, baselines, limit, stretch, **more)


def bars():
    yield bar("B1 publish, reader idle / fetch_add", "publish/ring_beside_adds/1", "publish/fetch_add/1",
              1.4, 1.25, beside="per_add", floor="publish/ticket_and_record_beside_adds/1")
    yield bar("B1 publish, live fan-out / fetch_add", "publish/bus_live_beside_adds/1",
              "publish/fetch_add/1", 1.8, 1.45, beside="per_add",
              floor="publish/ticket_and_record_live_beside_adds/1")
    for n in (2, 4):
        add = f"publish/fetch_add/{n}"
        yield bar(f"B2 publish, {n} producers / fetch_add", f"publish/ring/{n}", add, 3, 1.35)
        yield bar(f"B2 run of 3, {n} producers / fetch_add", f"publish/ring_run_of_3/{n}", add, 1.2, 0.7)
    for n, limit in ((1, 1.0), (2, 0.8), (4, 0.8)):
        peers = tuple(peer.format(n) for peer in PEERS)
        # One sequence for several producers: each number crosses from core to core.
        floor = f"publish/ticket_and_stamp/{n}" if n > 1 else None
        yield bar(f"B3 publish, {n} producers / best peer", f"publish/ring/{n}", peers, limit, floor=floor)
    yield bar("B4 to 8 subscribers / mutex and swap", "fan_out/bus/8", FAN_OUT_PEERS[0], 0.7)
    yield bar("B4 to 8 subscribers / best peer", "fan_out/bus/8", FAN_OUT_PEERS, 0.7)
    yield bar("B4 per subscriber, at 8 / at 1", "fan_out/bus/8", "fan_out/bus/1", 0.5, scale=1 / 8)
    yield bar("B6 spinning, p50 / ping-pong", "latency/bus_spinning", "latency/ping_pong", 1.5,
              counter="p50_ns")
    yield bar("B6 parked, p50 / futex hop", "latency/bus_parked", "latency/futex_hop", 2, counter="p50_ns")
    # For information.
    yield bar("one publish / copy of 64 bytes", "publish/ring/1", "publish/copy_64_bytes/1", None)
    yield bar("run of 3, 1 producer / fetch_add", "publish/ring_run_of_3/1", "publish/fetch_add/1", None)
    for n in (1, 2, 4):
        yield bar(f"publish, {n} producers / moodycamel (no global order)", f"publish/ring/{n}",
                  f"publish/moodycamel/{n}", None)
    for n in (2, 4):
        yield bar(f"publish, {n} producers / a number and its store alone", f"publish/ring/{n}",
                  f"publish/ticket_and_stamp/{n}", None)
    yield bar("spinning, p99 / ping-pong", "latency/bus_spinning", "latency/ping_pong", None, counter="p99_ns")
    yield bar("spinning, p50 / relay of three threads", "latency/bus_spinning", "latency/relay", None,
              counter="p50_ns")
    yield bar("parked, p99 / futex hop", "latency/bus_parked", "latency/futex_hop", None, counter="p99_ns")
    yield bar("parked, unplaced, p50 / futex hop, unplaced", "latency/bus_parked_unplaced",
              "latency/futex_hop_unplaced", None, counter="p50_ns")
    yield bar("B5 CPU seconds in 10 s, idle", "idle/supervisor", (), 0.01, counter="cpu_s_in_10_s", unit="s")
