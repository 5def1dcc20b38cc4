"""What a bar is, and whether it holds."""

import dataclasses
from typing import Callable, Optional, Sequence, Union


@dataclasses.dataclass
class Bar:
    """counter of `ours` * scale / (the least of the baselines) <= limit.

    Without baselines the counter itself is held against the limit, in `unit`. A limit may be
    worked out from the rows of the run. Without a limit the line is for information.

    `beside`: a counter of `ours` that is the ratio itself, because the row measures the baseline
    too, round by round, so that a core whose clock changes meanwhile does not show in it.

    `floor`: a row that does the least that anything of the kind must do. What is within
    AT_THE_FLOOR of that is as good as it gets, and is said to be at the floor if it is above the
    limit: a limit that is nearer to the floor lets nobody hold it on this machine.
    """

    name: str
    ours: str
    baselines: Sequence[str]
    limit: Union[None, float, Callable] = None
    stretch: Optional[float] = None
    counter: str = "ns_per_event"
    scale: float = 1.0
    unit: str = ""
    floor: Optional[str] = None
    beside: Optional[str] = None


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
        return self.verdict.startswith(FALLS_SHORT)


FALLS_SHORT = "FALLS SHORT"
AT_THE_FLOOR = 1.1


def verdict(value, limit, stretch=None):
    if limit is None:
        return ""
    if value > limit:
        return FALLS_SHORT
    return "holds, stretch too" if stretch is not None and value <= stretch else "holds"


def floor_verdict(value, floor, limit):
    """`floor`, like `value`, in units of the baseline."""
    above = value / floor
    ratios = f"{value:.2f} of the baseline, {above:.2f} of the floor, which is {floor:.2f} of the baseline"
    if above <= AT_THE_FLOOR:
        return f"at the floor: {ratios}; {limit:.4g} is {limit / floor:.2f} of the floor"
    if floor > limit / AT_THE_FLOOR:
        return f"{FALLS_SHORT}, of {AT_THE_FLOOR} x the floor too: {ratios}"
    return FALLS_SHORT


def against(bar, rows, ours):
    """The name of the least baseline, its counter, and `ours` in units of it."""
    if not bar.baselines:
        return "", None, ours
    best = min(bar.baselines, key=lambda name: rows.median(name, bar.counter))
    if bar.beside:
        value = rows.median(bar.ours, bar.beside)
        return best, ours / value, value
    base = rows.median(best, bar.counter)
    return best, base, ours / base


def floor_of(bar, rows, base):
    """In units of the baseline."""
    if bar.beside:
        return rows.median(bar.floor, bar.beside)
    return rows.median(bar.floor, bar.counter) / (base or 1)


def judge(bars, rows):
    """The lines of all bars; names of rows that are not there."""
    lines, missing = [], set()
    for bar in bars:
        needed = (bar.ours, *bar.baselines, *((bar.floor,) if bar.floor else ()))
        absent = {name for name in needed if name not in rows}
        if absent:
            missing |= absent
            continue
        ours = rows.median(bar.ours, bar.counter) * bar.scale
        best, base, value = against(bar, rows, ours)
        limit = bar.limit(rows) if callable(bar.limit) else bar.limit
        said = verdict(value, limit, bar.stretch)
        if bar.floor and said == FALLS_SHORT:
            said = floor_verdict(value, floor_of(bar, rows, base), limit)
        lines.append(Line(bar, ours, base, best, value, limit, said))
    return lines, sorted(missing)
