#!/usr/bin/env python3
"""Checks src/ against the room table of docs/architecture.md.

usage: tests/architecture/architecture.py [FOLDER]

The table's last column names the rooms that a room may include. What those rooms may include is
allowed too, since their headers show it; so "net store agent sched" also reaches base/.
architecture_test.py shows each rule failing.
"""

import pathlib
import re
import sys

PAIRS_MAX = 8
# One file pair per tool, command or channel.
MANY_PAIRS = {"tool", "app", "channel"}
ENGINE = ("model/inference", "model/engine")  # the only rooms that see llama.cpp
VAGUE = {"util", "utils", "common", "core", "manager", "helpers", "misc"}

# Foreign headers with an owner: pattern, the rooms that own them.
OWNERS = [
    (r"sqlite3(ext)?\.h$", ("store",)),
    (r"curl/", ("net",)),
    (r"boost/", ("net/http",)),
    (r"([\w./-]*/)?(llama|llama-cpp|llama-ext|gguf)\.h$", ENGINE),
    (r"ggml[\w-]*\.h$", ENGINE),
]
# llama.cpp's common/ changes every few weeks, so exactly one file may see it.
COMMON = re.compile(
    r"(chat(-[\w-]+)?|common|sampling|json-schema(-to-grammar)?|peg-parser|json|speculative|"
    r"ngram-\w+|arg|reasoning-budget|log|build-info|jinja/\w+|parsers/\w+)\.h$")


class Architecture:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.src = self.root / "src"
        self.findings = []
        self.may, self.order = self.read_table()

    def report(self, rule, where, words):
        self.findings.append((rule, f"{where}: [{rule}] {words}"))

    def read_table(self):
        page = self.root / "docs" / "architecture.md"
        lines = page.read_text(encoding="utf-8").splitlines()
        start = next((i for i, line in enumerate(lines)
                      if re.match(r"\|\s*room\s*\|.*may include\s*\|$", line)), None)
        if start is None:
            self.report("table", page.name, "no table with the columns room and may include")
            return {}, []
        direct, order = {}, []
        for line in lines[start + 2:]:
            if not line.startswith("|"):
                break
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            room = cells[0].rstrip("/")
            order.append(room)
            direct[room] = {word.rstrip("/") for word in re.split(r"[\s,]+", cells[-1])}
        may = {}
        for at, room in enumerate(order):
            wanted = set(order) if "all" in direct[room] else direct[room] & set(order)
            for above in sorted(wanted - set(order[:at]) - {room}):
                if "all" not in direct[room]:
                    self.report("arrow", page.name, f"{room}/ names {above}/, which is below it")
            may[room] = {room} | wanted | {far for near in wanted for far in may.get(near, ())}
        return may, order

    def room_of(self, path):
        """The room that owns a path relative to src/: the longest name in the table."""
        parts = pathlib.PurePosixPath(path).parts[:-1]
        for length in range(len(parts), 0, -1):
            room = "/".join(parts[:length])
            if room in self.may:
                return room
        return None

    def run(self):
        common_users = []
        files = sorted(p for p in self.src.rglob("*") if p.suffix in (".h", ".cc"))
        for path in files:
            name = path.relative_to(self.src).as_posix()
            room = self.room_of(name)
            if room is None:
                self.report("room", f"src/{name}", "its folder is no room of docs/architecture.md")
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
            for number, line in enumerate(text.splitlines(), 1):
                match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
                if match:
                    self.check_include(f"src/{name}:{number}", room, *match.groups())
                    if room in ENGINE and self.is_common(room, *match.groups()):
                        common_users.append(name)
        users = sorted({re.sub(r"\.(h|cc)$", "", name) for name in common_users})
        if len(users) > 1:
            self.report("common", f"src/{ENGINE[0]}",
                        f"{users} include llama.cpp's common/; one may")
        self.check_shape(files)
        return self.findings

    @staticmethod
    def names(rooms):
        return " and ".join(room + "/" for room in rooms)

    def is_common(self, room, kind, target):
        """Such headers have short names; none of ours is included without its room."""
        if (self.src / target).is_file() or kind == "<" and room not in ENGINE:
            return False
        return COMMON.match(target) is not None

    def check_include(self, where, room, kind, target):
        for pattern, owners in OWNERS:
            if re.match(pattern, target) and room not in owners:
                self.report("owner", where, f"{target} belongs to {self.names(owners)} alone")
                return
        if self.is_common(room, kind, target):
            if room not in ENGINE:
                self.report("owner", where, f"{target} belongs to {self.names(ENGINE)} alone")
            return
        if kind == "<":
            if (self.src / target).is_file():
                self.report("quotes", where, f"{target} is ours: include it in quotes")
            return
        if re.match("|".join(pattern for pattern, _ in OWNERS), target):
            return
        if not (self.src / target).is_file():
            self.report("path", where, f"{target} is not a path from src/")
            return
        other = self.room_of(target)
        if other is not None and other not in self.may[room]:
            self.report("arrow", where, f"{room}/ may not include {other}/")

    def check_shape(self, files):
        pairs = {}
        for path in files:
            folder = path.parent.relative_to(self.src).as_posix()
            if not re.search(r"_test\.(cc|h)$", path.name):
                pairs.setdefault(folder, set()).add(path.stem)
            vague = VAGUE & (set(path.parent.relative_to(self.src).parts) | {path.stem})
            if vague:
                self.report("name", path.relative_to(self.root),
                            f"'{vague.pop()}' says nothing: name what it holds")
        for folder, stems in sorted(pairs.items()):
            if len(stems) > PAIRS_MAX and folder not in MANY_PAIRS:
                self.report("pairs", f"src/{folder}",
                            f"{len(stems)} file pairs, {PAIRS_MAX} at most: split the room")


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]
    check = Architecture(root)
    findings = check.run()
    for _, words in findings:
        print(words)
    print(f"{len(check.order)} rooms in the table, {len(findings)} findings")
    return 1 if findings or not check.order else 0


if __name__ == "__main__":
    sys.exit(main())
