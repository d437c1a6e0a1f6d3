"""What came out: tables for the terminal and one page with plots."""

import html
import json
import statistics

BORDERS = (0, 2000, 4000, 8000, 16000, 1 << 30)
COLOURS = ("#0b6e4f", "#c44536", "#e09f3e", "#335c9b", "#7a5195", "#5f6f52", "#9e2a2b", "#3a7ca5",
           "#8d6a9f", "#444444", "#2f9c95")


def depth_name(index):
    low, high = BORDERS[index] // 1000, BORDERS[index + 1] // 1000
    return f"{low}k and more" if index == len(BORDERS) - 2 else f"{low}-{high}k"


def depth_of(prompt):
    """The bin of BORDERS for a prompt of so many tokens."""
    return next(i for i, high in enumerate(BORDERS[1:]) if prompt < high)


def written_by_depth(calls):
    """By bin: tokens after the first of each call, and the seconds that they took."""
    written = [[0, 0.0] for _ in BORDERS[1:]]
    for call in calls:
        index = depth_of(call["prompt"])
        written[index][0] += call["tokens"] - 1
        written[index][1] += call["write_s"]
    return written


def figures(passed, new_tokens):
    """The figures of one pass."""
    calls = passed["calls"]
    firsts = sorted(call["first_s"] for call in calls)
    evaluated = sum(call["evaluated"] for call in calls) + passed["evaluated_ahead"]
    after = [call["first_s"] for call in calls if call["after_restart"]]
    written = written_by_depth(calls)
    return {
        "wall_s": sum(call["wall_s"] for call in calls) + passed["overrun_s"],
        "waiting_s": sum(firsts),
        "first_median_s": statistics.median(firsts),
        "first_max_s": firsts[-1],
        "evaluated": evaluated,
        "amplification": evaluated / new_tokens,
        "after_restart_s": after[0] if after else None,
        "write_tps": sum(w[0] for w in written) / max(sum(w[1] for w in written), 1e-9),
        "write_tps_by_depth": [w[0] / w[1] if w[1] else None for w in written],
        "drafted": sum(call["drafted"] for call in calls),
        "accepted": sum(call["accepted"] for call in calls),
        "memory_mb": passed["memory_mb"],
        "other_load": passed.get("other_load", 0.0),
    }


def gather(result):
    """Figures by arm, each a list over the passes."""
    arms = {}
    for passed in result["passes"]:
        arms.setdefault(passed["arm"], []).append(figures(passed, result["new_tokens"]))
    return arms


def middle(rows, key, index=None):
    values = [row[key] if index is None else row[key][index] for row in rows]
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def cell(rows, key, digits, index=None):
    values = [row[key] if index is None else row[key][index] for row in rows]
    values = [value for value in values if value is not None]
    if not values:
        return "-"
    text = f"{statistics.median(values):.{digits}f}"
    if len(values) > 1:
        text += f" ({min(values):.{digits}f}-{max(values):.{digits}f})"
    return text


COLUMNS = (("wall s", "wall_s", 1), ("waiting s", "waiting_s", 1),
           ("first s", "first_median_s", 2), ("longest s", "first_max_s", 1),
           ("evaluated", "evaluated", 0), ("amplification", "amplification", 2),
           ("after kill s", "after_restart_s", 2), ("writing t/s", "write_tps", 1),
           ("memory MB", "memory_mb", 0), ("others' load", "other_load", 2))


def against(arms):
    """The arm that ratios are taken against: keel where it took part."""
    for name in ("keel", "keel-own"):
        if name in arms:
            return name
    return next(iter(arms))


def table(result):
    """Lines of the main table; what each arm took, as a multiple of keel's, in brackets behind."""
    arms = gather(result)
    base = against(arms)
    wall = middle(arms[base], "wall_s")
    lines = ["  ".join([f"{'arm':18}"] + [f"{title:>16}" for title, _, _ in COLUMNS] +
                       [f"wall / {base}"])]
    for name, rows in arms.items():
        lines.append("  ".join([f"{name:18}"] +
                               [f"{cell(rows, key, digits):>16}" for _, key, digits in COLUMNS] +
                               [f"{middle(rows, 'wall_s') / wall:12.2f}"]))
    return lines


def depth_table(result):
    arms = gather(result)
    used = [i for i in range(len(BORDERS) - 1)
            if any(middle(rows, "write_tps_by_depth", i) for rows in arms.values())]
    lines = ["  ".join([f"{'writing, t/s at':18}"] + [f"{depth_name(i):>18}" for i in used] +
                       [f"{'guessed, taken':>18}"])]
    for name, rows in arms.items():
        lines.append("  ".join(
            [f"{name:18}"] + [f"{cell(rows, 'write_tps_by_depth', 1, i):>18}" for i in used] +
            [f"{middle(rows, 'drafted'):.0f}, {middle(rows, 'accepted'):.0f}".rjust(18)]))
    return lines


