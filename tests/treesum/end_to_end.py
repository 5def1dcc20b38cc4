#!/usr/bin/env python3
"""Runs treesum as a person would, and compares it with sha256sum.

Usage: end_to_end.py TREESUM [unittest options, e.g. -v Signals]
"""

import collections
import json
import os
import pty
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

TREESUM = ""
HOSTILE = [b"a b", b" ", b"two\nlines", b"back\\slash", b"re\rturn", b"\\n", b"\xff\xfe", b"caf\xc3\xa9",
           b"-rf", b"--help", b"*?[x]", b"[a,b]", b"$(id)", b"'\"", b"\x1b[2J", b"\t", b"n" * 255,
           b"task-1", b"\xff\n\\\r"]


def run(*words, cwd, **options):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 60} | options
    return subprocess.run([TREESUM, *words], cwd=cwd, **options)


def sha256sum(cwd, *operands):
    """What coreutils say of the same trees, in the same order."""
    found = subprocess.run(["find", *operands, "-type", "f", "-print0"], cwd=cwd, check=True,
                           stdout=subprocess.PIPE).stdout
    paths = sorted(set(found.split(b"\0")) - {b""})
    return subprocess.run(["xargs", "-0", "-r", "sha256sum", "--"], cwd=cwd, check=True,
                          input=b"\0".join(paths), stdout=subprocess.PIPE).stdout


class TreeTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="treesum_")
        self.addCleanup(folder.cleanup)
        self.top = os.fsencode(folder.name)
        self.cwd = os.path.join(self.top, b"work")
        os.mkdir(self.cwd)

    def write(self, name, content=b""):
        path = os.path.join(self.cwd, os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def sparse(self, name, size):
        os.truncate(self.write(name), size)

    def aside(self, name):
        """A path outside the tree."""
        return os.path.join(self.top, os.fsencode(name))

    def summary(self):
        with open(self.aside("json"), encoding="utf-8") as file:
            summary = json.load(file)
        parts = ("completed", "failed", "left_out", "stuck")
        self.assertEqual(summary["files"], sum(summary[part] for part in parts), summary)
        self.assertEqual(summary["failed"], sum(summary["failed_by_reason"].values()))
        self.assertEqual(len(summary["missing"]), summary["files"] - summary["completed"])
        return summary

    def verify(self, manifest):
        subprocess.run(["sha256sum", "-c", "--quiet", "--strict"], cwd=self.cwd, input=manifest,
                       check=True)

    def small_files(self, count):
        for i in range(count):
            self.write(f"{i % 7}/file {i}", b"%d" % i * (i % 50))


class Manifest(TreeTest):
    def check(self, *operands):
        result = run(*operands, cwd=self.cwd)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, sha256sum(self.cwd, *operands))
        self.verify(result.stdout)

    def test_hostile_names(self):
        for i, name in enumerate(HOSTILE):
            self.write(name, name * i)
            self.write(b"folder " + name[:200] + b"/" + name, name)
        self.write(b"/".join([b"d" * 200] * 5) + b"/too long for the name of a task", b"x")
        self.check(b".")
        self.check(b"./[a,b]", b"./-rf", b"./folder  ")

    def test_what_is_no_regular_file_is_ignored(self):
        self.write("real", b"x")
        for target in (b"real", b"nowhere", b"."):
            os.symlink(target, os.path.join(self.cwd, b"to " + target))
        os.mkfifo(os.path.join(self.cwd, b"fifo"))
        os.mkdir(os.path.join(self.cwd, b"empty folder"))
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(os.path.join(self.cwd, b"socket"))
        self.check(b".")
        self.assertEqual(run(b".", cwd=self.cwd).stdout.count(b"\n"), 1)

    def test_sizes_around_a_chunk(self):
        for size in (0, 1, 262143, 262144, 262145, 5_000_000):
            self.write(str(size), os.urandom(size))
        self.check(b".")

    def test_operands_that_overlap_or_are_odd(self):
        self.write("a/b/c", b"1")
        self.write("-x", b"2")
        self.write("[p,q]", b"3")
        self.check(b"a", b"a/b", b"a/b/c", b"a")
        self.check(b"a/", b"./a", b"a//")
        self.assertEqual(run(b"[p,q]", b"--", b"-x", cwd=self.cwd).stdout.count(b"\n"), 2)

    def test_an_empty_tree_is_an_empty_manifest(self):
        result = run(b".", b"--json", self.aside("json"), cwd=self.cwd)
        self.assertEqual((result.returncode, result.stdout), (0, b""))
        self.assertEqual(self.summary()["files"], 0)

    def test_its_own_outputs_are_left_aside(self):
        self.write("a", b"1")
        with open(os.path.join(self.cwd, b"manifest"), "wb") as manifest:
            result = run(b".", b"--events", b"events", b"--json", b"json", cwd=self.cwd,
                         stdout=manifest)
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(os.path.join(self.cwd, b"manifest"), "rb") as manifest:
            self.assertEqual(manifest.read(), sha256sum(self.cwd, b"./a"))
        self.assertEqual(result.stderr.count(b"left aside"), 3)

    def test_output_goes_to_a_file(self):
        self.write("a", b"1")
        result = run(b".", b"--quiet", b"--output", self.aside("m"), cwd=self.cwd)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b"", b""))
        with open(self.aside("m"), "rb") as manifest:
            self.assertEqual(manifest.read(), sha256sum(self.cwd, b"."))


