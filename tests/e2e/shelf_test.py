"""keel model pull, use and list --available against a hub on this machine."""

import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import stat
import struct
import subprocess
import time
import unittest

import hub as hub_server
from harness import Home, KEEL, CALM

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE = "owner/repo/Some-Model.Q4.gguf"
NAME = "some-model.q4"
SOURCE = "hf:" + FILE
# Lanes without the local engine refuse a configuration that names a model file.
with_engine = unittest.skipUnless(os.environ.get("KEEL_HAS_ENGINE"), "built without the engine")


class ShelfHome(Home):
    def setUp(self):
        super().setUp()
        self.hub = hub_server.Hub()
        self.addCleanup(self.hub.stop)
        self.hub.files[FILE] = hub_server.gguf(24)
        self.script({"repeat": True, "text": "From the script."})
        self.connect_hub()

    def connect_hub(self, more=""):
        old = (self.home / "keel.toml").read_text().split("\n[hub]")[0]
        self.config(old + f'\n[hub]\nbase_url = "{self.hub.base}/"\n{more}'
                    f'[net]\nallow_private = ["{self.hub.cdn_pair}"]\n')

    def path(self):
        return self.home / "models" / "Some-Model.Q4.gguf"

    def part(self):
        return self.home / "models" / ".shelf" / "Some-Model.Q4.gguf.part"

    def assert_whole(self):
        self.assertEqual(self.path().read_bytes(), self.hub.files[FILE])
        self.assertFalse(self.part().exists())

    def pull_in_background(self):
        """A slow pull of which a good part has arrived and was recorded."""
        self.hub.rate = 600_000  # of each of four connections
        child = self.start("model", "pull", SOURCE)
        self.eventually("a part of it", lambda: self.hub.sent > 7_000_000)
        time.sleep(2.5)  # a checkpoint is written every two seconds
        return child


