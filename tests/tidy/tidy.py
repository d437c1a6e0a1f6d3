#!/usr/bin/env python3
"""Checks the repository itself: sizes, banned calls, links, names. Prints one line a finding.

usage: tests/tidy/tidy.py [FOLDER]

A line may depart from a banned-call rule when it says so: `// tidy: RULE allowed, REASON`. A
header that is meant to be included more than once does so in its first line.
tidy_test.py shows for every rule that it can fail.
"""

import os
import pathlib
import re
import subprocess
import sys

LINE_MAX = 100          # C++ and Python
OTHER_LINE_MAX = 120    # shell, CMake, Markdown outside its tables
FILE_MAX = 600
FUNCTION_MAX = 70
BINARY_MAX_BYTES = 200_000

CODE = {".h", ".cc"}
SCRIPTS = {".py", ".sh", ".cmake"}
EXTENSIONS = CODE | SCRIPTS | {
    ".md", ".txt", ".json", ".jsonl", ".toml", ".lock", ".sql", ".csv", ".tsv", ".html", ".css",
    ".js", ".svg", ".png", ".ico", ".in", ".ics", ".xml", ".diff", ".sse", ".bin"}
BARE_NAMES = {"dev", "run", "LICENSE", ".clang-format", ".clang-tidy", ".gitignore",
              ".gitattributes"}

# Machine-made pages and tables, which no rule on lines can apply to.
TABLES = {"deps/deps.lock", "deps/models.lock", "deps/system.txt", "THIRD_PARTY.md"}

# Hosts and folders are put together here, so that this file does not trip over itself.
HOSTS = [".".join(parts) for parts in (
    ("registry", "npmjs", "org"), ("registry", "yarnpkg", "com"), ("pypi", "org"),
    ("files", "pythonhosted", "org"), ("crates", "io"), ("deb", "debian", "org"),
    ("security", "debian", "org"), ("archive", "ubuntu", "com"), ("proxy", "golang", "org"),
    ("repo1", "maven", "org"))]
MACHINE_PATHS = re.compile("(?<![\\w.~}])(?:" + "|".join(
    "/" + name + "/" for name in ("work", "root", "home(?!/owner)")) + ")")

# rule, pattern on code without comments and strings, where it is allowed, what to do instead
BANNED = [
    ("system", r"(?<![\w.>:])(?:std::)?system\s*\(", (), "start a child through rt/child.h"),
    ("popen", r"\bpopen\s*\(", (), "start a child through rt/child.h"),
    ("sprintf", r"\bv?sprintf\s*\(", (), "use fmt"),
    ("strcpy", r"\bstr(?:cpy|cat)\s*\(", (), "use std::string"),
    ("new", r"(?<!operator )\bnew\b", (), "give it to a unique_ptr on the same line"),
    ("delete", r"(?<!operator )\bdelete\b(?!\s*[;,)])", (), "let a unique_ptr own it"),
    ("thread", r"\bstd::(?:thread(?!::id)|jthread|async)\b", ("src/rt/",),
     "use the named threads of rt/"),
    ("getenv", r"\b(?:secure_)?getenv\s*\(", ("src/config/", "src/app/main.cc"),
     "read it in config/"),
    ("sqlite", r"\bsqlite3_\w+", ("src/store/",), "go through store/"),
    ("llama", r"\b(?:llama|ggml)_\w+|\bgguf_\w+\s*\(|\bcommon_(?:chat|json|sampler)\w*",
     ("src/model/inference/", "src/model/engine/"), "go through model/"),
    ("regex", r"\bstd::(?:basic_)?regex\b", (), "parse by hand: std::regex recurses on long input"),
]
TEST_MAY = {"thread", "getenv", "new"}


def files_of(root):
    """Repository-relative paths of what git would keep, or of everything outside a checkout."""
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "ls-files", "-co", "--exclude-standard", "-z"]
        out = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
        names = [os.fsdecode(name) for name in out.split(b"\0") if name]
    else:
        names = [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()]
        names = [n for n in names if not n.startswith(("build/", "deps/.cache/"))]
    return sorted({n for n in names if (root / n).is_file()})


