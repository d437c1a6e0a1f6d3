"""The official SDKs against keel serve. Run with an interpreter that has them:

    python3 -m venv FOLDER && FOLDER/bin/pip install anthropic openai
    KEEL=build/dev/keel FOLDER/bin/python tests/e2e/sdk_test.py

The Node SDKs are tried where KEEL_NODE_SDKS names a folder with node_modules (npm install
@anthropic-ai/sdk openai), Claude Code where KEEL_CLAUDE_CODE names its program (npm install
@anthropic-ai/claude-code; 2.1.197 was tried), Codex where KEEL_CODEX does (npm install
@openai/codex; 0.171.0 was tried), OpenClaw where KEEL_OPENCLAW does (npm install openclaw, which
wants a newer Node than most systems have). What is not there is skipped: api_test.py checks the
same with the standard library. clients.py writes a page of what each was seen to do.
"""

import importlib.util
import json
import os
import subprocess
import unittest

from api_test import ApiHome, READ
from clients import shows
from harness import CALM


def installed(name):
    return importlib.util.find_spec(name) is not None


@unittest.skipUnless(installed("anthropic"), "the SDK anthropic is not installed")
class AnthropicTest(ApiHome):
    def client(self, **more):
        import anthropic
        return anthropic.Anthropic(base_url=f"http://127.0.0.1:{self.port}", auth_token=self.token,
                                   api_key=None, **more)

    @shows("anthropic (Python)", "an answer as a whole", "a streamed answer",
           "tokens counted", "models listed")
    def test_whole_and_streamed(self):
        self.daemon({"text": "Hello there.", "repeat": True})
        client = self.client()
        ask = {"model": "small", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}
        answer = client.messages.create(**ask)
        self.assertEqual((answer.content[0].text, answer.stop_reason), ("Hello there.", "end_turn"))
        with client.messages.stream(**ask) as stream:
            self.assertEqual("".join(stream.text_stream), "Hello there.")
            final = stream.get_final_message()
        self.assertEqual(final.content[0].text, "Hello there.")
        self.assertGreater(final.usage.output_tokens, 0)
        count = client.messages.count_tokens(model="small", messages=ask["messages"])
        self.assertEqual(count.input_tokens, answer.usage.input_tokens)
        self.assertEqual([model.id for model in client.models.list()], ["small"])

    @shows("anthropic (Python)", "a streamed answer", "a call of a tool", "two calls at once",
           "the result of a call", "thoughts shown", "thoughts sent back",
           "the beginning found in the cache")
    def test_a_loop_with_two_tools_at_once_and_thoughts_that_come_back(self):
        self.daemon({"on": "user", "thinking": "both then", "text": "Looking.", "repeat": True,
                     "calls": [{"name": "Read", "arguments": {"path": "a"}},
                               {"name": "Read", "arguments": {}}]},
                    {"on": "tool", "result": "two", "text": "Done.", "repeat": True})
        client = self.client()
        talk = [{"role": "user", "content": "read both"}]
        more = {"model": "small", "max_tokens": 2000, "tools": [READ],
                "thinking": {"type": "enabled", "budget_tokens": 1024}}
        with client.messages.stream(messages=talk, **more) as stream:
            first = stream.get_final_message()
        self.assertEqual([block.type for block in first.content],
                         ["thinking", "text", "tool_use", "tool_use"])
        self.assertEqual([block.input for block in first.content[2:]], [{"path": "a"}, {}])
        self.assertEqual(first.stop_reason, "tool_use")
        talk.append({"role": "assistant", "content": first.content})
        talk.append({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": block.id, "content": text}
            for block, text in zip(first.content[2:], ("one", "two"))]})
        second = client.messages.create(messages=talk, **more)
        self.assertEqual(second.content[0].text, "Done.")
        self.assertGreater(second.usage.cache_read_input_tokens, 0)

    @shows("anthropic (Python)", "an unknown model", "a prompt that is too long",
           "a wrong token", "a failure in the middle of a stream")
    def test_errors_are_the_errors_of_the_sdk(self):
        import anthropic
        self.daemon({"match": "break", "text": "one two", "repeat": True,
                     "error": {"code": "unavailable", "message": "the engine is gone"}},
                    {"text": "x", "repeat": True}, model="context = 256")
        client = self.client(max_retries=0)
        ask = {"model": "small", "max_tokens": 50}
        with self.assertRaises(anthropic.NotFoundError):
            client.messages.create(**{**ask, "model": "none"},
                                   messages=[{"role": "user", "content": "x"}])
        with self.assertRaisesRegex(anthropic.BadRequestError, "prompt is too long"):
            client.messages.create(**ask, messages=[{"role": "user", "content": "x " * 500}])
        with self.assertRaises(anthropic.AuthenticationError):
            anthropic.Anthropic(base_url=f"http://127.0.0.1:{self.port}", api_key="wrong",
                                max_retries=0).messages.create(
                **ask, messages=[{"role": "user", "content": "x"}])
        with self.assertRaisesRegex(anthropic.APIError, "the engine is gone"):
            with client.messages.stream(
                    **ask, messages=[{"role": "user", "content": "break"}]) as stream:
                stream.get_final_message()


