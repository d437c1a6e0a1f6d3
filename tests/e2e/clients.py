#!/usr/bin/env python3
"""The table of programs that keel was tried with, made by running them (sdk_test.py).

    KEEL=build/dev/keel FOLDER/bin/python tests/e2e/clients.py --write

runs sdk_test.py with the interpreter and the variables that it names, and writes
docs/guide/clients.md: what each program was seen to do, at which version. A program that is not
there keeps its column. Without --write the guide is compared with what the tests say they show.
"""

import importlib.metadata
import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

GUIDE = pathlib.Path(__file__).resolve().parents[2] / "docs/guide/clients.md"

# Columns, with what says whether they are there and which version it is.
PYTHON, NODE, PROGRAM = range(3)
CLIENTS = {
    "anthropic (Python)": (PYTHON, "anthropic"),
    "openai (Python), Chat": (PYTHON, "openai"),
    "openai (Python), Responses": (PYTHON, "openai"),
    "@anthropic-ai/sdk (Node)": (NODE, "@anthropic-ai/sdk"),
    "openai (Node)": (NODE, "openai"),
    "Claude Code": (PROGRAM, "KEEL_CLAUDE_CODE"),
    "Codex": (PROGRAM, "KEEL_CODEX"),
    "OpenClaw": (PROGRAM, "KEEL_OPENCLAW"),
}
FEATURES = (
    "an answer as a whole", "a streamed answer", "a call of a tool", "two calls at once",
    "the result of a call", "thoughts shown", "thoughts sent back", "tokens counted",
    "models listed", "an unknown model", "a wrong token", "a prompt that is too long",
    "a failure in the middle of a stream", "the beginning found in the cache")

HEAD = """# Programs that were tried

What each of these programs was seen to do with keel as its model, by tests that run the programs
themselves (`tests/e2e/sdk_test.py`, with the script model). An empty place says that no test shows
it, not that it fails. How to point a program at keel stands in [api.md](api.md). This page is
written by `tests/e2e/clients.py --write`.

"""


def shows(client, *features):
    """Marks a test: when it passes, the client has done these things."""
    unknown = [name for name in features if name not in FEATURES]
    if client not in CLIENTS or unknown:
        raise ValueError(f"no such client or feature: {client}, {unknown}")

    def mark(test):
        test.shows = {**getattr(test, "shows", {}), client: features}
        return test
    return mark


def version(client):
    """Empty: it is not here."""
    kind, name = CLIENTS[client]
    if kind == PYTHON:
        return importlib.metadata.version(name) if importlib.util.find_spec(name) else ""
    if kind == NODE:
        folder = os.environ.get("KEEL_NODE_SDKS")
        path = pathlib.Path(folder or "/", "node_modules", name, "package.json")
        return json.loads(path.read_text())["version"] if folder and path.exists() else ""
    program = os.environ.get(name)
    if not program:
        return ""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return re.search(r"\d[\w.-]*", said.stdout).group()


def marks(tests):
    """(client, feature) of all tests of a suite that are given."""
    found = set()
    for test in tests:
        for client, features in getattr(getattr(test, test._testMethodName), "shows", {}).items():
            found.update((client, feature) for feature in features)
    return found


def flat(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flat(test)
        else:
            yield test


def all_tests():
    import sdk_test
    return list(flat(unittest.defaultTestLoader.loadTestsFromModule(sdk_test)))


def read_guide():
    """Of the page as it is: {client: version}, and its (client, feature) pairs."""
    rows = [[cell.strip() for cell in line.strip("|\n").split("|")]
            for line in (GUIDE.read_text() if GUIDE.exists() else "").splitlines()
            if line.startswith("|")]
    if len(rows) < 3:
        return {}, set()
    versions, pairs = {}, set()
    for row in rows[2:]:
        versions[row[0]] = row[1]
        pairs.update((row[0], name) for name, cell in zip(rows[0][2:], row[2:]) if cell == "yes")
    return versions, pairs


def write_guide(versions, pairs):
    lines = ["| program | version | " + " | ".join(FEATURES) + " |",
             "|" + "---|" * (len(FEATURES) + 2)]
    for client in CLIENTS:
        cells = ["yes" if (client, feature) in pairs else "" for feature in FEATURES]
        lines.append(f"| {client} | {versions.get(client, '')} | " + " | ".join(cells) + " |")
    GUIDE.write_text(HEAD + "\n".join(lines) + "\n")


class Passed(unittest.TextTestResult):
    """Keeps the tests that passed."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.passed = []

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed.append(test)


def write():
    here = {client: found for client in CLIENTS if (found := version(client))}
    versions, pairs = read_guide()
    tests = all_tests()
    result = unittest.TextTestRunner(resultclass=Passed, verbosity=2).run(
        unittest.TestSuite(tests))
    pairs = {pair for pair in pairs if pair[0] not in here}
    pairs |= {pair for pair in marks(result.passed) if pair[0] in here}
    write_guide({**versions, **here}, pairs)
    return 0 if result.wasSuccessful() else 1


def check():
    """The page says of each program just what its tests show."""
    _, pairs = read_guide()
    wanted = marks(all_tests())
    for client, feature in sorted(pairs ^ wanted):
        what = "is not shown by a test" if (client, feature) in pairs else "is not on the page"
        print(f"{GUIDE.name}: {client}: {feature}: {what}; run tests/e2e/clients.py --write")
    return 1 if pairs ^ wanted else 0


if __name__ == "__main__":
    sys.exit(write() if "--write" in sys.argv[1:] else check())
