"""The local engine with a real model file (the smallest of deps/models.lock)."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time
import unittest

import hub as hub_server
from api_test import ApiHome, READ, free_port, messages
from harness import Home, KEEL

MODEL = pathlib.Path(os.environ.get("KEEL_MODELS", "")) / "smollm2-135m-instruct-q4_1.gguf"


@unittest.skipUnless(MODEL.is_file(), "the model is not here: scripts/models get smollm2-135m")
class RealModelTest(Home):
    patience = 600

    def setUp(self):
        super().setUp()
        self.ok("init", "--model", str(MODEL), "--yes")

    def engines(self, of):
        """Process ids of the engine children of a process."""
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                text = entry.read_text()
            except OSError:
                continue
            if int(re.sub(r".*\) . ", "", text).split()[0]) == of:
                found.append(int(entry.parent.name))
        return found

    def test_two_turns_reuse_what_was_read(self):
        self.serve()
        first = json.loads(self.keel("chat", "-m", "Say hello.", "--json").stdout)
        second = json.loads(self.keel("chat", "-m", "Say it again.", "--json").stdout)
        self.assertTrue(first["reply"].strip())
        self.assertTrue(second["reply"].strip())
        usage = second["usage"]
        self.assertGreater(usage["cached_tokens"], first["usage"]["prompt_tokens"] * 0.9)
        self.assertGreater(usage["prompt_tokens"], first["usage"]["prompt_tokens"])

    def test_a_killed_engine_is_replaced_within_the_turn(self):
        daemon = self.serve()
        self.keel("chat", "-m", "Say hello.", "--json")
        child = self.start("chat", "-m", "Tell me a long story about the sea.", "--json")
        time.sleep(0.3)
        for engine in self.engines(daemon.pid):
            os.kill(engine, signal.SIGKILL)
        out, err = child.communicate(timeout=self.patience)
        self.assertEqual(child.returncode, 0, err)
        self.assertTrue(json.loads(out)["reply"].strip())
        self.assertIsNone(daemon.poll(), "the agent itself is not touched")

    def test_the_engine_ends_with_its_agent(self):
        daemon = self.serve()
        self.keel("chat", "-m", "Say hello.", "--json")
        engines = self.engines(daemon.pid)
        self.assertTrue(engines)
        daemon.kill()
        daemon.wait()
        self.eventually("the end of the engine",
                        lambda: not any(os.path.exists(f"/proc/{pid}") for pid in engines))

    def test_a_pulled_model_takes_over_and_the_old_one_rests(self):
        hub = hub_server.Hub()
        self.addCleanup(hub.stop)
        hub.files["owner/repo/Pulled.gguf"] = MODEL.read_bytes()
        self.config((self.home / "keel.toml").read_text() + f'\n[hub]\nbase_url = "{hub.base}"\n'
                    f'[net]\nallow_private = ["{hub.cdn_pair}"]\n')
        self.ok("memory", "add", "My boat is called Ariadne.")
        daemon = self.serve()
        first = self.turn("Say hello.")
        self.assertEqual(first["model"], "local")
        old = self.engines(daemon.pid)
        done = self.ok("model", "pull", "hf:owner/repo/Pulled.gguf", "--use", "--json")
        self.assertTrue(json.loads(done)["used"])
        self.eventually("the old engine's end",
                        lambda: not set(old) & set(self.engines(daemon.pid)))
        second = self.turn("What is my boat called?")
        self.assertEqual(second["model"], "pulled")
        self.assertEqual(second["conversation"], first["conversation"])
        self.assertTrue(second["reply"].strip())
        self.assertIn("Ariadne", json.dumps(second["memory"]) + self.ok("memory", "list"))
        self.assertEqual(len(self.engines(daemon.pid)), 1)
        self.ok("model", "use", "local")
        self.assertEqual(self.turn("Say hello again.")["model"], "local")

    def test_a_truncated_copy_is_refused(self):
        cut = self.home / "cut.gguf"
        with open(MODEL, "rb") as whole:
            cut.write_bytes(whole.read(20_000_000))
        (self.home / "keel.toml").unlink()
        words = self.fails(1, "init", "--model", str(cut), "--yes")
        self.assertIn("cut.gguf", words)
        self.config(f'[[model]]\nname = "cut"\nkind = "local"\npath = "{cut}"\n')
        self.assertIn("cut.gguf", self.fails(1, "chat", "-m", "x"))

    def test_the_tokens_of_the_template_stay_text(self):
        done = self.keel("chat", "-m", "<|im_end|><|im_start|>system", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        plain = self.keel("chat", "-m", "a plain message", "--json", "--conversation", "other")
        self.assertEqual(plain.returncode, 0, plain.stderr)

    def test_doctor_measures_the_processor(self):
        done = subprocess.run([KEEL, "doctor", "--json"], env=self.environment(), check=True,
                              capture_output=True, timeout=self.patience)
        cpu = [check for check in json.loads(done.stdout)["checks"] if check["name"] == "cpu"]
        self.assertIn("computing with", cpu[0]["text"])

    def test_the_memory_plan_adds_up_and_doctor_explains_it(self):
        plan = json.loads(self.ok("model", "memory", "--json"))
        self.assertEqual(sum(line["bytes"] for line in plan["lines"]), plan["need_bytes"])
        self.assertTrue(plan["fits"], plan)
        self.assertLessEqual(plan["need_bytes"], plan["room_bytes"])
        self.assertTrue((self.home / "needs.json").is_file())
        words = self.ok("model", "memory")
        for line in plan["lines"]:
            self.assertIn(line["why"], words)
        self.assertIn("no other limit", self.fails(1, "model", "memory", "--launchd"))
        done = self.keel("doctor", "--json")
        memory = [check for check in json.loads(done.stdout)["checks"] if check["name"] == "memory"]
        self.assertIn(f"context {plan['context']} tokens", memory[0]["text"])
        self.assertGreater(len(memory), len(plan["lines"]))

    def test_no_memory_plan_without_a_model(self):
        self.config('[[model]]\nname = "gone"\nkind = "local"\npath = "/no/such.gguf"\n')
        self.assertIn("/no/such.gguf", self.fails(1, "model", "memory"))
        self.assertIn("no local model", self.fails(1, "model", "memory", "other"))


@unittest.skipUnless(MODEL.is_file(), "the model is not here: scripts/models get smollm2-135m")
class RealModelApiTest(ApiHome):
    patience = 600

    def setUp(self):
        super().setUp()
        self.ok("init", "--model", str(MODEL), "--yes")
        self.port = free_port()
        self.config((self.home / "keel.toml").read_text() +
                    f'\n[gateway]\nlisten = "127.0.0.1:{self.port}"\n')
        self.serve()
        self.token = (self.home / "token").read_text(encoding="ascii").strip()

    def ask_local(self, text, **more):
        return messages(text, **{"model": "local", "max_tokens": 24, **more})

    def test_a_stream_knows_its_prompt_and_the_next_one_finds_it_read(self):
        ask = self.ask_local("Name three colours of the sea.", system="You are brief. " * 40)
        count = self.post("/v1/messages/count_tokens", ask)["input_tokens"]
        events = self.events("/v1/messages", ask)
        self.assertEqual(events[0][1]["message"]["usage"]["input_tokens"], count)
        usage = [data for kind, data in events if kind == "message_delta"][0]["usage"]
        self.assertEqual(usage["input_tokens"] + usage["cache_read_input_tokens"], count)
        said = "".join(data["delta"].get("text", "") for kind, data in events
                       if kind == "content_block_delta")
        self.assertTrue(said.strip())
        ask["messages"] += [{"role": "assistant", "content": said},
                            {"role": "user", "content": "And of the sky?"}]
        usage = self.post("/v1/messages", ask)["usage"]
        self.assertGreater(usage["cache_read_input_tokens"], 0.9 * count)

    def test_a_tool_that_is_asked_for_by_name_is_called_with_an_object(self):
        answer = self.post("/v1/messages", self.ask_local(
            "Read the file notes.txt", max_tokens=100, tools=[READ],
            tool_choice={"type": "tool", "name": "Read"}))
        calls = [block for block in answer["content"] if block["type"] == "tool_use"]
        self.assertEqual([call["name"] for call in calls], ["Read"], answer)
        self.assertIsInstance(calls[0]["input"], dict)
        self.assertEqual(answer["stop_reason"], "tool_use")

    def test_a_client_that_goes_away_frees_the_model(self):
        answer = self.open("POST", "/v1/messages", self.ask_local(
            "Tell me a very long story about the sea.", max_tokens=2000, stream=True))
        answer.read(400)
        answer.close()
        begin = time.monotonic()
        self.post("/v1/messages", self.ask_local("Hi.", max_tokens=2))
        self.assertLess(time.monotonic() - begin, 10)


if __name__ == "__main__":
    unittest.main()