@unittest.skipUnless(installed("openai"), "the SDK openai is not installed")
class OpenAiTest(ApiHome):
    def client(self, **more):
        import openai
        return openai.OpenAI(base_url=f"http://127.0.0.1:{self.port}/v1", api_key=self.token,
                             **more)

    @shows("openai (Python), Chat", "an answer as a whole", "a streamed answer",
           "models listed")
    def test_chat_whole_and_streamed(self):
        self.daemon({"text": "Hello there.", "repeat": True})
        client = self.client()
        ask = {"model": "small", "messages": [{"role": "user", "content": "hi"}]}
        answer = client.chat.completions.create(**ask)
        self.assertEqual(answer.choices[0].message.content, "Hello there.")
        text = ""
        for chunk in client.chat.completions.create(stream=True, **ask):
            text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        self.assertEqual(text, "Hello there.")
        self.assertEqual([model.id for model in client.models.list()], ["small"])

    @shows("openai (Python), Chat", "a streamed answer", "a call of a tool",
           "the result of a call")
    def test_chat_with_tools(self):
        self.daemon({"on": "user", "calls": [{"name": "Read", "arguments": {"path": "a"}}],
                     "repeat": True},
                    {"on": "tool", "text": "Done.", "repeat": True})
        client = self.client()
        tool = {"type": "function", "function": {"name": "Read",
                                                 "parameters": READ["input_schema"]}}
        talk = [{"role": "user", "content": "read"}]
        with client.chat.completions.stream(model="small", messages=talk, tools=[tool]) as stream:
            message = stream.get_final_completion().choices[0].message
        self.assertEqual(json.loads(message.tool_calls[0].function.arguments), {"path": "a"})
        talk.append({"role": "assistant", "content": None, "tool_calls": [
            {"id": message.tool_calls[0].id, "type": "function",
             "function": {"name": "Read", "arguments": message.tool_calls[0].function.arguments}}]})
        talk.append({"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "text"})
        answer = client.chat.completions.create(model="small", messages=talk, tools=[tool])
        self.assertEqual(answer.choices[0].message.content, "Done.")

    @shows("openai (Python), Responses", "an answer as a whole", "a streamed answer")
    def test_responses_whole_and_streamed(self):
        self.daemon({"text": "Hello there.", "repeat": True})
        client = self.client()
        self.assertEqual(client.responses.create(model="small", input="hi").output_text,
                         "Hello there.")
        with client.responses.stream(model="small", input="hi") as stream:
            for _ in stream:
                pass
            self.assertEqual(stream.get_final_response().output_text, "Hello there.")

    @shows("openai (Python), Responses", "a streamed answer", "a call of a tool",
           "two calls at once", "the result of a call", "thoughts shown", "thoughts sent back",
           "the beginning found in the cache")
    def test_responses_with_two_tools_at_once_and_thoughts_that_come_back(self):
        self.daemon({"on": "user", "thinking": "both then", "repeat": True,
                     "calls": [{"name": "Read", "arguments": {"path": "a"}},
                               {"name": "Read", "arguments": {}}]},
                    {"on": "tool", "result": "two", "text": "Done.", "repeat": True})
        client = self.client()
        more = {"model": "small", "store": False, "reasoning": {"effort": "low"},
                "include": ["reasoning.encrypted_content"],
                "tools": [{"type": "function", "name": "Read", "strict": False,
                           "parameters": READ["input_schema"]}]}
        talk = [{"role": "user", "content": "read both"}]
        with client.responses.stream(input=talk, **more) as stream:
            for _ in stream:
                pass
            first = stream.get_final_response()
        calls = [item for item in first.output if item.type == "function_call"]
        self.assertEqual([json.loads(call.arguments) for call in calls], [{"path": "a"}, {}])
        self.assertEqual(first.output[0].type, "reasoning")
        talk += [item.model_dump(exclude_none=True) for item in first.output]
        talk += [{"type": "function_call_output", "call_id": call.call_id, "output": text}
                 for call, text in zip(calls, ("one", "two"))]
        second = client.responses.create(input=talk, **more)
        self.assertEqual(second.output_text, "Done.")
        self.assertGreater(second.usage.input_tokens_details.cached_tokens, 0)

    @shows("openai (Python), Chat", "an unknown model", "a wrong token",
           "a failure in the middle of a stream")
    @shows("openai (Python), Responses", "a prompt that is too long")
    def test_errors_are_the_errors_of_the_sdk(self):
        import openai
        self.daemon({"match": "break", "text": "one two", "repeat": True,
                     "error": {"code": "unavailable", "message": "the engine is gone"}},
                    {"text": "x", "repeat": True}, model="context = 256")
        client = self.client(max_retries=0)
        with self.assertRaises(openai.AuthenticationError):
            openai.OpenAI(base_url=f"http://127.0.0.1:{self.port}/v1", api_key="wrong",
                          max_retries=0).models.list()
        with self.assertRaisesRegex(openai.APIError, "the engine is gone"):
            for _ in client.chat.completions.create(
                    model="small", stream=True, messages=[{"role": "user", "content": "break"}]):
                pass
        with self.assertRaises(openai.NotFoundError):
            client.chat.completions.create(model="none",
                                           messages=[{"role": "user", "content": "x"}])
        with self.assertRaises(openai.BadRequestError) as caught:
            client.responses.create(model="small", input="x " * 500)
        self.assertEqual(caught.exception.code, "context_length_exceeded")


# Arguments: the folder that holds node_modules, the address, the token.
NODE = r"""
import { createRequire } from "node:module";

const [folder, address, token] = process.argv.slice(1);
const require = createRequire(folder + "/");
const { Anthropic } = require("@anthropic-ai/sdk");
const { OpenAI } = require("openai");

const anthropic = new Anthropic({ baseURL: address, authToken: token, apiKey: null });
const openai = new OpenAI({ baseURL: address + "/v1", apiKey: token });
const messages = [{ role: "user", content: "hi" }];
const tools = [{ name: "Read", description: "Reads", input_schema: { type: "object" } }];

const message = await anthropic.messages
  .stream({ model: "small", max_tokens: 2000, messages, tools,
            thinking: { type: "enabled", budget_tokens: 1024 } })
  .finalMessage();
const completion = await openai.chat.completions
  .stream({ model: "small", messages }).finalChatCompletion();
const response = await openai.responses
  .stream({ model: "small", input: "hi" }).finalResponse();
let error = "";
try {
  await anthropic.messages.create({ model: "none", max_tokens: 5, messages });
} catch (e) {
  error = e.constructor.name;
}
console.log(JSON.stringify({
  blocks: message.content.map((block) => block.type),
  inputs: message.content.filter((block) => block.type === "tool_use").map((block) => block.input),
  stop: message.stop_reason,
  chat: completion.choices[0].message.content,
  calls: completion.choices[0].message.tool_calls?.length ?? 0,
  response: response.output_text,
  error,
}));
"""


@unittest.skipUnless(os.environ.get("KEEL_NODE_SDKS"), "KEEL_NODE_SDKS names no folder")
class NodeTest(ApiHome):
    @shows("@anthropic-ai/sdk (Node)", "a streamed answer", "a call of a tool",
           "two calls at once", "thoughts shown", "an unknown model")
    @shows("openai (Node)", "a streamed answer", "a call of a tool", "two calls at once")
    def test_streams_and_errors(self):
        self.daemon({"thinking": "hm", "text": "Hello there.", "repeat": True,
                     "calls": [{"name": "Read", "arguments": {"path": "a"}},
                               {"name": "Read", "arguments": {}}]})
        done = subprocess.run(["node", "--input-type=module", "-e", NODE,
                               os.environ["KEEL_NODE_SDKS"], f"http://127.0.0.1:{self.port}",
                               self.token],
                              capture_output=True, timeout=CALM, check=False)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        self.assertEqual(json.loads(done.stdout), {
            "blocks": ["thinking", "text", "tool_use", "tool_use"], "inputs": [{"path": "a"}, {}],
            "stop": "tool_use", "chat": "Hello there.", "calls": 2, "response": "Hello there.",
            "error": "NotFoundError"})


@unittest.skipUnless(os.environ.get("KEEL_CLAUDE_CODE"), "KEEL_CLAUDE_CODE names no program")
class ClaudeCodeTest(ApiHome):
    @shows("Claude Code", "a streamed answer", "a call of a tool", "two calls at once",
           "the result of a call", "the beginning found in the cache")
    def test_a_task_with_two_tools_whose_second_turn_finds_its_beginning(self):
        work = self.home / "work"
        work.mkdir()
        for name in ("one", "two"):
            (work / name).write_text(f"the secret of {name}\n", encoding="utf-8")
        calls = [{"name": "Read", "arguments": {"file_path": str(work / name)}}
                 for name in ("one", "two")]
        self.daemon({"on": "tool", "result": "the secret of two", "text": "Both files were read.",
                     "repeat": True},
                    {"match": "read both", "text": "I read them.", "calls": calls, "repeat": True},
                    {"text": "ok", "repeat": True})
        address = f"http://127.0.0.1:{self.port}"
        done = subprocess.run(
            [os.environ["KEEL_CLAUDE_CODE"], "-p", "read both files", "--model", "small"],
            cwd=work, capture_output=True, timeout=4 * CALM, check=False, stdin=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), "ANTHROPIC_BASE_URL": address,
                 "ANTHROPIC_AUTH_TOKEN": self.token, "ANTHROPIC_SMALL_FAST_MODEL": "small",
                 "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"})
        self.assertEqual(done.returncode, 0, done.stdout.decode() + done.stderr.decode())
        self.assertIn("Both files were read.", done.stdout.decode())
        read, found = (self.metric(f"keel_model_{name}_tokens_total")
                       for name in ("prompt", "cached"))
        # Of two turns the second begins with all of the first.
        self.assertGreater(found, 0.4 * read)


