"""Which model answers, what it costs and what leaves the machine; the cloud is upstream.py."""

import contextlib
import json
import signal
import sqlite3
import threading
import unittest

from api_test import ApiHome, free_port, messages
from harness import CALM
from upstream import Upstream

HELLO = {"text": "Hello from afar.", "input": 100, "output": 10}


class RouteHome(ApiHome):
    """A local script "small" and a model "big" elsewhere, the default unless `route` says so."""

    def world(self, say, *lines, route='default = "big"', model="", gateway=""):
        self.upstream = Upstream(say)
        self.addCleanup(self.upstream.close)
        self.port = free_port()
        script = lines or ({"repeat": True, "text": "Hello from here."},)
        (self.home / "small.jsonl").write_text(
            "".join(json.dumps(line) + "\n" for line in script), encoding="utf-8")
        (self.home / "key").write_text("sk-very-secret-key\n", encoding="ascii")
        (self.home / "key").chmod(0o600)
        self.config(f"""[gateway]
listen = "127.0.0.1:{self.port}"
{gateway}
[[model]]
name = "small"
kind = "script"
path = "small.jsonl"
[[model]]
name = "big"
kind = "anthropic"
model = "claude-of-the-test"
base_url = "{self.upstream.url}"
api_key = "file:key"
price_in = 10
price_out = 100
{model}
[route]
{route}
""")

    def daemon_ready(self):
        daemon = self.serve()
        self.token = (self.home / "token").read_text(encoding="ascii").strip()
        return daemon

    def rows(self, sql):
        with contextlib.closing(
                sqlite3.connect(f"file:{self.home}/keel.db?mode=ro", uri=True)) as database:
            return database.execute(sql).fetchall()

    def usage(self, *arguments):
        return json.loads(self.ok("usage", "--json", *arguments))


