"""Whether memory and its mirror say the same, judged by this side's own Markdown."""

import contextlib
import sqlite3

import flavor


def query(home, sql):
    path = f"file:{home}/keel.db?mode=ro"
    with contextlib.closing(sqlite3.connect(path, uri=True)) as database:
        return database.execute(sql).fetchall()


def differences(home, workspace, source):
    """(how many pages there are, what is wrong): each page has one row that says what it says, and
    no row is without a page."""
    pages = query(home, "SELECT p.id, p.title, p.body, n.remote_id FROM page p "
                        "LEFT JOIN notion_page n ON n.page_id = p.id")
    live = {row.id: row for row in workspace.rows[source.id] if not row.in_trash}
    key = source.properties["keel_id"]["id"]
    found, named = [], set()
    for row in live.values():
        words = row.values.get(key, {"rich_text": []})["rich_text"]
        if words and words[0]["plain_text"] in named:
            found.append("the keel_id " + words[0]["plain_text"] + " stands twice")
        named.update(part["plain_text"] for part in words)
    if len(pages) != len(live):
        found.append(f"{len(pages)} pages, {len(live)} rows")
    for page_id, title, body, remote in pages:
        row = live.get(remote)
        shown = "" if body.strip() == title else body
        if row is None:
            found.append(f"page {page_id} has no row")
        elif workspace.title_of(row) != title:
            found.append(f"page {page_id}: {title!r} is {workspace.title_of(row)!r} there")
        elif workspace.body(row) != flavor.markdown(flavor.blocks(shown, "v2"), "v2"):
            found.append(f"page {page_id}: {shown!r} is {workspace.body(row)!r} there")
    return len(pages), found
