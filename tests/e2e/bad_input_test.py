"""What a hostile or unlucky world gives keel: a clear error or a bounded result, nothing lost."""

import json
import os
import resource
import shutil
import struct
import subprocess
import unittest

from harness import Home, KEEL


def gguf(tensors=1, pairs=0, body=b"", magic=b"GGUF", version=3):
    return magic + struct.pack("<IQQ", version, tensors, pairs) + body


class ModelFileTest(Home):
    def local(self, path):
        self.config(f'[[model]]\nname = "local"\nkind = "local"\npath = "{path}"\n')

    def setUp(self):
        super().setUp()
        if b"without the local engine" in self.keel("engine").stderr:
            self.skipTest("built without the local engine")

    def test_a_wrong_path_says_which(self):
        self.local("models/none.gguf")
        words = self.fails(1, "chat", "-m", "x")
        self.assertIn("none.gguf", words)
        self.assertEqual(self.keel("doctor").returncode, 1)

    def test_broken_files_are_refused_before_the_engine_sees_them(self):
        broken = {
            "empty": b"",
            "text": b"hello, I am no model\n" * 100,
            "short": gguf()[:15],
            "version": gguf(version=99, body=b"\0" * 64),
            "huge counts": gguf(tensors=1 << 62, pairs=1 << 62, body=b"\0" * 64),
            "huge string": gguf(pairs=1, body=struct.pack("<Q", 1 << 40) + b"x" * 64),
            "zeros": gguf(tensors=3, pairs=3, body=b"\0" * 4096),
        }
        self.local("models/m.gguf")
        (self.home / "models").mkdir()
        for name, data in broken.items():
            (self.home / "models" / "m.gguf").write_bytes(data)
            with self.subTest(name):
                words = self.fails(1, "chat", "-m", "x")
                self.assertIn("m.gguf", words)
                self.assertNotIn("ggml", words.lower())

    def test_a_folder_in_the_place_of_a_model(self):
        (self.home / "models").mkdir()
        self.local("models")
        self.fails(1, "chat", "-m", "x")


class ConfigTest(Home):
    def test_no_config_names_the_first_step(self):
        words = self.fails(78, "chat", "-m", "x")
        self.assertIn("keel init", words)
        self.fails(78, "serve")

    def test_an_empty_config_is_valid_and_has_no_model(self):
        self.config("")
        self.ok("config", "check")
        self.assertIn("[[model]]", self.fails(78, "chat", "-m", "x"))

    def test_an_unreadable_config(self):
        if os.geteuid() == 0:
            (self.home / "keel.toml").mkdir()
        else:
            self.config("")
            os.chmod(self.home / "keel.toml", 0)
        done = self.keel("chat", "-m", "x")
        self.assertIn(done.returncode, (1, 78), done.stderr)
        self.assertIn(b"keel.toml", done.stderr)

    def test_unknown_keys_have_a_line_and_the_nearest_name(self):
        self.config('[agent]\nnmae = "x"\n\n[[model]]\nname = "a"\nkind = "script"\npaht = "b"\n')
        for arguments in (["config", "check"], ["chat", "-m", "x"], ["serve"]):
            words = self.fails(78, *arguments)
            self.assertIn("keel.toml:2", words)
            self.assertIn("keel.toml:7", words)
            self.assertIn("name", words)
            self.assertIn("path", words)

    def test_bytes_that_are_no_toml(self):
        for data in (b"\xff\xfe\x00", b"[agent", b"name = ", b"\0" * 100, b"a = [" * 10000):
            (self.home / "keel.toml").write_bytes(data)
            self.fails(78, "config", "check")

    def test_a_cloud_model_that_cannot_be_reached_names_its_address(self):
        self.config('[[model]]\nname = "cloud"\nkind = "openai"\nmodel = "x"\n'
                    'base_url = "http://127.0.0.1:9"\n')
        done = self.keel("chat", "-m", "x")
        self.assertEqual(done.returncode, 1)
        words = done.stderr.decode()
        self.assertIn("cloud", words)
        self.assertIn("http://127.0.0.1:9", words)



class MessageTest(Home):
    def test_invalid_utf8_is_refused_with_its_place(self):
        self.script({"repeat": True, "text": "ok"})
        words = self.fails(1, "chat", stdin=b"good \xff\xfe bad")
        self.assertIn("byte 5", words)
        self.assertIn("iconv", words)
        self.fails(1, "chat", stdin=b"nul \0 byte")
        self.fails(1, "chat", stdin=b"  \n")
        self.assertEqual(self.turn("still there?")["reply"], "ok")

    def test_a_message_of_one_megabyte_is_answered(self):
        self.script({"repeat": True, "text": "A lot."})
        text = ("word " * 220000)[:1 << 20]
        done = self.keel("chat", stdin=text)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, b"A lot.\n")

    def test_more_than_the_bound_is_refused(self):
        self.script({"repeat": True, "text": "ok"})
        words = self.fails(1, "chat", stdin=b"x" * ((1 << 20) + 1))
        self.assertIn("1048576", words)


