"""What a bar is, and whether it holds."""

import dataclasses
from typing import Callable, Optional, Sequence, Union


@dataclasses.dataclass
class Bar:
    """counter of `ours` * scale / (the least of the baselines) <= limit.

    Without baselines the counter itself is held against the limit, in `unit`. A limit may be
    worked out from the rows of the run. Without a limit the line is for information.
    """

    name: str
    ours: str
    baselines: Sequence[str]
    limit: Union[None, float, Callable] = None
    stretch: Optional[float] = None
    counter: str = "ns_per_event"
    scale: float = 1.0
    unit: str = ""


@dataclasses.dataclass
class Line:
    """A bar and what came of it."""

    bar: Bar
    ours: float
    base: Optional[float]
    best: str
    value: float
    limit: Optional[float]
    verdict: str

    def short(self):
        return self.verdict == FALLS_SHORT


FALLS_SHORT = "FALLS SHORT"


def verdict(value, limit, stretch=None):
    if limit is None:
        return ""
    if value > limit:
        return FALLS_SHORT
    return "holds, stretch too" if stretch is not None and value <= stretch else "holds"


def judge(bars, rows):
    """The lines of all bars; names of rows that are not there."""
    lines, missing = [], set()
    for bar in bars:
        absent = {name for name in (bar.ours, *bar.baselines) if name not in rows}
        if absent:
            missing |= absent
            continue
        ours = rows.median(bar.ours, bar.counter) * bar.scale
        best, base, value = "", None, ours
        if bar.baselines:
            best = min(bar.baselines, key=lambda name: rows.median(name, bar.counter))
            base = rows.median(best, bar.counter)
            value = ours / base
        limit = bar.limit(rows) if callable(bar.limit) else bar.limit
        lines.append(Line(bar, ours, base, best, value, limit, verdict(value, limit, bar.stretch)))
    return lines, sorted(missing)
