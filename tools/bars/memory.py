"""The bars of memory_bench: what a registered task takes, and whether memory comes back."""

from bars.bar import Bar

TITLE = "Memory in figures"
EVERY_EVENT_COUNTS = False
COUNTERS = ("bytes_per_task", "growth")


def bars():
    for what, limit, stretch in (("anonymous", 256, 192), ("named", 320, 256)):
        yield Bar(f"N7 RSS of a parked task of 1e6, {what}", f"memory/{what}/1000000", (), limit, stretch,
                  "bytes_per_task", unit="B")
    yield Bar("RSS of a parked task of 1e6, with retries and timeout", "memory/rules/1000000", (),
              counter="bytes_per_task", unit="B")
    yield Bar("RSS after 1e7 tasks have gone / after 1e6", "memory/churn/10000000", (), 1.1,
              counter="growth", unit="x")
