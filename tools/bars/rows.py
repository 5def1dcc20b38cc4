"""The rows of benchmark runs, as Google Benchmark wrote them."""

import json
import os
import re
import statistics

MOVED = 1.5  # a cache line's round trip before and after a repetition: by more it counts as moved
ENOUGH = 5   # repetitions that must be left when others are dropped


class Rows:
    """The repetitions of every row, by its short name."""

    def __init__(self, paths, every_event_counts):
        """`every_event_counts`: a row that loses one, or has none, means nothing."""
        self.runs, self.faults, self.dropped = {}, [], {}
        self._strict = every_event_counts
        for path in paths:
            with open(path, encoding="utf-8") as file:
                document = json.load(file)
            self.context = document["context"]
            for run in document["benchmarks"]:
                if run["run_type"] == "iteration":
                    self._add(run)
        self.faults = sorted(set(self.faults))
        for name, runs in self.runs.items():
            still = [run for run in runs if not moved(run)]
            if len(runs) > len(still) >= ENOUGH:
                self.runs[name], self.dropped[name] = still, len(runs) - len(still)

    def _add(self, run):
        name = re.sub(r"/(iterations:\d+|repeats:\d+|min_time:[\d.]+|manual_time|real_time)", "", run["name"])
        if run.get("error_occurred"):
            self.faults.append(f"{name}: {run['error_message']}")
        elif self._strict and (not run.get("events") or run.get("lost", 1) != 0):
            self.faults.append(f"{name}: {run.get('events', 0)} events, {run.get('lost', '?')} lost")
        else:
            self.runs.setdefault(name, []).append(run)

    def __contains__(self, name):
        return name in self.runs

    def has_other_size(self, name):
        """Whether the row is there, if with another number of tasks."""
        stem = re.sub(r"/\d+$", "/", name)
        return any(other.startswith(stem) for other in self.runs)

    def names(self):
        return sorted(self.runs, key=lambda name: [int(p) if p.isdigit() else p
                                                   for p in re.split(r"(\d+)", name)])

    def has(self, name, counter):
        return counter in self.runs[name][0]

    def median(self, name, counter):
        return statistics.median(run[counter] for run in self.runs[name])

    def total(self, name, counter):
        return sum(run.get(counter, 0) for run in self.runs[name])

    def repetitions(self):
        return min((len(runs) for runs in self.runs.values()), default=0)

    def spread(self, name, counter):
        """Half the distance between the quartiles, in per cent of the median."""
        values = [run[counter] for run in self.runs[name]]
        if len(values) < 4:
            return "-"
        low, middle, high = statistics.quantiles(values, n=4)
        return f"±{50 * (high - low) / middle:.0f}%" if middle else "-"

    def canary(self, name):
        """ns of a cache line's round trip while the row ran; None if it was not looked at."""
        if not self.has(name, "canary_before"):
            return None
        return statistics.median((run["canary_before"] + run["canary_after"]) / 2
                                 for run in self.runs[name])


def moved(run):
    before, after = run.get("canary_before", 0), run.get("canary_after", 0)
    return min(before, after) > 0 and max(before, after) > MOVED * min(before, after)


def executable(path):
    """The program that wrote the file: bus_bench."""
    with open(path, encoding="utf-8") as file:
        return os.path.basename(json.load(file)["context"]["executable"])
