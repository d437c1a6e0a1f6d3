"""A KEEL_HOME of its own for each test, and the program run in it as a person would."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest

KEEL = os.environ.get("KEEL") or str(
    pathlib.Path(__file__).resolve().parents[2] / "build" / "dev" / "keel")
# Sanitizers slow the program down: what is promised to the owner within a second may take more.
SLOW = 10 if os.environ.get("KEEL_SANITIZED") else 1
CALM = 30 if SLOW == 1 else 90  # seconds that a busy machine may need for something quick


class Home(unittest.TestCase):
    """setUp makes KEEL_HOME; script() and config() fill it."""

    patience = 4 * CALM  # seconds that one run may take

    def setUp(self):
        # Short, because the path of a Unix socket may have 107 bytes only.
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="keel-"))
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.children = []
        self.addCleanup(self.end_children)

    def end_children(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.wait()
            for stream in (child.stdout, child.stderr):
                if stream:
                    stream.close()

    def environment(self, **more):
        env = {"PATH": os.environ["PATH"], "HOME": str(self.home), "KEEL_HOME": str(self.home),
               "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LD_LIBRARY_PATH"):
            if name in os.environ:
                env[name] = os.environ[name]
        env.update(more)
        return env

    def config(self, text):
        (self.home / "keel.toml").write_text(text, encoding="utf-8")
        os.chmod(self.home / "keel.toml", 0o600)

    def script(self, *lines, name="script"):
        """A script model that is the only model."""
        path = self.home / f"{name}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        self.config('[agent]\nname = "Testa"\n\n'
                    f'[[model]]\nname = "{name}"\nkind = "script"\npath = "{name}.jsonl"\n')

    def keel(self, *arguments, stdin=b"", **more):
        """Runs to the end; standard input is not a terminal."""
        if isinstance(stdin, str):
            stdin = stdin.encode()
        return subprocess.run([KEEL, *arguments], input=stdin, capture_output=True,
                              env=self.environment(**more.pop("env", {})), timeout=self.patience,
                              check=False, **more)

    def ok(self, *arguments, **more):
        done = self.keel(*arguments, **more)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        return done.stdout.decode()

    def fails(self, status, *arguments, **more):
        """The words of standard error of a run that ends with this status."""
        done = self.keel(*arguments, **more)
        words = done.stderr.decode(errors="replace")
        self.assertEqual(done.returncode, status, words)
        self.assertTrue(words.startswith("error: "), words)
        self.assertNotIn("\x1b", words)
        return words

    def turn(self, text, *arguments, **more):
        return json.loads(self.ok("chat", "-m", text, "--json", *arguments, **more))

    def serve(self):
        """A daemon that is ready."""
        child = subprocess.Popen([KEEL, "serve"], env=self.environment(), stderr=subprocess.PIPE,
                                 stdin=subprocess.DEVNULL)
        self.children.append(child)
        lines = []
        while True:
            line = child.stderr.readline().decode()
            if not line:
                self.fail("keel serve ended: " + "".join(lines))
            lines.append(line)
            if "ready" in line:
                child.said = lines
                return child

    def start(self, *arguments):
        """A run that goes on beside the test."""
        child = subprocess.Popen([KEEL, *arguments], env=self.environment(),
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        self.children.append(child)
        return child

    def eventually(self, what, condition):
        end = time.monotonic() + CALM
        while time.monotonic() < end:
            if condition():
                return
            time.sleep(0.02)
        self.fail("waited in vain for " + what)

    def turns(self, state):
        """How many turns of the journal are in this state."""
        path = self.home / "keel.db"
        if not path.exists():
            return 0
        try:
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
                query = "SELECT count(*) FROM turn WHERE state = ?"
                return database.execute(query, (state,)).fetchone()[0]
        except sqlite3.OperationalError:  # the tables are still being made
            return 0

    def end(self, child, how=signal.SIGTERM):
        child.send_signal(how)
        return child.wait(timeout=CALM)
