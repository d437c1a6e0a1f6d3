"""keel chat at a terminal: a pseudo-terminal stands in for the owner's."""

import fcntl
import os
import pty
import re
import select
import signal
import stat
import struct
import subprocess
import termios
import time
import unittest

from harness import Home, KEEL, CALM, SLOW


class Terminal:
    """One keel chat on a pty. Everything it wrote is in `seen`."""

    def __init__(self, home, *arguments, columns=80, **env):
        self.seen = ""
        self.mark = 0
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(KEEL, [KEEL, "chat", *arguments], home.environment(**env))
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def edits_lines(self):
        """Whether the terminal itself edits lines: it then keeps some keys for itself."""
        return bool(termios.tcgetattr(self.fd)[3] & termios.ICANON)

    def read(self, seconds):
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return None
        if not data:
            return None
        self.seen += data.decode(errors="replace")
        return True

    def wait_for(self, pattern, seconds=CALM):
        """Until the pattern comes in what was written since the last match."""
        end = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.seen[self.mark:])
            if found:
                self.mark += found.end()
                return found
            if time.monotonic() > end or self.read(0.1) is None:
                raise AssertionError(f"no {pattern!r} in {self.seen[self.mark:]!r}")

    def prompt(self):
        """Until keys are read one by one: libedit writes its prompt just before that."""
        self.wait_for(r"> ")
        end = time.monotonic() + CALM
        while self.edits_lines():
            if time.monotonic() > end:
                raise AssertionError("the prompt does not read keys: " + self.seen)
            time.sleep(0.005)

    def type(self, text):
        os.write(self.fd, text.encode())

    def line(self, text):
        self.type(text + "\r")

    def since(self):
        return self.seen[self.mark:]

    def status(self):
        """The exit status, when it has ended."""
        end = time.monotonic() + CALM
        while time.monotonic() < end:
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
        raise AssertionError("still running: " + self.seen)

    def close(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


class TerminalTest(Home):
    def chat(self, *arguments, **more):
        terminal = Terminal(self, *arguments, **more)
        self.addCleanup(terminal.close)
        return terminal

    def test_markdown_is_shown_and_streamed(self):
        self.script({"text": "Some **bold** words.\n\n- one\n- two\n", "delay_ms": 30})
        terminal = self.chat()
        terminal.wait_for("Testa")
        terminal.prompt()
        terminal.line("hello")
        terminal.wait_for("thinking|Some")
        terminal.wait_for(re.escape("\x1b[1mbold\x1b[0m"))
        terminal.wait_for("• *.*one")
        terminal.prompt()
        terminal.type("\x04")
        self.assertEqual(terminal.status(), 0)

    def test_no_color_means_no_styles(self):
        self.script({"text": "Some **bold** words."})
        terminal = self.chat(NO_COLOR="1")
        terminal.prompt()
        terminal.line("hello")
        terminal.wait_for("bold words")
        terminal.prompt()
        self.assertNotRegex(terminal.seen, r"\x1b\[[0-9;]*m")

    def test_a_dumb_terminal_gets_plain_text(self):
        self.script({"text": "Some **bold** words."})
        terminal = self.chat(TERM="dumb")
        terminal.prompt()
        terminal.line("hello")
        terminal.wait_for(re.escape("Some **bold** words."))
        terminal.prompt()
        self.assertNotIn("\x1b", terminal.seen)

    def test_control_sequences_of_the_model_are_harmless(self):
        self.script({"text": "Title: \x1b]0;owned\x07 and \x1b[2J done"})
        terminal = self.chat()
        terminal.prompt()
        terminal.line("hello")
        terminal.wait_for("done")
        self.assertNotIn("\x1b]0;owned", terminal.seen)
        self.assertNotIn("\x1b[2J", terminal.seen)
        self.assertIn("␛[2J", terminal.seen)

    def test_tool_calls_are_one_line(self):
        self.script({"on": "user", "calls": [{"name": "calculator",
                                              "arguments": {"expression": "2+2"}}]},
                    {"on": "tool", "text": "Four."})
        terminal = self.chat()
        terminal.prompt()
        terminal.line("two and two?")
        terminal.wait_for("calculator expression=2.*ms")
        terminal.wait_for(r"Four\.")

    def test_interrupt_stops_the_answer_and_at_the_prompt_leaves(self):
        self.script({"text": "word " * 300, "delay_ms": 30}, {"repeat": True, "text": "Fine."})
        terminal = self.chat()
        terminal.prompt()
        terminal.line("go on")
        terminal.wait_for("word word")
        before = time.monotonic()
        terminal.type("\x03")
        terminal.wait_for("stopped")
        self.assertLess(time.monotonic() - before, 2 * SLOW)
        terminal.prompt()
        terminal.line("and now?")
        terminal.wait_for(r"Fine\.")
        terminal.prompt()
        terminal.type("\x03")
        self.assertEqual(terminal.status(), 0)

    def test_typed_stop_stops_and_typing_does_not_garble(self):
        self.script({"text": "word " * 300, "delay_ms": 30}, {"repeat": True, "text": "Fine."})
        terminal = self.chat()
        terminal.prompt()
        terminal.line("go on")
        terminal.wait_for("word word")
        terminal.type("xyzzy")
        time.sleep(0.5)
        terminal.read(0.1)
        self.assertNotIn("xyzzy", terminal.since())
        terminal.type("\r/stop\r")
        terminal.wait_for("stopped")
        terminal.wait_for("> .*xyzzy")  # what was typed ahead is the next message
        terminal.wait_for(r"Fine\.")

    def test_no_key_is_lost_at_the_end_of_an_answer(self):
        self.script({"repeat": True, "text": "Fine."})
        terminal = self.chat()
        terminal.prompt()
        for turn in range(4):
            terminal.line(f"message {turn}")
            mark = terminal.mark
            while not re.search(r"Fine\.(.|\n)*> ", terminal.seen[mark:]):
                self.assertFalse(terminal.edits_lines(), "the terminal kept keys for itself")
                self.assertIsNotNone(terminal.read(0))
            terminal.mark = len(terminal.seen)
        # The prompt is written before libedit asks for keys: this one comes in between.
        terminal.type("\x04")
        self.assertEqual(terminal.status(), 0)

    def test_the_terminal_is_given_back_as_it_was(self):
        self.script({"repeat": True, "text": "word " * 300, "delay_ms": 30})
        for leave in ("/quit", "hello"):
            master, slave = pty.openpty()
            self.addCleanup(os.close, master)
            self.addCleanup(os.close, slave)
            before = termios.tcgetattr(slave)
            child = subprocess.Popen([KEEL, "chat"], stdin=slave, stdout=slave, stderr=slave,
                                     env=self.environment(), start_new_session=True)
            self.children.append(child)
            seen = bytearray()

            def shows(text, master=master, seen=seen):
                if select.select([master], [], [], 0.05)[0]:
                    seen.extend(os.read(master, 65536))
                return text in seen
            self.eventually("the prompt", lambda shows=shows: shows(b"> "))
            os.write(master, leave.encode() + b"\r")
            if leave == "hello":
                self.eventually("the answer", lambda shows=shows: shows(b"word word"))

            def ended(child=child, shows=shows, leave=leave):
                shows(b"")
                if leave == "hello":  # the second one leaves, with or without an answer
                    child.send_signal(signal.SIGINT)
                return child.poll() is not None
            self.eventually("the end", ended)
            self.assertEqual(termios.tcgetattr(slave), before)

    def test_commands(self):
        self.script({"repeat": True, "text": "Hello."})
        self.ok("memory", "add", "My boat is called Ariadne.")
        terminal = self.chat()
        terminal.prompt()
        terminal.line("/help")
        terminal.wait_for("/why")
        terminal.prompt()
        terminal.line("what is my boat called?")
        terminal.wait_for(r"Hello\.")
        terminal.prompt()
        terminal.line("/why")
        terminal.wait_for("boat")
        terminal.prompt()
        terminal.line("/model")
        terminal.wait_for(r"\* script")
        terminal.prompt()
        terminal.line("/model nothing")
        terminal.wait_for("error:")
        terminal.prompt()
        terminal.line("/new")
        terminal.wait_for("chat-")
        terminal.prompt()
        terminal.line("/nonsense")
        terminal.wait_for("/help lists")
        terminal.prompt()
        terminal.line("/etc/hosts is a file")
        terminal.wait_for(r"Hello\.")
        terminal.prompt()
        terminal.line("/quit")
        self.assertEqual(terminal.status(), 0)

    def test_history_comes_back_in_the_next_session(self):
        self.script({"repeat": True, "text": "Hello."})
        terminal = self.chat()
        terminal.prompt()
        terminal.line("the first message")
        terminal.wait_for(r"Hello\.")
        terminal.prompt()
        terminal.type("\x04")
        self.assertEqual(terminal.status(), 0)
        history = self.home / "history"
        self.assertEqual(history.read_text(), "the first message\n")
        self.assertEqual(stat.S_IMODE(history.stat().st_mode), 0o600)
        terminal = self.chat()
        terminal.prompt()
        terminal.type("\x10")  # the key of the line before
        terminal.wait_for("the first message")

    def test_a_paste_of_several_lines_is_one_message(self):
        self.script({"match": "one\ntwo\nthree", "text": "All three."})
        terminal = self.chat()
        terminal.prompt()
        terminal.type("\x1b[200~one\rtwo\nthree\x1b[201~")
        terminal.type("\r")
        terminal.wait_for(r"All three\.")
        self.assertEqual((self.home / "history").read_text(), "one\\ntwo\\nthree\n")

    def test_letters_of_the_world_can_be_typed(self):
        self.script({"match": "müßig 日本", "text": "Understood."})
        for language in ("C.UTF-8", "C"):
            terminal = self.chat(LANG=language)
            terminal.prompt()
            terminal.line("müßig 日本")
            terminal.wait_for(r"Understood\.")
            terminal.prompt()
            terminal.type("\x04")
            self.assertEqual(terminal.status(), 0)

    def test_a_failed_turn_says_so_and_the_chat_goes_on(self):
        self.script({"error": {"code": "network", "message": "the line is dead",
                               "hint": "Try again."}},
                    {"repeat": True, "text": "Better."})
        terminal = self.chat()
        terminal.prompt()
        terminal.line("hello")
        terminal.wait_for("error:.*dead")
        terminal.wait_for("Try again")
        terminal.prompt()
        terminal.line("hello")
        terminal.wait_for(r"Better\.")

    def test_the_terminal_going_away_ends_the_program(self):
        self.script({"text": "word " * 300, "delay_ms": 30})
        terminal = self.chat()
        terminal.prompt()
        terminal.line("go")
        terminal.wait_for("word word")
        os.kill(terminal.pid, signal.SIGHUP)
        self.assertIn(terminal.status(), (0, 1))

    def test_lines_are_never_wider_than_the_window(self):
        self.script({"text": "a long sentence with many words in it " * 5})
        terminal = self.chat(columns=40)
        terminal.prompt()
        terminal.line("hello")
        terminal.prompt()
        for row in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.seen).split("\n"):
            self.assertLess(len(row.split("\r")[-1]), 40, row)

    def test_no_config_is_friendly(self):
        terminal = self.chat()
        terminal.wait_for("keel init")
        self.assertEqual(terminal.status(), 78)

    def test_joined_to_the_daemon_it_looks_the_same(self):
        self.script({"repeat": True, "text": "From the **daemon**."})
        self.serve()
        terminal = self.chat()
        terminal.wait_for("daemon")
        terminal.prompt()
        terminal.line("hello")
        terminal.wait_for("From the")
        terminal.prompt()
        terminal.line("/model")
        terminal.wait_for(r"\* script")


if __name__ == "__main__":
    unittest.main()