@unittest.skipUnless(os.environ.get("KEEL_CODEX"), "KEEL_CODEX names no program")
class CodexTest(ApiHome):
    @shows("Codex", "a streamed answer", "a call of a tool", "the result of a call",
           "the beginning found in the cache")
    def test_a_task_with_two_tools_whose_turns_find_their_beginning(self):
        work = self.home / "work"
        work.mkdir()
        (work / "a.txt").write_text("the secret of a\n", encoding="utf-8")
        self.daemon({"on": "tool", "result": "the secret of a", "text": "It was read.",
                     "repeat": True},
                    {"on": "tool", "result": "a.txt", "repeat": True,
                     "calls": [{"name": "exec_command", "arguments": {"cmd": "cat a.txt"}}]},
                    {"on": "user", "thinking": "names first", "text": "Looking.", "repeat": True,
                     "calls": [{"name": "exec_command", "arguments": {"cmd": "ls"}}]})
        home = self.home / "codex"
        home.mkdir()
        (home / "config.toml").write_text(f"""model = "small"
model_provider = "keel"
[model_providers.keel]
name = "keel"
base_url = "http://127.0.0.1:{self.port}/v1"
env_key = "KEEL_TOKEN"
wire_api = "responses"
""", encoding="utf-8")
        done = subprocess.run(
            [os.environ["KEEL_CODEX"], "exec", "--skip-git-repo-check", "-s", "danger-full-access",
             "read what is here"],
            cwd=work, capture_output=True, timeout=4 * CALM, check=False, stdin=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), "CODEX_HOME": str(home),
                 "KEEL_TOKEN": self.token})
        self.assertEqual(done.returncode, 0, done.stdout.decode() + done.stderr.decode())
        self.assertIn("It was read.", done.stdout.decode())
        self.assertEqual(self.metric("keel_model_answers_total"), 3)
        read, found = (self.metric(f"keel_model_{name}_tokens_total")
                       for name in ("prompt", "cached"))
        # Of three requests the second and the third begin with all of the one before.
        self.assertGreater(found, 0.6 * read)


