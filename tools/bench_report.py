#!/usr/bin/env python3
"""Holds the figures of bus_bench against the bars: ratios of medians, all from one run.

  bar      what must hold
  stretch  what is hoped for

Usage: bench_report.py JSON [--markdown FILE] [--check]
  JSON             what bus_bench wrote with --benchmark_out
  --markdown FILE  write the tables there as well
  --check          exit 1 if a bar falls short

Exit codes: 0 all well, 1 a bar falls short (with --check), or a row is missing or lost
events, 2 wrong command line.
"""

import argparse
import json
import re
import statistics
import sys

NS = "ns_per_event"
PEERS = ("publish/tbb/{0}", "publish/boost/{0}", "publish/mutex_vector/{0}")
FEW = 0.1  # of the rounds of several producers: in fewer they did not really meet
FAN_OUT_PEERS = ("fan_out/mutex_swap/8", "fan_out/tbb/8", "fan_out/moodycamel/8")


def bar(name, ours, baselines, limit, stretch=None, counter=NS, scale=1.0):
    """ours / (the least of the baselines) * scale <= limit. Without a limit: for information."""
    if isinstance(baselines, str):
        baselines = (baselines,)
    return dict(name=name, ours=ours, baselines=baselines, limit=limit, stretch=stretch,
                counter=counter, scale=scale)


def bars():
    yield bar("B1 publish, reader idle / fetch_add", "publish/ring/1", "publish/fetch_add/1", 1.4, 1.25)
    yield bar("B1 publish, live fan-out / fetch_add", "publish/bus_live/1", "publish/fetch_add/1", 1.8, 1.45)
    for n in (2, 4):
        add = f"publish/fetch_add/{n}"
        yield bar(f"B2 publish, {n} producers / fetch_add", f"publish/ring/{n}", add, 3, 1.35)
        yield bar(f"B2 run of 3, {n} producers / fetch_add", f"publish/ring_run_of_3/{n}", add, 1.2, 0.7)
    for n, limit in ((1, 1.0), (2, 0.8), (4, 0.8)):
        peers = tuple(peer.format(n) for peer in PEERS)
        yield bar(f"B3 publish, {n} producers / best peer", f"publish/ring/{n}", peers, limit)
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
    yield bar("spinning, p99 / ping-pong", "latency/bus_spinning", "latency/ping_pong", None, counter="p99_ns")
    yield bar("spinning, p50 / relay of three threads", "latency/bus_spinning", "latency/relay", None,
              counter="p50_ns")
    yield bar("parked, p99 / futex hop", "latency/bus_parked", "latency/futex_hop", None, counter="p99_ns")


IDLE = ("B5 CPU seconds in 10 s, idle", "idle/supervisor", "cpu_s_in_10_s", 0.01)


def read_rows(path):
    """The repetitions of every row, by its short name; the context; what is wrong."""
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    rows, faults = {}, []
    for run in document["benchmarks"]:
        if run["run_type"] != "iteration":
            continue
        name = re.sub(r"/(iterations:\d+|repeats:\d+|manual_time|real_time)", "", run["name"])
        if run.get("error_occurred"):
            faults.append(f"{name}: {run['error_message']}")
        elif not run.get("events") or run.get("lost", 1) != 0:
            faults.append(f"{name}: {run.get('events', 0)} events, {run.get('lost', '?')} lost")
        else:
            rows.setdefault(name, []).append(run)
    return rows, document["context"], sorted(set(faults))


def median(rows, name, counter):
    return statistics.median(run[counter] for run in rows[name])


def spread(rows, name, counter):
    """Half the distance between the quartiles, in per cent of the median."""
    values = [run[counter] for run in rows[name]]
    if len(values) < 4:
        return "-"
    low, middle, high = statistics.quantiles(values, n=4)
    return f"±{50 * (high - low) / middle:.0f}%" if middle else "-"


def verdict(value, limit, stretch=None):
    if limit is None:
        return ""
    if value > limit:
        return "FALLS SHORT"
    return "holds, stretch too" if stretch is not None and value <= stretch else "holds"


