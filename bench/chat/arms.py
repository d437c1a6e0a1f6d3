"""The programs that take part: each answers the same calls with all it has, or with less.

An arm is started for each pass over the trace and ended after it. The time of a call runs from
before the request is sent until its last token is here; what an arm does in a pause counts only as
far as it lasts longer than the pause.
"""

import dataclasses
import os
import pathlib
import tempfile
import time

import playback
import render
from drive import machine
from drive.engine import Engine
from drive.server import Server


@dataclasses.dataclass
class Setting:
    """What is the same for every arm."""
    keel: str
    model: str
    library: str    # of the CPU; both sides load this one
    attention: str  # keel's own kernel
    threads: int
    context: int
    log: str
    peers: pathlib.Path | None = None  # where llama-server is
    spaced: bool = False  # JSON of tools in the prompts of this model


def setting_of(keel, model, threads, context, log):
    """What takes part here: programs, the model's file and the CPU library that keel chooses."""
    keel = machine.keel_program(keel)
    model = machine.model_file(model)
    choice = machine.cpu_choice(keel)
    machine.RESULTS.mkdir(parents=True, exist_ok=True)
    log = machine.RESULTS / log
    log.write_text("")
    return Setting(keel, model, choice["library"], choice["attention"], threads, context, str(log))


@dataclasses.dataclass
class Measured:
    """One call."""
    first_s: float      # until the first token
    wall_s: float
    prompt: int         # tokens of the prompt
    evaluated: int      # of those, evaluated now
    tokens: int         # written
    write_s: float      # from the first token to the last
    drafted: int = 0
    accepted: int = 0


class KeelArm:
    """keel's engine child, asked as the agent asks it."""

    style = "announce"

    def __init__(self, name, setting, own=False, **changes):
        self.name = name
        self.own = own
        self._setting = setting
        self._prepares = changes.pop("prepare", True)
        self._changes = changes
        self._folder = None
        self.engine = None

    def describe(self):
        off = [f"{key}={value or 'none'}" for key, value in self._changes.items()]
        return "keel engine " + " ".join(off + ([] if self._prepares else ["prepare=no"]))

    def start(self):
        """Seconds until the model is loaded."""
        self._folder = self._folder or tempfile.TemporaryDirectory(prefix="keel-bench-")
        start = time.monotonic()
        self.engine = Engine(self._setting.keel, self._setting.log)
        fields = {"path": self._setting.model, "library": self._setting.library,
                  "context": self._setting.context,
                  "threads": 0 if self.own else self._setting.threads,
                  "attention": self._setting.attention, "drafts": True,
                  "kv_folder": self._folder.name, **self._changes}
        self.engine.load(**fields)
        return time.monotonic() - start

    def call(self, call):
        answer = self.engine.generate(call.conversation, render.protocol_items(call.items),
                                       call.tools, call.tokens)
        usage, timings = answer.usage, answer.timings
        return Measured(answer.first, answer.wall, usage["prompt"], usage["evaluated"],
                        usage["completion"], answer.arrivals[-1] - answer.first,
                        timings["drafted"], timings["accepted"])

    def take(self, taken):
        """Reads the recorded words."""
        self.engine.prepare(taken.conversation, render.protocol_items(taken.items), taken.tools)

    def open(self, opening):
        """Reads what the answer will begin with, while the owner writes: tokens evaluated."""
        if not self._prepares:
            return 0
        done = self.engine.prepare(opening.conversation, render.protocol_items(opening.items),
                                    opening.tools)
        return done.usage["evaluated"]

    def pause(self):
        """Nothing is left to do."""

    def restart(self):
        self.engine.kill()
        return self.start()

    def memory_mb(self):
        return self.engine.memory_mb()

    def stop(self):
        self.engine.close()
        if self._folder:
            self._folder.cleanup()
            self._folder = None