class Failures(TreeTest):
    def test_what_cannot_be_read_is_named_and_the_rest_goes_on(self):
        self.write("good", b"x")
        # Paths that are too long at the last step: for a file, and for a folder.
        folder = os.open(self.cwd, os.O_RDONLY)
        for _ in range(39):  # down to a path of 1 + 39 * 101 = 3940 bytes; the limit is 4095
            os.mkdir(b"d" * 100, dir_fd=folder)
            inner = os.open(b"d" * 100, os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = inner
        os.close(os.open(b"f" * 250, os.O_CREAT | os.O_WRONLY, dir_fd=folder))
        os.mkdir(b"e" * 250, dir_fd=folder)
        os.close(folder)
        result = run(b".", b"--json", self.aside("json"), cwd=self.cwd)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout, sha256sum(self.cwd, b"./good"))
        self.assertEqual(result.stderr.count(b": File name too long"), 2)
        summary = self.summary()
        self.assertEqual(summary["failed_by_reason"], {"File name too long": 1})
        self.assertEqual((summary["files"], summary["unreadable"], summary["retries"]), (2, 1, 0))

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_permissions(self):
        os.chmod(self.write("secret"), 0)
        os.chmod(os.path.dirname(self.write("closed/file")), 0)
        self.addCleanup(os.chmod, os.path.join(self.cwd, b"closed"), 0o700)
        result = run(b".", b"--json", self.aside("json"), cwd=self.cwd)
        self.assertEqual(result.returncode, 1)
        summary = self.summary()
        self.assertEqual(summary["failed_by_reason"], {"Permission denied": 1})
        self.assertEqual(summary["unreadable"], 1)

    def test_a_file_that_keeps_changing_is_tried_again_and_then_fails(self):
        self.sparse("big", 64 << 20)
        stop = threading.Event()

        def touch():
            while not stop.wait(0.001):
                os.utime(os.path.join(self.cwd, b"big"))

        toucher = threading.Thread(target=touch)
        toucher.start()
        try:
            result = run(b".", b"--retries", b"2", b"--json", self.aside("json"), cwd=self.cwd)
        finally:
            stop.set()
            toucher.join()
        self.assertEqual(result.returncode, 1)
        summary = self.summary()
        self.assertEqual(summary["failed_by_reason"], {"file changed while it was read": 1})
        self.assertEqual(summary["retries"], 2)

    def test_a_timeout_is_a_failure(self):
        self.sparse("huge", 1 << 40)
        self.write("good", b"x")
        result = run(b".", b"--timeout", b"50ms", b"--retries", b"1", b"--json", self.aside("json"),
                     cwd=self.cwd)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout, sha256sum(self.cwd, b"./good"))
        self.assertEqual(self.summary()["failed_by_reason"], {"timed out": 1})

    def test_too_few_descriptors_are_waited_for(self):
        for i in range(20):
            self.sparse(f"{i:02}", 2 << 20)
        # A good many attempts meet EMFILE: eight readers, two descriptors.
        limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (6, 6))
        result = run(b".", b"--max-concurrent", b"8", b"--retries", b"1000", cwd=self.cwd,
                     preexec_fn=limit)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, sha256sum(self.cwd, b"."))

    def test_a_manifest_that_cannot_be_written_is_an_error(self):
        self.small_files(300)
        with open("/dev/full", "wb") as full:
            result = run(b".", b"--quiet", cwd=self.cwd, stdout=full)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"cannot write standard output: No space left on device", result.stderr)

        reading, writing = os.pipe()
        os.close(reading)
        result = run(b".", b"--quiet", cwd=self.cwd, stdout=writing)
        os.close(writing)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"Broken pipe", result.stderr)

        closed = subprocess.run(["sh", "-c", '"$0" --quiet --events "$1" . >&-', TREESUM,
                                 self.aside("events")], cwd=self.cwd, stderr=subprocess.PIPE)
        self.assertEqual(closed.returncode, 1)
        self.assertIn(b"cannot write standard output", closed.stderr)

        result = run(b".", b"--quiet", b"--events", b"/dev/full", cwd=self.cwd)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"cannot write '/dev/full': No space left on device", result.stderr)

    def test_usage_errors_are_exit_code_2(self):
        for words in ([], [b"--bogus", b"."], [b"/no/such/folder"], [b".", b""], [b"/dev/null"],
                      [b"--timeout", b"soon", b"."], [b"--chaos", b"2", b"."], [b"--seed", b"1", b"."],
                      [b"-x", b"."], [b"--max-concurrent", b"0", b"."]):
            with self.subTest(words=words):
                result = run(*words, cwd=self.cwd)
                self.assertEqual((result.returncode, result.stdout), (2, b""))
                self.assertTrue(result.stderr.startswith(b"treesum: "), result.stderr)
        result = run(b"--help", cwd=self.cwd)
        self.assertEqual(result.returncode, 0)
        self.assertIn(b"Examples\n", result.stdout)


