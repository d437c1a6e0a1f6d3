#!/usr/bin/env python3
"""Every rule of tidy.py fails on a tree that breaks it, and only that rule does."""

import os
import pathlib
import tempfile
import unittest

import tidy

CLEAN = {
    "src/base/text.h": "#pragma once\n// A comment may say new and sqlite3_x.\nint f();\n",
    "src/base/text.cc": '#include "base/text.h"\n\nint f() { return 0; }\nauto* s = "new T";\n',
    "docs/page.md": "# One title\n\nSee [the other](other.md#part) and `[no](link.md)`.\n\n"
                    "```\n# not a title\n```\n",
    "docs/other.md": "# Other\n\n| " + "wide " * 60 + "|\n",
    "scripts/go": "#!/bin/sh\ntrue\n",
}


def body(lines):
    return "int long_one() {\n" + "  f();\n" * (lines - 2) + "}\n"


def cc(line):
    return {"src/base/text.cc": f'#include "base/text.h"\n{line}\n'}


# rule: a tree's differences from CLEAN that must set it off
BROKEN = {
    "line": [cc("int x;  // " + "a" * 100), {"docs/page.md": "# T\n\n" + "a" * 130 + "\n"},
             {"scripts/go": "#!/bin/sh\n" + ": a" * 50 + "\n"}],
    "blank": [cc("int x; "), cc("\tint x;"), {"src/base/text.cc": '#include "base/text.h"'}],
    "todo": [cc("// TO" "DO: later")],
    "file": [cc("int x;\n" * 601)],
    "function": [cc(body(71)),
                 cc("class A {\n A() : a_{1} {\n" + "f();\n" * 80 + "}\n int a_;\n};"),
                 cc("TEST(A, B) {\n if (x) {\n" + "f();\n" * 80 + " }\n}")],
    "system": [cc("int x = system(name);"), cc("int x = std::system(name);")],
    "popen": [cc("auto* x = popen(a, b);")],
    "sprintf": [cc("void g() { sprintf(a, b); }")],
    "strcpy": [cc("void g() { strcpy(a, b); }"), cc("void g() { strcat(a, b); }")],
    "new": [cc("auto* x = new T;"), cc("auto* x = new (std::nothrow) T;")],
    "delete": [cc("void g() { delete x; }")],
    "thread": [cc("std::thread t;"), cc("std::jthread t;"), cc("auto x = std::async(f);")],
    "getenv": [cc('auto* x = getenv("HOME");')],
    "sqlite": [cc("sqlite3_stmt* s;")],
    "llama": [cc("llama_model* m;"), cc("ggml_tensor* t;"), cc("common_chat_msg m;")],
    "regex": [cc("std::regex r;")],
    "host": [{"docs/page.md": "# T\n\nFrom " + host + "/x\n"} for host in tidy.HOSTS],
    "path": [{"docs/page.md": "# T\n\n`/" + name + "/a/b`\n"} for name in ("work", "root", "home")],
    "binary": [{"docs/x.png": b"\0" * 200_001}],
    "extension": [{"docs/x.docx": "x\n"}, {"Makefile": "all:\n"}],
    "mode": [{"scripts/go": "true\n"}, {"src/base/text.cc": '#!x\n#include "base/text.h"\n'}],
    "title": [{"docs/page.md": "no title\n"}, {"docs/page.md": "# One\n\n# Two\n"}],
    "link": [{"docs/page.md": "# T\n\n[gone](gone.md)\n"}],
    "pragma": [{"src/base/text.h": "int f();\n"}],
    "unused": [{"src/base/text.cc": "int f() { return 0; }\n"}],
    "tool": [{"docs/guide/tools.md": "# Tools\n\n`recall`\n",
              "src/tool/clock_tool.cc": code} for code in
             ('spec.name = "clock";\n', 'msg::Tool spec_{"clock", "Tells the time"};\n')],
}

FINE = {
    "at the limit": cc(body(70)),
    "its owner": {"src/store/a.cc": "sqlite3_stmt* s;\n",
                  "src/model/engine/a.cc": "llama_model* m;\n",
                  "src/model/inference/a.cc": "llama_model* m;\n",
                  "src/rt/a.cc": "std::jthread t;\n", "src/config/a.cc": "auto* x = getenv(n);\n"},
    "owned at once": cc("auto x = std::unique_ptr<T>(new T(1)); std::unique_ptr<T> y(new T);"),
    "an example's home": {"docs/page.md": "# T\n\n`/home/owner/notes`\n"},
    "deleted function": cc("struct A { A(const A&) = delete; };"),
    "included twice": {"src/base/text.h": "// tidy: pragma allowed, for a reason\nint f();\n"},
    "said so": cc("auto* x = new T;  // tidy: new allowed, the library takes it"),
    "member called system": cc("int x = status.system(1);"),
    "raw string": cc('const char* q = R"(system("x") {{{ new)";'),
    "digit separators": cc("int x = 1'000'000; int y = 2'000;"),
    "a table of many rows": cc("const int t[] = {\n" + "  1,\n" * 90 + "};"),
}


class TidyTest(unittest.TestCase):
    def rules_for(self, changes):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, content in {**CLEAN, **changes}.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                data = content if isinstance(content, bytes) else content.encode()
                path.write_bytes(data)
                if name == "scripts/go":
                    os.chmod(path, 0o755)
            return {rule for rule, _ in tidy.Tidy(root).run()}

    def test_a_clean_tree_has_no_finding(self):
        self.assertEqual(self.rules_for({}), set())

    def test_every_rule_can_fail_alone(self):
        for rule, trees in BROKEN.items():
            for tree in trees:
                with self.subTest(rule=rule, tree=str(tree)[:80]):
                    self.assertEqual(self.rules_for(tree), {rule})

    def test_what_is_allowed_is_not_found(self):
        for name, tree in FINE.items():
            with self.subTest(name):
                self.assertEqual(self.rules_for(tree), set())

    def test_every_banned_call_has_a_failing_tree(self):
        self.assertLessEqual({rule for rule, *_ in tidy.BANNED}, set(BROKEN))


if __name__ == "__main__":
    unittest.main()
