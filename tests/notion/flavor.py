"""Notion-flavored Markdown: text to blocks and back. v1 takes each line as a block, v2 separates
blocks by blank lines; both escape the same characters. Blocks are dictionaries {type, md, children,
...} where `md` is the inline text in the one form that is always given back, so that a round trip
is stable but not always byte-exact, as with the service."""

import re
import uuid

SPECIAL = "\\*~`$[]<>{}|^"
PLAIN = {"bold": False, "italic": False, "strikethrough": False, "underline": False, "code": False,
         "color": "default"}
INLINE = re.compile(
    r"(?P<escape>\\[\\*~`$\[\]<>{}|^])|(?P<code>`[^`\n]+`)|(?P<break><br>)|"
    r"(?P<link>\[(?P<name>(?:\\.|[^\[\]\\])+)\]\((?P<url>[^()\s]+)\))|"
    r"(?P<bold>\*\*(?P<b>(?:\\.|[^*\\])+)\*\*)|(?P<strike>~~(?P<s>(?:\\.|[^~\\])+)~~)|"
    r"(?P<italic>\*(?P<i>(?:\\.|[^*\s\\])(?:(?:\\.|[^*\\])*(?:\\.|[^*\s\\]))?)\*)")


def pieces(text, style=None):
    """(text, style, url): what the inline markdown says."""
    style = dict(style or PLAIN)
    out, at = [], 0
    for match in INLINE.finditer(text):
        if match.start() > at:
            out.append((text[at:match.start()], style, None))
        at = match.end()
        if match["escape"]:
            out.append((match["escape"][1], style, None))
        elif match["code"]:
            out.append((match["code"][1:-1], {**style, "code": True}, None))
        elif match["break"]:
            out.append(("\n", style, None))
        elif match["link"]:
            out += [(part, look, match["url"]) for part, look, _ in pieces(match["name"], style)]
        else:
            name, inner = next((name, match[group]) for name, group, whole in (
                ("bold", "b", "bold"), ("strikethrough", "s", "strike"), ("italic", "i", "italic"))
                if match[whole])
            out += pieces(inner, {**style, name: True})
    if at < len(text):
        out.append((text[at:], style, None))
    joined = []
    for part in out:
        if joined and joined[-1][1:] == part[1:]:
            joined[-1] = (joined[-1][0] + part[0], *part[1:])
        else:
            joined.append(part)
    return joined


def escaped(text):
    return "".join("\\" + c if c in SPECIAL else c for c in text)


def inline(parts):
    """The markdown of such pieces."""
    out = ""
    for text, style, url in parts:
        if style["code"]:
            words = "`" + text + "`"
        else:
            words = escaped(text)
            for mark, name in (("*", "italic"), ("**", "bold"), ("~~", "strikethrough")):
                if style[name]:
                    words = mark + words + mark
        out += f"[{words}]({url})" if url else words
    return out


def canonical(text):
    return inline(pieces(text))


def rich_text(md):
    out = []
    for text, style, url in pieces(md):
        for start in range(0, len(text), 2000):
            part = text[start:start + 2000]
            out.append({"type": "text", "text": {"content": part, "link": url and {"url": url}},
                        "annotations": dict(style), "plain_text": part, "href": url})
    return out


def from_rich_text(items):
    parts = []
    for item in items:
        style = {**PLAIN, **(item.get("annotations") or {})}
        text = item.get("text") or {}
        parts.append((text.get("content", ""), style, (text.get("link") or {}).get("url")))
    return inline(parts)


def plain_text(md):
    return "".join(text for text, _, _ in pieces(md))


def block(kind, md="", **more):
    return {"id": str(uuid.uuid4()), "type": kind, "md": md, "children": [], **more}


LINES = [
    (re.compile(r"(#{1,6}) +(.*)", re.S), lambda m: block(f"heading_{min(len(m[1]), 4)}", m[2])),
    (re.compile(r"- \[([ xX])\] ?(.*)", re.S),
     lambda m: block("to_do", m[2], checked=m[1] in "xX")),
    (re.compile(r"[-*+] +(.*)", re.S), lambda m: block("bulleted_list_item", m[1])),
    (re.compile(r"\d+[.)] +(.*)", re.S), lambda m: block("numbered_list_item", m[1])),
    (re.compile(r"> ?(.*)", re.S), lambda m: block("quote", m[1])),
    (re.compile(r"(?:---+|\*\*\*+)\s*$"), lambda m: block("divider")),
    (re.compile(r'<page id="([^"]+)">(.*)</page>$'),
     lambda m: {**block("child_page", m[2]), "id": m[1]}),
]
LIST = {"to_do", "bulleted_list_item", "numbered_list_item"}


def one_block(text):
    for pattern, make in LINES:
        match = pattern.match(text)
        if match:
            made = make(match)
            made["md"] = canonical(made["md"])
            return made
    return block("paragraph", canonical(text))


def blocks(markdown, version):
    """The tree of blocks that a text makes."""
    top, stack, gap = [], [], True
    lines = markdown.replace("\r\n", "\n").split("\n")
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if not line.strip():
            gap = True
            continue
        depth = len(line) - len(line.lstrip("\t"))
        text = line[depth:]
        fence = re.match(r"(`{3,})(.*)$", text)
        if fence:
            end = next((i for i in range(at, len(lines)) if lines[i].strip() == fence[1]),
                       len(lines))
            made = block("code", "\n".join(lines[at:end]),
                         language=fence[2].strip() or "plain text")
            at = end + 1
        else:
            made = one_block(text)
        last = stack[-1] if stack else None
        if (version == "v2" and not gap and last and made["type"] == "paragraph" and
                last["type"] in {"paragraph", "quote"} and not depth):
            last["md"] += "\n" + made["md"]
            continue
        if version == "v2" and not gap and last and last["type"] == made["type"] == "quote":
            last["md"] += "\n" + made["md"]
            continue
        gap = made["type"] == "code"
        depth = min(depth, len(stack))
        if depth and version == "v2" and stack[depth - 1]["type"] not in LIST:
            depth = 0
        (stack[depth - 1]["children"] if depth else top).append(made)
        stack = stack[:depth] + [made]
    return top


def line_of(item, number):
    kind, md = item["type"], item["md"]
    if kind.startswith("heading_"):
        return "#" * int(kind[-1]) + " " + md
    if kind == "to_do":
        return f"- [{'x' if item.get('checked') else ' '}] {md}"
    if kind == "bulleted_list_item":
        return "- " + md
    if kind == "numbered_list_item":
        return f"{number}. {md}"
    if kind == "quote":
        return "\n".join("> " + line for line in md.split("\n"))
    if kind == "divider":
        return "---"
    if kind == "code":
        return f"```{item['language']}\n{md}\n```"
    if kind == "child_page":
        return f'<page id="{item["id"]}">{md}</page>'
    return md


def markdown(items, version, depth=0):
    """The text of a tree of blocks."""
    out, number, before = "", 0, None
    for item in items:
        number = number + 1 if item["type"] == "numbered_list_item" else 0
        together = version == "v1" or depth or (before in LIST and item["type"] == before)
        if before is not None:
            out += "\n" if together else "\n\n"
        text = line_of(item, number)
        if version == "v1" and item["type"] != "code":
            text = text.replace("\n", "<br>")
        out += "\n".join("\t" * depth + line for line in text.split("\n"))
        if item["children"]:
            out += "\n" + markdown(item["children"], version, depth + 1)
        before = item["type"]
    return out


def count(items):
    return sum(1 + count(item["children"]) for item in items)