class Chaos(TreeTest):
    def test_it_finishes_adds_up_and_the_manifest_verifies(self):
        self.small_files(400)
        self.write(b"\xff odd", b"x")
        result = run(b".", b"--chaos", b"0.3", b"--seed", b"7", b"--json", self.aside("json"),
                     b"--events", self.aside("events"), cwd=self.cwd)
        summary = self.summary()
        self.assertEqual(result.returncode, 0 if summary["completed"] == summary["files"] else 1)
        self.assertGreater(summary["retries"], 50)
        self.assertEqual(result.stdout.count(b"\n"), summary["completed"])
        self.verify(result.stdout)
        rows = dict(re.findall(rb"^ +(\d+)  +(\w[\w ]*?)$", result.stderr, re.M)[::-1])
        self.assertEqual(int({v: k for k, v in rows.items()}[b"files"]), summary["files"])

        with open(self.aside("events"), encoding="utf-8") as file:
            events = [json.loads(line) for line in file]
        self.assertEqual(summary["events"], {"written": len(events), "lost": 0})
        kinds = collections.Counter(event["kind"] for event in events)
        for kind in ("task_added", "task_removed", "actor_exhausted"):
            self.assertEqual(kinds[kind], summary["files"], kind)
        self.assertEqual(kinds["task_failed"] - summary["failed"], summary["retries"])
        self.assertGreater(kinds["timeout_hit"], 0)
        self.assertIn("2e2fff206f6464", {event.get("task_hex") for event in events})

    def test_a_used_up_budget_is_a_failure(self):
        self.small_files(200)
        result = run(b".", b"--chaos", b"0.8", b"--retries", b"0", b"--json", self.aside("json"),
                     cwd=self.cwd)
        self.assertEqual(result.returncode, 1)
        summary = self.summary()
        self.assertEqual(set(summary["failed_by_reason"]),
                         {"chaos: injected failure", "exception: chaos: injected exception",
                          "timed out"})
        self.assertGreater(summary["completed"], 0)
        self.assertEqual(summary["retries"], 0)
        self.verify(result.stdout)

    def test_the_same_seed_injects_the_same(self):
        self.small_files(150)
        missing = []
        for seed in (b"1", b"1", b"2"):
            run(b".", b"--chaos", b"0.5", b"--seed", seed, b"--retries", b"0", b"--timeout", b"300ms",
                b"--json", self.aside("json"), cwd=self.cwd)
            missing.append([(file["path"], file["reason"]) for file in self.summary()["missing"]])
        self.assertEqual(missing[0], missing[1])
        self.assertNotEqual(missing[0], missing[2])


