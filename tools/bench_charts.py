#!/usr/bin/env python3
"""Draws the figures of a benchmark program as charts, SVG and PNG each.

Usage: bench_charts.py JSON... --out FOLDER
  JSON          what one program wrote with --benchmark_out, in one file or several
  --out FOLDER  where the charts go; rows that are not in the run are left out

Exit codes: 0 done, 1 a file could not be read or written, 2 wrong command line.
"""

import argparse
import importlib
import sys

from bars.charts import draw
from bars.rows import Rows, executable
from bars.tables import describe


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("json", nargs="+")
    parser.add_argument("--out", required=True, metavar="FOLDER")
    args = parser.parse_args()
    name = executable(args.json[0]).removesuffix("_bench")
    rows = Rows(args.json, importlib.import_module("bars." + name).EVERY_EVENT_COUNTS)
    files = []
    for chart in importlib.import_module(f"bars.{name}_charts").charts():
        files += draw(chart, rows, describe(rows), args.out)
    print(f"{len(files) // 2} charts of {name} in {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