def judge(rows):
    """Table of all ratios; how many bars fall short; names of rows that are not there."""
    table, missing = [], set()
    for b in bars():
        absent = {name for name in (b["ours"], *b["baselines"]) if name not in rows}
        if absent:
            missing |= absent
            continue
        ours = median(rows, b["ours"], b["counter"]) * b["scale"]
        best = min(b["baselines"], key=lambda name: median(rows, name, b["counter"]))
        base = median(rows, best, b["counter"])
        ratio = ours / base
        table.append([b["name"], f"{ours:.1f}", f"{base:.1f}", best, f"{ratio:.2f}",
                      show(b["limit"]), show(b["stretch"]), verdict(ratio, b["limit"], b["stretch"])])
    name, row, counter, limit = IDLE
    if row in rows:
        value = median(rows, row, counter)
        table.append([name, f"{value:.2g} s", "-", "-", "-", f"{limit} s", "", verdict(value, limit)])
    else:
        missing.add(row)
    return table, sum(line[-1] == "FALLS SHORT" for line in table), sorted(missing)


def show(number):
    return "" if number is None else f"{number:g}"


def row_table(rows):
    """Every row by itself."""
    for name, runs in sorted(rows.items()):
        counter = next(c for c in ("p50_ns", NS, "cpu_s_in_10_s") if c in runs[0])
        yield [name, f"{median(rows, name, counter):.4g}", counter, spread(rows, name, counter),
               f"{median(rows, name, 'p99_ns'):.4g}" if "p99_ns" in runs[0] else "",
               f"{median(rows, name, 'contended'):.0%}" if "contended" in runs[0] else "",
               f"{sum(run['events'] for run in runs):.0f}", f"{sum(run['lost'] for run in runs):.0f}"]


def markdown(head, lines):
    lines = [head] + list(lines)
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    text = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths)) + " |" for line in lines]
    return "\n".join([text[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *text[1:]])


def describe(context, rows):
    repetitions = min((len(runs) for runs in rows.values()), default=0)
    load = ", ".join(f"{x:.1f}" for x in context.get("load_avg", []))
    parts = [f"{context['num_cpus']} CPUs at {context['mhz_per_cpu']} MHz", f"load {load} at the start"]
    parts += [f"{key} {context[key]}" for key in ("compiler", "commit") if key in context]
    return f"{context['date']}: {', '.join(parts)}. Medians of {repetitions} repetitions."


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("json")
    parser.add_argument("--markdown", metavar="FILE")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()

    rows, context, faults = read_rows(args.json)
    table, short, missing = judge(rows)
    faults += [f"{name}: not in this run" for name in missing]
    ratios = markdown(["row", "ours ns", "baseline ns", "baseline", "ratio", "bar", "stretch", ""], table)
    alone = markdown(["row", "median", "of", "spread", "p99 ns", "contended", "events", "lost"],
                     row_table(rows))
    print(describe(context, rows), ratios, sep="\n\n")
    if args.markdown:
        with open(args.markdown, "w", encoding="utf-8") as file:
            file.write(f"# The bus in figures\n\n{describe(context, rows)}\n\n## Ratios\n\n{ratios}\n\n"
                       "## Rows\n\nspread: half the distance between the quartiles. contended: the "
                       "share of rounds\nin which the producers met; only those count.\n\n"
                       f"{alone}\n" + "".join(f"\nNOT COUNTED: {fault}\n" for fault in faults))
    for fault in faults:
        print(f"NOT COUNTED: {fault}", file=sys.stderr)
    apart = [name for name, runs in rows.items()
             if "contended" in runs[0] and median(rows, name, "contended") < FEW]
    if apart:
        print("\nhardly contended, so hardly to be trusted: " + ", ".join(apart))
    print(f"\n{short} of {sum(bool(line[-1]) for line in table)} bars fall short")
    return 1 if faults or (args.check and short) else 0


if __name__ == "__main__":
    sys.exit(main())
