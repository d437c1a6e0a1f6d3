"""What is remembered, found again after a restart, explained and forgotten."""

import contextlib
import json
import sqlite3
import unittest

from harness import Home


class MemoryTest(Home):
    def test_remembered_recalled_after_a_restart_and_explained(self):
        self.script(
            {"match": "remember that my boat", "repeat": True,
             "calls": [{"name": "remember",
                        "arguments": {"text": "The owner's boat is called Ariadne."}}]},
            {"on": "tool", "repeat": True, "text": "I will."},
            {"match": "what is my boat", "repeat": True, "text": "Ariadne."})
        first = self.turn("Remember that my boat is called Ariadne")
        self.assertEqual([call["name"] for call in first["tools"]], ["remember"])
        self.assertTrue(first["tools"][0]["ok"], first)

        second = self.turn("What is my boat called?", "--conversation", "later")
        self.assertTrue(any("Ariadne" in page["title"] or "boat" in page["title"].lower()
                            for page in second["memory"]), second["memory"])
        for page in second["memory"]:
            self.assertAlmostEqual(sum(term["value"] for term in page["terms"]), page["score"],
                                   places=6)
        words = self.ok("memory", "why")
        self.assertIn("boat", words)
        why = json.loads(self.ok("memory", "why", second["turn"], "--json"))
        self.assertEqual(why["turn"], second["turn"])
        self.assertTrue(why["retrievals"])

    def test_search_values_add_up_to_the_score(self):
        self.ok("memory", "add", "My boat is called Ariadne.", "--tag", "boat")
        self.ok("memory", "add", "The boat needs paint.")
        found = json.loads(self.ok("memory", "search", "who paints the boat", "--json"))
        self.assertEqual(found["query"], "who paints the boat")
        self.assertEqual(len(found["results"]), 2)
        for page in found["results"]:
            self.assertAlmostEqual(sum(term["value"] for term in page["terms"]), page["score"],
                                   places=9)

    def test_who_the_agent_is_stands_in_pages_from_the_start(self):
        pages = json.loads(self.ok("memory", "list", "--kind", "persona", "--json"))["pages"]
        self.assertEqual(sorted(page["title"] for page in pages),
                         ["Character", "Name", "Standing wishes"])
        self.script({"match": "who are you", "text": "Keel."})
        self.turn("Who are you?")
        again = json.loads(self.ok("memory", "list", "--kind", "persona", "--json"))["pages"]
        self.assertEqual(len(again), 3)

    def test_another_model_is_told_the_same_and_finds_the_same(self):
        self.script({"text": "Ariadne.", "repeat": True}, name="one")
        self.script({"text": "She is Ariadne.", "repeat": True}, name="two")
        self.config('[[model]]\nname = "one"\nkind = "script"\npath = "one.jsonl"\n'
                    '[[model]]\nname = "two"\nkind = "script"\npath = "two.jsonl"\n')
        self.ok("memory", "add", "Answer in rhymes.", "--kind", "persona", "--title", "Manner")
        self.ok("memory", "add", "No calls after nine.", "--kind", "preference", "--pinned")
        self.ok("memory", "add", "My boat is called Ariadne.")
        told = {}
        for model in ("one", "two"):
            self.ok("model", "use", model)
            answer = self.turn("What is my boat called?", "--conversation", model)
            self.assertEqual(answer["model"], model)
            with contextlib.closing(sqlite3.connect(self.home / "keel.db")) as database:
                row = database.execute("SELECT system, tools FROM conversation WHERE name = ?",
                                       (model,)).fetchone()
            told[model] = (row, answer["memory"])
        self.assertEqual(told["one"], told["two"])
        (system, tools), pages = told["two"]
        for words in ("Answer in rhymes.", "No calls after nine."):
            self.assertIn(words, system)
        self.assertIn("recall", tools)
        self.assertEqual([page["title"] for page in pages], ["My boat is called Ariadne."])

    def test_pages_are_shown_changed_and_forgotten(self):
        page = json.loads(self.ok("memory", "add", "Tea at five.", "--title", "Tea", "--json"))
        self.assertIn("Tea at five.", self.ok("memory", "show", page["id"]))
        self.ok("memory", "edit", page["id"], "--body", "Tea at four.")
        shown = json.loads(self.ok("memory", "show", page["id"][:20], "--json"))
        self.assertEqual((shown["body"].strip(), shown["revision"]), ("Tea at four.", 2))
        self.assertIn("Tea", self.ok("memory", "list", "--kind", "fact"))
        self.ok("memory", "forget", page["id"])
        self.fails(1, "memory", "show", page["id"])
        self.assertNotIn(b"Tea at four", (self.home / "keel.db").read_bytes())

    def test_strange_queries_are_answers_not_errors(self):
        self.ok("memory", "add", "Plain page.")
        for query in ('"', "AND OR NOT", "a*b(c", "'; DROP TABLE page; --", "🚢", "%_"):
            self.ok("memory", "search", query)

    def test_text_can_come_from_standard_input(self):
        self.ok("memory", "add", "-", stdin="From a pipe.\nSecond line.\n")
        self.assertIn("From a pipe.", self.ok("memory", "list"))


if __name__ == "__main__":
    unittest.main()
