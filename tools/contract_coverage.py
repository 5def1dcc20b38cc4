#!/usr/bin/env python3
"""Counts the statements of the contract that are covered by tests which ran and passed.

A test covers statement 96 if its suite begins with Contract and its name with S096_
(ContractShutdown.S096_CancelWaits), and rule D6 if its name begins with D06_. A number is
covered when at least one of its tests passed and none failed; a skipped or disabled test
counts for nothing.

Usage: contract_coverage.py PATH...
  PATH   a JUnit file written by `ctest --output-junit`, or a folder: every *.xml in it whose
         name begins with junit

Exits 0 if all is covered, 1 if a number is missing or failing, 2 if there is nothing to read.
"""

import collections
import pathlib
import re
import sys
import xml.etree.ElementTree

STATEMENTS = [*range(1, 144), *range(167, 185)]  # 144-166, the controller, are not built yet
RULES = [*range(1, 15)]
NAME = re.compile(r"(?:^|/)Contract\w*(?:/\w+)?\.([SD])(\d{2,3})_")


def files_of(arguments):
    for argument in map(pathlib.Path, arguments):
        yield from sorted(argument.glob("junit*.xml")) if argument.is_dir() else [argument]


def read_results(files):
    """{('S', 96): {test name: set of 'run', 'fail', ... over all files}}"""
    results = collections.defaultdict(lambda: collections.defaultdict(set))
    for file in files:
        for case in xml.etree.ElementTree.parse(file).iter("testcase"):
            match = NAME.search(case.get("name", ""))
            if match:
                failed = case.find("failure") is not None or case.find("error") is not None
                ran = case.get("status") == "run" and case.find("skipped") is None
                verdict = "fail" if failed else "pass" if ran else "skipped"
                key = (match.group(1), int(match.group(2)))
                results[key][case.get("name")].add(verdict)
    return results


def ranges(numbers):
    """[1, 2, 3, 7] -> '1-3, 7'"""
    runs = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def report(title, letter, numbers, results):
    """Prints the count and what it lacks; true if nothing does."""
    covered, missing = 0, []
    for number in numbers:
        tests = results.get((letter, number), {})
        failing = sorted(name for name, verdicts in tests.items() if "fail" in verdicts)
        if failing:
            print(f"  {letter}{number:03} failing: {', '.join(failing)}")
        elif any("pass" in verdicts for verdicts in tests.values()):
            covered += 1
        elif tests:
            print(f"  {letter}{number:03} skipped: {', '.join(sorted(tests))}")
        else:
            missing.append(number)
    if missing:
        print(f"  without a test: {ranges(missing)}")
    print(f"{title}: {covered}/{len(numbers)}")
    return covered == len(numbers)


def main():
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if arguments else 2
    files = list(files_of(arguments))
    try:
        results = read_results(files)
    except (OSError, xml.etree.ElementTree.ParseError) as error:
        print(f"contract_coverage: {error}", file=sys.stderr)
        return 2
    if not files:
        print(f"contract_coverage: no junit*.xml in {' '.join(arguments)}", file=sys.stderr)
        return 2
    unknown = sorted(key for key in results
                     if key[1] not in {"S": range(1, 185), "D": RULES}[key[0]])
    for letter, number in unknown:
        print(f"  {letter}{number:03} is no number of the contract")
    complete = report("contract", "S", STATEMENTS, results)
    complete = report("rules", "D", RULES, results) and complete
    return 0 if complete and not unknown else 1


if __name__ == "__main__":
    sys.exit(main())
