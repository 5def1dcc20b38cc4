"""What bus_bench shows in charts."""

from bars.charts import BarChart, Entry


def ours(label, row):
    return Entry(label, row, ours=True)


def publish(producers):
    return BarChart(
        f"publish_{producers}", f"Publish one event, {producers} producer{'s' if producers > 1 else ''}",
        [ours("taskvisor, the ring", f"publish/ring/{producers}"),
         ours("taskvisor, three as one run", f"publish/ring_run_of_3/{producers}"),
         Entry("a bare fetch_add", f"publish/fetch_add/{producers}"),
         Entry("tbb::concurrent_queue", f"publish/tbb/{producers}"),
         Entry("boost::lockfree::queue", f"publish/boost/{producers}"),
         Entry("a mutex and a vector", f"publish/mutex_vector/{producers}"),
         Entry("moodycamel (no global order)", f"publish/moodycamel/{producers}")],
        counter="ns_per_event", unit="ns per event")


def charts():
    for producers in (1, 2, 4):
        yield publish(producers)
    yield BarChart(
        "fan_out", "Publish to callback, 8 subscribers, lossless",
        [ours("taskvisor", "fan_out/bus/8"), Entry("mutex and swap", "fan_out/mutex_swap/8"),
         Entry("tbb::concurrent_bounded_queue", "fan_out/tbb/8"), Entry("moodycamel", "fan_out/moodycamel/8")],
        counter="ns_per_event", unit="ns per event")
