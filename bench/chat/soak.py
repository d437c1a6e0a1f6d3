"""One engine process for many passes over the trace: whether it gets slower, and whether it grows.

Each pass is a conversation of its own with the same text, so each call writes the same tokens at
the same depth as in the first pass; calls are compared one with one. Restarts are left out, and so
are pauses: nothing happens in them.
"""

import dataclasses
import statistics

import playback
import report

SPEED_LEAST = 0.97   # of the first pass
GROWTH_MOST = 0.05   # of resident memory
SETTLED = 2          # passes until all that may be kept is kept


def one_process(events):
    return [event for event in events if event["kind"] not in ("restart", "pause", "idle")]


def pass_steps(events, style, number):
    """The steps of one pass; its conversations have names of their own."""
    for step in playback.Player(events, style).steps():
        if isinstance(step, playback.Opening):
            step = dataclasses.replace(step, seconds=0.0)
        yield dataclasses.replace(step, conversation=f"{step.conversation} {number}")


def speed_by_depth(first, calls):
    """By bin of report.BORDERS: how fast the calls wrote against those of the first pass, median
    over the calls; None where no call is so deep."""
    ratios = [[] for _ in report.BORDERS[1:]]
    for before, now in zip(first, calls, strict=True):
        if before["prompt"] != now["prompt"] or before["tokens"] != now["tokens"]:
            raise ValueError(f"the passes differ: {before['prompt']} tokens, {now['prompt']}")
        if now["tokens"] > 1 and now["write_s"] > 0:
            ratios[report.depth_of(now["prompt"])].append(before["write_s"] / now["write_s"])
    return [statistics.median(some) if some else None for some in ratios]


def rates(calls):
    """Tokens a second written, by bin of report.BORDERS."""
    return [tokens / seconds if seconds > 0 else None
            for tokens, seconds in report.written_by_depth(calls)]


def lasting(passes):
    """The passes at the end that the verdict rests on: a third, but not the first two."""
    return passes[max(len(passes) - max(len(passes) // 3, 1), min(SETTLED, len(passes) - 1)):]


def verdict(passes):
    """{"speed": [ratio or None by depth], "growth": share, "slow": names of depths, "grown": bool}.

    Speed: medians over the passes at the end, against the first. Growth: the largest of them
    against the pass after which nothing more is kept.
    """
    last = lasting(passes)
    speed = []
    for index in range(len(report.BORDERS) - 1):
        values = [p["speed"][index] for p in last if p["speed"][index] is not None]
        speed.append(statistics.median(values) if values else None)
    settled = passes[min(SETTLED, len(passes)) - 1]["memory_mb"]
    growth = max(p["memory_mb"] for p in last) / settled - 1.0
    slow = [report.depth_name(i) for i, ratio in enumerate(speed)
            if ratio is not None and ratio < SPEED_LEAST]
    return {"speed": speed, "growth": growth, "slow": slow, "grown": growth > GROWTH_MOST}
