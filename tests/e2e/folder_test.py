"""Memory as a folder: exported and taken back, plain notes, others' memories, two-way sync."""

import json
import os
import pathlib
import pty
import random
import shutil
import signal
import subprocess
import time
import unittest
import zipfile

from harness import KEEL, Home

CHATS = [{"title": "Tea", "conversation_id": "c1", "current_node": "b", "mapping": {
    "a": {"message": {"id": "a", "author": {"role": "user"}, "create_time": 1683554160,
                      "content": {"content_type": "text", "parts": ["Which tea is green?"]}},
          "parent": None, "children": ["b"]},
    "b": {"message": {"id": "b", "author": {"role": "assistant"}, "create_time": 1683554170,
                      "content": {"content_type": "text", "parts": ["Sencha is."]}},
          "parent": "a", "children": []}}}]


class FolderTest(Home):
    def setUp(self):
        super().setUp()
        self.notes = self.home / "notes"

    def note(self, path, text):
        file = self.notes / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def json(self, *arguments, **more):
        return json.loads(self.ok(*arguments, "--json", **more))

    def found(self, query):
        return self.json("memory", "search", query)["results"]

    def pages(self):
        return {page["id"]: page["hash"]
                for page in self.json("memory", "list", "--limit", "10000")["pages"]}

    def wipe(self):
        for name in ("keel.db", "keel.db-wal", "keel.db-shm"):
            (self.home / name).unlink(missing_ok=True)

    def test_exported_wiped_and_taken_back_it_is_the_same(self):
        boat = self.json("memory", "add", "My boat is called Ariadne.", "--tag", "boat")
        self.ok("memory", "add", "The boat needs paint.", "--kind", "commitment")
        self.ok("memory", "edit", boat["id"], "--body", "My boat is called Theseus.")
        self.ok("memory", "alias", "vessel", "boat")
        pages, found = self.pages(), self.found("vessel paint")
        self.assertTrue(found)
        out = self.home / "out"
        self.assertIn("Exported 5 pages", self.ok("memory", "export", str(out)))
        self.assertTrue((out / "MEMORY.md").read_text().count("[["))
        self.wipe()
        self.assertEqual(self.found("boat"), [])
        dry = self.ok("memory", "import", str(out), "--dry-run")
        self.assertIn("Dry run", dry)
        self.assertEqual(self.found("boat"), [])
        report = self.json("memory", "import", str(out))
        self.assertEqual(report["restored"], 5)
        self.assertEqual(report["problems"], [])
        self.assertEqual(self.pages(), pages)
        self.assertEqual(self.found("vessel paint"), found)

    def test_a_plain_folder_is_found_at_once_and_bad_files_stop_nothing(self):
        self.note("Trips/Lisbon.md",
                  "---\ntags: [travel]\n---\nThe hotel in Lisbon is called Rosa.")
        self.note("latin.md", "ok").write_bytes(b"caf\xe9 noir")
        (self.notes / "link.md").symlink_to("/etc/passwd")
        self.note("big.md", "x" * (10 << 20))
        words = self.ok("memory", "import", str(self.notes))
        self.assertIn("latin.md:1", words)
        self.assertIn("link.md", words)
        self.assertIn("big.md", words)
        page = self.json("memory", "show", self.found("hotel Lisbon")[0]["id"])
        self.assertEqual((page["title"], page["origin"]), ("Lisbon", "import"))
        self.assertTrue(self.found("noir"))
        self.fails(1, "memory", "import", str(self.home / "nowhere"))

    def test_what_other_agents_remember(self):
        shown = self.home / "conversations.json"
        shown.write_text(json.dumps(CHATS))
        self.assertIn("ChatGPT export", self.ok("memory", "import", str(shown), "--dry-run"))
        self.assertEqual(self.found("sencha"), [])
        self.assertEqual(self.json("memory", "import", str(shown))["added"], 2)
        self.assertTrue(self.found("sencha"))
        self.note("SOUL.md", "Calm.")
        self.note("MEMORY.md", "# Boat\n- Called Ariadne.\n")
        self.assertIn("OpenClaw", self.ok("memory", "import", str(self.notes)))
        self.assertTrue(self.found("Ariadne"))

    def packed(self, name, entries, method=zipfile.ZIP_DEFLATED):
        """An archive of (name, text)."""
        path = self.home / name
        with zipfile.ZipFile(path, "w", method) as archive:
            for entry, text in entries:
                archive.writestr(entry, text)
        return path

    def test_exports_are_read_as_they_come_packed(self):
        chats = json.dumps(CHATS + [{"title": "Filler", "mapping": {}, "text": "x" * 300_000}])
        archive = self.packed("export.zip", [("photo.png", "no text"), ("chat.html", "<p>"),
                                             ("conversations.json", chats)])
        self.assertIn("ChatGPT export", self.ok("memory", "import", str(archive), "--dry-run"))
        self.assertEqual(self.json("memory", "import", str(archive))["added"], 2)
        self.assertEqual(self.json("memory", "import", str(archive))["added"], 0)
        inside = self.packed("notes.zip", [("notes/trip.md", "Lisbon was warm."),
                                           ("notes/../../outside.md", "Never written."),
                                           ("/absolute.md", "Nor this.")], zipfile.ZIP_STORED)
        self.assertEqual(self.json("memory", "import", str(inside))["added"], 1)
        self.assertEqual(self.found("lisbon")[0]["title"], "trip")
        self.assertEqual(self.found("never written") + self.found("absolute"), [])

    def test_archives_that_are_damaged_are_refused(self):
        whole = self.packed("whole.zip", [("a.md", "The tide is high. " * 5000),
                                          ("b.md", "Short.")]).read_bytes()
        bad = self.home / "bad.zip"
        for cut in [*range(0, len(whole), 9), len(whole) - 1]:
            bad.write_bytes(whole[:cut])
            self.fails(1, "memory", "import", str(bad))
        for at in range(0, len(whole), 9):
            turned = bytearray(whole)
            turned[at] ^= 0x55
            bad.write_bytes(bytes(turned))
            done = self.keel("memory", "import", str(bad), "--dry-run")
            self.assertIn(done.returncode, (0, 1), done.stderr)
        bad.write_bytes(b"PK\x03\x04 no archive at all")
        self.assertIn("damaged", self.fails(1, "memory", "import", str(bad)))
        bad.write_text("plain words")
        self.assertIn("not a zip archive", self.fails(1, "memory", "import", str(bad)))
        # It says that little comes out of it.
        lie = whole.replace((90_000).to_bytes(4, "little"), (9).to_bytes(4, "little"))
        bad.write_bytes(lie)
        self.assertIn("cannot be unpacked", self.fails(1, "memory", "import", str(bad)))

    def test_history_pins_and_words_of_the_owner(self):
        page = self.json("memory", "add", "The boat needs paint.")
        self.json("memory", "add", "The house needs paint.")
        self.ok("memory", "edit", page["id"], "--title", "Paint", "--tag", "sea", "--alias", "hull")
        log = self.json("memory", "log", page["id"])["log"]
        self.assertEqual([entry["revision"] for entry in log], [2, 1])
        self.assertEqual(log[0]["by"], "owner")
        self.assertIn("title", log[0]["what"])
        self.assertIn("aliases", log[0]["what"])
        self.assertTrue(self.found("hull"))
        before = [result["score"] for result in self.found("needs paint")
                  if result["id"] == page["id"]][0]
        self.ok("memory", "pin", page["id"])
        self.assertEqual(self.found("needs paint")[0]["id"], page["id"])
        self.assertGreater(self.found("needs paint")[0]["score"], before)
        self.assertEqual(self.found("vessel"), [])
        self.ok("memory", "alias", "vessel", "boat")
        self.assertEqual(self.found("vessel")[0]["id"], page["id"])
        self.ok("memory", "forget", page["id"])
        everything = self.ok("memory", "log")
        self.assertIn("forgotten", everything)
        self.assertIn("house", everything)
        self.assertIn("forgotten", self.ok("memory", "log", page["id"]))
        self.assertEqual(len(self.json("memory", "log", "--limit", "2")["log"]), 2)

    def edit_with(self, page, script):
        """keel memory edit on a terminal, with an editor that runs `script`; "$2" is its file."""
        editor = self.home / "editor"
        editor.write_text("#!/bin/sh\n" + script)
        editor.chmod(0o700)
        leader, follower = pty.openpty()
        done = subprocess.run([KEEL, "memory", "edit", page["id"]], stdin=follower, stdout=follower,
                              stderr=subprocess.PIPE, timeout=self.patience, check=False,
                              env=self.environment(EDITOR=f"{editor} --wait"))
        os.close(follower)
        os.close(leader)
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.json("memory", "show", page["id"])

    def test_what_is_written_while_the_editor_is_open_is_not_lost(self):
        page = self.json("memory", "add", "Tea at five.\n\nBread on Monday.")
        now = self.edit_with(page, "sed -i 's/^Tea at five.$/Tea at six./' \"$2\"\n"
                             f"\"{KEEL}\" memory edit {page['id']} --tag kitchen --body "
                             "'Tea at five.\n\nBread on Friday.' </dev/null >/dev/null\n")
        self.assertEqual((now["body"], now["tags"], now["revision"]),
                         ("Tea at six.\n\nBread on Friday.", ["kitchen"], 3))

    def test_the_owners_editor(self):
        page = self.json("memory", "add", "Tea at five.")
        now = self.edit_with(page, "sed -i 's/^Tea at five.$/Tea at six./' \"$2\"\n"
                             "sed -i 's/^kind: .*/kind: preference/' \"$2\"\n")
        self.assertEqual((now["body"], now["kind"], now["revision"]),
                         ("Tea at six.", "preference", 2))
        self.assertEqual(list(self.home.glob("edit-*")), [])
        self.fails(1, "memory", "edit", page["id"])

    def test_synced_by_hand_with_conflicts_shown(self):
        page = self.json("memory", "add", "one\n\ntwo", "--title", "Both")
        self.fails(78, "memory", "sync")
        self.ok("memory", "sync", "--folder", str(self.notes))
        file = next((self.notes / "pages" / "fact").glob("both--*.md"))
        file.write_text(file.read_text().replace("\ntwo", "\nthe owner's two"))
        self.ok("memory", "edit", page["id"], "--body", "one\n\nkeel's two")
        self.assertIn("conflicts", self.ok("memory", "sync", "--folder", str(self.notes)))
        shown = self.ok("memory", "conflicts")
        self.assertIn("the owner's two", shown)
        self.assertIn("keel's two", shown)
        self.assertEqual(self.json("memory", "show", page["id"])["body"], "one\n\nthe owner's two")
        self.ok("memory", "conflicts", "--settle", "all")
        self.assertIn("No conflicts", self.ok("memory", "conflicts"))

    def config_with_folder(self):
        self.script({"match": "x", "text": "y"})
        with open(self.home / "keel.toml", "a", encoding="utf-8") as file:
            file.write(f'\n[memory]\nfolder = "{self.notes}"\n')

    def test_the_daemon_keeps_the_folder_in_step(self):
        self.config_with_folder()
        page = self.json("memory", "add", "The boat is red.", "--title", "Boat")
        daemon = self.serve()
        path = self.notes / "pages" / "fact"
        self.eventually("the page's file", lambda: list(path.glob("boat--*.md")))
        file = next(path.glob("boat--*.md"))
        file.write_text(file.read_text().replace("is red", "is green"))
        self.note("Tea.md", "Sencha at five.")
        self.eventually("the edit",
                        lambda: "green" in self.json("memory", "show", page["id"])["body"])
        self.eventually("the new note", lambda: self.found("sencha"))
        self.ok("memory", "edit", page["id"], "--body", "The boat is blue.")
        self.eventually("keel's change", lambda: "is blue" in file.read_text())
        (self.notes / "Tea.md").unlink()
        self.eventually("the deletion", lambda: not self.found("sencha"))
        daemon.send_signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(30), 0)

    def test_daemons_that_are_killed_lose_no_edit(self):
        self.config_with_folder()
        rng = random.Random(6)
        said = {}
        for number in range(8):
            page = self.json("memory", "add", f"Page {number} says nothing.",
                             "--title", f"P{number}")
            said[page["id"]] = None
        self.ok("memory", "sync")
        for round_ in range(6):
            daemon = self.serve()
            end = time.monotonic() + rng.uniform(0.1, 3.0)
            while time.monotonic() < end:
                chosen = rng.choice(list(said))
                text = f"Word{round_}x{rng.randrange(10**6)} it is."
                if rng.random() < 0.5:
                    self.ok("memory", "edit", chosen, "--body", text)
                else:
                    file = [one for one in self.notes.rglob("*.md") if chosen in one.read_text()][0]
                    head = file.read_text().split("\n---\n", 1)[0]
                    new = file.with_name("editor.tmp")
                    new.write_text(f"{head}\n---\n\n{text}\n")
                    new.rename(file)
                said[chosen] = text
                time.sleep(rng.uniform(0, 0.1))
            daemon.kill()
            daemon.wait()
        self.ok("memory", "sync")
        self.ok("memory", "sync")
        self.assertIn('"pages_changed":0', self.ok("memory", "sync", "--json"))
        for identity, text in said.items():
            files = [one for one in self.notes.rglob("*.md") if identity in one.read_text()]
            self.assertEqual(len(files), 1, files)
            body = self.json("memory", "show", identity)["body"]
            self.assertTrue(files[0].read_text().endswith(body + "\n"))
            if text:  # the last word stands, or it is a conflict that is shown
                self.assertTrue(body == text or text in self.ok("memory", "conflicts"),
                                (body, text))
        self.assertEqual(list(self.notes.rglob(".*keel-*")), [])


if __name__ == "__main__":
    unittest.main()
