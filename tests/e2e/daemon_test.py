"""keel serve: joining it, killing it, ending it, and what may connect to it."""

import json
import os
import signal
import socket
import stat
import struct
import subprocess
import threading
import time
import unittest

from harness import Home, KEEL, CALM, SLOW


def frame(value):
    data = json.dumps(value).encode()
    return struct.pack("<I", len(data)) + data


def read_frame(connection):
    def exactly(count):
        data = b""
        while len(data) < count:
            part = connection.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data
    return json.loads(exactly(struct.unpack("<I", exactly(4))[0]))


class DaemonTest(Home):
    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(CALM)
        connection.connect(str(self.home / "keel.sock"))
        self.addCleanup(connection.close)
        self.assertEqual(read_frame(connection)["protocol"], 1)
        return connection

    def test_chat_joins_the_daemon(self):
        self.script({"match": "first", "text": "1"}, {"match": "second", "text": "2"})
        daemon = self.serve()
        mode = stat.S_IMODE(os.stat(self.home / "keel.sock").st_mode)
        self.assertEqual(mode, 0o600)
        self.assertEqual(self.turn("first")["reply"], "1")
        # A script counts its used lines in memory: only one process can have answered both.
        self.assertEqual(self.turn("second")["reply"], "2")
        self.assertIn("daemon", self.ok("doctor"))
        self.assertEqual(self.end(daemon), 0)
        self.assertFalse((self.home / "keel.sock").exists())

    def test_a_second_daemon_is_refused(self):
        self.script({"text": "x"})
        daemon = self.serve()
        words = self.fails(75, "serve")
        self.assertIn(str(daemon.pid), words)

    def test_killed_in_a_turn_the_next_start_takes_it_up(self):
        self.script({"match": "long", "text": "word " * 40, "delay_ms": 100, "repeat": True},
                    {"repeat": True, "text": "Other."})
        daemon = self.serve()
        child = self.start("chat", "-m", "a long answer please", "--json")
        self.eventually("the turn", lambda: self.turns("running") == 1)
        daemon.kill()
        daemon.wait()
        out, err = child.communicate(timeout=CALM)
        self.assertEqual(child.returncode, 1)
        self.assertIn("went away", json.loads(out)["error"]["message"])
        self.assertIn(b"journal", err)

        again = self.serve()
        self.assertTrue(any("1 turns were finished" in line or "1 failed" in line
                            for line in again.said), again.said)
        self.assertEqual(self.turn("anything else")["reply"], "Other.")

    def killed_in_a_turn(self):
        self.script({"match": "long", "text": "word " * 40, "delay_ms": 100, "repeat": True},
                    {"repeat": True, "text": "Other."})
        daemon = self.serve()
        child = self.start("chat", "-m", "a long answer please")
        self.eventually("the turn", lambda: self.turns("running") == 1)
        daemon.kill()
        daemon.wait()
        child.communicate(timeout=CALM)

    def recovering_daemon(self):
        daemon = subprocess.Popen([KEEL, "serve"], env=self.environment(), stderr=subprocess.PIPE,
                                  stdin=subprocess.DEVNULL)
        self.children.append(daemon)
        lock = self.home / "keel.lock"
        self.eventually("the lock", lambda: lock.read_text() == f"{daemon.pid} serve\n")
        return daemon

    def waiting_chat(self, daemon):
        child = self.start("chat", "-m", "anything else", "--json")
        words = child.stderr.readline().decode()
        self.assertIn(f"keel serve (process {daemon.pid})", words)
        self.assertIn("waiting", words)
        return child

    def test_chat_waits_for_a_daemon_that_recovers_and_joins_it(self):
        self.killed_in_a_turn()
        daemon = self.recovering_daemon()
        child = self.waiting_chat(daemon)
        out, err = child.communicate(timeout=self.patience)
        self.assertEqual(child.returncode, 0, err)
        self.assertEqual(json.loads(out)["reply"], "Other.")
        self.assertIn("daemon", self.ok("doctor"))
        self.assertIsNone(daemon.poll())

    def test_chat_works_alone_when_the_daemon_it_waits_for_dies(self):
        self.killed_in_a_turn()
        daemon = self.recovering_daemon()
        child = self.waiting_chat(daemon)
        daemon.kill()
        daemon.wait()
        out, err = child.communicate(timeout=self.patience)
        self.assertEqual(child.returncode, 0, err)
        self.assertEqual(json.loads(out)["reply"], "Other.")

    def test_alone_a_killed_turn_is_taken_up_too(self):
        self.script({"match": "long", "text": "word " * 30, "delay_ms": 100},
                    {"repeat": True, "text": "Other."})
        child = self.start("chat", "-m", "a long answer")
        self.eventually("the turn", lambda: self.turns("running") == 1)
        child.kill()
        child.wait()
        self.assertEqual(self.turn("anything else")["reply"], "Other.")
        self.assertEqual(self.turn("once more")["reply"], "Other.")

    def test_a_client_that_leaves_does_not_end_its_turn(self):
        self.script({"match": "long", "text": "word " * 30, "delay_ms": 50},
                    {"repeat": True, "text": "Other."})
        daemon = self.serve()
        connection = self.connect()
        connection.sendall(frame({"op": "run", "text": "a long answer"}))
        while read_frame(connection).get("event") != "token":
            pass
        connection.close()
        self.eventually("the end of the turn", lambda: self.turns("done") == 1)
        seen = self.turn("what did you say?")["usage"]["prompt_tokens"]
        self.assertGreater(seen, 30, "the whole answer is in the conversation")
        self.assertEqual(self.end(daemon), 0)

    def test_stop_ends_a_turn_within_a_second(self):
        self.script({"text": "word " * 300, "delay_ms": 50})
        self.serve()
        connection = self.connect()
        connection.sendall(frame({"op": "run", "text": "go"}))
        while read_frame(connection).get("event") != "token":
            pass
        before = time.monotonic()
        connection.sendall(frame({"op": "stop"}))
        while True:
            got = read_frame(connection)
            if "result" in got and "event" not in got:
                break
        self.assertLess(time.monotonic() - before, 1.5 * SLOW)
        self.assertTrue(got["result"]["stopped"])

    def test_the_end_waits_for_a_turn_that_is_nearly_done(self):
        self.script({"text": "word " * 10, "delay_ms": 100})
        daemon = self.serve()
        child = self.start("chat", "-m", "go", "--json")
        self.eventually("the turn", lambda: self.turns("running") == 1)
        daemon.send_signal(signal.SIGTERM)
        out, err = child.communicate(timeout=CALM)
        self.assertEqual(child.returncode, 0, err)
        self.assertEqual(json.loads(out)["reply"].split(), ["word"] * 10)
        self.assertEqual(daemon.wait(timeout=CALM), 0)

    def test_the_end_comes_within_ten_seconds_whatever_runs(self):
        self.script({"text": "word " * 1000, "delay_ms": 100})
        daemon = self.serve()
        self.start("chat", "-m", "go")
        self.eventually("the turn", lambda: self.turns("running") == 1)
        before = time.monotonic()
        daemon.send_signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(timeout=CALM), 0)
        self.assertLess(time.monotonic() - before, 10 + SLOW)

    def test_several_clients_at_once(self):
        self.script({"repeat": True, "text": "word " * 10, "delay_ms": 10})
        self.serve()
        replies = []

        def talk(name):
            replies.append(self.turn("go", "--conversation", name)["reply"])
        threads = [threading.Thread(target=talk, args=(f"c{i}",)) for i in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(replies), 6)

    def test_broken_frames_end_the_connection_and_nothing_else(self):
        self.script({"repeat": True, "text": "Still here."})
        self.serve()
        for data in (b"\xff\xff\xff\xff", b"GET / HTTP/1.1\r\n\r\n", b"\x05\0\0\0hel"):
            connection = self.connect()
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            with self.assertRaises((EOFError, ConnectionError)):
                read_frame(connection)
        connection = self.connect()
        for value in ([], {}, {"op": 3}, {"op": "fly"}, {"op": "run"}, {"op": "run", "text": 5},
                      {"op": "use_model", "name": "none"}, {"op": "why", "turn": "none"}):
            connection.sendall(frame(value))
            self.assertIn("error", read_frame(connection), value)
        connection.sendall(b"\x02\0\0\0{]")
        self.assertIn("error", read_frame(connection))
        connection.sendall(frame({"op": "status"}))
        self.assertEqual(read_frame(connection)["result"]["agent"], "Testa")
        self.assertEqual(self.turn("hello")["reply"], "Still here.")

    def test_too_many_clients_are_told_so(self):
        self.script({"repeat": True, "text": "x"})
        self.serve()
        held = [self.connect() for _ in range(32)]
        late = self.connect()
        self.assertEqual(read_frame(late)["error"]["code"], "busy")
        held.pop().close()

        def served():
            # A client that is turned away may find its connection closed at any of these.
            try:
                connection = self.connect()
                connection.sendall(frame({"op": "status"}))
                return "result" in read_frame(connection)
            except (EOFError, ConnectionError):
                return False
        self.eventually("a free place", served)


if __name__ == "__main__":
    unittest.main()
