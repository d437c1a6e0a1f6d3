"""What is said of measurements that bench/engine's program made; without a model."""

import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from drive import own  # noqa: E402


def turn(alone, with_job, first, chunk):
    return {"alone": {"gap_ms": alone, "first_ms": 50.0}, "with_job": {"gap_ms": with_job},
            "job_first": {"first_ms": first}, "chunk": {"ms": chunk}}


class Gap(unittest.TestCase):
    def test_medians_and_both_bounds(self):
        said = own.gap_figures({"rounds": [turn(10, 12, 90, 500), turn(11, 900, 80, 500),
                                           turn(10, 13, 70, 600)]})
        self.assertEqual((said["chunk"], said["added"], said["waits"]), (500, 3, 30))
        self.assertTrue(said["holds"])

    def test_a_job_that_stops_the_answer_for_longer_than_a_chunk_does_not_hold(self):
        self.assertFalse(own.gap_figures({"rounds": [turn(10, 600, 60, 500)]})["holds"])

    def test_an_owner_who_waits_for_longer_than_a_chunk_does_not_hold(self):
        self.assertFalse(own.gap_figures({"rounds": [turn(10, 12, 600, 500)]})["holds"])


class Child(unittest.TestCase):
    def test_rounds_are_compared_with_themselves(self):
        rounds = [{"child_ms": 10.1, "in_process_ms": 10.0},
                  {"child_ms": 20.0, "in_process_ms": 20.0},
                  {"child_ms": 10.3, "in_process_ms": 10.0}]
        self.assertAlmostEqual(own.child_ratio({"rounds": rounds}), 1.01)


if __name__ == "__main__":
    unittest.main()
