"""keel chat with one message: what it prints, and where."""

import json
import pathlib
import signal
import time
import unittest

from harness import Home, CALM, SLOW


class ChatTest(Home):
    def test_json_has_the_documented_shape(self):
        self.script({"text": "Seventeen percent is 397.8."})
        done = self.keel("chat", "-m", "What is 17% of 2,340?", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, b"", "progress goes to a terminal only")
        self.assertEqual(done.stdout.count(b"\n"), 1)
        result = json.loads(done.stdout)
        self.assertEqual(result["reply"], "Seventeen percent is 397.8.")
        self.assertEqual(result["conversation"], "main")
        self.assertEqual(result["model"], "script")
        for key in ("turn", "route", "tools", "memory", "usage", "timings"):
            self.assertIn(key, result)
        self.assertEqual(set(result["route"]), {"rule", "reason"})
        self.assertLessEqual({"prompt_tokens", "cached_tokens", "evaluated_tokens",
                              "completion_tokens", "cost_usd"}, set(result["usage"]))
        self.assertLessEqual({"ttft_ms", "total_ms", "decode_tps"}, set(result["timings"]))

    def test_tool_calls_are_reported_and_used(self):
        self.script(
            {"on": "user", "calls": [{"name": "calculator",
                                      "arguments": {"expression": "17% of 2340"}}]},
            {"on": "tool", "result": "397.8", "text": "It is 397.8."})
        result = self.turn("What is 17% of 2340?")
        self.assertEqual(result["reply"], "It is 397.8.")
        self.assertEqual([call["name"] for call in result["tools"]], ["calculator"])
        self.assertTrue(result["tools"][0]["ok"])

    def test_text_to_a_pipe_has_no_escape_sequences(self):
        self.script({"text": "**bold** and `code`\n\n\x1b[2Jcleared?"})
        done = self.keel("chat", "-m", "hello")
        self.assertEqual(done.returncode, 0)
        self.assertNotIn(b"\x1b", done.stdout + done.stderr)
        self.assertTrue(done.stdout.startswith(b"**bold** and `code`\n"))
        self.assertTrue(done.stdout.endswith(b"\n"))

    def test_standard_input_is_one_message(self):
        self.script({"match": "two lines", "text": "Both seen."})
        self.assertEqual(self.ok("chat", stdin="first\nof two lines\n"), "Both seen.\n")

    def test_conversations_are_kept_apart_and_go_on(self):
        self.script({"match": "one", "repeat": True, "text": "1"},
                    {"match": "two", "repeat": True, "text": "2"})
        self.assertEqual(self.turn("one", "--conversation", "a")["conversation"], "a")
        first = self.turn("two", "--conversation", "b")["usage"]["prompt_tokens"]
        again = self.turn("two", "--conversation", "b")["usage"]["prompt_tokens"]
        self.assertGreater(again, first, "the second turn sees the first")

    def test_a_model_that_is_not_there_is_named(self):
        self.script({"text": "x"})
        words = self.fails(1, "chat", "-m", "x", "--model", "scrpt")
        self.assertIn("scrpt", words)
        self.assertIn("script", words.splitlines()[1])

    def test_failure_prints_one_json_object_too(self):
        self.script({"error": {"code": "network", "message": "the line is dead",
                               "hint": "Try again."}})
        done = self.keel("chat", "-m", "x", "--json")
        self.assertEqual(done.returncode, 1)
        self.assertIn("dead", json.loads(done.stdout)["error"]["message"])
        self.assertIn(b"Try again.", done.stderr)

    def test_interrupt_stops_the_answer_and_keeps_it(self):
        self.script({"text": "word " * 200, "delay_ms": 50})
        child = self.start("chat", "-m", "go on", "--json")
        self.eventually("the turn", lambda: self.turns("running") == 1)
        time.sleep(0.3)  # into the answer
        before = time.monotonic()
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=CALM)
        self.assertLess(time.monotonic() - before, 2 * SLOW)
        self.assertEqual(child.returncode, 130, err)
        result = json.loads(out)
        self.assertTrue(result["stopped"])

    def test_two_alone_at_once_is_said_not_broken(self):
        self.script({"text": "word " * 100, "delay_ms": 50})
        child = self.start("chat", "-m", "go on")
        self.eventually("the turn", lambda: self.turns("running") == 1)
        words = self.fails(75, "chat", "-m", "me too")
        self.assertIn(str(child.pid), words)
        self.assertIn("keel serve", words)

    def test_usage_errors(self):
        for arguments in (["nonsense"], ["chat", "--nonsense"], ["memory"], ["memory", "search"]):
            self.fails(2, *arguments)
        self.assertIn("keel init", self.ok())
        self.assertRegex(self.ok("--version"), r"^keel \d+\.\d+\.\d+\n$")

    def test_every_command_has_help_with_an_example(self):
        page = self.ok("help", "--markdown")
        sections = page.split("\n## ")[1:]
        self.assertGreater(len(sections), 15)
        for section in sections:
            self.assertIn("Example:", section, section)
            name = section.split("\n")[0]
            words = name.split()[1:]
            self.assertIn("Example:", self.ok(*words, "--help"), name)
        guide = pathlib.Path(__file__).resolve().parents[2] / "docs" / "guide" / "commands.md"
        self.assertEqual(guide.read_text(encoding="utf-8"), page,
                         "docs/guide/commands.md is made by: keel help --markdown")
        self.assertNotIn("engine", [section.split("\n")[0].split()[1] for section in sections])


if __name__ == "__main__":
    unittest.main()
