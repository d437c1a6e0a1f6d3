"""What the soak says of passes that got slower or larger; without a model."""

import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import playback  # noqa: E402
import soak  # noqa: E402


def call(prompt, write_s, tokens=11):
    return {"prompt": prompt, "tokens": tokens, "write_s": write_s}


def passed(speed, memory_mb):
    """A pass that writes so fast, up to 2,000 tokens and from there on, against the first."""
    return {"speed": [*speed, None, None, None], "memory_mb": memory_mb}


class Playing(unittest.TestCase):
    def test_each_pass_is_played_in_conversations_of_its_own_and_without_a_restart(self):
        events = soak.one_process(playback.load(HERE / "small.jsonl"))
        once, again = (list(soak.pass_steps(events, "announce", n)) for n in (1, 2))
        self.assertFalse(any(isinstance(s, (playback.Restart, playback.Pause)) for s in once))
        names = [{step.conversation for step in steps} for steps in (once, again)]
        self.assertFalse(names[0] & names[1])
        self.assertEqual([s.items for s in once], [s.items for s in again])


class Comparing(unittest.TestCase):
    def test_calls_are_compared_with_the_same_calls(self):
        first = [call(100, 1.0), call(200, 1.0), call(300, 1.0), call(3000, 2.0)]
        now = [call(100, 1.0), call(200, 2.0), call(300, 1.0), call(3000, 4.0)]
        self.assertEqual(soak.speed_by_depth(first, now)[:3], [1.0, 0.5, None])

    def test_a_pass_that_was_not_the_same_is_no_pass(self):
        with self.assertRaises(ValueError):
            soak.speed_by_depth([call(100, 1.0)], [call(101, 1.0)])
        with self.assertRaises(ValueError):
            soak.speed_by_depth([call(100, 1.0)], [])

    def test_tokens_a_second_by_depth(self):
        self.assertEqual(soak.rates([call(100, 1.0), call(1999, 1.0), call(2000, 0.5)])[:3],
                         [10.0, 20.0, None])


class Saying(unittest.TestCase):
    def said(self, *passes):
        return soak.verdict([passed(*p) for p in passes])

    def test_steady_passes(self):
        said = self.said(*[((1.0, 0.99), 500)] * 20)
        self.assertEqual((said["slow"], said["grown"]), ([], False))
        self.assertEqual(said["speed"][:3], [1.0, 0.99, None])

    def test_one_disturbed_pass_is_forgiven(self):
        said = self.said(*[((1.0, 1.0), 500)] * 18, ((0.5, 0.5), 500), ((1.0, 1.0), 500))
        self.assertEqual(said["slow"], [])

    def test_slower_at_one_depth(self):
        said = self.said(*[((1.0, 1.0), 500)] * 14, *[((1.0, 0.96), 500)] * 6)
        self.assertEqual(said["slow"], ["2-4k"])

    def test_growth_counts_from_the_second_pass(self):
        first = [((1.0, 1.0), 300), ((1.0, 1.0), 500)]
        self.assertFalse(self.said(*first, *[((1.0, 1.0), 520)] * 8)["grown"])
        self.assertTrue(self.said(*first, *[((1.0, 1.0), 520)] * 7, ((1.0, 1.0), 526))["grown"])

    def test_three_passes_are_enough_to_say_something(self):
        said = self.said(((1.0, 1.0), 300), ((1.0, 1.0), 500), ((0.9, 1.0), 600))
        self.assertEqual((said["slow"], said["grown"]), (["0-2k"], True))


if __name__ == "__main__":
    unittest.main()
