"""The recorded conversation: reads a trace, and plays it as the model calls that a client makes.

A trace is a JSONL file, one event a line (bench/chat/README.md). Every model call writes a fixed
number of tokens, which are thrown away; the recorded answer takes their place in the history, so
that no engine's words can make its own work easier or harder.

Three kinds of client make different prompts of the same events:
  announce  keel: the history only grows. The time stands in the newest message, and a change of
            tools is told at the end of the history.
  stable    the time stands in the newest message too; the list of tools is written anew.
  clock     the time stands in the system prompt, as many clients do it.
"""

import dataclasses
import json

OPENING_SECONDS = 2.0   # from opening the conversation to the first message
IDLE_SECONDS_MAX = 3.0
OPENING_MARK = 3        # tokens that open an answer, in most templates
STYLES = ("announce", "stable", "clock")

# kind: the keys that must be there, with their types
KEYS = {
    "system": {"text": str},
    "tools": {"tools": list},
    "clock": {"text": str},
    "user": {"text": str},
    "call": {"name": str, "arguments": dict, "tokens": int},
    "result": {"name": str, "text": str},
    "answer": {"text": str, "tokens": int},
    "pause": {"seconds": (int, float)},
    "idle": {"seconds": (int, float)},
    "cron": {"text": str, "tokens": int},
    "tools_changed": {"off": list, "on": list},
    "edit": {"text": str},
    "restart": {},
    "compact": {"summary": str, "keep": int},
}


class TraceError(Exception):
    """The file is not a trace; says which line."""


@dataclasses.dataclass(frozen=True)
class Item:
    """One entry of the history."""
    role: str  # system, user, assistant, tool
    text: str
    call: str = ""       # of the assistant: the tool's name; of a tool: whose result this is
    arguments: str = ""  # JSON text


@dataclasses.dataclass(frozen=True)
class Call:
    """One model call: the whole history as the client would send it."""
    conversation: str
    items: tuple
    tools: tuple
    tokens: int
    turn: int
    what: str               # user, result, edit, cron: what the call answers
    after_restart: bool = False


@dataclasses.dataclass(frozen=True)
class Taken:
    """The recorded words have taken the place of what was written: the history ends with them.

    A program would still know its own words, so it may read these now, and no clock runs.
    """
    conversation: str
    items: tuple
    tools: tuple


@dataclasses.dataclass(frozen=True)
class Opening:
    """The owner opens the conversation and writes for a while: at the start and after a restart."""
    seconds: float
    conversation: str
    items: tuple
    tools: tuple


@dataclasses.dataclass(frozen=True)
class Pause:
    """The owner reads and writes."""
    seconds: float


@dataclasses.dataclass(frozen=True)
class Restart:
    """The program is killed and started again."""


def check(event, line):
    if not isinstance(event, dict) or event.get("kind") not in KEYS:
        raise TraceError(f"line {line}: no known kind of event")
    wanted = KEYS[event["kind"]]
    for key, kind in wanted.items():
        if not isinstance(event.get(key), kind) or isinstance(event.get(key), bool):
            raise TraceError(f"line {line}: {event['kind']} needs \"{key}\"")
    unknown = set(event) - set(wanted) - {"kind"}
    if unknown:
        raise TraceError(f"line {line}: {event['kind']} has no \"{sorted(unknown)[0]}\"")
    if event.get("tokens", 1) < 1 or event.get("seconds", 0) < 0 or event.get("keep", 1) < 1:
        raise TraceError(f"line {line}: a number is out of range")


def load(path):
    """The events of a file, each checked, and their order too."""
    events = []
    with open(path, encoding="utf-8") as lines:
        for number, text in enumerate(lines, 1):
            if not text.strip():
                continue
            try:
                event = json.loads(text)
            except ValueError as error:
                raise TraceError(f"line {number}: {error}") from error
            check(event, number)
            events.append(event)
    if [event["kind"] for event in events[:2]] != ["system", "tools"]:
        raise TraceError("a trace begins with a system line and a tools line")
    before = "system"
    for number, event in enumerate(events[2:], 3):
        kind = event["kind"]
        asked = before in ("user", "edit", "result")
        if kind in ("call", "answer") and not asked:
            raise TraceError(f"line {number}: nothing was asked before this {kind}")
        if (kind == "result") != (before == "call"):
            raise TraceError(f"line {number}: a result follows a call, and nothing else does")
        before = kind
    return events


def until_restart(events):
    """The beginning of a trace: until the first answer after the restart."""
    at = next((i for i, event in enumerate(events) if event["kind"] == "restart"), None)
    if at is None:
        raise TraceError("there is no restart in this trace")
    end = next(i for i in range(at, len(events)) if events[i]["kind"] in ("call", "answer"))
    return events[:end + 1]