class DecisionTest(RouteHome):
    def test_the_default_answers_from_afar_and_everything_is_on_record(self):
        self.world(lambda body, n: HELLO)
        result = self.turn("Hello")
        self.assertEqual(result["reply"], "Hello from afar.")
        self.assertEqual(result["route"]["rule"], "default")
        self.assertAlmostEqual(result["usage"]["cost_usd"], (100 * 10 + 10 * 100) / 1e6)
        usage = self.usage()
        self.assertEqual([(m["model"], m["calls"], m["prompt_tokens"]) for m in usage["models"]],
                         [("big", 1, 100)])
        self.assertEqual([(e["host"], e["purpose"], e["requests"]) for e in usage["egress"]],
                         [(self.upstream.host, "model", 1)])
        self.assertAlmostEqual(usage["budget"]["today_usd"], 0.002)
        self.assertEqual(usage["routes"][0]["rule"], "default")
        row = self.usage("--egress")["egress"][0]
        self.assertEqual((row["turn"], row["state"], row["status"], row["subject"]),
                         (result["turn"], "done", 200, "big"))
        self.assertGreater(row["bytes_out"], len(json.dumps(self.upstream.bodies[0])) // 2)
        self.assertGreater(row["bytes_in"], 300)
        words = self.ok("usage")
        for part in ("big", "$0.0020", self.upstream.host, "default of keel.toml"):
            self.assertIn(part, words)
        self.assertIn(result["turn"], self.ok("usage", "--egress"))
        self.assertNotIn(b"sk-very-secret", (self.home / "keel.db").read_bytes())

    def test_rules_are_tried_in_their_order(self):
        self.world(lambda body, n: HELLO, route='''
[[route.rule]]
name = "programs"
task = "code"
use = "big"
[[route.rule]]
channel = "api"
longer_than = 500
use = "big"
''')
        self.assertEqual(self.turn("Hello")["model"], "small")
        result = self.turn("Write a Python function that adds two numbers.")
        self.assertEqual((result["model"], result["route"]["rule"]), ("big", "rule:programs"))
        self.daemon_ready()
        config = (self.home / "keel.toml").read_text()
        self.assertIn("api", config)
        self.assertEqual(self.post("/v1/messages", messages())["model"], "small")  # explicit

    def test_programs_get_rules_where_any_model_is_allowed(self):
        self.world(lambda body, n: HELLO, gateway="any_model = true", route='''
[[route.rule]]
channel = "api"
longer_than = 500
use = "big"
''')
        self.daemon_ready()
        self.assertEqual(self.post("/v1/messages", messages(model="gpt"))["model"], "small")
        answer = self.post("/v1/messages", messages("long " * 1000, model="gpt"))
        self.assertEqual(answer["model"], "big")
        rules = {(r["model"], r["rule"]) for r in self.usage()["routes"]}
        self.assertEqual(rules, {("small", "default"), ("big", "rule:1")})

    def test_nothing_overrides_local_only(self):
        self.world(lambda body, n: HELLO, gateway="any_model = true", route='''
default = "big"
fallback = ["big"]
local_only = true
[[route.rule]]
use = "big"
[[route.rule]]
private = true
use = "big"
''')
        result = self.turn("Hello")
        self.assertEqual(result["model"], "small")
        self.assertIn("local_only", result["route"]["reason"])
        self.assertIn("local_only", self.fails(1, "chat", "-m", "Hello", "--model", "big"))
        self.daemon_ready()
        self.assertIn("local_only", self.fails(1, "chat", "-m", "Hello", "--model", "big"))
        code, words = self.ask("POST", "/v1/messages", messages(model="big"))
        self.assertEqual(code, 403, words)
        self.assertIn("local_only", words["error"]["message"])
        self.assertEqual(self.post("/v1/messages", messages(model="other"))["model"], "small")
        # Nor does a file that fails bring it in.
        (self.home / "small.jsonl").write_text("", encoding="utf-8")
        self.assertEqual(self.upstream.asked(), 0)
        self.assertEqual(self.usage()["egress"], [])


class AvailabilityTest(RouteHome):
    def test_a_model_that_fails_is_left_alone_and_the_reason_says_so(self):
        self.world(lambda body, n: {"status": 401, "error": "no such key",
                                    "type": "authentication_error"})
        self.daemon_ready()
        for _ in range(3):
            result = self.turn("Hello")
            self.assertEqual(result["model"], "small")
            self.assertIn("no such key", result["route"]["reason"])
        self.assertEqual(self.upstream.asked(), 3)
        result = self.turn("Hello")
        self.assertIn("tried again in", result["route"]["reason"])
        self.assertEqual(self.upstream.asked(), 3)
        metrics = self.open("GET", "/metrics").read().decode()
        self.assertIn('keel_model_breaker_open{model="big"} 1', metrics)
        self.assertIn('keel_model_calls_total{model="big",outcome="failure"} 3', metrics)
        self.assertIn("keel_egress_requests_total 3", metrics)

    def test_a_service_that_says_when_to_come_back_is_left_alone_until_then(self):
        self.world(lambda body, n: {"status": 429, "error": "slow down", "type": "rate_limit_error",
                                    "headers": {"retry-after": "3600"}})
        self.daemon_ready()
        self.assertEqual(self.turn("Hello")["model"], "small")
        self.assertEqual(self.upstream.asked(), 1)
        result = self.turn("Hello")
        self.assertIn("tried again in 3", result["route"]["reason"])
        self.assertEqual(self.upstream.asked(), 1)

    def test_a_turn_goes_on_with_another_model_and_the_tool_ran_once(self):
        calls = [("toolu_1", "remember", {"text": "The owner's boat is called Ariadne."})]

        def say(body, number):
            if number == 1:
                return {"calls": calls}
            return {"text": "I have remem", "breaks": True}
        self.world(say, {"on": "tool", "text": "Remembered."},
                   {"repeat": True, "text": "What?"})
        result = self.turn("Remember that my boat is called Ariadne.")
        self.assertEqual((result["reply"], result["model"]), ("Remembered.", "small"))
        self.assertEqual(result["route"]["rule"], "fallback")
        self.assertEqual([(t["name"], t["ok"]) for t in result["tools"]], [("remember", True)])
        self.assertEqual(self.rows("SELECT count(*) FROM tool_call"), [(1,)])
        # Beside the page of the day, which tells of the message.
        self.assertEqual(self.rows("SELECT count(*) FROM page WHERE body LIKE '%Ariadne%' "
                                   "AND kind <> 'journal'"), [(1,)])

    def test_killed_in_the_middle_it_goes_on_without_repeating_the_tool(self):
        calls = [("toolu_1", "remember", {"text": "The owner's boat is called Ariadne."})]
        hang = threading.Event()
        self.addCleanup(hang.set)

        def say(body, number):
            if number == 1:
                return {"calls": calls}
            if number == 2:
                return {**HELLO, "wait": hang}
            return {"status": 401, "error": "gone", "type": "authentication_error"}
        self.world(say, {"on": "tool", "repeat": True, "text": "Remembered."})
        chat = self.start("chat", "-m", "Remember that my boat is called Ariadne.")
        self.eventually("the second request", lambda: self.upstream.asked() == 2)
        # What leaves is on the disk before it has been answered, and what it may cost too.
        self.assertEqual(self.rows("SELECT state FROM egress ORDER BY id"),
                         [("done",), ("intent",)])
        self.assertEqual(self.rows("SELECT state FROM spend ORDER BY id"),
                         [("settled",), ("open",)])
        self.end(chat, signal.SIGKILL)
        daemon = self.daemon_ready()
        self.assertEqual(self.turns("done"), 1)
        self.assertEqual(self.rows("SELECT model FROM turn"), [("small",)])
        self.assertEqual(self.rows("SELECT count(*) FROM tool_call"), [(1,)])
        self.assertEqual(self.rows("SELECT count(*) FROM page WHERE body LIKE '%Ariadne%'"), [(1,)])
        self.assertEqual(self.rows("SELECT state FROM egress ORDER BY id"),
                         [("done",), ("lost",), ("done",)])
        states = [state for (state,) in self.rows("SELECT state FROM spend ORDER BY id")]
        self.assertEqual(states, ["settled", "assumed", "settled"])
        self.end(daemon)

    def test_programs_are_answered_by_another_model_as_long_as_nothing_was_shown(self):
        def say(body, number):
            if number == 1:
                return {"status": 401, "error": "no such key", "type": "authentication_error"}
            return {"text": "It beg", "breaks": True}
        self.world(say)
        self.daemon_ready()
        answer = self.post("/v1/messages", messages(model="big"))
        self.assertEqual(answer["content"][0]["text"], "Hello from here.")
        events = self.events("/v1/messages", messages(model="big"))
        self.assertEqual(events[-1][0], "error")
        self.assertEqual([e for e, _ in events].count("message_start"), 1)


class MoneyTest(RouteHome):
    def test_answers_side_by_side_do_not_overspend_together(self):
        gate = threading.Event()
        self.addCleanup(gate.set)
        # One answer may cost (bytes / 2) x 12.5 + 100 x 100 of a million: a good cent.
        self.world(lambda body, n: {**HELLO, "wait": gate},
                   route='default = "big"\nbudget_usd_per_day = 0.035')
        self.daemon_ready()
        answers = []

        def one():
            answers.append(self.post("/v1/messages", messages(model="big"))["content"][0]["text"])
        threads = [threading.Thread(target=one) for _ in range(10)]
        for thread in threads:
            thread.start()
        self.eventually("those that do not fit", lambda: len(answers) >= 7)
        self.assertEqual(self.upstream.asked(), 3)
        gate.set()
        for thread in threads:
            thread.join(CALM)
        self.assertEqual(answers.count("Hello from afar."), 3)
        self.assertEqual(answers.count("Hello from here."), 7)
        (spent,), = self.rows("SELECT sum(cost_usd) FROM spend")
        self.assertLessEqual(spent, 0.035)
        self.assertEqual(self.rows("SELECT DISTINCT state FROM spend"), [("settled",)])

    def test_a_used_up_budget_is_said_and_lasts_over_a_restart(self):
        self.world(lambda body, n: {**HELLO, "input": 4000},
                   route='default = "big"\nbudget_usd_per_day = 0.3')
        models = []
        for _ in range(8):
            result = self.turn("Hello")
            models.append(result["model"])
        self.assertEqual(models[0], "big")
        self.assertEqual(models[-1], "small")
        self.assertEqual(result["route"]["rule"], "budget")
        self.assertIn("of the day's budget", result["route"]["reason"])
        self.assertIn("of $0.3000 spent", self.ok("usage"))

    def test_without_a_price_a_budget_keeps_a_model_out(self):
        self.world(lambda body, n: HELLO, route="budget_usd_per_day = 1", model=f'''
[[model]]
name = "unknown"
kind = "openai"
model = "nobody-knows"
base_url = "http://127.0.0.1:9"
''')
        result = self.turn("Hello", "--model", "unknown")
        self.assertEqual(result["model"], "small")
        self.assertIn("price is unknown", result["route"]["reason"])


class PrivacyTest(RouteHome):
    def test_a_private_page_does_not_leave_without_a_rule(self):
        self.world(lambda body, n: HELLO)
        self.ok("memory", "add", "My doctor is called Ahab.", "--tag", "private")
        page = json.loads(self.ok("memory", "add", "My boat is called Ariadne.", "--json"))["id"]
        self.assertEqual(self.turn("Hello")["model"], "big")
        result = self.turn("What is my doctor called?")
        self.assertEqual((result["model"], result["route"]["rule"]), ("small", "private"))
        result = self.turn("What is my boat called?", "--conversation", "boats")
        self.assertEqual(result["model"], "big")
        self.assertEqual(self.usage("--egress")["egress"][0]["pages"], [page])
        result = self.turn("And my doctor?", "--model", "big")
        self.assertEqual(result["model"], "big")
        self.assertIn("left out", result["route"]["reason"])
        self.assertNotIn("Ahab", json.dumps(self.upstream.bodies))
        self.assertIn("Ariadne", json.dumps(self.upstream.bodies))

    def test_with_a_rule_it_does(self):
        self.world(lambda body, n: HELLO, route='''
[[route.rule]]
private = true
use = "big"
''')
        self.ok("memory", "add", "My doctor is called Ahab.", "--tag", "private")
        self.assertEqual(self.turn("Hello")["model"], "small")
        result = self.turn("What is my doctor called?")
        self.assertEqual((result["model"], result["route"]["rule"]), ("big", "rule:1"))
        self.assertIn("Ahab", json.dumps(self.upstream.bodies))


class UsageTest(RouteHome):
    def test_without_anything_it_says_so(self):
        self.script({"text": "x"})
        self.assertIn("No model was asked", self.ok("usage"))
        self.assertIn("Nothing left this machine", self.ok("usage", "--egress"))
        self.fails(2, "usage", "--days", "0")
        self.assertEqual(self.usage("--days", "400")["days"], 400)

    def test_a_fetched_page_is_in_the_ledger(self):
        self.world(lambda body, n: HELLO, {"on": "user", "calls": [
            {"name": "web_fetch", "arguments": {"url": "http://127.0.0.1:9/x"}}]},
            {"on": "tool", "text": "No."}, route="")
        config = (self.home / "keel.toml").read_text()
        self.config(config + '\n[net]\nallow_private = ["127.0.0.1:9"]\n')
        result = self.turn("Read http://127.0.0.1:9/x")
        row = self.usage("--egress")["egress"][0]
        self.assertEqual((row["purpose"], row["subject"], row["turn"], row["state"], row["host"]),
                         ("page", "web_fetch", result["turn"], "failed", "127.0.0.1:9"))
        self.assertTrue(row["error"])


class PassThroughTest(RouteHome):
    """A program of one dialect that asks a cloud of the same: what it sends and gets is its own."""

    maxDiff = None

    thought = {"type": "thinking", "thinking": "hm  \u00e9", "signature": "c2lnbmVkIGVsc2V3aGU="}
    blocks = [{"type": "text", "text": "rules", "cache_control": {"type": "ephemeral"}},
              {"type": "text", "text": "What is this?"},
              {"type": "image", "source": {"type": "base64", "media_type": "image/png",
                                           "data": "iVBORw0KGgo="}},
              {"cache_control": {"type": "ephemeral", "ttl": "1h"}, "type": "text", "text": "more"}]
    tool = {"name": "Read", "description": "x", "input_schema": {
        "type": "object", "$schema": "s", "properties": {"n": {"type": "number", "default": 1.0}}}}

    def request(self, **more):
        return {"model": "big", "max_tokens": 2000, "system": [self.blocks[0]],
                "tools": [self.tool], "metadata": {"user_id": "u"},
                "thinking": {"type": "enabled", "budget_tokens": 1024},
                "messages": [
                    {"role": "user", "content": [self.blocks[1], self.blocks[2]]},
                    {"role": "assistant", "content": [
                        self.thought, {"type": "tool_use", "id": "toolu_1", "name": "Read",
                                       "input": {"n": 1.0}}]},
                    {"role": "user", "content": [
                        {"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"},
                        self.blocks[3]]}], **more}

    def test_what_a_program_sends_arrives_block_by_block_as_it_was(self):
        self.world(lambda body, n: HELLO)
        self.daemon_ready()
        answer = self.open("POST", "/v1/messages", self.request(stream=True),
                           anthropic_beta="some-beta-1")
        streamed = answer.read()
        self.assertEqual(answer.status, 200, streamed)
        self.assertEqual(streamed, self.upstream.sent)
        sent, raw = self.upstream.bodies[0], self.upstream.raw[0]
        self.assertEqual(sent, {**self.request(stream=True), "model": "claude-of-the-test"})
        for part in (*self.blocks, self.thought, self.tool):
            self.assertIn(json.dumps(part), raw)
        self.assertEqual(self.upstream.headers[0].get("anthropic-beta"), "some-beta-1")
        self.assertEqual(self.upstream.headers[0].get("x-api-key"), "sk-very-secret-key")
        self.assertNotIn(self.token, raw + str(self.upstream.headers))
        # The row is written when the answer has gone out.
        self.eventually("a row of it", lambda: self.usage()["models"])
        usage = self.usage()["models"][0]
        self.assertEqual((usage["model"], usage["prompt_tokens"]), ("big", 100))
        self.assertAlmostEqual(usage["cost_usd"], 0.002)

    def test_without_a_stream_it_is_one_answer(self):
        self.world(lambda body, n: HELLO)
        self.daemon_ready()
        answer = self.post("/v1/messages", self.request())
        self.assertEqual(answer["content"], [{"type": "text", "text": "Hello from afar."}])
        self.assertIn(json.dumps(self.thought), self.upstream.raw[0])

    def test_other_dialects_are_translated(self):
        self.world(lambda body, n: HELLO, model="")
        self.daemon_ready()
        answer = self.post("/v1/chat/completions", {
            "model": "big", "messages": [{"role": "user", "content": "Hi"}]})
        self.assertEqual(answer["choices"][0]["message"]["content"], "Hello from afar.")
        text = "".join(data["choices"][0]["delta"].get("content") or ""
                       for _, data in self.events("/v1/chat/completions", {
                           "model": "big", "messages": [{"role": "user", "content": "Hi"}]})
                       if data != "[DONE]" and data["choices"])
        self.assertEqual(text, "Hello from afar.")

    def test_a_stream_that_breaks_off_ends_in_an_error(self):
        self.world(lambda body, n: {"text": "It beg", "breaks": True})
        self.daemon_ready()
        events = self.events("/v1/messages", messages(model="big"))
        names = [event for event, _ in events]
        self.assertEqual(names.count("message_start"), 1)
        self.assertIn("content_block_delta", names)
        self.assertEqual(names[-1], "error")

    def test_one_that_fails_before_a_word_falls_back_in_the_clients_dialect(self):
        self.world(lambda body, n: {"status": 401, "error": "no", "type": "authentication_error"})
        self.daemon_ready()
        events = self.events("/v1/messages", messages(model="big"))
        text = "".join(data["delta"].get("text", "") for event, data in events
                       if event == "content_block_delta")
        self.assertEqual(text, "Hello from here.")
        self.assertEqual(events[-1][0], "message_stop")

    def test_openai_streams_pass_too(self):
        self.world(lambda body, n: HELLO)
        config = (self.home / "keel.toml").read_text()
        self.config(config + f'''
[[model]]
name = "wide"
kind = "openai"
model = "gpt-of-the-test"
base_url = "{self.upstream.url}/v1"
price_in = 0
''')
        self.daemon_ready()
        answer = self.open("POST", "/v1/chat/completions", {
            "model": "wide", "stream": True, "stream_options": {"include_usage": True},
            "messages": [{"role": "user", "content": "Hi"}]})
        self.assertEqual(answer.read(), self.upstream.sent)
        self.assertEqual(self.upstream.bodies[0]["model"], "gpt-of-the-test")

    def test_the_responses_api_is_spoken_where_keel_toml_says_so(self):
        self.world(lambda body, n: HELLO, route='default = "wide"', model=f'''
[[model]]
name = "wide"
kind = "openai"
api = "responses"
model = "gpt-of-the-test"
base_url = "BASE/v1"
price_in = 1
price_out = 1
''')
        text = (self.home / "keel.toml").read_text(encoding="utf-8")
        self.config(text.replace("BASE", self.upstream.url))
        self.assertEqual(self.turn("Hello")["reply"], "Hello from afar.")
        self.daemon_ready()
        answer = self.open("POST", "/v1/responses", {"model": "wide", "stream": True,
                                                     "input": "Hi"})
        streamed = answer.read()
        self.assertTrue(self.upstream.sent.endswith(streamed), streamed)
        self.assertEqual(self.post("/v1/messages", messages(model="wide"))["content"][0]["text"],
                         "Hello from afar.")
        self.assertEqual(set(self.upstream.paths), {"/v1/responses"})
        body = self.upstream.bodies[0]
        self.assertEqual((body["model"], body["store"]), ("gpt-of-the-test", False))
        self.assertEqual(body["input"][-1]["role"], "user")

    def test_prompts_are_counted_where_they_would_go(self):
        self.world(lambda body, n: {"count": 4321}, model='''
[[model]]
name = "wide"
kind = "openai"
model = "gpt-of-the-test"
base_url = "http://127.0.0.1:1"
price_in = 0
''')
        self.daemon_ready()
        count = self.post("/v1/messages/count_tokens", messages(model="big"))
        self.assertEqual(count, {"input_tokens": 4321})
        self.assertEqual(self.upstream.paths, ["/v1/messages/count_tokens"])
        self.assertNotIn("max_tokens", self.upstream.bodies[0])
        self.assertEqual(self.upstream.bodies[0]["model"], "claude-of-the-test")
        # What was counted has left the machine, and is on record.
        self.assertEqual(len(self.usage("--egress")["egress"]), 1)
        guess = self.post("/v1/messages/count_tokens", messages("word " * 400, model="wide"))
        self.assertEqual((guess["input_tokens"], guess["estimate"]), (500, True))


if __name__ == "__main__":
    unittest.main()
