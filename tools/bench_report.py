#!/usr/bin/env python3
"""Holds the figures of a benchmark program against its bars: ratios of medians, all from one run.

  bar      what must hold
  stretch  what is hoped for

Usage: bench_report.py JSON... [--markdown FILE] [--check] [--partial]
  JSON             what one program wrote with --benchmark_out, in one file or several
  --markdown FILE  write the tables there as well
  --check          a line for each bar that falls short, and exit 1 if there is one
  --partial        rows may be there with fewer tasks only: a short run

Exit codes: 0 all well, 1 a bar falls short (with --check), or a row is missing or did not do
its work, 2 wrong command line.
"""

import argparse
import importlib
import sys

from bars.bar import judge
from bars.rows import Rows, executable
from bars.tables import describe, doubts, ratio_table, row_table

NOTES = """spread: half the distance between the quartiles. events, lost: by the bus, over all
repetitions; dropped: at a subscriber's full queue. contended: the share of rounds in which the
producers met; only those count."""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("json", nargs="+")
    parser.add_argument("--markdown", metavar="FILE")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--partial", action="store_true")
    return parser.parse_args()


def main():
    args = arguments()
    program = executable(args.json[0])
    suite = importlib.import_module("bars." + program.removesuffix("_bench"))
    rows = Rows(args.json, suite.EVERY_EVENT_COUNTS)
    lines, missing = judge(suite.bars(), rows)
    smaller = []
    if args.partial:
        smaller = [name for name in missing if rows.has_other_size(name)]
        missing = [name for name in missing if name not in smaller]
    faults = rows.faults + [f"{name}: not in this run" for name in missing]
    ratios = ratio_table(lines)
    remarks = "".join(f"\n{text}\n" for text in doubts(rows, lines))
    print(describe(rows), ratios if lines else row_table(rows, suite.COUNTERS), sep="\n\n")
    if smaller:
        print(f"\nwith fewer tasks than the bars ask for, so not held against them: {', '.join(smaller)}")
    print(remarks, end="")
    if args.markdown:
        with open(args.markdown, "w", encoding="utf-8") as file:
            file.write(f"# {suite.TITLE}\n\n{describe(rows)}\n\n## Ratios\n\n{ratios}\n\n## Rows\n\n{NOTES}\n\n"
                       f"{row_table(rows, suite.COUNTERS)}\n{remarks}" +
                       "".join(f"\nNOT COUNTED: {fault}\n" for fault in faults))
    for fault in faults:
        print(f"NOT COUNTED: {fault}", file=sys.stderr)
    short = [line for line in lines if line.short()]
    print(f"\n{len(short)} of {sum(line.limit is not None for line in lines)} bars fall short")
    if args.check:
        for line in short:
            print(f"falls short: {line.bar.name}: {line.value:.2f}, must be <= {line.limit:.4g}", file=sys.stderr)
    return 1 if faults or (args.check and short) else 0


if __name__ == "__main__":
    sys.exit(main())
