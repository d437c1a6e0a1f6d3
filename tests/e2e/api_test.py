"""The HTTP surface of keel serve as other programs see it: who may ask, answers, failures."""

import contextlib
import http.client
import json
import os
import shutil
import socket
import stat
import subprocess
import threading
import time
import unittest

from harness import CALM, Home


def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class ApiHome(Home):
    """A daemon with a script model, and ways to ask it."""

    def daemon(self, *lines, gateway="", model=""):
        path = self.home / "small.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        self.port = free_port()
        self.config(f'[gateway]\nlisten = "127.0.0.1:{self.port}"\n{gateway}\n'
                    f'[[model]]\nname = "small"\nkind = "script"\npath = "small.jsonl"\n{model}\n')
        daemon = self.serve()
        self.token = (self.home / "token").read_text(encoding="ascii").strip()
        return daemon

    def connection(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=CALM)
        self.addCleanup(connection.close)
        return connection

    def open(self, method, path, body=None, token=True, **headers):
        """The answer, its body unread."""
        if token:
            headers["Authorization"] = "Bearer " + self.token
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = self.connection()
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        return connection.getresponse()

    def ask(self, method, path, body=None, token=True, **headers):
        answer = self.open(method, path, body, token, **headers)
        text = answer.read()
        return answer.status, json.loads(text) if text else None

    def post(self, path, body, status=200):
        code, value = self.ask("POST", path, body)
        self.assertEqual(code, status, value)
        return value

    def events(self, path, body):
        """A whole stream: (event, data) pairs; data is JSON but for the last mark of a dialect."""
        answer = self.open("POST", path, {**body, "stream": True})
        self.assertEqual(answer.status, 200, answer.read() if answer.status != 200 else "")
        self.assertTrue(answer.headers["content-type"].startswith("text/event-stream"))
        out = []
        for block in answer.read().decode().split("\n\n"):
            event, data = "", []
            for line in block.split("\n"):
                if line.startswith("event: "):
                    event = line[7:]
                elif line.startswith("data: "):
                    data.append(line[6:])
            if data:
                text = "\n".join(data)
                out.append((event, text if text == "[DONE]" else json.loads(text)))
        return out

    def metric(self, name):
        answer = self.open("GET", "/metrics")
        for line in answer.read().decode().splitlines():
            if line.split(" ")[0] == name:
                return float(line.split(" ")[1])
        raise AssertionError(name + " is no metric")


def messages(text="hi", **more):
    return {"model": "small", "max_tokens": 100, "messages": [{"role": "user", "content": text}],
            **more}


def chat(text="hi", **more):
    return {"model": "small", "messages": [{"role": "user", "content": text}], **more}


def responses(text="hi", **more):
    return {"model": "small", "input": text, **more}


