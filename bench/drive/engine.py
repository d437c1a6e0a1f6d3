"""keel's engine child, driven over its own protocol (docs/formats/engine-protocol.md).

This is what the agent's side does in C++: the same frames over the same kind of socket.
"""

import json
import os
import select
import signal
import socket
import struct
import time


# What the agent starts it with (src/model/local/protocol.cc).
ENVIRONMENT = {"GGML_NO_BACKTRACE": "1", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


class EngineError(Exception):
    """The engine said why, or ended."""


class Answer:
    """Of one request. Times are seconds on this side of the socket, from the request's last
    byte."""

    def __init__(self):
        self.text = ""
        self.first = None   # until the first part of the answer arrived
        self.wall = 0.0
        self.arrivals = []  # when each part arrived
        self.done = {}      # the event "done"

    @property
    def usage(self):
        return self.done.get("usage", {})

    @property
    def timings(self):
        return self.done.get("timings", {})


class Engine:
    """One `keel engine`. Not for several threads."""

    def __init__(self, program, log=os.devnull):
        self.pause = 0.0  # seconds to wait before each look for events: costs the engine less
        mine, theirs = socket.socketpair()
        environment = dict(os.environ, **ENVIRONMENT)
        actions = [(os.POSIX_SPAWN_DUP2, theirs.fileno(), 3),
                   (os.POSIX_SPAWN_OPEN, 2, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)]
        self.pid = os.posix_spawn(program, [program, "engine"], environment, file_actions=actions)
        theirs.close()
        self._socket = mine
        self._buffer = b""
        self._id = 0
        self._begun = 0.0
        self.loaded = {}

    # --- frames

    def send(self, message):
        data = json.dumps(message, ensure_ascii=False).encode()
        try:
            self._socket.sendall(struct.pack("<I", len(data)) + data)
        except OSError as error:
            raise EngineError(f"the engine ended: {error}") from error

    def receive(self, seconds=600.0):
        """The next event; None if none came within the time."""
        end = time.monotonic() + seconds
        while True:
            if len(self._buffer) >= 4:
                size = struct.unpack("<I", self._buffer[:4])[0]
                if len(self._buffer) >= 4 + size:
                    frame = self._buffer[4:4 + size]
                    self._buffer = self._buffer[4 + size:]
                    return json.loads(frame)
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._socket], [], [], left)[0]:
                return None
            time.sleep(self.pause)
            data = self._socket.recv(1 << 16)
            if not data:
                raise EngineError("the engine ended")
            self._buffer += data

    # --- requests

    def load(self, **fields):
        """path, library, context, threads, attention, drafts, kv_folder, batch, repack."""
        self.send({"do": "load", **fields})
        while True:
            event = self.receive()
            if event is None:
                raise EngineError("loading took too long")
            if event["event"] == "error":
                raise EngineError(event["message"])
            if event["event"] == "loaded":
                self.loaded = event
                return event

    def begin(self, conversation, items, tools=(), max_tokens=64, exact=True):
        """Sends a generate request and returns its id; events follow."""
        self._id += 1
        request = {"conversation": conversation, "items": list(items), "tools": list(tools),
                   "tool_choice": "automatic", "max_tokens": max_tokens,
                   "sampling": {"temperature": 0.0}}
        self.send({"do": "generate", "id": self._id, "request": request, "exact_tokens": exact})
        self._begun = time.monotonic()
        return self._id

    def finish(self, number, on_event=None):
        """Collects the answer of the request that was begun last."""
        answer = Answer()
        while True:
            event = self.receive()
            now = time.monotonic() - self._begun
            if event is None:
                raise EngineError("no answer within the time")
            if event.get("id") != number:
                continue
            if on_event:
                on_event(event)
            if event["event"] == "delta":
                answer.first = now if answer.first is None else answer.first
                answer.arrivals.append(now)
                answer.text += event.get("text", "")
            elif event["event"] == "error":
                raise EngineError(event["message"])
            elif event["event"] == "done":
                answer.done = event
                answer.wall = now
                return answer

    def generate(self, conversation, items, tools=(), max_tokens=64, exact=True, on_event=None):
        number = self.begin(conversation, items, tools, max_tokens, exact)
        return self.finish(number, on_event)

    def prepare(self, conversation, items, tools=()):
        """Reads what an answer will begin with, as the agent does while its owner writes."""
        return self.generate(conversation, items, tools, 0, False)

    def cancel(self, number):
        self.send({"do": "cancel", "id": number})

    def count(self, items, tools=()):
        self._id += 1
        request = {"conversation": "count", "items": list(items), "tools": list(tools),
                   "tool_choice": "automatic", "max_tokens": 1, "sampling": {}}
        self.send({"do": "count", "id": self._id, "request": request})
        while True:
            event = self.receive()
            if event is None or event["event"] == "error":
                raise EngineError((event or {}).get("message", "no count within the time"))
            if event["event"] == "count":
                return event["tokens"]

    # --- the end

    def memory_mb(self):
        """Resident memory; 0 where the system does not say."""
        try:
            with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
                for line in status:
                    if line.startswith("VmRSS:"):
                        return int(line.split()[1]) / 1000
        except OSError:
            pass
        return 0.0

    def kill(self):
        """As a power failure or the out-of-memory killer would."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            self._reap()

    def close(self):
        if not self.pid:
            return
        try:
            self.send({"do": "quit"})
        except EngineError:
            pass
        self._socket.close()
        self._reap()

    def _reap(self):
        os.waitpid(self.pid, 0)
        self.pid = 0
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def text_item(role, text):
    """An item of the conversation in the form of docs/formats/journal.md."""
    return {"role": role, "blocks": [{"type": "text", "text": text}]}