def strip_code(text):
    """C++ text with comments and literals blanked; every line keeps its number."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)"'
        r'|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'', re.S)

    def blank(match):
        found = match.group(0)
        filler = '""' if found[0] in "\"R" else " "
        return filler + "\n" * found.count("\n")

    return pattern.sub(blank, text)


TOOL_NAME = re.compile(r'(?:\bname\s*=\s*|\bTool\s+\w+\{)"([a-z][a-z0-9_]+)"')
CONTAINER = re.compile(r"\b(?:namespace|class|struct|union|enum|extern)\b")
BLOCK = re.compile(r"^\s*(?:\}?\s*else\b|(?:if|for|while|switch|do|try|catch)\b)")


def functions(code):
    """(first line, line count) of each function body, judged by braces. `code` is stripped text."""
    code = re.sub(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", lambda m: "\n" * m.group(0).count("\n"), code,
                  flags=re.M)
    stack, header_start, line = [], 0, 1
    line_at = [1]
    for char in code:
        if char == "\n":
            line += 1
        line_at.append(line)
    for at, char in enumerate(code):
        if char == "{":
            header = code[header_start:at]
            adjacent = at > 0 and not code[at - 1].isspace() and code[at - 1] not in ")"
            outside = all(kind == "container" for kind, _ in stack)
            if adjacent:
                stack.append(("initialiser", at))
                continue
            if outside and "(" in header and not BLOCK.match(header):
                first = header_start + len(header) - len(header.lstrip())
                stack.append(("function", first))
            elif outside and CONTAINER.search(header):
                stack.append(("container", at))
            else:
                stack.append(("block", at))
            header_start = at + 1
        elif char == "}" and stack:
            kind, first = stack.pop()
            if kind == "function":
                yield line_at[first], line_at[at] - line_at[first] + 1
            if kind != "initialiser":
                header_start = at + 1
        elif char == ";" and not (stack and stack[-1][0] == "initialiser"):
            header_start = at + 1


class Tidy:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.names = files_of(self.root)
        self.findings = []
        self.text = {}
        for name in self.names:
            data = (self.root / name).read_bytes()
            if b"\0" in data[:8192]:
                if len(data) > BINARY_MAX_BYTES:
                    self.report("binary", name, 0, f"{len(data)} bytes, {BINARY_MAX_BYTES} at most")
            else:
                self.text[name] = data.decode("utf-8", errors="replace")

    def report(self, rule, name, line, words):
        self.findings.append((rule, f"{name}:{line}: [{rule}] {words}"))

    def lines(self, name):
        return enumerate(self.text[name].splitlines(), 1)

    def run(self):
        for name, text in self.text.items():
            suffix = pathlib.PurePosixPath(name).suffix
            self.check_name(name, suffix)
            self.check_mode(name, text)
            self.check_everywhere(name)
            if self.is_code(name, suffix):
                self.check_lines(name, suffix)
            if suffix in CODE:
                self.check_cc(name, suffix, text)
            if suffix == ".md":
                self.check_page(name)
        for name in self.names:
            if name not in self.text:
                self.check_name(name, pathlib.PurePosixPath(name).suffix)
        self.check_headers_used()
        self.check_tools_documented()
        return self.findings

    def is_code(self, name, suffix):
        return (suffix in CODE | SCRIPTS or name.endswith("CMakeLists.txt")
                or self.text[name].startswith("#!"))

    def check_name(self, name, suffix):
        path = pathlib.PurePosixPath(name)
        in_scripts = path.parent == pathlib.PurePosixPath("scripts")
        corpus = name.startswith(("tests/fuzz/corpus/", "tests/data/", "tests/golden/"))
        if not (suffix in EXTENSIONS or path.name in BARE_NAMES or in_scripts or corpus):
            self.report("extension", name, 0, "a kind of file that the repository does not keep")

    def check_mode(self, name, text):
        executable = os.access(self.root / name, os.X_OK)
        if executable != text.startswith("#!"):
            self.report("mode", name, 1, "an executable file has a #! line, and only such a file")

    def check_everywhere(self, name):
        for number, line in self.lines(name):
            for host in HOSTS:
                if host in line and not re.search(r"[\w-]" + re.escape(host), line):
                    self.report("host", name, number, f"names the registry host {host}")
            if MACHINE_PATHS.search(line) and "tidy: path allowed" not in line:
                self.report("path", name, number, "names a folder of one machine")

    def check_lines(self, name, suffix):
        count = 0
        python = suffix == ".py" or "python" in self.text[name].split("\n")[0]
        most = LINE_MAX if suffix in CODE or python else OTHER_LINE_MAX
        for number, line in self.lines(name):
            count = number
            # A raw string cannot be broken without changing it.
            raw = suffix in CODE and re.search(r'R"\w*\(', line)
            if len(line) > most and not raw:
                self.report("line", name, number, f"{len(line)} columns, {most} at most")
            if line != line.rstrip() or "\t" in line:
                self.report("blank", name, number, "a tab, or blanks at the end")
            if suffix in CODE and re.search(r"\b(?:TODO|FIXME|XXX)\b", line):
                self.report("todo", name, number, "unfinished work belongs in an issue")
        if count > FILE_MAX:
            self.report("file", name, count, f"{count} lines, {FILE_MAX} at most")
        if self.text[name] and not self.text[name].endswith("\n"):
            self.report("blank", name, count, "no newline at the end")

    def check_cc(self, name, suffix, text):
        said_so = text.startswith("// tidy: pragma allowed, ")
        if suffix == ".h" and "#pragma once" not in text and not said_so:
            self.report("pragma", name, 1, "a header starts with #pragma once")
        raw = text.splitlines()
        code = strip_code(text)
        is_test = name.endswith(("_test.cc", "_test.h")) or name.startswith(("tests/", "bench/"))
        for number, line in enumerate(code.splitlines(), 1):
            if line.lstrip().startswith("#"):
                continue
            for rule, pattern, allowed, instead in BANNED:
                if allowed and name.startswith(allowed) or is_test and rule in TEST_MAY:
                    continue
                if not name.startswith("src/") and rule in ("sqlite", "llama"):
                    continue
                if rule == "new":
                    line = re.sub(r"_ptr<[^;]*>\s*\w*\(new\b", "", line)
                if re.search(pattern, line) and f"tidy: {rule} allowed, " not in raw[number - 1]:
                    self.report(rule, name, number, instead)
        for first, length in functions(code):
            if length > FUNCTION_MAX:
                self.report("function", name, first, f"{length} lines, {FUNCTION_MAX} at most")

    def check_page(self, name):
        titles, fence = [], ""
        for number, line in self.lines(name):
            mark = re.match(r"\s*(`{3,}|~{3,})", line)
            if mark and (not fence or line.strip() == fence):
                fence = "" if fence else mark.group(1)
                continue
            if fence:
                continue
            if re.match(r"# ", line):
                titles.append(number)
            if len(line) > OTHER_LINE_MAX and name not in TABLES and not self.may_be_long(line):
                self.report("line", name, number, f"{len(line)} columns, {OTHER_LINE_MAX} at most")
            self.check_links(name, number, line)
        if len(titles) != 1 and name not in TABLES:
            self.report("title", name, 1, f"{len(titles)} titles of the first level, one expected")

    @staticmethod
    def may_be_long(line):
        return line.lstrip().startswith("|") or re.search(r"https?://\S{60,}", line)

    def check_links(self, name, number, line):
        line = re.sub(r"`[^`]*`", "", line)
        for target in re.findall(r"\]\(([^)\s]+)\)", line):
            if re.match(r"[a-z][a-z0-9+.-]*:|#", target):
                continue
            path = (self.root / name).parent / target.split("#")[0]
            if not path.exists():
                self.report("link", name, number, f"{target} does not exist")

    def check_headers_used(self):
        used = set()
        for name, text in self.text.items():
            if name.endswith((".h", ".cc", ".in", ".cmake")):
                used.update(re.findall(r'#include "([^"]+)"', text))
        for name in self.text:
            if name.startswith("src/") and name.endswith(".h") and name[4:] not in used:
                self.report("unused", name, 1, "no file includes this header")

    def check_tools_documented(self):
        page = "docs/guide/tools.md"
        if page not in self.text:
            return
        for name, text in self.text.items():
            if not re.match(r"src/tool/.*\.cc$", name) or name.endswith("_test.cc"):
                continue
            for tool in TOOL_NAME.findall(text):
                if f"`{tool}`" not in self.text[page]:
                    self.report("tool", name, 1, f"the tool {tool} is not in {page}")


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]
    findings = Tidy(root).run()
    for _, words in findings:
        print(words)
    print(f"{len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