class PullTest(ShelfHome):
    def test_a_pulled_model_is_used_at_once(self):
        done = self.keel("model", "pull", SOURCE, "--use")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_whole()
        words = done.stdout.decode()
        self.assertIn(NAME + " is the default from now on", words)
        self.assertIn("the one the hub announced", words)
        progress = done.stderr.decode()
        self.assertIn("100%", progress)
        self.assertNotIn("\r", progress)
        self.assertLess(progress.count("\n"), 20)
        self.assertIn("* " + NAME, self.ok("model", "list"))
        self.assertEqual(json.loads(self.ok("model", "info", "--json"))["architecture"], "llama")
        for path, mode in ((self.path(), 0o600), (self.home / "models", 0o700),
                           (self.home / "models" / ".shelf", 0o700)):
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), mode, path)
        asked = len(self.hub.requests)
        again = json.loads(self.ok("model", "pull", SOURCE, "--json"))
        self.assertTrue(again["was_there"])
        self.assertEqual(len(self.hub.requests), asked + 2)  # one look, redirected once

    @with_engine
    def test_on_the_shelf_and_back_again(self):
        self.ok("model", "pull", SOURCE)
        listed = json.loads(self.ok("model", "list", "--json"))
        self.assertEqual([item["name"] for item in listed["shelf"]], [NAME])
        self.assertIn(NAME, self.ok("model", "list"))
        before = self.turn("hello")["conversation"]
        self.ok("model", "use", NAME)
        self.assertEqual(json.loads(self.ok("model", "list", "--json"))["shelf"], [])
        self.ok("model", "use", "script")
        after = self.turn("hello again")
        self.assertEqual((after["model"], after["conversation"]), ("script", before))
        # A second time there is an entry already.
        self.ok("model", "use", NAME)
        self.assertEqual((self.home / "keel.toml").read_text().count(f'name = "{NAME}"'), 1)
        self.ok("config", "check")

    @with_engine
    def test_a_running_daemon_takes_a_new_model_over(self):
        self.serve()
        self.assertEqual(self.turn("hello")["model"], "script")
        self.ok("model", "pull", SOURCE, "--use")
        connection = socket.socket(socket.AF_UNIX)
        self.addCleanup(connection.close)
        connection.settimeout(CALM)
        connection.connect(str(self.home / "keel.sock"))

        def frame():
            head = connection.recv(4, socket.MSG_WAITALL)
            return json.loads(connection.recv(struct.unpack("<I", head)[0], socket.MSG_WAITALL))
        frame()
        request = b'{"op":"status"}'
        connection.sendall(struct.pack("<I", len(request)) + request)
        self.assertEqual(frame()["result"]["model"], NAME)
        # The same daemon, and the old model is still at hand.
        self.assertEqual(self.turn("hello", "--model", "script")["reply"], "From the script.")
        self.ok("model", "use", "script")
        self.assertEqual(self.turn("hello")["model"], "script")

    def test_killed_in_the_middle_it_goes_on(self):
        child = self.pull_in_background()
        child.kill()
        child.wait()
        self.assertFalse(self.path().exists())
        self.hub.rate = 0
        self.eventually("the hub to notice", lambda: self.quiet(self.hub))
        before = self.hub.sent
        done = json.loads(self.ok("model", "pull", SOURCE, "--json"))
        size = len(self.hub.files[FILE])
        self.assertGreater(done["kept_bytes"], 5_000_000)
        self.assertLessEqual(self.hub.sent - before, size - done["kept_bytes"] + 4)
        self.assert_whole()

    @staticmethod
    def quiet(hub):
        before = hub.sent
        time.sleep(0.3)
        return hub.sent == before

    def test_killed_again_and_again(self):
        self.hub.rate = 400_000
        for _ in range(4):
            child = self.start("model", "pull", SOURCE)
            time.sleep(2.6)
            child.kill()
            child.wait()
        self.hub.rate = 0
        self.ok("model", "pull", SOURCE)
        self.assert_whole()

    def test_interrupted_it_says_what_is_kept(self):
        child = self.pull_in_background()
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=CALM)
        self.assertEqual(child.returncode, 130, err)
        self.assertIn(b"are kept: the same command goes on from there", err)
        self.hub.rate = 0
        self.ok("model", "pull", SOURCE)
        self.assert_whole()

    def test_a_new_version_replaces_half_of_an_old_one(self):
        child = self.pull_in_background()
        child.kill()
        child.wait()
        self.hub.rate = 0
        self.hub.files[FILE] = hub_server.gguf(24, seed=1)
        done = json.loads(self.ok("model", "pull", SOURCE, "--json"))
        self.assertEqual(done["kept_bytes"], 0)
        self.assert_whole()

    def test_one_at_a_time(self):
        child = self.pull_in_background()
        self.assertIn("another keel is pulling", self.fails(75, "model", "pull", SOURCE))
        self.hub.rate = 0
        child.wait(timeout=CALM)
        self.assert_whole()

    def test_a_closed_model_needs_the_token(self):
        self.hub.token = "hf_right"
        words = self.fails(1, "model", "pull", SOURCE)
        self.assertIn("[hub] token", words)
        (self.home / "token").write_text("hf_wrong\n")
        os.chmod(self.home / "token", 0o600)
        self.connect_hub('token = "file:token"\n')
        self.assertIn("still good", self.fails(1, "model", "pull", SOURCE))
        (self.home / "token").write_text("hf_right\n")
        self.ok("model", "pull", SOURCE)
        self.assert_whole()
        for log in (self.home / "logs").iterdir():
            self.assertNotIn("hf_", log.read_text())

    def test_without_a_configuration_it_still_pulls(self):
        (self.home / "keel.toml").unlink()
        address = f"http://{self.hub.cdn_pair}/{FILE}"
        words = self.ok("model", "pull", address)
        self.assertIn("keel init --model", words)
        self.assert_whole()
        self.fails(78, "model", "pull", address, "--use")

    def test_what_goes_wrong_is_said(self):
        self.assertIn("no such file", self.fails(1, "model", "pull", "hf:owner/repo/none.gguf"))
        self.assertIn("Did you mean qwen3.5-9b", self.fails(1, "model", "pull", "qwen3.5-9"))
        self.fails(1, "model", "pull", "hf:owner/repo")
        self.fails(1, "model", "use", "nothing-like-that")
        self.hub.hashes[FILE] = "0" * 64
        self.assertIn("was removed", self.fails(1, "model", "pull", SOURCE, "--json"))
        self.assertFalse(self.part().exists())
        self.hub.hashes.clear()
        torn = hub_server.gguf(1)[:-1000]
        self.hub.files["owner/repo/torn.gguf"] = torn
        words = self.fails(1, "model", "pull", "hf:owner/repo/torn.gguf", "--json")
        self.assertIn("not a model that keel can use", words)
        self.hub.files["owner/repo/page.gguf"] = b"<html>sign in</html>"
        self.assertIn("begins with", self.fails(1, "model", "pull", "hf:owner/repo/page.gguf"))
        self.hub.stop()
        self.assertIn("base_url", self.fails(1, "model", "pull", SOURCE, "--json"))

    def test_a_file_that_cannot_be_stored(self):
        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (5_000_000, 5_000_000))
        words = self.fails(1, "model", "pull", SOURCE, preexec_fn=small_files)
        self.assertIn("Some-Model.Q4.gguf.part", words)
        self.ok("model", "pull", SOURCE)
        self.assert_whole()

    def test_a_disk_that_is_too_small(self):
        models = self.home / "models"
        models.mkdir(mode=0o700)
        shell = f"mount -t tmpfs -o size=100m none {models} && exec {KEEL} model pull {SOURCE}"
        unshare = shutil.which("unshare")
        if not unshare or subprocess.run([unshare, "-rm", "true"], capture_output=True,
                                         check=False).returncode:
            self.skipTest("no mount of its own can be made here")
        done = subprocess.run([unshare, "-rm", "sh", "-c", shell], env=self.environment(),
                              capture_output=True, timeout=self.patience, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(b"of disk space", done.stderr)
        self.assertIn(b"Nothing was read", done.stderr)
        self.assertLessEqual(self.hub.sent, 4)


class CatalogueTest(Home):
    def test_the_list_agrees_with_the_pinned_models(self):
        listed = {m["name"]: m
                  for m in json.loads(self.ok("model", "list", "--available", "--json"))["models"]}
        pinned = [line.split() for line in (ROOT / "deps" / "models.lock").read_text().splitlines()
                  if line.startswith("model ")]
        self.assertEqual(len(pinned), 3)
        for _, name, _, size, sha256, licence, address in pinned:
            owner, repo, _, _, file = address.split("/", 4)
            self.assertEqual((listed[name]["bytes"], listed[name]["sha256"],
                              listed[name]["licence"], listed[name]["source"]),
                             (int(size), sha256, licence, f"hf:{owner}/{repo}/{file}"))
        self.assertTrue(next(iter(listed)).startswith("qwen3.5"))
        self.assertIn(listed["smollm2-135m"]["fits"], ("now", "if_freed", "too_large"))
        words = self.ok("model", "list", "--available")
        for name in listed:
            self.assertIn(name, words)


@unittest.skipUnless(shutil.which("curl"), "no curl here")
class HubTest(ShelfHome):
    """The hub of these tests, seen by a client of another make."""

    def curl(self, *arguments):
        return subprocess.run(["curl", "-sS", "-L", *arguments], capture_output=True, check=False,
                              timeout=self.patience)

    def test_curl_resumes_parts_and_reads_ranges(self):
        url = f"{self.hub.base}/owner/repo/resolve/main/Some-Model.Q4.gguf"
        content = self.hub.files[FILE]
        target = self.home / "curl"
        target.write_bytes(content[:7_000_001])
        done = self.curl("-C", "-", "-o", str(target), url)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(target.read_bytes(), content)
        self.assertLess(self.hub.sent, len(content) - 7_000_000)
        self.assertEqual(self.curl("-r", "100-199", url).stdout, content[100:200])
        head = self.curl("-I", url).stdout.decode()
        self.assertIn(f"Content-Length: {len(content)}", head)
        beyond = self.curl("-r", f"{len(content)}-", "-w", "%{http_code}", url)
        self.assertIn(b"416", beyond.stdout)
        stale = self.curl("-r", "0-3", "-H", 'If-Range: "old"', "-o", "/dev/null", "-w",
                          "%{http_code} %{size_download}", url)
        self.assertEqual(stale.stdout.decode(), f"200 {len(content)}")


if __name__ == "__main__":
    unittest.main()
