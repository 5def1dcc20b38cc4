"""Draws the charts of a suite, as SVG and PNG. Needs matplotlib."""

import dataclasses
import os
import statistics
import textwrap
from typing import Sequence

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams["svg.hashsalt"] = "taskvisor"  # the same figures give the same file
import matplotlib.pyplot as plt  # noqa: E402  (after the backend is chosen)

OURS, OTHERS, INK = "#1f6feb", "#b8bec6", "#24292f"
SERIES = ("#1f6feb", "#8250df", "#0a9396", "#8c959f", "#bf8700", "#cf222e")


@dataclasses.dataclass
class Entry:
    label: str
    row: str  # in a curve: with {} for the number of tasks
    ours: bool = False


@dataclasses.dataclass
class BarChart:
    """One bar an entry; entries without a row in the run are left out."""

    file: str
    title: str
    entries: Sequence[Entry]
    counter: str = "ns_per_task"
    unit: str = "ns per task"


@dataclasses.dataclass
class Curve:
    """The counter over the number of tasks, a line an entry."""

    file: str
    title: str
    entries: Sequence[Entry]
    sizes: Sequence[int]
    counter: str = "ns_per_task"
    unit: str = "ns per task"
    across: str = "tasks"


def quartiles(rows, name, counter):
    values = [run[counter] for run in rows.runs[name]]
    if len(values) < 4:
        return min(values), max(values)
    low, _, high = statistics.quantiles(values, n=4)
    return low, high


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def draw_bars(chart, rows):
    entries = [entry for entry in chart.entries if entry.row in rows]
    if not any(entry.ours for entry in entries):
        return None
    medians = [rows.median(entry.row, chart.counter) for entry in entries]
    spans = [quartiles(rows, entry.row, chart.counter) for entry in entries]
    figure, axes = plt.subplots(figsize=(9, 1.3 + 0.42 * len(entries)))
    places = range(len(entries))
    axes.barh(places, medians, height=0.68, color=[OURS if entry.ours else OTHERS for entry in entries])
    for place, median, (low, high) in zip(places, medians, spans):
        axes.plot([low, high], [place, place], color=INK, linewidth=1.2)
        axes.annotate(number(median), (max(median, high), place), xytext=(6, 0),
                      textcoords="offset points", va="center", fontsize=10, color=INK)
    axes.set_yticks(places, [entry.label for entry in entries], fontsize=10.5)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12 * max(max(medians), max(high for _, high in spans)))
    axes.set_xlabel(f"{chart.unit}, less is better; lines: quartiles")
    return figure, axes


def draw_curve(chart, rows):
    figure, axes = plt.subplots(figsize=(9, 5.6))
    top = 0
    for entry, color in zip(chart.entries, SERIES):
        sizes = [size for size in chart.sizes if entry.row.format(size) in rows]
        if len(sizes) < 2:
            continue
        values = [rows.median(entry.row.format(size), chart.counter) for size in sizes]
        top = max(top, *values)
        axes.plot(sizes, values, color=color, marker="o", linewidth=2.4 if entry.ours else 1.6,
                  linestyle="-" if entry.ours else "--", label=entry.label)
    if not top:
        return None
    axes.set_xscale("log")
    axes.set_ylim(0, 1.08 * top)
    axes.set_xticks(chart.sizes, [f"{size:,}" for size in chart.sizes])
    axes.minorticks_off()
    axes.set_xlabel(chart.across)
    axes.set_ylabel(f"{chart.unit}, less is better")
    axes.grid(axis="y", color="#d8dee4", linewidth=0.8)
    axes.legend(frameon=False, fontsize=10, ncols=2, loc="upper left", bbox_to_anchor=(0, -0.16))
    return figure, axes


def draw(chart, rows, footer, folder):
    """Writes the chart; its two files, or none if the run has nothing for it."""
    drawn = draw_bars(chart, rows) if isinstance(chart, BarChart) else draw_curve(chart, rows)
    if drawn is None:
        return []
    figure, axes = drawn
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    inch = 1 / figure.get_figheight()
    figure.tight_layout(rect=(0, 0.3 * inch, 1, 1 - 0.35 * inch))
    figure.text(0.01, 1 - 0.3 * inch, chart.title, fontsize=13, color=INK)
    figure.text(0.01, 0.06 * inch, textwrap.fill(footer, 150), fontsize=7, color="#57606a")
    files = [os.path.join(folder, f"{chart.file}.{kind}") for kind in ("svg", "png")]
    for file in files:
        metadata = {"Date": None} if file.endswith("svg") else {"Software": None}
        figure.savefig(file, dpi=120, metadata=metadata)
    plt.close(figure)
    return files
