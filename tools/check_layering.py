#!/usr/bin/env python3
"""Checks the rules of the tree that no compiler checks; prints file:line and exits 1 if one breaks.

  arrows    tools, examples, tests, bench -> supervisor -> bus -> sched, never up; bus sees only the
            lowest headers of sched; tools and examples see only the public headers
  face      a public header includes only public headers, the standard library and Abseil
  queue     concurrentqueue is included in one file
  fences    none: ThreadSanitizer cannot see them
  size      at most 400 lines a file
  guards    TASKVISOR_<FOLDER>_<FILE>_H_, in a public header TASKVISOR_<FILE>_H_
  sources   every .cc and public .h is named in a CMakeLists.txt; none is globbed

Usage: check_layering.py [ROOT]    ROOT: the tree to check, by default the one this file is in
"""

import os
import pathlib
import re
import sys

ROOMS = ("sched", "bus", "supervisor", "tests", "bench", "tools", "examples")
BELOW = {
    "sched": {"sched"},
    "bus": {"bus", "sched"},
    "supervisor": {"supervisor", "bus", "sched"},
    "tests": {"tests", "tools", "supervisor", "bus", "sched"},
    "bench": {"bench", "supervisor", "bus", "sched"},
    "tools": {"tools"},
    "examples": {"examples"},
}
LOWEST_OF_SCHED = {"sched/atomic.h", "sched/delays.h", "sched/event_count.h", "sched/executor.h",
                   "sched/futex.h", "sched/prefetch.h", "sched/thread.h", "sched/thread_numbers.h",
                   "sched/zero_pages.h"}
QUEUE_FILE = "sched/ready_queue.h"
MAX_LINES = 400
INCLUDE = re.compile(r'\s*#\s*include\s+([<"])([^>"]+)[>"]')


def is_public(path):
    return "/include/taskvisor/" in str(path)


def guard_of(path):
    name = str(path).split("/include/taskvisor/")[-1]
    return "TASKVISOR_" + re.sub(r"[^A-Z0-9]", "_", name.upper()) + "_"


def include_fault(root, path, quote, name):
    """Why `path` must not include `name`; None if it may."""
    room, target = path.parts[0], name.split("/")[0]
    if "concurrentqueue" in name:
        return None if str(path) == QUEUE_FILE else f"only {QUEUE_FILE} includes concurrentqueue"
    if is_public(path):
        standard = quote == "<" and re.fullmatch(r"[a-z0-9_]+", name)
        if not standard and target not in ("taskvisor", "absl"):
            return "a public header includes only taskvisor/, absl/ and the standard library"
    if target == "taskvisor":
        if room == "bus":
            return "bus includes nothing of taskvisor/"
        if room == "sched" and not (root / "sched/include" / name).exists():
            return "sched includes of taskvisor/ only what lies in sched/include"
        return None
    if quote == "<" or target == "absl":
        return None
    if target not in ROOMS:
        if room in ("sched", "bus", "supervisor"):
            return "includes inside the library are written from the root of the repository"
        return None
    if target not in BELOW[room]:
        return f"{room} must not include {target}/"
    if room == "bus" and target == "sched" and name not in LOWEST_OF_SCHED:
        return "bus includes of sched only " + ", ".join(sorted(LOWEST_OF_SCHED))
    return None


def is_listed(root, path):
    """Whether a CMakeLists.txt in a folder above names the file, as a whole word."""
    for folder in path.parents:
        lists = root / folder / "CMakeLists.txt"
        name = re.escape(str(path.relative_to(folder)))
        text = re.sub(r"#.*", "", lists.read_text()) if lists.exists() else ""
        if re.search(rf"(?<![^\s(]){name}(?![^\s)])", text):
            return True
    return False


def check_file(root, path):
    lines = (root / path).read_text().splitlines()
    if len(lines) > MAX_LINES:
        yield len(lines), f"{len(lines)} lines; at most {MAX_LINES} (look for the second idea)"
    for number, line in enumerate(lines, 1):
        include = INCLUDE.match(line)
        fault = include and include_fault(root, path, *include.groups())
        if fault:
            yield number, f"{include.group(2)}: {fault}"
        if "atomic_thread_fence" in line.split("//")[0]:
            yield number, "no fences: write the order on the atomic operations"
    if path.suffix == ".h":
        guard = guard_of(path)
        expected = [f"#ifndef {guard}", f"#define {guard}"]
        if [line for line in lines if line.startswith("#")][:2] != expected:
            yield 1, f"the include guard must be {guard}"
    if (path.suffix == ".cc" or is_public(path)) and not is_listed(root, path):
        yield 1, "named in no CMakeLists.txt"


def main():
    if len(sys.argv) > 2 or sys.argv[1:2] in (["-h"], ["--help"]):
        print(__doc__)
        return 0 if len(sys.argv) == 2 else 2
    root = pathlib.Path(sys.argv[1] if len(sys.argv) == 2 else __file__ + "/../..").resolve()
    checked, faults = 0, []
    for room in ROOMS:
        for folder, _, names in sorted(os.walk(root / room)):
            for name in sorted(names):
                path = (pathlib.Path(folder) / name).relative_to(root)
                if path.suffix in (".h", ".cc"):
                    checked += 1
                    faults += [f"{path}:{number}: {fault}" for number, fault in check_file(root, path)]
                elif name == "CMakeLists.txt":
                    if re.search(r"(?i)file\s*\(\s*GLOB", (root / path).read_text()):
                        faults.append(f"{path}:1: sources are listed by hand, not globbed")
    print("\n".join(faults + [f"layering: {checked} files checked, {len(faults)} faults"]))
    return 1 if faults or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
