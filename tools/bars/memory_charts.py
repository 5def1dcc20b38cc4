"""What memory_bench shows in a chart."""

from bars.charts import BarChart, Entry


def charts():
    yield BarChart(
        "memory", "Memory of a parked, registered task: resident, over a million",
        [Entry(label, f"memory/{row}/1000000", ours=True)
         for label, row in (("anonymous", "anonymous"), ("named", "named"),
                            ("with retries and timeout", "rules"))],
        counter="bytes_per_task", unit="bytes per task")