class Player:
    """Plays events for one kind of client: Call, Taken, Opening, Pause and Restart."""

    def __init__(self, events, style):
        if style not in STYLES:
            raise ValueError(f"no such client: {style}")
        self._events = events
        self._style = style
        self._system = ""
        self._clock = ""
        self._tools = ()
        self._history = []  # without the system item
        self._turn = 0
        self._crons = 0
        self._restarted = False

    def steps(self):
        for event in self._events:
            yield from getattr(self, "_on_" + event["kind"])(event)

    # --- what the client sends

    def _items(self, history):
        system = self._system
        if self._style == "clock" and self._clock:
            system += f"\n\nCurrent date and time: {self._clock}."
        return (Item("system", system), *history)

    def _user(self, text):
        if self._style != "clock":
            text += (f"\n\n[Note from keel, not the owner's words. It is {self._clock}. "
                     "Channel: terminal.]")
        return Item("user", text)

    def _call(self, tokens, what):
        after, self._restarted = self._restarted, False
        return Call("main", self._items(self._history), self._tools, tokens, self._turn, what,
                    after)

    def _asked(self):
        last = self._history[-1]
        return "result" if last.role == "tool" else "user"

    # --- events

    def _on_system(self, event):
        self._system = event["text"]
        return ()

    def _on_tools(self, event):
        self._tools = tuple(event["tools"])
        return ()

    def _on_clock(self, event):
        first, self._clock = not self._clock, event["text"]
        if first:
            yield self._opening()

    def _on_user(self, event):
        self._turn += 1
        self._history.append(self._user(event["text"]))
        return ()

    def _opening(self):
        return Opening(OPENING_SECONDS, "main", self._items(self._history), self._tools)

    def _taken(self, item):
        self._history.append(item)
        return Taken("main", self._items(self._history), self._tools)

    def _on_call(self, event):
        yield self._call(event["tokens"], self._asked())
        yield self._taken(Item("assistant", "", event["name"], json.dumps(event["arguments"])))

    def _on_result(self, event):
        self._history.append(Item("tool", event["text"], event["name"]))
        return ()

    def _on_answer(self, event):
        yield self._call(event["tokens"], self._asked())
        yield self._taken(Item("assistant", event["text"]))

    def _on_pause(self, event):
        yield Pause(event["seconds"])

    def _on_idle(self, event):
        # Nobody waits through ten minutes of a benchmark; what matters is that nothing is asked.
        yield Pause(min(event["seconds"], IDLE_SECONDS_MAX))

    def _on_cron(self, event):
        self._crons += 1
        yield Call(f"cron-{self._crons}", self._items([self._user(event["text"])]), self._tools,
                   event["tokens"], self._turn, "cron")

    def _on_tools_changed(self, event):
        if self._style == "announce":
            text = "The tools have changed. Switched off: " + (", ".join(event["off"]) or "none")
            for tool in event["on"]:
                text += "\nNew: " + json.dumps(tool)
            self._history.append(Item("system", text))
        else:
            kept = [tool for tool in self._tools if tool["name"] not in event["off"]]
            self._tools = tuple(sorted(kept + event["on"], key=lambda tool: tool["name"]))
        return ()

    def _on_edit(self, event):
        while self._history.pop().role != "user":
            pass
        self._history.append(self._user(event["text"]))
        return ()

    def _on_restart(self, _):
        self._restarted = True
        yield Restart()
        yield self._opening()

    def _on_compact(self, event):
        users = [at for at, item in enumerate(self._history) if item.role == "user"]
        keep = self._history[users[-event["keep"]]:] if len(users) > event["keep"] else \
            self._history
        self._history = [Item("system", event["summary"]), *keep]
        return ()


def ideal(steps, count):
    """How many tokens of each call's prompt no earlier prompt or history had as its beginning.

    An engine that evaluates everything once, and forgets nothing, evaluates just these.
    count(items, tools) says how many tokens a prompt has, with the mark that opens an answer.
    """
    seen = {}  # (items, tools) of every beginning: its tokens; None: not counted yet
    new = []
    for step in steps:
        if not isinstance(step, (Call, Taken)):
            continue
        tools = json.dumps(step.tools)
        if isinstance(step, Call):
            length = len(step.items)
            while length > 0 and (step.items[:length], tools) not in seen:
                length -= 1
            known = 0
            if length:
                key = (step.items[:length], tools)
                if seen[key] is None:
                    seen[key] = count(step.items[:length], step.tools) - OPENING_MARK
                known = seen[key]
            new.append(count(step.items, step.tools) - known)
        for end in range(1, len(step.items) + 1):
            seen.setdefault((step.items[:end], tools), None)
    return new
