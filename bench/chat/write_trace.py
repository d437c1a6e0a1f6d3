#!/usr/bin/env python3
"""Writes tiny.jsonl, small.jsonl and full.jsonl: the recorded conversation in three lengths.

usage: bench/chat/write_trace.py [FOLDER]

The files are kept in the repository; trace_test.py checks that this program still writes them.
"""

import json
import pathlib
import random
import sys

import material

# Which user turns (counted from 1) something happens before, what results the tools give, and how
# much is written: the numbers of tokens are chosen from `tokens` in turn.
SHAPES = {
    "tiny": {
        "tools": 4, "memory": 3, "turns": 6, "tokens": (12, 20, 16), "pause": 0.5,
        "results": {1: ("log", 3), 3: ("prices", 6), 5: ("weather", 1)},
        "before": {3: "cron", 4: "edit", 5: "tools", 6: "restart"}, "compact": 0},
    "small": {
        "tools": 8, "memory": 6, "turns": 14, "tokens": (24, 40, 32, 48), "pause": 1.0,
        "results": {1: ("log", 9), 2: ("sum", 1), 3: ("prices", 14), 5: ("rules", 1),
                    6: ("weather", 3), 7: ("mail", 5), 9: ("recall", 3), 11: ("sum", 1),
                    13: ("log", 4)},
        "before": {3: "cron", 6: "edit", 8: "tools", 9: "cron", 10: "idle", 12: "restart",
                   14: "compact"}, "compact": 3},
    "full": {
        "tools": 14, "memory": 10, "turns": 24, "tokens": (60, 110, 80, 150, 48, 200), "pause": 2.0,
        "results": {1: ("log", 24), 2: ("sum", 1), 3: ("prices", 30), 4: ("kept", 1),
                    5: ("rules", 1), 6: ("weather", 6), 7: ("mail", 20), 9: ("recall", 6),
                    10: ("sum", 1), 11: ("log", 22), 12: ("recall", 4), 13: ("job", 1),
                    14: ("prices", 22), 15: ("sum", 1), 17: ("log", 24),
                    19: ("prices", 26), 21: ("mail", 6), 23: ("sent", 1)},
        "before": {8: "cron", 12: "idle", 14: "tools", 16: "cron", 18: "edit", 20: "restart",
                   22: "compact", 23: "idle"}, "compact": 4},
}

CALLS = {
    "log": ("read_file", {"path": "files/log/ariadne-2026.md"}),
    "sum": ("calculator", {"expression": "(6.25 + 4.75 + 3.5) * 38"}),
    "prices": ("web_fetch", {"url": "https://chandlery.example/winter"}),
    "kept": ("remember", {"text": "The third frame on port has rot, a palm wide."}),
    "rules": ("web_fetch", {"url": "https://yard.example/rules"}),
    "weather": ("weather", {"place": "Marstal", "days": 6}),
    "mail": ("search_mail", {"query": "april after:2026-11-01", "limit": 14}),
    "recall": ("recall", {"query": "stove shed Holm survey"}),
    "job": ("add_job", {"when": "2026-12-05 08:00", "message": "ask the yard about the wedges"}),
    "sent": ("send_message", {"to": "the yard", "text": "I am ready by Tuesday."}),
}


def result_text(kind, size, seed):
    if kind == "log":
        return material.log_file(seed, size)
    if kind == "prices":
        return material.price_page(seed, size)
    if kind == "weather":
        return material.weather_page(seed, size)
    if kind == "mail":
        return material.mail_list(seed, size)
    if kind == "rules":
        return material.RULES_PAGE
    if kind == "recall":
        return "\n".join(f"- {page}" for page in material.MEMORY[:size])
    return {"sum": "551", "kept": "Kept as page 01k9z4m8.", "job": "Planned: Saturday 08:00.",
            "sent": "The owner has not agreed yet: nothing was sent."}[kind]


def system_text(shape):
    pages = "\n".join(f"- {page}" for page in material.MEMORY[:shape["memory"]])
    return (f"{material.IDENTITY}\n\n{material.RULES}\n\nWhat you know, as pages of memory:\n"
            f"{pages}")


def clock_text(turn):
    minutes = 8 * 60 + 40 + turn * 7
    day = 27 + (1 if turn >= 10 else 0)  # the date rolls over within the conversation
    return f"{day} November 2026, {minutes // 60 % 24:02d}:{minutes % 60:02d}"


def happening(kind, shape, rng):
    """The lines of a disturbance before a turn."""
    if kind == "cron":
        lines = [{"kind": "cron", "text": "It is time for the hourly look at the mail: is there "
                  "anything from the yard that cannot wait? " + material.mail_list(
                      rng.random(), 4), "tokens": shape["tokens"][0]}]
    elif kind == "tools":
        lines = [{"kind": "tools_changed", "off": [material.TOOLS[1]["name"]],
                  "on": [material.NEW_TOOL]}]
    elif kind == "restart":
        lines = [{"kind": "restart"}]
    elif kind == "idle":
        lines = [{"kind": "idle", "seconds": 600}]
    elif kind == "compact":
        lines = [{"kind": "compact", "keep": shape["compact"], "summary":
                  "So far: the log of the winter was read, the price list and the yard's rules "
                  "too; frost is forecast; the third frame on port has rot; three mails are open; "
                  "the launch is in the week of 19 April, the mast may stay in."}]
    else:
        lines = []
    return lines


def lines_of(name):
    shape, rng = SHAPES[name], random.Random(20261127)
    yield {"kind": "system", "text": system_text(shape)}
    yield {"kind": "tools", "tools": material.TOOLS[:shape["tools"]]}
    calls = 0

    def tokens():
        nonlocal calls
        calls += 1
        return shape["tokens"][calls % len(shape["tokens"])]

    def turn_lines(turn, question):
        if turn in shape["results"]:
            kind, size = shape["results"][turn]
            called, arguments = CALLS[kind]
            yield {"kind": "call", "name": called, "arguments": arguments, "tokens": tokens()}
            yield {"kind": "result", "name": called, "text": result_text(kind, size, turn)}
        yield {"kind": "answer", "text": material.answer(rng, turn), "tokens": tokens()}
        yield {"kind": "pause", "seconds": shape["pause"]}

    for turn in range(1, shape["turns"] + 1):
        question = material.QUESTIONS[(turn - 1) % len(material.QUESTIONS)]
        before = shape["before"].get(turn)
        yield from happening(before, shape, rng)
        yield {"kind": "clock", "text": clock_text(turn)}
        yield {"kind": "user", "text": question}
        yield from turn_lines(turn, question)
        if before == "edit":
            yield {"kind": "edit", "text": question + " I mean the newest entry only."}
            yield {"kind": "answer", "text": material.answer(rng, turn + 3), "tokens": tokens()}
            yield {"kind": "pause", "seconds": shape["pause"]}


def whole(name):
    return "".join(json.dumps(line) + "\n" for line in lines_of(name))


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    for name in SHAPES:
        (folder / f"{name}.jsonl").write_text(whole(name))


if __name__ == "__main__":
    main()
