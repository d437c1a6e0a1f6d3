"""keel init, doctor, config check, model and tool commands."""

import json
import os
import stat
import unittest

from harness import Home


class InitTest(Home):
    def mode(self, name):
        return stat.S_IMODE(os.stat(self.home / name).st_mode)

    def test_makes_a_valid_home_that_is_the_owners_alone(self):
        self.ok("init", "--name", 'Ida "the \\ boat"', "--yes")
        self.assertEqual(self.mode("keel.toml"), 0o600)
        self.assertEqual(self.mode("files"), 0o700)
        self.ok("config", "check")
        self.assertIn("#", (self.home / "keel.toml").read_text())

    def test_never_overwrites(self):
        self.config("# mine\n")
        words = self.fails(1, "init", "--yes")
        self.assertIn("nothing was changed", words)
        self.assertEqual((self.home / "keel.toml").read_text(), "# mine\n")

    def test_a_missing_model_file_writes_nothing(self):
        self.fails(1, "init", "--model", str(self.home / "none.gguf"))
        self.assertFalse((self.home / "keel.toml").exists())

    def test_a_home_that_cannot_be_made(self):
        (self.home / "file").write_text("in the way")
        self.fails(1, "init", "--yes", env={"KEEL_HOME": str(self.home / "file" / "keel")})


class DoctorTest(Home):
    def test_all_is_well_with_a_script(self):
        self.script({"text": "x"})
        os.chmod(self.home, 0o700)
        done = self.keel("doctor", "--json")
        report = json.loads(done.stdout)
        bad = [check for check in report["checks"] if check["grade"] == "fail"]
        self.assertEqual((done.returncode, report["ok"], bad), (0, True, []))
        names = {check["name"] for check in report["checks"]}
        self.assertLessEqual({"home", "keel.toml", "database", "engine", "disk", "daemon"}, names)

    def findings(self, text, **env):
        self.config(text)
        checks = json.loads(self.keel("doctor", "--json", env=env).stdout)["checks"]
        return {check["name"]: check for check in checks}

    def test_models_elsewhere_need_their_key_and_local_only_says_so(self):
        cloud = ('[[model]]\nname = "claude"\nkind = "anthropic"\nmodel = "claude-x"\n'
                 'api_key = "env:CLAUDE_KEY"\n')
        found = self.findings(cloud)["model claude"]
        self.assertEqual(found["grade"], "fail")
        self.assertIn("CLAUDE_KEY", found["text"])
        found = self.findings(cloud, CLAUDE_KEY="sk-1")["model claude"]
        self.assertEqual(found["grade"], "ok")
        self.assertIn("claude-x at https://api.anthropic.com", found["text"])
        found = self.findings("[route]\nlocal_only = true\n" + cloud)["model claude"]
        self.assertEqual(found["grade"], "ok")
        self.assertIn("never asked", found["text"])

    def test_the_folder_of_memory_is_looked_at(self):
        self.script({"text": "x"})
        self.ok("memory", "list")  # makes the database
        script = (self.home / "keel.toml").read_text(encoding="utf-8")
        folder = self.home / "notes"
        found = self.findings(f'[memory]\nfolder = "{folder}"\n' + script)
        self.assertIn("is made at the next sync", found["folder"]["text"])
        self.ok("memory", "sync")
        found = self.findings(f'[memory]\nfolder = "{folder}"\n' + script)
        self.assertIn("no conflicts", found["folder"]["text"])

    def test_files_that_others_can_read_are_a_warning_with_the_remedy(self):
        self.script({"text": "x"})
        os.chmod(self.home / "keel.toml", 0o644)
        self.assertIn("chmod 600", self.ok("doctor"))

    def test_nothing_there_yet_says_what_to_do(self):
        done = self.keel("doctor", env={"KEEL_HOME": str(self.home / "none")})
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"keel init", done.stdout)
        self.assertFalse((self.home / "none").exists())


class ModelCommandTest(Home):
    def test_the_default_changes_and_comments_stay(self):
        for name in "ab":
            (self.home / f"{name}.jsonl").write_text(json.dumps({"text": name}) + "\n")
        models = "".join(f'[[model]]\nname = "{n}"\nkind = "script"\npath = "{n}.jsonl"\n'
                         for n in "ab")
        for route in ("", "# why\n[route] # here\n", '[route]\ndefault = "a" # first\n',
                      "[route]\nlocal_only = true\n"):
            with self.subTest(route):
                self.config("# mine\n" + route + models)
                self.assertEqual(self.turn("x")["model"], "a")
                self.ok("model", "use", "b")
                self.assertIn("# mine\n", (self.home / "keel.toml").read_text())
                self.assertEqual(self.turn("x")["model"], "b")
                self.assertIn("* b", self.ok("model", "list"))
        self.fails(1, "model", "use", "c")

    def test_a_running_daemon_follows(self):
        for name in "ab":
            (self.home / f"{name}.jsonl").write_text(
                json.dumps({"text": name, "repeat": True}) + "\n")
        self.config("".join(f'[[model]]\nname = "{n}"\nkind = "script"\npath = "{n}.jsonl"\n'
                            for n in "ab"))
        self.serve()
        self.assertEqual(self.turn("x")["model"], "a")
        self.ok("model", "use", "b")
        self.assertEqual(self.turn("x")["model"], "b")


class ToolCommandTest(Home):
    def test_tools_are_listed_shown_and_run(self):
        names = {tool["name"] for tool in json.loads(self.ok("tool", "list", "--json"))["tools"]}
        self.assertLessEqual({"calculator", "list_files", "read_file", "recall", "remember",
                              "time", "web_fetch"}, names)
        for name in names:
            self.assertIn('"type": "object"', self.ok("tool", "show", name))
        done = json.loads(self.ok("tool", "run", "calculator", '{"expression": "17% of 2340"}',
                                  "--json"))
        self.assertTrue(done["ok"])
        self.assertIn("397.8", done["text"])

    def test_what_is_wrong_is_said(self):
        self.assertIn("calculator", self.fails(1, "tool", "run", "calculater"))
        self.fails(1, "tool", "run", "calculator", "not json")
        self.assertEqual(self.keel("tool", "run", "calculator", '{"expression": 1}').returncode, 1)
        for url in ("http://127.0.0.1:1/", "http://169.254.169.254/latest/", "file:///etc/passwd"):
            self.assertEqual(
                self.keel("tool", "run", "web_fetch", json.dumps({"url": url})).returncode, 1, url)
        self.assertEqual(self.keel("tool", "run", "read_file",
                                   '{"path": "/etc/passwd"}').returncode, 1)


class LicencesTest(Home):
    def test_every_library_is_named(self):
        text = self.ok("licenses")
        for name in ("SQLite", "curl", "OpenSSL", "libedit", "md4c", "fmt"):
            self.assertIn(name.lower(), text.lower())


if __name__ == "__main__":
    unittest.main()