@unittest.skipUnless(os.environ.get("KEEL_OPENCLAW"), "KEEL_OPENCLAW names no program")
class OpenClawTest(ApiHome):
    @shows("OpenClaw", "a streamed answer", "a call of a tool")
    def test_a_task_with_a_tool(self):
        work = self.home / "work"
        work.mkdir()
        (work / "a.txt").write_text("the secret of a\n", encoding="utf-8")
        # The last of its messages is always one of the user, with what OpenClaw knows.
        self.daemon({"match": "OPENCLAW_INTERNAL_CONTEXT", "text": "Looking.",
                     "calls": [{"name": "read", "arguments": {"path": str(work / "a.txt")}}]},
                    {"text": "It was read.", "repeat": True}, model="context = 65536")
        state = self.home / "openclaw"
        state.mkdir()
        (state / "openclaw.json").write_text(json.dumps({
            "gateway": {"mode": "local"},
            "agents": {"defaults": {"workspace": str(work), "model": {"primary": "keel/small"}}},
            "models": {"providers": {"keel": {
                "baseUrl": f"http://127.0.0.1:{self.port}", "apiKey": self.token,
                "api": "anthropic-messages",
                "models": [{"id": "small", "name": "small", "input": ["text"],
                            "contextWindow": 65536, "maxTokens": 4096}]}}}}), encoding="utf-8")
        program = os.environ["KEEL_OPENCLAW"]
        done = subprocess.run(
            [program, "agent", "--local", "--agent", "main", "--message", "read a.txt", "--json"],
            cwd=work, capture_output=True, timeout=8 * CALM, check=False, stdin=subprocess.DEVNULL,
            env={"PATH": os.path.dirname(program) + ":" + os.environ["PATH"],
                 "HOME": str(self.home), "OPENCLAW_STATE_DIR": str(state),
                 "OPENCLAW_CONFIG_PATH": str(state / "openclaw.json"),
                 "OPENCLAW_DISABLE_BONJOUR": "1"})
        self.assertEqual(done.returncode, 0, done.stdout.decode() + done.stderr.decode())
        self.assertIn("It was read.", done.stdout.decode())
        self.assertRegex(done.stdout.decode(), r'"toolSummary": \{\s*"calls": 1')


if __name__ == "__main__":
    unittest.main()
