#!/usr/bin/env python3
"""Every rule of architecture.py fails on a tree that breaks it, and only that rule does."""

import pathlib
import tempfile
import unittest

import architecture

TABLE = """# Design

| room | holds | may include |
|---|---|---|
| base/ | strings | std, fmt |
| store/ | SQLite | base |
| net/ | HTTP | base |
| net/http/ | HTTP server | net |
| model/ | interface | base net |
| model/inference/ | llama.cpp | model |
| model/engine/ | llama.cpp | model model/inference |
| agent/ | the loop | model store |
| app/ | main | all |
"""

CLEAN = {
    "docs/architecture.md": TABLE,
    "src/base/text.h": "#include <string>\n#include <fmt/core.h>\n",
    "src/store/database.cc": '#include <sqlite3.h>\n#include "base/text.h"\n',
    "src/net/client.cc": "#include <curl/curl.h>\n",
    "src/net/http/server.cc": "#include <boost/beast.hpp>\n",
    "src/model/model.h": '#include "base/text.h"\n',
    "src/model/engine/engine.cc": '#include <llama.h>\n#include "model/model.h"\n',
    "src/model/inference/context.cc": '#include <llama.h>\n#include "model/model.h"\n',
    "src/model/inference/chat.cc":
        '#include "chat.h"\n#include "common.h"\n#include "base/text.h"\n',
    "src/agent/turn.cc": '#include "base/text.h"\n#include "model/model.h"\n',
    "src/app/main.cc": '#include "agent/turn.h"\n',
    "src/agent/turn.h": "",
}

BROKEN = {
    "arrow": [
        {"src/base/text.cc": '#include "model/model.h"\n'},
        {"src/store/a.cc": '#include "agent/turn.h"\n'},
        {"src/model/a.cc": '#include "model/engine/ledger.h"\n', "src/model/engine/ledger.h": ""},
        {"src/model/inference/a.cc": '#include "model/engine/b.h"\n', "src/model/engine/b.h": ""},
        {"src/net/a.cc": '#include "store/b.h"\n', "src/store/b.h": ""},
        {"docs/architecture.md": TABLE.replace("| base |\n| net", "| base agent |\n| net")},
    ],
    "owner": [
        {"src/base/a.cc": "#include <sqlite3.h>\n"},
        {"src/model/a.cc": "#include <curl/curl.h>\n"},
        {"src/agent/a.cc": "#include <boost/asio.hpp>\n"},
        {"src/net/a.cc": "#include <boost/asio.hpp>\n"},
        {"src/model/a.cc": '#include "llama.h"\n'},
        {"src/app/a.cc": "#include <ggml-backend.h>\n"},
        {"src/app/a.cc": "#include <../src/llama-ext.h>\n"},
        {"src/agent/a.cc": '#include "chat.h"\n'},
    ],
    "common": [{"src/model/engine/engine.cc": '#include "sampling.h"\n'},
               {"src/model/inference/context.cc": '#include "sampling.h"\n'},
               {"src/model/engine/engine.cc": "#include <common.h>\n"}],
    "path": [{"src/base/a.cc": '#include "text.h"\n'},
             {"src/base/a.cc": '#include "../base/text.h"\n'}],
    "quotes": [{"src/base/a.cc": "#include <base/text.h>\n"}],
    "room": [{"src/cellar/a.cc": "int x;\n"}],
    "name": [{"src/base/util.h": ""}, {"src/net/manager.cc": ""}],
    "pairs": [{f"src/net/a{n}.cc": "" for n in range(8)}],
    "table": [{**{n: None for n in CLEAN if n[:3] == "src"}, "docs/architecture.md": "# None\n"}],
}

FINE = [
    {f"src/app/a{n}_tool.cc": "" for n in range(30)},
    {f"src/net/a{n}_test.cc": "" for n in range(30)},
    {"src/agent/a.cc": "#include <common.h>\n"},  # some other library's header of that name
    {"src/model/inference/chat.h": '#include "chat.h"\n',
     "src/app/a.cc": '#include "model/inference/chat.h"\n'},
]


class ArchitectureTest(unittest.TestCase):
    def rules_for(self, changes):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "src").mkdir()
            for name, content in {**CLEAN, **changes}.items():
                if content is not None:
                    (root / name).parent.mkdir(parents=True, exist_ok=True)
                    (root / name).write_text(content)
            return {rule for rule, _ in architecture.Architecture(root).run()}

    def test_a_clean_tree_has_no_finding(self):
        self.assertEqual(self.rules_for({}), set())

    def test_every_rule_can_fail_alone(self):
        for rule, trees in BROKEN.items():
            for tree in trees:
                with self.subTest(rule=rule, tree=str(tree)[:80]):
                    self.assertEqual(self.rules_for(tree), {rule})

    def test_what_is_allowed_is_not_found(self):
        for tree in FINE:
            with self.subTest(str(tree)[:80]):
                self.assertEqual(self.rules_for(tree), set())

    def test_a_room_reaches_what_its_rooms_reach(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "docs").mkdir()
            (root / "docs" / "architecture.md").write_text(TABLE)
            may = architecture.Architecture(root).may
            self.assertEqual(may["agent"], {"agent", "model", "store", "net", "base"})


if __name__ == "__main__":
    unittest.main()