class ModelBehaviourTest(Home):
    def test_an_unknown_tool_is_told_to_the_model(self):
        self.script({"on": "user", "calls": [{"name": "launch_missiles", "arguments": {}}]},
                    {"on": "tool", "result": "launch_missiles", "text": "I cannot."})
        result = self.turn("go")
        self.assertEqual(result["reply"], "I cannot.")
        self.assertFalse(result["tools"][0]["ok"])

    def test_arguments_of_the_wrong_type_are_told_to_the_model(self):
        for number, arguments in enumerate(({"expression": 5}, {}, "not json", "[1,2]",
                                            {"expression": "1", "x": 1})):
            with self.subTest(arguments=arguments):
                self.script(
                    {"on": "user", "calls": [{"name": "calculator", "arguments": arguments}]},
                    {"on": "tool", "text": "Understood."})
                result = self.turn("go", "--conversation", f"c{number}")
                self.assertEqual(result["reply"], "Understood.")
                self.assertFalse(result["tools"][0]["ok"])

    def test_a_model_that_loops_is_brought_to_an_end(self):
        call = {"calls": [{"name": "calculator", "arguments": {"expression": "1+1"}}],
                "repeat": True, "forced": False}
        self.script(call, {"repeat": True, "text": "Two, and enough."})
        done = self.keel("chat", "-m", "loop", "--json")
        result = json.loads(done.stdout)
        self.assertLessEqual(len(result.get("tools", [])), 24)

    def test_a_model_that_only_ever_calls_is_brought_to_an_end(self):
        self.script({"calls": [{"name": "time", "arguments": {}}], "repeat": True})
        done = self.keel("chat", "-m", "loop", "--json")
        self.assertIn(done.returncode, (0, 1))
        json.loads(done.stdout)

    def test_silence_is_not_a_crash(self):
        self.script({"text": "", "repeat": True})
        done = self.keel("chat", "-m", "x", "--json")
        self.assertIn(done.returncode, (0, 1))
        json.loads(done.stdout)


class DiskFullTest(Home):
    def test_what_was_acknowledged_is_kept_when_files_cannot_grow(self):
        self.script({"repeat": True, "text": "ok"})
        self.ok("memory", "add", "Before the disk was full.")
        size = (self.home / "keel.db").stat().st_size

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50000, size + 50000))
        done = subprocess.run([KEEL, "chat"], input=b"word " * 100000, capture_output=True,
                              env=self.environment(), preexec_fn=limit, timeout=120, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertTrue(done.stderr.startswith(b"error: "), done.stderr)
        self.assertIn("Before the disk", self.ok("memory", "list"))
        self.assertEqual(self.turn("again")["reply"], "ok")

    def test_a_full_file_system(self):
        if os.geteuid() != 0:
            self.skipTest("mounting a small file system takes root")
        small = self.home / "small"
        small.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small)],
                                 capture_output=True, check=False)
        if mounted.returncode != 0:
            self.skipTest("a small file system cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", str(small)], check=False)
        self.script({"repeat": True, "text": "ok"})
        for name in ("keel.toml", "script.jsonl"):
            shutil.copy(self.home / name, small / name)
        full = {"env": {"KEEL_HOME": str(small)}}
        self.ok("memory", "add", "Before the disk was full.", **full)
        (small / "ballast").write_bytes(b"\0" * 1000000)
        done = self.keel("chat", stdin=b"word " * 200000, **full)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertTrue(done.stderr.startswith(b"error: "), done.stderr)
        (small / "ballast").unlink()
        self.assertIn("Before the disk", self.ok("memory", "list", **full))


class DatabaseTest(Home):
    def test_a_damaged_database_is_named_and_left_alone(self):
        self.script({"repeat": True, "text": "ok"})
        damaged = b"This is not a database. " * 1000
        (self.home / "keel.db").write_bytes(damaged)
        words = self.fails(1, "chat", "-m", "x")
        self.assertIn("keel.db", words)
        self.assertEqual((self.home / "keel.db").read_bytes(), damaged)
        done = self.keel("doctor")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"fail  database", done.stdout)


if __name__ == "__main__":
    unittest.main()
