#!/usr/bin/env python3
"""How much of what is worth a page becomes one: by the rules alone, and with a model besides.

usage: bench/memory/writing.py KEEL MODEL [--messages FILE]

KEEL is the program, MODEL a GGUF file. Each line of the file is a message; what stands in [square
brackets] is worth a page. A page is right if the sentence it quotes holds some of that, wrong if
not; a bracket without a page is missed.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile


def read_messages(path):
    """(message, [what is worth a page])"""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            text = line.replace("[", "").replace("]", "")
            found.append((text, re.findall(r"\[([^\]]*)\]", line)))
    return found


def ask(keel, model, messages):
    with tempfile.TemporaryDirectory() as home:
        config = f'[[model]]\nname = "small"\nkind = "local"\npath = {json.dumps(str(model))}\n'
        pathlib.Path(home, "keel.toml").write_text(config, encoding="utf-8")
        done = subprocess.run([keel, "memory", "extract", "-", "--json"], check=False, text=True,
                              input="\n".join(messages), stdout=subprocess.PIPE,
                              env={"KEEL_HOME": home, "HOME": home, "PATH": "/usr/bin:/bin"})
    if done.returncode != 0:
        sys.exit(f"keel memory extract ended with {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def overlap(quote, wanted):
    a, b = quote.lower().strip(" .!"), wanted.lower().strip(" .!")
    return a in b or b in a


class Score:
    def __init__(self):
        self.right = self.wrong = self.missed = 0
        self.notes = []

    def add(self, message, wanted, pages):
        quotes = [page["quote"] for page in pages]
        good = [quote for quote in quotes if any(overlap(quote, one) for one in wanted)]
        lost = [one for one in wanted if not any(overlap(quote, one) for quote in quotes)]
        self.right += len(wanted) - len(lost)
        self.wrong += len(quotes) - len(good)
        self.missed += len(lost)
        self.notes += [f"  wrong   {quote}" for quote in quotes if quote not in good]
        self.notes += [f"  missed  {one}" for one in lost]

    def line(self, name):
        precision = self.right / max(self.right + self.wrong, 1)
        recall = self.right / max(self.right + self.missed, 1)
        return (f"{name:<24} right {self.right:3}  wrong {self.wrong:3}  missed {self.missed:3}  "
                f"precision {precision:.2f}  recall {recall:.2f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("keel")
    parser.add_argument("model")
    parser.add_argument("--messages", type=pathlib.Path,
                        default=pathlib.Path(__file__).parent / "writing.txt")
    parser.add_argument("--show", action="store_true", help="print what was wrong and missed")
    wish = parser.parse_args()
    messages = read_messages(wish.messages)
    answers = ask(wish.keel, wish.model, [text for text, _ in messages])
    rules, both = Score(), Score()
    times, asked, kinds = [], 0, {}
    for (text, wanted), answer in zip(messages, answers, strict=True):
        rules.add(text, wanted, answer["rules"])
        quoted = [page["quote"] for page in answer["rules"]]
        more = [page for page in answer.get("found", [])
                if not any(overlap(page["quote"], one) for one in quoted)]
        both.add(text, wanted, answer["rules"] + more)
        for page in more:
            kinds[page["kind"]] = kinds.get(page["kind"], 0) + 1
        if "ms" in answer:
            asked += 1
            times.append(answer["ms"])
    wanted = sum(len(one) for _, one in messages)
    print(f"{len(messages)} messages, {wanted} statements worth a page")
    print(rules.line("rules alone"))
    print(both.line(f"with {pathlib.Path(wish.model).stem[:18]}"))
    if times:
        later = sorted(times[1:]) or times
        print(f"the model was asked {asked} times; first {times[0] / 1000:.1f} s, then "
              f"median {later[len(later) // 2] / 1000:.1f} s, longest {later[-1] / 1000:.1f} s; "
              f"kinds: {', '.join(f'{kind} {n}' for kind, n in sorted(kinds.items()))}")
    if wish.show:
        print("\n".join(["rules alone:"] + rules.notes + ["with the model:"] + both.notes))


if __name__ == "__main__":
    main()