# --- the page

def line_plot(title, unit, series):
    """An SVG of lines: series is [(name, colour, [(x, y)])]."""
    wide, high, left, bottom = 860, 300, 60, 40
    points = [point for _, _, line in series for point in line]
    most_x = max((x for x, _ in points), default=1) or 1
    most_y = max((y for _, y in points), default=1) or 1

    def place(x, y):
        return (left + x / most_x * (wide - left - 10),
                high - bottom - y / most_y * (high - bottom - 20))
    parts = [f'<svg viewBox="0 0 {wide} {high}" role="img"><title>{html.escape(title)}</title>']
    for step in range(5):
        x, y = place(0, most_y * step / 4)
        parts.append(f'<line x1="{x}" y1="{y:.1f}" x2="{wide - 10}" y2="{y:.1f}" class="grid"/>'
                     f'<text x="{x - 6}" y="{y + 4:.1f}" text-anchor="end">'
                     f'{most_y * step / 4:.3g}</text>')
        x, y = place(most_x * step / 4, 0)
        parts.append(f'<text x="{x:.1f}" y="{y + 16}" text-anchor="middle">'
                     f'{most_x * step / 4:.0f}</text>')
    for name, colour, line in series:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in line))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2">'
                     f'<title>{html.escape(name)}</title></polyline>')
    parts.append(f'<text x="{left}" y="12">{html.escape(unit)}</text></svg>')
    return f"<h2>{html.escape(title)}</h2>" + "".join(parts)


def bar_plot(title, unit, bars):
    """An SVG of bars: bars is [(name, colour, value)]."""
    wide, row = 860, 26
    most = max(value for _, _, value in bars) or 1
    parts = [f'<svg viewBox="0 0 {wide} {row * len(bars) + 10}" role="img">']
    for index, (name, colour, value) in enumerate(bars):
        y = index * row
        parts.append(f'<text x="150" y="{y + 17}" text-anchor="end">{html.escape(name)}</text>'
                     f'<rect x="158" y="{y + 4}" width="{value / most * 600:.1f}" height="18" '
                     f'fill="{colour}"/><text x="{164 + value / most * 600:.1f}" y="{y + 17}">'
                     f'{value:.1f} {html.escape(unit)}</text>')
    return f"<h2>{html.escape(title)}</h2>" + "".join(parts) + "</svg>"


def plots(result):
    arms = gather(result)
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(arms)}
    first_pass = {}
    for passed in result["passes"]:
        first_pass.setdefault(passed["arm"], passed)
    yield bar_plot("Time of the whole conversation", "s",
                   [(n, colours[n], middle(rows, "wall_s")) for n, rows in arms.items()])
    yield line_plot("Waiting for the first token, call by call", "seconds", [
        (n, colours[n], [(i + 1, call["first_s"]) for i, call in enumerate(p["calls"])])
        for n, p in first_pass.items()])
    totals = []
    for name, passed in first_pass.items():
        total, line = 0, []
        for number, call in enumerate(passed["calls"], 1):
            total += call["evaluated"]
            line.append((number, total))
        totals.append((name, colours[name], line))
    yield line_plot("Prompt tokens evaluated while the owner waits, summed", "tokens", totals)
    yield line_plot("Writing by depth (tokens of the prompt)", "tokens a second", [
        (n, colours[n], sorted((call["prompt"], (call["tokens"] - 1) / call["write_s"])
                               for call in p["calls"] if call["write_s"] > 0))
        for n, p in first_pass.items()])


STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:900px;margin:2em auto;padding:0 1em}
svg{width:100%;background:#fafafa}svg text{font:12px sans-serif;fill:#333}.grid{stroke:#ddd}
pre{overflow-x:auto;background:#f4f4f4;padding:1em;font-size:12px}h2{margin-top:1.6em}"""


def page(result, known):
    """One page with everything inside."""
    arms = gather(result)
    legend = " ".join(f'<span style="color:{COLOURS[i % len(COLOURS)]}">&#9632; '
                      f"{html.escape(name)}</span>" for i, name in enumerate(arms))
    settings = {passed["arm"]: passed["settings"] for passed in result["passes"]}
    return ("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
            f"<title>keel: a long conversation</title><style>{STYLE}</style>"
            f"<h1>A long conversation, {html.escape(result['trace'])}</h1>"
            f"<p>{html.escape(known)}. {result['new_tokens']} new prompt tokens; context "
            f"{result['context']}.</p><p>{legend}</p>" + "".join(plots(result)) +
            "<h2>Figures</h2><pre>" +
            html.escape("\n".join(table(result) + [""] + depth_table(result))) +
            "</pre><h2>Settings</h2><pre>" + html.escape(json.dumps(settings, indent=1)) +
            "</pre></html>\n")
