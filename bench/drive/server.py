"""llama-server as a client sees it: started with given flags, asked over HTTP, streaming."""

import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

START_SECONDS = 120
ANSWER_SECONDS = 900


class ServerError(Exception):
    """The server did not start, or refused."""


class Reply:
    """Of one request. Times are seconds from before the request was sent."""

    def __init__(self):
        self.text = ""
        self.first = None
        self.wall = 0.0
        self.timings = {}  # the server's own: prompt_n, cache_n, predicted_n, predicted_ms, draft_n


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One llama-server process; stop() or kill() ends it."""

    def __init__(self, program, model, library, flags, log):
        self.port = free_port()
        environment = dict(os.environ, LLAMA_OFFLINE="1")
        if library:
            environment["GGML_BACKEND_PATH"] = library
        command = [str(program), "-m", model, "--host", "127.0.0.1", "--port", str(self.port),
                   "--offline", *flags]
        with open(log, "ab") as out:
            # In the program's own folder: it looks for CPU libraries in the current one.
            self.process = subprocess.Popen(command, env=environment, stdout=out, stderr=out,
                                            cwd=pathlib.Path(program).parent)
        self.command = command
        self._await_health(log)

    def _await_health(self, log):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise ServerError(f"llama-server ended at its start; see {log}")
            try:
                if self.ask("GET", "/health")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.02)
        self.kill()
        raise ServerError("llama-server was not ready within the time")

    # --- requests

    def ask(self, method, path, body=None):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        try:
            data = None if body is None else json.dumps(body)
            link.request(method, path, data, {"Content-Type": "application/json"})
            response = link.getresponse()
            text = response.read().decode()
            return response.status, json.loads(text) if text else None
        finally:
            link.close()

    def post(self, path, body):
        status, value = self.ask("POST", path, body)
        if status != 200:
            raise ServerError(f"{path}: {status} {json.dumps(value)[:300]}")
        return value

    def render(self, messages, answering=True):
        """The prompt that the model's template makes of messages, with the mark of an answer."""
        return self.post("/apply-template", {
            "messages": messages, "add_generation_prompt": answering,
            "chat_template_kwargs": {"enable_thinking": False}})["prompt"]

    def count(self, text):
        return len(self.post("/tokenize", {"content": text, "parse_special": True})["tokens"])

    def complete(self, prompt, tokens, **fields):
        """Writes exactly `tokens` tokens, greedy, streaming; 0: the prompt is only read."""
        body = json.dumps({"prompt": prompt, "n_predict": tokens, "ignore_eos": True, "stream":
                           True, "temperature": 0.0, "cache_prompt": True, **fields})
        reply = Reply()
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        start = time.monotonic()
        try:
            link.request("POST", "/completion", body, {"Content-Type": "application/json"})
            response = link.getresponse()
            if response.status != 200:
                raise ServerError(f"/completion: {response.status} {response.read()[:300]}")
            for line in response:
                if not line.startswith(b"data: "):
                    continue
                part = json.loads(line[6:])
                if "error" in part:
                    raise ServerError(f"/completion: {part['error']}")
                if reply.first is None:
                    reply.first = time.monotonic() - start
                reply.text += part.get("content", "")
                if part.get("stop"):
                    reply.timings = part.get("timings", {})
                    break
        finally:
            link.close()
        reply.wall = time.monotonic() - start
        return reply

    def slot(self, action, filename, slot=0):
        """save or restore, below --slot-save-path."""
        return self.post(f"/slots/{slot}?action={action}", {"filename": filename})

    def memory_mb(self):
        try:
            text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return 0.0
        found = [line for line in text.splitlines() if line.startswith("VmRSS:")]
        return int(found[0].split()[1]) / 1000 if found else 0.0

    # --- the end

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