class Signals(TreeTest):
    def interrupt(self, *words, after, number=signal.SIGINT):
        """Starts treesum, interrupts it once `after()`; returns result and seconds from then."""
        command = [TREESUM, b".", b"--json", self.aside("json"), *words]
        with subprocess.Popen(command, cwd=self.cwd, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            try:
                after()
                sent = time.monotonic()
                process.send_signal(number)
                out, err = process.communicate(timeout=30)
            finally:
                process.kill()
        return process.returncode, out, err, time.monotonic() - sent

    def until_begun(self):
        """Waits until events are written, and a little for the first attempts to begin."""
        deadline = time.monotonic() + 30
        while not (os.path.exists(self.aside("events")) and os.path.getsize(self.aside("events"))):
            self.assertLess(time.monotonic(), deadline, "no events within 30 s")
            time.sleep(0.01)
        time.sleep(0.2)

    def test_ctrl_c_stops_within_grace_and_says_what_is_left_out(self):
        self.small_files(100)
        for i in range(4):
            self.sparse(f"huge {i}", 1 << 40)
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGQUIT, 131)):
            with self.subTest(number=number):
                returned, out, err, seconds = self.interrupt(
                    b"--events", self.aside("events"), number=number, after=self.until_begun)
                self.assertEqual(returned, code, err)
                self.assertLess(seconds, 3)
                summary = self.summary()
                self.assertGreaterEqual(summary["left_out"], 4)
                self.assertEqual((summary["failed"], summary["signal"]), (0, int(number)))
                self.assertIn(b"left out", err)
                if out:
                    self.verify(out)
                os.remove(self.aside("events"))

    def test_ctrl_c_ends_hangs(self):
        self.small_files(300)
        returned, out, err, seconds = self.interrupt(
            b"--chaos", b"1", b"--timeout", b"1h", b"--grace", b"2s", b"--max-concurrent", b"3",
            after=lambda: time.sleep(1))
        self.assertEqual(returned, 130, err)
        self.assertLess(seconds, 2)
        self.assertGreater(self.summary()["left_out"], 0)
        self.assertEqual(self.summary()["stuck"], 0)

    def test_without_grace_what_runs_is_stuck_and_said_to_be(self):
        self.sparse("huge", 1 << 40)
        returned, out, err, seconds = self.interrupt(b"--grace", b"0", after=lambda: time.sleep(0.5))
        self.assertEqual((returned, out), (130, b""))
        self.assertLess(seconds, 2)
        self.assertEqual(self.summary()["stuck"] + self.summary()["left_out"], 1)


class Progress(TreeTest):
    def stderr_on_a_terminal(self, *words):
        ours, theirs = pty.openpty()
        chunks = []
        process = subprocess.Popen([TREESUM, b".", *words], cwd=self.cwd, stderr=theirs,
                                   stdout=subprocess.DEVNULL)
        os.close(theirs)
        while True:
            try:
                chunks.append(os.read(ours, 65536))
            except OSError:  # EIO: the other side is closed
                break
            if not chunks[-1]:
                break
        os.close(ours)
        self.assertEqual(process.wait(), 0)
        return b"".join(chunks)

    def test_a_terminal_gets_a_bar_and_it_is_wiped(self):
        self.sparse("big", 1 << 30)
        shown = self.stderr_on_a_terminal()
        self.assertRegex(shown, rb"\r\[#*\.*\] +\d+%  \d/1 files  .*/s  ETA ")
        self.assertIn(b"\r\x1b[K", shown)
        self.assertLess(shown.rindex(b"ETA"), shown.index(b"completed"))

    def test_the_bar_can_be_chosen(self):
        self.write("a", b"x")
        self.assertNotIn(b"ETA", self.stderr_on_a_terminal(b"--progress", b"never"))
        self.assertNotIn(b"ETA", self.stderr_on_a_terminal(b"--quiet"))
        self.assertNotIn(b"ETA", run(b".", cwd=self.cwd).stderr)
        self.assertIn(b"ETA", run(b".", b"--progress", b"always", cwd=self.cwd).stderr)

    def test_the_summary_can_go_to_stderr(self):
        self.write("a", b"x")
        result = run(b".", b"--json", b"-", cwd=self.cwd)
        self.assertEqual(json.loads(result.stderr)["completed"], 1)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    TREESUM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