READ = {"name": "Read", "description": "Reads a file",
        "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}}


class AccessTest(ApiHome):
    def test_the_token_is_asked_for_everywhere_but_health(self):
        daemon = self.daemon({"text": "yes", "repeat": True})
        self.assertEqual(stat.S_IMODE(os.stat(self.home / "token").st_mode), 0o600)
        self.assertEqual(self.ask("GET", "/healthz", token=False), (200, {"status": "ok"}))
        for method, path, body in (("GET", "/v1/models", None), ("GET", "/metrics", None),
                                   ("POST", "/v1/messages", messages()),
                                   ("POST", "/v1/chat/completions", chat()),
                                   ("GET", "/nothing", None)):
            self.assertEqual(self.ask(method, path, body, token=False)[0], 401, path)
            self.assertNotEqual(
                self.open(method, path, body, token=False, x_api_key=self.token).status, 401, path)
        code, words = self.ask("POST", "/v1/messages", messages(), token=False, x_api_key="wrong")
        self.assertEqual((code, words["type"], words["error"]["type"]),
                         (401, "error", "authentication_error"))
        code, words = self.ask("POST", "/v1/responses", responses(), token=False)
        self.assertEqual((code, words["error"]["code"]), (401, "invalid_api_key"))
        self.end(daemon)
        token = self.token
        self.serve()
        self.assertEqual((self.home / "token").read_text(encoding="ascii").strip(), token)
        self.assertNotIn(token, (self.home / "logs" / "keel.log").read_text(encoding="utf-8"))

    def test_names_and_pages_of_others_are_refused(self):
        self.daemon({"text": "yes", "repeat": True})
        self.assertEqual(self.ask("GET", "/healthz", Host="evil.example")[0], 403)
        self.assertEqual(self.ask("GET", "/v1/models", Origin="http://evil.example")[0], 403)
        self.assertEqual(self.ask("GET", "/v1/models?api_key=" + self.token, token=False)[0], 400)
        self.assertEqual(self.ask("GET", "/v1/models?limit=5")[0], 200)

    def test_ways_that_do_not_exist(self):
        self.daemon({"text": "yes", "repeat": True})
        self.assertEqual(self.ask("GET", "/v1/nothing")[0], 404)
        answer = self.open("GET", "/v1/messages")
        self.assertEqual((answer.status, answer.headers["allow"]), (405, "POST"))
        self.assertEqual(self.open("HEAD", "/", token=False).status, 404)

    def test_an_address_for_all_the_world_needs_the_owners_word(self):
        self.script({"text": "x"})
        with open(self.home / "keel.toml", "a", encoding="utf-8") as config:
            config.write(f'\n[gateway]\nlisten = "0.0.0.0:{free_port()}"\n')
        words = self.fails(78, "serve")
        self.assertIn("plain_http", words)
        with open(self.home / "keel.toml", "a", encoding="utf-8") as config:
            config.write("plain_http = true\n")
        self.assertIn("http://0.0.0.0", "".join(self.serve().said))

    def test_a_port_that_is_taken_costs_the_surface_and_not_the_daemon(self):
        with contextlib.closing(socket.socket()) as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            self.script({"text": "still here"})
            with open(self.home / "keel.toml", "a", encoding="utf-8") as config:
                config.write(f'\n[gateway]\nlisten = "127.0.0.1:{other.getsockname()[1]}"\n')
            self.assertIn("no HTTP", "".join(self.serve().said))
            self.assertEqual(self.turn("hi")["reply"], "still here")

    def test_models_are_listed_for_both_kinds_of_client(self):
        self.daemon({"text": "x"}, model="context = 1000")
        code, models = self.ask("GET", "/v1/models")
        self.assertEqual((code, models["object"], models["has_more"]), (200, "list", False))
        entry = models["data"][0]
        self.assertEqual((entry["id"], entry["object"], entry["type"]), ("small", "model", "model"))
        self.assertEqual(self.ask("GET", "/v1/models/small"), (200, entry))
        self.assertEqual(self.ask("GET", "/v1/models/none")[0], 404)


class MessagesTest(ApiHome):
    def test_an_answer_as_a_whole(self):
        self.daemon({"text": "Hello there.", "repeat": True})
        answer = self.post("/v1/messages?beta=true", messages())
        self.assertEqual((answer["type"], answer["role"], answer["stop_reason"], answer["model"]),
                         ("message", "assistant", "end_turn", "small"))
        self.assertEqual(answer["content"][0]["text"], "Hello there.")
        again = self.post("/v1/messages", messages())
        usage = again["usage"]
        self.assertGreater(usage["cache_read_input_tokens"], 0)
        self.assertEqual(usage["input_tokens"] + usage["cache_read_input_tokens"],
                         answer["usage"]["input_tokens"])
        count = self.post("/v1/messages/count_tokens", messages())
        self.assertEqual(count["input_tokens"], answer["usage"]["input_tokens"])

    def test_the_events_of_a_stream_in_their_order(self):
        self.daemon({"text": "Let me look.", "thinking": "a file then",
                     "calls": [{"name": "Read", "arguments": {"path": "a"}},
                               {"name": "Read", "arguments": {}}]})
        events = self.events("/v1/messages", messages(
            tools=[READ], thinking={"type": "enabled", "budget_tokens": 1024}))
        kinds = [kind for kind, _ in events if kind != "ping"]
        self.assertEqual((kinds[0], kinds[-2:]),
                         ("message_start", ["message_delta", "message_stop"]))
        self.assertGreater(events[0][1]["message"]["usage"]["input_tokens"], 0)
        blocks = []
        for kind, data in events:
            self.assertEqual(data["type"], kind)
            if kind == "content_block_start":
                self.assertEqual(data["index"], len(blocks))
                blocks.append({"type": data["content_block"]["type"], "open": True, "json": "",
                               "block": data["content_block"]})
            elif kind == "content_block_delta":
                self.assertTrue(blocks[data["index"]]["open"])
                blocks[data["index"]]["json"] += data["delta"].get("partial_json", "")
                blocks[data["index"]].update(data["delta"])
            elif kind == "content_block_stop":
                self.assertEqual(data["index"], len(blocks) - 1, "one block at a time")
                blocks[-1]["open"] = False
        types = [block["block"]["type"] for block in blocks]
        self.assertEqual(types, ["thinking", "text", "tool_use", "tool_use"])
        self.assertTrue(blocks[0]["signature"].startswith("keel1."))
        self.assertEqual(blocks[2]["block"]["input"], {})
        self.assertEqual([json.loads(block["json"]) for block in blocks[2:]], [{"path": "a"}, {}])
        delta = next(data for kind, data in events if kind == "message_delta")
        self.assertEqual(delta["delta"]["stop_reason"], "tool_use")

    def test_a_stop_sequence_is_reported_and_not_part_of_the_text(self):
        self.daemon({"text": "one two STOP three", "repeat": True})
        answer = self.post("/v1/messages", messages(stop_sequences=["STOP"]))
        self.assertEqual((answer["stop_reason"], answer["stop_sequence"]),
                         ("stop_sequence", "STOP"))
        self.assertEqual(answer["content"][0]["text"], "one two ")

    def test_thoughts_are_shown_to_those_who_ask(self):
        self.daemon({"thinking": "hm", "text": "yes", "repeat": True})
        kinds = [block["type"] for block in self.post("/v1/messages", messages())["content"]]
        self.assertEqual(kinds, ["text"])

    def test_half_a_call_is_never_handed_on(self):
        self.daemon({"text": "x", "stop": "max_tokens", "repeat": True})
        answer = self.post("/v1/messages", messages(tools=[READ]))
        self.assertEqual(answer["stop_reason"], "max_tokens")

    def test_a_sign_of_life_comes_while_a_prompt_is_read(self):
        self.daemon({"first_delay_ms": 7000, "text": "at last"})
        begin = time.monotonic()
        answer = self.open("POST", "/v1/messages", messages(stream=True))
        self.assertLess(time.monotonic() - begin, 5, "the head must not wait for the prompt")
        text = answer.read().decode()
        # One right at the start, and one in the silence.
        self.assertGreaterEqual(text.count("event: ping"), 2)
        self.assertIn("last", text)


class OtherDialectsTest(ApiHome):
    def test_chat_completions(self):
        self.daemon({"match": "call", "calls": [{"name": "read", "arguments": {"path": "a"}}],
                     "repeat": True},
                    {"text": "Hello there.", "repeat": True})
        answer = self.post("/v1/chat/completions", chat())
        choice = answer["choices"][0]
        self.assertEqual((choice["message"]["content"], choice["finish_reason"]),
                         ("Hello there.", "stop"))
        self.assertGreater(answer["usage"]["total_tokens"], 0)
        tool = {"type": "function", "function": {"name": "read", "parameters": {"type": "object"}}}
        call = self.post("/v1/chat/completions", chat("call", tools=[tool]))["choices"][0]
        self.assertEqual(call["finish_reason"], "tool_calls")
        function = call["message"]["tool_calls"][0]["function"]
        self.assertEqual((function["name"], json.loads(function["arguments"])),
                         ("read", {"path": "a"}))
        events = self.events("/v1/chat/completions", chat(stream_options={"include_usage": True}))
        self.assertEqual(events[-1][1], "[DONE]")
        text = "".join(data["choices"][0]["delta"].get("content") or ""
                       for _, data in events[:-1] if data["choices"])
        self.assertEqual(text, "Hello there.")
        self.assertGreater(events[-2][1]["usage"]["prompt_tokens"], 0)

    def test_responses(self):
        self.daemon({"text": "Hello there.", "repeat": True})
        answer = self.post("/v1/responses", responses())
        self.assertEqual((answer["object"], answer["status"]), ("response", "completed"))
        message = [item for item in answer["output"] if item["type"] == "message"][0]
        self.assertEqual(message["content"][0]["text"], "Hello there.")
        events = self.events("/v1/responses", responses())
        kinds = [kind for kind, _ in events]
        self.assertEqual((kinds[0], kinds[-1]), ("response.created", "response.completed"))
        numbers = [data["sequence_number"] for _, data in events]
        self.assertEqual(numbers, list(range(len(numbers))))
        text = "".join(d["delta"] for k, d in events if k == "response.output_text.delta")
        self.assertEqual(text, "Hello there.")


class FailureTest(ApiHome):
    def test_a_prompt_that_is_too_long_in_the_words_that_clients_act_on(self):
        self.daemon({"text": "x", "repeat": True}, model="context = 256")
        text = "word " * 400
        for stream in (False, True):
            words = self.post("/v1/messages", messages(text, stream=stream), 400)
            self.assertEqual(words["error"]["type"], "invalid_request_error")
            self.assertRegex(words["error"]["message"],
                             r"^prompt is too long: \d+ tokens > 256 maximum$")
            for path, body in (("/v1/chat/completions", chat(text, stream=stream)),
                               ("/v1/responses", responses(text, stream=stream))):
                words = self.post(path, body, 400)
                self.assertEqual(words["error"]["code"], "context_length_exceeded", words)

    def test_a_model_nobody_knows(self):
        self.daemon({"text": "x", "repeat": True})
        words = self.post("/v1/messages", messages(model="claude-sonnet"), 404)
        self.assertEqual(words["error"]["type"], "not_found_error")
        words = self.post("/v1/chat/completions", chat(model="gpt"), 404)
        self.assertEqual(words["error"]["code"], "model_not_found")

    def test_any_name_will_do_where_the_owner_says_so(self):
        self.daemon({"text": "x", "repeat": True}, gateway="any_model = true")
        self.assertEqual(self.post("/v1/messages", messages(model="claude-sonnet"))["model"],
                         "small")
        # Some look first whether there is such a model.
        status, entry = self.ask("GET", "/v1/models/claude-sonnet")
        self.assertEqual((status, entry["id"], entry["type"]), (200, "small", "model"))

    def test_bodies_that_are_no_requests(self):
        self.daemon({"text": "x", "repeat": True})
        for path in ("/v1/messages", "/v1/chat/completions", "/v1/responses",
                     "/v1/messages/count_tokens"):
            for body in (b"", b"{", b"[]", b"null", b'{"model":1}', b"\xff\xfe", b"[" * 5000,
                         b'{"model":"small","model":"small"}', b'{"model":"small"}'):
                connection = self.connection()
                connection.request("POST", path, body, {"x-api-key": self.token})
                answer = connection.getresponse()
                words = json.loads(answer.read())
                self.assertEqual(answer.status, 400, (path, body, words))
                self.assertTrue(words["error"]["message"])

    def test_an_error_in_the_middle_of_a_stream_is_said_in_the_dialect(self):
        self.daemon({"text": "one two", "repeat": True,
                     "error": {"code": "unavailable", "message": "the engine is gone"}})
        kind, data = self.events("/v1/messages", messages())[-1]
        self.assertEqual((kind, data["type"]), ("error", "error"))
        self.assertIn("the engine is gone", data["error"]["message"])
        kinds = [kind for kind, _ in self.events("/v1/responses", responses())]
        self.assertEqual(kinds[-1], "response.failed")
        events = self.events("/v1/chat/completions", chat())
        self.assertTrue(any("error" in data for _, data in events if data != "[DONE]"))

    def test_a_client_that_goes_away_ends_the_answer(self):
        self.daemon({"text": "word " * 5000, "delay_ms": 20, "repeat": True})
        for path, body in (("/v1/messages", messages(stream=True)), ("/v1/messages", messages()),
                           ("/v1/chat/completions", chat(stream=True))):
            before = self.metric("keel_model_cancelled_total")
            connection = self.connection()
            connection.request("POST", path, json.dumps(body), {"x-api-key": self.token})
            if body.get("stream"):
                connection.getresponse().read(10)
            else:
                time.sleep(0.2)
            connection.close()
            self.eventually("the end of the answer", lambda b=before: self.metric(
                "keel_model_cancelled_total") == b + 1)
        self.assertEqual(self.metric("keel_model_open_streams"), 0)

    def test_many_streams_at_once_each_get_their_own(self):
        lines = [{"match": f"number {n};", "text": f"answer {n} " * 20, "delay_ms": 5}
                 for n in range(40)]
        self.daemon(*lines)
        answers = []
        for n in range(40):
            answers.append(self.open("POST", "/v1/messages",
                                     messages(f"number {n};", stream=True)))
        for n, answer in enumerate(answers):
            text = answer.read().decode()
            self.assertEqual(text.count(f"answer"), 20)
            self.assertEqual(text.count(f" {n}\""), 20, n)

    def test_the_end_of_the_daemon_lets_answers_end(self):
        daemon = self.daemon({"text": "word " * 10, "delay_ms": 100})
        answer = self.open("POST", "/v1/messages", messages(stream=True))
        answer.read(10)
        daemon.terminate()
        self.assertIn("message_stop", answer.read().decode())
        self.assertEqual(daemon.wait(timeout=CALM), 0)


@unittest.skipUnless(shutil.which("curl"), "no curl here")
class CurlTest(ApiHome):
    def curl(self, *arguments, data=b""):
        return subprocess.run(
            ["curl", "-sS", "-i", "-m", str(CALM), "-H", "x-api-key: " + self.token, *arguments],
            input=data, capture_output=True, check=True).stdout.decode()

    def test_a_large_request_and_a_head(self):
        self.daemon({"text": "got it", "repeat": True})
        base = f"http://127.0.0.1:{self.port}"
        body = json.dumps(messages("x" * 3_000_000)).encode()
        # curl waits for 100 Continue before it sends so much.
        out = self.curl("-H", "Expect: 100-continue", "--data-binary", "@-", base + "/v1/messages",
                        data=body)
        self.assertIn("100 Continue", out)
        self.assertIn("got it", out)
        chunked = self.curl("-H", "Transfer-Encoding: chunked", "--data-binary", "@-",
                            base + "/v1/messages", data=body)
        self.assertIn("got it", chunked)
        self.assertIn("200 OK", self.curl("-I", base + "/v1/models"))
        self.assertIn("413", self.curl("-X", "POST", "-H", "Content-Length: 99999999",
                                       base + "/v1/messages").split("\r\n")[0])


class BoundTest(ApiHome):
    def test_a_token_gets_so_many_answers_at_once(self):
        daemon = self.daemon({"text": "slow", "first_delay_ms": 2000, "repeat": True},
                             gateway="answers_at_once = 2")
        running = [threading.Thread(target=self.post, args=("/v1/messages", messages(str(n))))
                   for n in range(2)]
        for thread in running:
            thread.start()
        time.sleep(0.5)
        answer = self.open("POST", "/v1/messages", messages("third"))
        self.assertEqual(answer.status, 429)
        self.assertGreaterEqual(int(answer.headers["retry-after"]), 1)
        self.assertEqual(json.loads(answer.read())["error"]["type"], "rate_limit_error")
        self.assertEqual(self.ask("GET", "/v1/models")[0], 200)
        for thread in running:
            thread.join(CALM)
        self.post("/v1/messages", messages("third"))
        self.end(daemon)


class KeyTest(ApiHome):
    """Keys of programs, each with bounds of its own."""

    def keyed(self, *lines, bounds):
        for name in ("editor", "notes"):
            path = self.home / name
            path.write_text(name + "-" + "k" * 40 + "\n", encoding="utf-8")
            path.chmod(0o600)
        return self.daemon(*lines, gateway=(
            f'[[gateway.key]]\nname = "editor"\ntoken = "file:editor"\n{bounds}\n'
            '[[gateway.key]]\nname = "notes"\ntoken = "file:notes"\n'))

    def ask_as(self, name, path="/v1/messages", body=None):
        return self.open("POST", path, body or messages(), token=False,
                         x_api_key=name + "-" + "k" * 40)

    def test_so_many_requests_a_minute(self):
        daemon = self.keyed({"text": "hello", "repeat": True}, bounds="requests_per_minute = 2")
        first = self.ask_as("editor")
        self.assertEqual(first.status, 200)
        self.assertEqual(first.headers["anthropic-ratelimit-requests-limit"], "2")
        self.assertEqual(first.headers["anthropic-ratelimit-requests-remaining"], "1")
        second = self.ask_as("editor", "/v1/chat/completions", chat(stream=True))
        self.assertEqual(second.headers["x-ratelimit-remaining-requests"], "0")
        self.assertIn(b"hello", second.read())
        for path, body, read in (
                ("/v1/messages", messages(), lambda e: (e["type"], e["error"]["type"])),
                ("/v1/chat/completions", chat(), lambda e: (None, e["error"]["code"]))):
            refused = self.ask_as("editor", path, body)
            self.assertEqual(refused.status, 429)
            self.assertIn(int(refused.headers["retry-after"]), range(1, 61))
            self.assertIsNone(refused.headers["x-should-retry"])
            self.assertIn(read(json.loads(refused.read())),
                          (("error", "rate_limit_error"), (None, "rate_limit_exceeded")))
        # Nobody else is bounded by it, and a token is no other's.
        other = self.ask_as("notes")
        self.assertEqual(other.status, 200)
        self.assertIsNone(other.headers["anthropic-ratelimit-requests-limit"])
        self.post("/v1/messages", messages())
        self.assertEqual(self.ask_as("nobody").status, 401)
        self.end(daemon)

    def test_so_many_tokens_a_day_and_a_restart_gives_none_back(self):
        line = {"text": "one two three four five six seven eight nine ten", "repeat": True}
        daemon = self.keyed(line, bounds="tokens_per_day = 15")
        self.assertEqual(self.ask_as("editor").status, 200)
        self.assertEqual(self.ask_as("editor", body=messages("again")).status, 200)
        for _ in range(2):
            refused = self.ask_as("editor")
            self.assertEqual(refused.status, 429)
            self.assertEqual(refused.headers["anthropic-ratelimit-tokens-remaining"], "0")
            self.assertIn(int(refused.headers["retry-after"]), range(1, 25 * 3600))
            if int(refused.headers["retry-after"]) > 60:
                self.assertEqual(refused.headers["x-should-retry"], "false")
            self.assertIn("tokens_per_day", json.loads(refused.read())["error"]["message"])
            self.end(daemon)
            daemon = self.keyed(line, bounds="tokens_per_day = 15")
        self.assertEqual(self.ask_as("notes").status, 200)
        self.end(daemon)
        keys = {row["key"]: row for row in json.loads(self.ok("usage", "--json"))["keys"]}
        self.assertEqual((keys["editor"]["calls"], keys["notes"]["calls"]), (2, 1))
        self.assertGreaterEqual(keys["editor"]["completion_tokens"], 20)
        self.assertIn("2 x editor", self.ok("usage"))

    def test_a_key_without_a_readable_token_is_a_mistake_in_keel_toml(self):
        (self.home / "open").write_text("k" * 40, encoding="utf-8")
        (self.home / "open").chmod(0o644)
        (self.home / "small.jsonl").write_text('{"text": "x"}\n', encoding="utf-8")
        self.config(f'[gateway]\nlisten = "127.0.0.1:{free_port()}"\n'
                    '[[gateway.key]]\nname = "open"\ntoken = "file:open"\n'
                    '[[model]]\nname = "small"\nkind = "script"\npath = "small.jsonl"\n')
        self.assertIn("[[gateway.key]] open", self.fails(78, "serve"))


class JoinTest(ApiHome):
    def test_the_same_request_at_the_same_time_is_answered_once(self):
        # The line is used once: a second call would find none.
        daemon = self.daemon({"text": "one two three", "first_delay_ms": 1500})
        first = self.open("POST", "/v1/messages", messages(stream=True))
        answers = []

        def again():
            answers.append(self.events("/v1/messages", messages()))
        threads = [threading.Thread(target=again) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(CALM)
        self.assertIn("three", first.read().decode())
        for events in answers:
            text = "".join(data["delta"].get("text", "") for event, data in events
                           if event == "content_block_delta")
            self.assertEqual(text, "one two three")
        self.assertEqual(self.metric("keel_model_joined_total"), 3)
        self.assertEqual(self.metric("keel_model_answers_total"), 1)
        self.end(daemon)


if __name__ == "__main__":
    unittest.main()
