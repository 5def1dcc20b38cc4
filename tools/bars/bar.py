"""What a bar is, and whether it holds."""

import dataclasses
from typing import Callable, Optional, Sequence, Union


@dataclasses.dataclass
class Bar:
    """counter of `ours` * scale / (the least of the baselines) <= limit.

    Without baselines the counter itself is held against the limit, in `unit`. A limit may be
    worked out from the rows of the run. Without a limit the line is for information.

    `floor`: a row that does the least that anything of the kind must do. Where that alone is
    above the limit, this machine lets nobody hold it, and the counter must stay within
    AT_THE_FLOOR of the floor instead.
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
    """`floor`, like `value`, in units of the baseline, and above the limit."""
    above = value / floor
    ratios = f"{value:.2f} of the baseline, {above:.2f} of the floor, which is {floor:.2f} of the baseline"
    if above > AT_THE_FLOOR:
        return f"{FALLS_SHORT}, of {AT_THE_FLOOR} x the floor too: {ratios}"
    return f"at the floor: {ratios}; nothing here could hold {limit:.4g}"


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
        best, base, value = "", None, ours
        if bar.baselines:
            best = min(bar.baselines, key=lambda name: rows.median(name, bar.counter))
            base = rows.median(best, bar.counter)
            value = ours / base
        limit = bar.limit(rows) if callable(bar.limit) else bar.limit
        said = verdict(value, limit, bar.stretch)
        if bar.floor and said == FALLS_SHORT:
            floor = rows.median(bar.floor, bar.counter) / (base or 1)
            if floor > limit:
                said = floor_verdict(value, floor, limit)
        lines.append(Line(bar, ours, base, best, value, limit, said))
    return lines, sorted(missing)
