"""The trace, how it is played, and how it is counted; without a model."""

import json
import pathlib
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import playback  # noqa: E402
import render  # noqa: E402
import report  # noqa: E402
import write_trace  # noqa: E402

TOOL = {"name": "clock", "description": "tells", "schema": {"type": "object"}}
OTHER = {"name": "abacus", "description": "counts", "schema": {"type": "object"}}
START = [{"kind": "system", "text": "S"}, {"kind": "tools", "tools": [TOOL]},
         {"kind": "clock", "text": "08:00"}]


def events(*lines):
    """Through a file, as the benchmark reads them."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write("".join(json.dumps(line) + "\n" for line in [*START, *lines]))
        file.flush()
        return playback.load(file.name)


def calls(trace, style="announce"):
    return [step for step in playback.Player(trace, style).steps()
            if isinstance(step, playback.Call)]


def ideal(trace, style="announce"):
    return playback.ideal(playback.Player(trace, style).steps(), words)


def ask(text, answer="A", tokens=4):
    return [{"kind": "user", "text": text}, {"kind": "answer", "text": answer, "tokens": tokens}]


def words(items, tools):
    """A count that is easy to follow: every word, each tool as ten, and the mark of an answer."""
    texts = [text for item in items for text in (item.text, item.arguments)]
    return playback.OPENING_MARK + sum(len(text.split()) for text in texts) + 10 * len(tools)


class Loading(unittest.TestCase):
    def test_the_kept_traces_are_what_the_program_writes(self):
        for name in write_trace.SHAPES:
            kept = (HERE / f"{name}.jsonl").read_text()
            self.assertEqual(kept, write_trace.whole(name), f"write {name} again")
            self.assertTrue(playback.load(HERE / f"{name}.jsonl"))

    def test_the_full_trace_is_as_large_as_it_should_be(self):
        played = calls(playback.load(HERE / "full.jsonl"))
        self.assertGreaterEqual(len(played), 40)
        self.assertEqual(max(call.turn for call in played), 24)
        kinds = {event["kind"] for event in playback.load(HERE / "full.jsonl")}
        self.assertEqual(kinds, set(playback.KEYS), "every kind of disturbance is in it")

    def test_a_line_that_is_wrong_is_named(self):
        for wrong, line in (({"kind": "fly"}, "line 4"), ({"kind": "user"}, "line 4"),
                            ({"kind": "user", "text": 5}, "line 4"),
                            ({"kind": "user", "text": "x", "more": 1}, "line 4"),
                            ({"kind": "answer", "text": "x", "tokens": 3}, "line 4"),
                            ({"kind": "result", "name": "clock", "text": "x"}, "line 4")):
            with self.assertRaisesRegex(playback.TraceError, line, msg=wrong):
                events(wrong)
        with self.assertRaisesRegex(playback.TraceError, "line 5"):
            events({"kind": "user", "text": "x"}, {"kind": "answer", "text": "x", "tokens": 0})


class Playing(unittest.TestCase):
    def test_the_recorded_answer_stands_in_the_next_prompt(self):
        first, second = calls(events(*ask("one", "recorded"), *ask("two")))
        self.assertEqual(second.items[:len(first.items)], first.items)
        self.assertEqual(second.items[len(first.items)].text, "recorded")
        self.assertEqual(first.tokens, 4)

    def test_a_prompt_of_keel_always_begins_with_the_one_before(self):
        changed = {"kind": "tools_changed", "off": ["clock"], "on": [OTHER]}
        trace = events(*ask("one"), {"kind": "clock", "text": "09:00"}, changed, *ask("two"))
        first, second = calls(trace)
        self.assertEqual(second.items[:len(first.items)], first.items)
        self.assertEqual(second.tools, first.tools)
        self.assertIn("Switched off: clock", second.items[-2].text)

    def test_a_stable_client_writes_the_tools_anew(self):
        changed = {"kind": "tools_changed", "off": ["clock"], "on": [OTHER]}
        first, second = calls(events(*ask("one"), changed, *ask("two")), "stable")
        self.assertEqual(first.items[0], second.items[0])
        self.assertEqual([tool["name"] for tool in second.tools], ["abacus"])

    def test_a_client_with_a_clock_changes_its_first_item(self):
        trace = events(*ask("one"), {"kind": "clock", "text": "09:00"}, *ask("two"))
        first, second = calls(trace, "clock")
        self.assertIn("08:00", first.items[0].text)
        self.assertIn("09:00", second.items[0].text)
        self.assertEqual(first.items[1].text, "one")

    def test_tools_and_their_results(self):
        first, second = calls(events(
            {"kind": "user", "text": "when"},
            {"kind": "call", "name": "clock", "arguments": {"zone": "x"}, "tokens": 3},
            {"kind": "result", "name": "clock", "text": "noon"},
            {"kind": "answer", "text": "At noon.", "tokens": 5}))
        self.assertEqual((first.what, second.what), ("user", "result"))
        said = render.messages(second.items, second.tools)
        self.assertEqual([m["role"] for m in said], ["system", "user", "assistant", "user"])
        self.assertIn('{"name": "clock", "arguments": {"zone": "x"}}', said[2]["content"])
        self.assertTrue(said[3]["content"].startswith("<tool_response>\nnoon\n</tool_response>"))
        blocks = [item["blocks"][0] for item in render.protocol_items(second.items)]
        self.assertEqual(blocks[2]["id"], blocks[3]["call_id"])

    def test_the_form_of_the_tools_follows_the_model(self):
        items = (playback.Item("system", "S"),)
        for spaced in (True, False):
            def count(given, tools, spaced=spaced):
                text = given[0].text
                if tools:
                    text += "\n\n" + render.tools_text(tools, spaced)
                return len(text)
            self.assertEqual(render.is_spaced(count, items, [TOOL]), spaced)

    def test_an_edit_replaces_the_newest_message_and_what_followed(self):
        trace = events(*ask("one"), *ask("two"), {"kind": "edit", "text": "three"},
                       {"kind": "answer", "text": "C", "tokens": 2})
        third = calls(trace)[2]
        texts = [item.text for item in third.items]
        self.assertFalse(any(text.startswith("two") for text in texts))
        self.assertTrue(texts[-1].startswith("three"))

    def test_a_job_has_a_conversation_of_its_own(self):
        trace = events(*ask("one"), {"kind": "cron", "text": "look", "tokens": 2}, *ask("two"))
        first, job, second = calls(trace)
        self.assertNotEqual(job.conversation, first.conversation)
        self.assertEqual(job.items[0], first.items[0])
        self.assertEqual(second.items[:len(first.items)], first.items)

    def test_the_first_call_after_a_kill_is_marked(self):
        trace = events(*ask("one"), {"kind": "restart"}, *ask("two"), *ask("three"))
        self.assertEqual([call.after_restart for call in calls(trace)], [False, True, False])

    def test_a_trace_that_ends_after_the_kill(self):
        trace = events(*ask("one"), {"kind": "restart"}, *ask("two"), *ask("three"))
        played = calls(playback.until_restart(trace))
        self.assertEqual([call.after_restart for call in played], [False, True])
        with self.assertRaises(playback.TraceError):
            playback.until_restart(events(*ask("one")))

    def test_a_summary_takes_the_place_of_old_turns(self):
        lines = [line for text in ("one", "two", "three") for line in ask(text)]
        trace = events(*lines, {"kind": "compact", "summary": "short", "keep": 1}, *ask("four"))
        texts = [item.text for item in calls(trace)[-1].items]
        self.assertEqual(texts[:2], ["S", "short"])
        self.assertTrue(texts[2].startswith("three"))


class Counting(unittest.TestCase):
    def test_what_only_grows_is_new_once_and_own_words_are_not_new(self):
        trace = events(*ask("one", "x y z"), *ask("two"), *ask("three"))
        last = calls(trace)[-1]
        marks = 2 * playback.OPENING_MARK  # each answer is opened once; the last count has one
        own = words((playback.Item("assistant", "x y z A"),), ()) - playback.OPENING_MARK
        self.assertEqual(sum(ideal(trace)), words(last.items, last.tools) + marks - own)

    def test_a_job_shares_the_beginning(self):
        trace = events(*ask("one"), {"kind": "cron", "text": "look", "tokens": 2})
        self.assertEqual(ideal(trace)[1], words(calls(trace)[1].items[1:], ()))

    def test_after_an_edit_only_the_edit_is_new(self):
        trace = events(*ask("one"), *ask("two"), {"kind": "edit", "text": "three"},
                       {"kind": "answer", "text": "C", "tokens": 2})
        self.assertEqual(ideal(trace)[2], words(calls(trace)[2].items[-1:], ()))

    def test_other_tools_are_a_new_beginning(self):
        changed = {"kind": "tools_changed", "off": ["clock"], "on": [OTHER]}
        trace = events(*ask("one"), changed, *ask("two"))
        second = calls(trace, "stable")[1]
        self.assertEqual(ideal(trace, "stable")[1], words(second.items, second.tools))


class Reporting(unittest.TestCase):
    def result(self):
        def passed(arm, factor, run):
            call = {"conversation": "main", "turn": 1, "what": "user", "after_restart": False,
                    "first_s": 1.0 * factor, "wall_s": 2.0 * factor, "prompt": 1000,
                    "evaluated": 100 * factor, "tokens": 11, "write_s": 1.0 * factor,
                    "drafted": 0, "accepted": 0}
            return {"arm": arm, "client": "stable", "settings": "x", "run": run, "load_s": [0.1],
                    "calls": [call, dict(call, after_restart=True, prompt=9000)],
                    "evaluated_ahead": 0, "overrun_s": 0.5, "memory_mb": 10}
        return {"trace": "tiny", "new_tokens": 200, "context": 4096,
                "passes": [passed("keel", 1, 0), passed("server", 3, 0), passed("server", 4, 1)]}

    def test_figures(self):
        rows = report.gather(self.result())
        self.assertEqual(rows["keel"][0]["wall_s"], 4.5)
        self.assertEqual(rows["keel"][0]["amplification"], 1.0)
        self.assertEqual(rows["keel"][0]["after_restart_s"], 1.0)
        self.assertEqual(rows["keel"][0]["write_tps"], 10.0)
        self.assertEqual(report.middle(rows["server"], "evaluated"), 700)

    def test_ratios_and_page(self):
        text = "\n".join(report.table(self.result()))
        self.assertIn("3.22", text.splitlines()[2])  # (12.5 + 16.5) / 2 over 4.5
        page = report.page(self.result(), "a <machine>")
        self.assertIn("a &lt;machine&gt;", page)
        self.assertIn("<polyline", page)
        self.assertNotIn("http", page)


if __name__ == "__main__":
    unittest.main()
