"""The engine's protocol as the benchmarks use it, with a real model file."""

import os
import pathlib
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from drive import machine, text  # noqa: E402
from drive.engine import Engine, EngineError, text_item  # noqa: E402

KEEL = os.environ.get("KEEL", "")
MODEL = pathlib.Path(os.environ.get("KEEL_MODELS", "")) / "smollm2-135m-instruct-q4_1.gguf"
TOOL = {"name": "time", "description": "Tells the time.",
        "schema": {"type": "object", "properties": {}}}


@unittest.skipUnless(MODEL.is_file(), "the model is not here: scripts/models get smollm2-135m")
class EngineTest(unittest.TestCase):
    def setUp(self):
        choice = machine.cpu_choice(KEEL)
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.fields = {"path": str(MODEL), "library": choice["library"], "context": 2048,
                       "threads": 2, "attention": choice["attention"], "drafts": True,
                       "kv_folder": self.folder.name}
        self.engine = self.started()

    def started(self):
        engine = Engine(KEEL)
        self.addCleanup(engine.close)
        engine.load(**self.fields)
        return engine

    def wait_for_file(self):
        """Until the conversation's file is there and grows no more."""
        size, end = 0, time.monotonic() + 10
        while time.monotonic() < end:
            now = sum(path.stat().st_size for path in pathlib.Path(self.folder.name).glob("*.kv"))
            if now and now == size:
                return
            size = now
            time.sleep(0.2)
        self.fail("no file was written")

    def test_as_many_tokens_as_were_asked_for_and_no_call(self):
        items = [text_item("system", "You call a tool whenever you can."),
                 text_item("user", "What time is it?")]
        for wanted in (1, 40):
            answer = self.engine.generate("exact", items, [TOOL], wanted)
            self.assertEqual(answer.usage["completion"], wanted)
            self.assertEqual(len(answer.arrivals), wanted)
            self.assertEqual(answer.done["stop"], "max_tokens")
            self.assertEqual([b["type"] for b in answer.done["item"]["blocks"]], ["text"])
            self.assertEqual(answer.text, answer.done["item"]["blocks"][0]["text"])

    def test_without_it_the_model_ends_by_itself(self):
        items = [text_item("user", "Answer with one word: which colour has snow?")]
        answer = self.engine.generate("free", items, (), 300, exact=False)
        self.assertLess(answer.usage["completion"], 300)

    def test_what_was_prepared_is_not_read_again(self):
        items = text.prompt_of(self.engine, 300)
        prepared = self.engine.prepare("ahead", items)
        answer = self.engine.generate("ahead", items, (), 2)
        self.assertGreater(prepared.usage["evaluated"], 250)
        # The mark that opens an answer is all that was left.
        self.assertLess(answer.usage["evaluated"], 8)

    def test_a_cancelled_answer_says_so(self):
        number = self.engine.begin("stop", [text_item("user", "Count.")], (), 1000)
        deltas = []

        def on_event(event):
            if event["event"] == "delta":
                deltas.append(event)
                if len(deltas) == 3:
                    self.engine.cancel(number)
        answer = self.engine.finish(number, on_event)
        self.assertEqual(answer.done["stop"], "cancelled")
        self.assertLess(len(deltas), 100)

    def test_a_killed_engine_is_noticed_and_its_file_is_used(self):
        items = text.prompt_of(self.engine, 300)
        self.engine.generate("kept", items, (), 4)
        self.wait_for_file()
        self.engine.kill()
        with self.assertRaises(EngineError):
            self.engine.generate("kept", items, (), 4)
        again = self.started().generate("kept", items, (), 4)
        self.assertLess(again.usage["evaluated"], 250)


if __name__ == "__main__":
    unittest.main()