class ServerArm:
    """llama-server and a client of it."""

    def __init__(self, name, setting, style="stable", flags=(), own=False, saves=False):
        self.name = name
        self.style = style
        self.own = own
        self._setting = setting
        self._flags = list(flags)
        self._saves = saves
        self._saved = False
        self._folder = None
        self._server = None

    def describe(self):
        return "llama-server " + " ".join(self._all_flags("FOLDER"))

    def _all_flags(self, folder):
        flags = ["-c", str(self._setting.context)]
        if not self.own:
            flags += ["-t", str(self._setting.threads)]
        if self._saves:
            flags += ["--slot-save-path", folder]
        return flags + self._flags

    def start(self):
        self._folder = self._folder or tempfile.TemporaryDirectory(prefix="keel-bench-")
        start = time.monotonic()
        program = self._setting.peers / ("auto" if self.own else "") / "llama-server"
        self._server = Server(program, self._setting.model,
                              "" if self.own else self._setting.library,
                              self._all_flags(self._folder.name + os.sep), self._setting.log)
        return time.monotonic() - start

    def call(self, call):
        reply = self._server.complete(self._prompt(call, True), call.tokens)
        got = reply.timings
        size = got["prompt_n"] + max(got.get("cache_n", 0), 0)
        return Measured(reply.first, reply.wall, size, got["prompt_n"], got["predicted_n"],
                        reply.wall - reply.first, got.get("draft_n", 0),
                        got.get("draft_n_accepted", 0))

    def _prompt(self, step, answering):
        return self._server.render(
            render.messages(step.items, step.tools, self._setting.spaced), answering)

    def take(self, taken):
        """Reads the recorded words."""
        self._server.complete(self._prompt(taken, False), 0)

    def open(self, _):
        """What was saved comes back while the owner writes."""
        if self._saved:
            self._server.slot("restore", "main.bin")
        return 0

    def pause(self):
        if self._saves:
            self._server.slot("save", "main.bin")
            self._saved = True

    def restart(self):
        self._server.kill()
        return self.start()

    def memory_mb(self):
        return self._server.memory_mb()

    def stop(self):
        self._server.stop()
        if self._folder:
            self._folder.cleanup()
            self._folder = None


# Drafts as this version of llama.cpp offers them for text that repeats; one slot, so that all of
# the context is the owner's; moved parts of the cache are used again, where the model allows it,
# and points to go back to are kept as close as they come. The slot is saved after each turn.
TUNED = ("-np", "1", "--spec-type", "ngram-mod", "--cache-reuse", "256",
         "--checkpoint-min-step", "0")

MAIN = ("keel", "server", "server-clock", "server-tuned")
LEVERS = ("keel-attention", "keel-drafts", "keel-disk", "keel-prepare")
OWN = ("keel-own", "server-own", "server-tuned-own")


def make(name, setting):
    """The arm of a name; "keel-X" is keel without X."""
    made = {
        "keel": lambda: KeelArm(name, setting),
        "keel-attention": lambda: KeelArm(name, setting, attention="flash"),
        "keel-drafts": lambda: KeelArm(name, setting, drafts=False),
        "keel-disk": lambda: KeelArm(name, setting, kv_folder=""),
        "keel-prepare": lambda: KeelArm(name, setting, prepare=False),
        "keel-own": lambda: KeelArm(name, setting, own=True),
        "server": lambda: ServerArm(name, setting),
        "server-clock": lambda: ServerArm(name, setting, style="clock"),
        "server-tuned": lambda: ServerArm(name, setting, flags=TUNED, saves=True),
        "server-own": lambda: ServerArm(name, setting, own=True),
        "server-tuned-own": lambda: ServerArm(name, setting, flags=TUNED, saves=True, own=True),
    }
    if name not in made:
        raise KeyError(f"no arm {name}; there are: {', '.join(made)}")
    return made[name]()


def play_steps(arm, steps, on_step=None):
    """What each call took, and what happened beside."""
    calls, ahead, overrun, loads, peak = [], 0, 0.0, [], 0.0
    for step in steps:
        if isinstance(step, playback.Restart):
            loads.append(arm.restart())
        elif isinstance(step, playback.Taken):
            arm.take(step)
        elif isinstance(step, (playback.Pause, playback.Opening)):
            start = time.monotonic()
            if isinstance(step, playback.Opening):
                ahead += arm.open(step)
            else:
                arm.pause()
            left = step.seconds - (time.monotonic() - start)
            overrun += max(-left, 0.0)
            time.sleep(max(left, 0.0))
        else:
            measured = arm.call(step)
            calls.append({"conversation": step.conversation, "turn": step.turn,
                          "what": step.what, "after_restart": step.after_restart,
                          **dataclasses.asdict(measured)})
            peak = max(peak, arm.memory_mb())
            if on_step:
                on_step(len(calls), calls[-1])
    return {"calls": calls, "evaluated_ahead": ahead, "overrun_s": overrun, "load_s": loads,
            "memory_mb": round(peak)}


def play(arm, events, on_step=None):
    """One pass over the trace in a program of its own."""
    disturbance = machine.Disturbance()
    load_s = arm.start()
    try:
        played = play_steps(arm, playback.Player(events, arm.style).steps(), on_step)
    finally:
        arm.stop()
    played["load_s"].insert(0, load_s)
    load = disturbance.so_far()
    machine.warn_if_busy(load)
    return {"arm": arm.name, "client": arm.style, "settings": arm.describe(), **played,
            "other_load": round(load, 2)}
