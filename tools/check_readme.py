#!/usr/bin/env python3
"""Fails unless README quotes the programs that it shows, and what they print, exactly.

Usage: tools/check_readme.py [--fix]
Exit codes: 0 the same, 1 they differ (or --fix wrote the quotes anew).
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
QUOTES = (  # the n-th block of a language, and the file it quotes
    (r"```cpp\n(.*?)```", "examples/quick_start.cc"),
    (r"```\n(task-1.*?)```", "examples/quick_start.expected"),
    (r"```cpp\n(// Testing a retry.*?)```", "examples/testing_a_policy.cc"),
    (r"```\n(attempt 1: .*?)```", "examples/testing_a_policy.expected"),
    (r"```\n(sum: .*?)```", "examples/children.expected"),
)


def main() -> int:
    text = README.read_text(encoding="utf-8")
    wrong = 0
    for pattern, name in QUOTES:
        expected = (ROOT / name).read_text(encoding="utf-8")
        found = re.search(pattern, text, re.S)
        if found and found.group(1) == expected:
            continue
        wrong = 1
        print(f"README.md: does not quote {name}; tools/check_readme.py --fix mends it")
        if "--fix" in sys.argv and found:
            text = text[: found.start(1)] + expected + text[found.end(1):]
    if "--fix" in sys.argv:
        README.write_text(text, encoding="utf-8")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
