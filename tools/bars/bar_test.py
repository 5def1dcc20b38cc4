#!/usr/bin/env python3
"""What judge says of bars: python3 tools/bars/bar_test.py"""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from bars.bar import Bar, judge  # noqa: E402


class FakeRows(dict):
    def median(self, name, _counter):
        return self[name]


def line_of(ours, peer, floor=None, **more):
    rows = FakeRows(ours=ours, peer=peer, floor=floor)
    bar = Bar("bar", "ours", ("peer",), floor="floor" if floor else None, **{"limit": 0.8, **more})
    lines, missing = judge([bar], rows)
    assert not missing
    return lines[0]


class BarTest(unittest.TestCase):
    def test_a_ratio_up_to_the_limit_holds(self):
        self.assertEqual(line_of(80, 100).verdict, "holds")
        self.assertEqual(line_of(50, 100, stretch=0.5).verdict, "holds, stretch too")

    def test_a_ratio_above_the_limit_falls_short(self):
        self.assertTrue(line_of(81, 100).short())

    def test_a_floor_far_below_the_limit_excuses_nothing(self):
        line = line_of(81, 100, floor=72)
        self.assertEqual(line.verdict, "FALLS SHORT")
        self.assertTrue(line.short())

    def test_a_limit_right_above_the_floor_is_told_too(self):
        line = line_of(85, 100, floor=79)
        self.assertFalse(line.short())
        self.assertIn("1.08 of the floor, which is 0.79 of the baseline; 0.8 is 1.01 of the floor",
                      line.verdict)
        self.assertTrue(line_of(88, 100, floor=79).short())

    def test_a_ratio_that_was_measured_in_the_row_is_taken_from_there(self):
        class Beside(dict):
            def median(self, name, counter):
                return self[name][counter]

        rows = Beside(ours={"ns_per_event": 20, "ratio": 1.6}, floor={"ratio": 1.5},
                      peer={"ns_per_event": 1})
        bar = Bar("bar", "ours", ("peer",), 1.4, beside="ratio", floor="floor")
        line = judge([bar], rows)[0][0]
        self.assertEqual((line.value, line.base), (1.6, 12.5))
        self.assertIn("1.07 of the floor", line.verdict)

    def test_a_floor_above_the_limit_is_told_with_both_ratios(self):
        line = line_of(99, 100, floor=90)
        self.assertFalse(line.short())
        self.assertIn("at the floor: 0.99 of the baseline, 1.10 of the floor", line.verdict)
        self.assertNotIn("holds", line.verdict)

    def test_too_far_above_the_floor_falls_short_all_the_same(self):
        line = line_of(100, 100, floor=90)
        self.assertTrue(line.short())
        self.assertIn("1.11 of the floor", line.verdict)

    def test_what_holds_needs_no_floor(self):
        self.assertEqual(line_of(79, 100, floor=90).verdict, "holds")

    def test_a_floor_that_was_not_measured_is_missing(self):
        bar = Bar("bar", "ours", ("peer",), 0.8, floor="floor")
        self.assertEqual(judge([bar], FakeRows(ours=1, peer=1)), ([], ["floor"]))


if __name__ == "__main__":
    unittest.main()
