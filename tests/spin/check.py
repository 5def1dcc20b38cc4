#!/usr/bin/env python3
"""Verifies one Promela model with spin, or shows that it notices a planted bug.

examples:
  check.py ring.pml --work /tmp/ring
      verifies the model: every reachable state is looked at
  check.py ring.pml --work /tmp/ring --mutant M_HEAD_BEFORE_READ
      plants a bug (an #ifdef in the model) and expects spin to find an error
  check.py ring.pml --work /tmp/ring --mutant M_HEAD_BEFORE_READ --trace
      prints the interleaving that leads to the error, too

exit codes:
  0  as expected: no error in a complete search; with --mutant, an error
  1  not as expected: an error (its trace follows); with --mutant, none
  2  usage, or a tool is missing or failed
  3  the search was not complete: out of memory, or deeper than --depth
"""

import argparse
import pathlib
import re
import subprocess
import sys
import time

AS_EXPECTED, NOT_AS_EXPECTED, BROKEN, INCOMPLETE = 0, 1, 2, 3

# Invalid end states and assertions: no cycle is looked for, waiting is a guard in the models.
PAN_FLAGS = ["-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=2000"]
INCOMPLETE_SIGNS = ("max search depth too small", "reached -DMEMLIM", "out of memory",
                    "Search not completed", "truncated")
TRACE_LINES = 400


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path, help="a .pml file")
    parser.add_argument("--work", type=pathlib.Path, required=True,
                        help="directory for the generated files; made if need be")
    parser.add_argument("--mutant", metavar="NAME", help="defined when the model is compiled")
    parser.add_argument("--trace", action="store_true", help="print the trace of an error")
    parser.add_argument("--depth", type=int, default=100_000, help="longest execution (%(default)s)")
    return parser.parse_args()


def run(command, work, may_fail=False):
    try:
        done = subprocess.run([str(word) for word in command], cwd=work, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except OSError as error:
        fail(BROKEN, f"{command[0]}: {error.strerror}")
    if done.returncode != 0 and not may_fail:
        fail(BROKEN, f"{command[0]} failed ({done.returncode})\n{done.stdout}")
    return done.stdout


def fail(code, message):
    print(f"check.py: {message}", file=sys.stderr)
    sys.exit(code)


def build(arguments, model):
    define = [f"-D{arguments.mutant}"] if arguments.mutant else []
    said = run(["spin", *define, "-a", model], arguments.work)
    if "Error" in said or "error" in said:  # spin may report one and return 0
        fail(BROKEN, f"spin: {said}")
    # A planted bug is found soon: there the compiler would take most of the time.
    optimize = "-O0" if arguments.mutant else "-O1"
    run(["gcc", optimize, *PAN_FLAGS, "-o", "pan", "pan.c"], arguments.work)
    return define


def main():
    arguments = parse_arguments()
    model = arguments.model.resolve()
    if not model.is_file():
        fail(BROKEN, f"no such model: {arguments.model}")
    arguments.work.mkdir(parents=True, exist_ok=True)
    trail = arguments.work / f"{model.name}.trail"
    trail.unlink(missing_ok=True)
    define = build(arguments, model)

    start = time.monotonic()
    output = run(["./pan", f"-m{arguments.depth}", "-n"], arguments.work, may_fail=True)
    seconds = time.monotonic() - start

    errors = re.search(r"errors: (\d+)", output)
    states = re.search(r"(\S+) states, stored", output)
    if errors is None or states is None:
        fail(BROKEN, f"pan ended without a result\n{output}")
    found = int(errors.group(1)) > 0
    what = re.search(r"pan:\s*1: (.*)", output)
    # An error ends the search, so it is incomplete by nature: only look without one.
    incomplete = not found and any(sign in output for sign in INCOMPLETE_SIGNS)
    result = "search incomplete" if incomplete else what.group(1) if found and what else "no error"
    name = model.stem + (f" {arguments.mutant}" if arguments.mutant else "")
    print(f"{name}: {states.group(1)} states, {seconds:.1f} s: {result}", flush=True)

    if incomplete:
        return INCOMPLETE
    expected = found == bool(arguments.mutant)
    if found and (arguments.trace or not expected):
        trace = run(["spin", *define, "-t", "-p", "-g", "-l", model], arguments.work, may_fail=True)
        print("\n".join(trace.splitlines()[-TRACE_LINES:]))
    return AS_EXPECTED if expected else NOT_AS_EXPECTED


if __name__ == "__main__":
    sys.exit(main())
