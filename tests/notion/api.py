"""The endpoints of the API over a workspace, at the versions 2025-09-03 and 2026-03-11. Each takes
a Call and gives the answer's JSON, or raises Refused in the words of the service."""

import dataclasses
import re

import flavor
import values
from workspace import Refused, failed, invalid, new_id, stamp

VERSIONS = ("2025-09-03", "2026-03-11")
PAYLOAD_BLOCKS, CHILDREN = 1000, 100


@dataclasses.dataclass
class Call:
    method: str
    parts: list       # of the path behind /v1/
    query: dict
    body: dict
    version: str
    rights: set

    @property
    def newest(self):
        return self.version >= "2026-03-11"


class Api:
    def __init__(self, workspace):
        self.ws = workspace
        self.cursors = {}   # cursor -> (what it belongs to, place)
        self.tasks = {}     # id -> [how often it still says "running", operation, result]

    def answer(self, call):
        shape = [call.method] + [part if place % 2 == 0 or part == "me" else "*"
                                 for place, part in enumerate(call.parts)]
        for pattern, right, function in self.routes():
            if pattern.split() == shape:
                if right not in call.rights:
                    raise Refused(403, "restricted_resource",
                                  "Insufficient permissions for this endpoint.")
                answer = function(call)
                later = call.body.get("allow_async") and function in (
                    self.create_page, self.patch_markdown)
                return self.task_of(pattern, answer) if later else answer
        raise Refused(400, "invalid_request_url", "Invalid request URL.")

    def routes(self):
        return [
            ("GET users me", "read", self.me), ("GET users", "read", self.users),
            ("POST search", "read", self.search),
            ("POST pages", "insert", self.create_page), ("GET pages *", "read", self.get_page),
            ("PATCH pages *", "update", self.patch_page),
            ("GET pages * markdown", "read", self.get_markdown),
            ("PATCH pages * markdown", "update", self.patch_markdown),
            ("GET async_tasks *", "read", self.get_task),
            ("GET databases *", "read", self.get_database),
            ("GET data_sources *", "read", self.get_source),
            ("PATCH data_sources *", "update", self.patch_source),
            ("POST data_sources * query", "read", self.query),
            ("GET blocks *", "read", self.get_block),
            ("PATCH blocks *", "update", self.patch_block),
            ("DELETE blocks *", "update", self.delete_block),
            ("GET blocks * children", "read", self.children),
            ("PATCH blocks * children", "insert", self.append),
        ]

    def task_of(self, operation, answer):
        task = new_id()
        self.tasks[task] = [2, operation, answer]
        return self.show_task(task)

    def show_task(self, task):
        left, operation, answer = self.tasks[task]
        shown = {"object": "async_task", "id": task, "created_time": stamp(self.ws.now()),
                 "status_url": f"/v1/async_tasks/{task}",
                 "operation": {"surface": "rest", "name": operation}}
        if left > 0:
            self.tasks[task][0] = left - 1
            return {**shown, "status": "queued" if left > 1 else "running",
                    "poll_after_seconds": 1}
        return {**shown, "status": "succeeded", "result": answer}

    def get_task(self, call):
        if call.parts[1] not in self.tasks:
            raise self.missing("async_task", call.parts[1])
        return self.show_task(call.parts[1])

    # Finding

    def page(self, text, kind="page"):
        page = self.ws.pages.get(values.checked_id(kind, text))
        if page is None or page.deleted or not self.ws.is_shared(page):
            raise self.missing(kind, text)
        return page

    @staticmethod
    def missing(kind, text):
        return Refused(404, "object_not_found",
                       f"Could not find {kind} with ID: {values.checked_id(kind, text)}. Make sure "
                       "the relevant pages and databases are shared with your integration "
                       "\"keel\".")

    def source(self, text):
        source = self.ws.sources.get(values.checked_id("data_source", text))
        if source is None or source.database not in self.ws.shared_databases:
            raise self.missing("data_source", text)
        return source

    # Showing

    @staticmethod
    def trash(call, shown, in_trash):
        """2026-03-11 says in_trash only; before there was `archived` beside it."""
        shown["in_trash"] = in_trash
        if not call.newest:
            shown["archived"] = in_trash
        return shown

    def show_page(self, call, page):
        parent = dict(page.parent)
        properties = values.shown(self.ws.source_of(page), page)
        wanted = call.query.get("filter_properties")
        if wanted:
            properties = {name: one for name, one in properties.items()
                          if name in wanted or one["id"] in wanted}
        slug = re.sub(r"\W+", "-", self.ws.title_of(page)).strip("-")
        return self.trash(call, {
            "object": "page", "id": page.id, "created_time": stamp(page.created),
            "last_edited_time": stamp(page.edited),
            "created_by": {"object": "user", "id": page.created_by},
            "last_edited_by": {"object": "user", "id": page.edited_by},
            "cover": None, "icon": None, "parent": parent, "is_locked": False,
            "properties": properties, "public_url": None,
            "url": f"https://www.notion.so/{slug}-{page.id.replace('-', '')}".replace("/-", "/"),
        }, page.in_trash)

    def show_source(self, call, source):
        return self.trash(call, {
            "object": "data_source", "id": source.id, "created_time": stamp(source.created),
            "last_edited_time": stamp(source.edited), "icon": None, "cover": None,
            "title": flavor.rich_text(source.title), "description": [],
            "properties": {name: {"name": name, "description": None, **one}
                           for name, one in source.properties.items()},
            "parent": {"type": "database_id", "database_id": source.database},
            "database_parent": {"type": "workspace", "workspace": True}, "is_inline": False,
            "url": f"https://www.notion.so/{source.id.replace('-', '')}", "public_url": None,
        }, source.in_trash)

    def show_block(self, call, block, parent):
        kind = block["type"]
        content = {"rich_text": flavor.rich_text(block["md"]), "color": "default"}
        if kind == "divider":
            content = {}
        if kind == "child_page":
            content = {"title": block["md"]}
        if kind == "to_do":
            content["checked"] = bool(block.get("checked"))
        if kind == "code":
            literal = {"content": block["md"], "link": None}
            content = {"rich_text": [{"type": "text", "text": literal, "href": None,
                                      "annotations": dict(flavor.PLAIN),
                                      "plain_text": block["md"]}],
                       "caption": [], "language": block["language"]}
        now = stamp(self.ws.now())
        return self.trash(call, {
            "object": "block", "id": block["id"], "type": kind, kind: content,
            "parent": {"type": "page_id", "page_id": parent}, "created_time": now,
            "last_edited_time": now, "has_children": bool(block["children"]),
            "created_by": {"object": "user", "id": self.ws.bot},
            "last_edited_by": {"object": "user", "id": self.ws.bot}}, False)

    def listed(self, call, kind, items, show, limit=None):
        """A page of a list, with an opaque cursor that is good for this very list only."""
        source = call.body if call.method == "POST" else call.query
        size = source.get("page_size", 100)
        size = int(size) if str(size).isdigit() else 0
        if not 1 <= size <= 100:
            where = "body" if call.method == "POST" else "query"
            raise invalid(f"{where} failed validation: {where}.page_size should be ≤ `100`, "
                          f"instead was `{source.get('page_size')}`.")
        asked = {key: one for key, one in source.items()
                 if key not in ("start_cursor", "page_size")}
        owner = repr((call.method, call.parts, sorted(asked.items(), key=str)))
        start, cursor = 0, source.get("start_cursor")
        if cursor is not None:
            belongs, start = self.cursors.get(cursor, (None, 0))
            if belongs != owner:
                raise invalid("The start_cursor provided is invalid: " + str(cursor))
        end = min(start + size, len(items), limit or len(items))
        more = end < min(len(items), limit or len(items))
        following = None
        if more:
            following = new_id()
            self.cursors[following] = (owner, end)
        shown = {"object": "list", "results": [show(item) for item in items[start:end]],
                 "next_cursor": following, "has_more": more, "type": kind, kind: {}}
        if limit is not None:
            cut = not more and len(items) > limit
            shown["request_status"] = {"type": "incomplete", "incomplete_reason":
                                       "query_result_limit_reached"} if cut else {
                                           "type": "complete"}
        return shown

    # People and search

    def me(self, _):
        return {"object": "user", "id": self.ws.bot, "name": "keel", "avatar_url": None,
                "type": "bot", "bot": {"owner": self.ws.bot_owner, "workspace_name": "Home",
                                       "workspace_limits": {}}}

    def users(self, call):
        people = [{"object": "user", "id": one, "name": name, "avatar_url": None, "type": "person",
                   "person": {}} for one, name in
                  ((self.ws.owner, "Owner"), (self.ws.stranger, "Guest"))]
        return self.listed(call, "user", people, lambda person: person)

    def search(self, call):
        """By title, word by word; late, and not all, but for what is shared by name."""
        test = call.body.get("filter") or {}
        kind = test.get("value")
        if kind not in (None, "page", "data_source"):
            raise failed("body.filter.value should be `\"page\"` or `\"data_source\"`, instead was "
                         f"`\"{kind}\"`.")
        wanted = re.findall(r"\w+", (call.body.get("query") or "").lower())
        found = []
        for page in self.ws.pages.values():
            late = page.findable > self.ws.now() or (self.ws.search_omits and
                                                     self.ws.search_omits(page))
            if kind == "data_source" or page.deleted or page.in_trash != bool(
                    test.get("in_trash")) or not self.ws.is_shared(page) or (
                    late and not page.shared):
                continue
            title = re.findall(r"\w+", self.ws.title_of(page).lower())
            if all(any(word.startswith(want) for word in title) for want in wanted):
                found.append(page)
        found.sort(key=lambda page: page.edited, reverse=True)
        shown = [self.show_page(call, page) for page in found]
        if kind != "page":
            shown += [self.show_source(call, one) for one in self.ws.sources.values()
                      if one.database in self.ws.shared_databases and
                      all(want in one.title.lower() for want in wanted)]
        return self.listed(call, "page_or_data_source", shown, lambda one: one)

    # Databases

    def get_database(self, call):
        one = self.ws.databases.get(values.checked_id("database", call.parts[1]))
        if one is None or one["id"] not in self.ws.shared_databases:
            raise self.missing("database", call.parts[1])
        return self.trash(call, {
            "object": "database", "id": one["id"], "title": flavor.rich_text(one["title"]),
            "description": [], "created_time": stamp(one["created"]),
            "last_edited_time": stamp(one["edited"]), "icon": None, "cover": None,
            "parent": {"type": "workspace", "workspace": True}, "is_inline": False,
            "is_locked": False, "public_url": None,
            "url": f"https://www.notion.so/{one['id'].replace('-', '')}",
            "data_sources": [{"id": source, "name": self.ws.sources[source].title}
                             for source in one["sources"]]}, one["in_trash"])

    def get_source(self, call):
        return self.show_source(call, self.source(call.parts[1]))

    def patch_source(self, call):
        source = self.source(call.parts[1])
        for key, given in (call.body.get("properties") or {}).items():
            name, _ = source.find(key)
            if given is None and name:
                self.ws.owner_delete_property(source, name)
            elif name and given.get("name"):
                self.ws.owner_rename_property(source, name, given["name"])
            elif name is None:
                kind = given.get("type") or next(iter(given), None)
                if kind not in ("rich_text", "number", "select", "multi_select", "date", "url",
                                "checkbox"):
                    raise failed(f"body.properties.{key} should be a known property type.")
                self.ws.add_property(source, key, kind)
        source.edited = self.ws.now()
        return self.show_source(call, source)

    def query(self, call):
        source = self.source(call.parts[1])
        if "archived" in call.body and call.newest:
            raise failed("body.archived should be not present, instead was "
                         f"`{str(call.body['archived']).lower()}`.")
        trashed = bool(call.body.get("in_trash", call.body.get("archived", False)))
        rows = [page for page in self.ws.rows[source.id] if page.in_trash == trashed and
                not page.deleted and values.matches(source, page, call.body.get("filter"))]
        values.in_order(source, rows, call.body.get("sorts"))
        return self.listed(call, "page_or_data_source", rows,
                           lambda page: self.show_page(call, page), self.ws.query_limit)

    # Pages

    def create_page(self, call):
        body = call.body
        given = [key for key in ("children", "content", "markdown") if body.get(key) is not None]
        if len(given) > 1:
            raise failed(f"body.{given[0]} should be not present when body.{given[1]} is.")
        if body.get("markdown_version") and "markdown" not in given:
            raise failed("body.markdown_version should be not present without body.markdown.")
        parent = body.get("parent") or {}
        source = self.parent_source(parent)
        if source is None:
            above = self.page(parent.get("page_id", ""))
            where = {"type": "page_id", "page_id": above.id}
        else:
            where = {"type": "data_source_id", "data_source_id": source.id,
                     "database_id": source.database}
        taken = self.taken(source, body.get("properties") or {})
        blocks = []
        if "markdown" in given:
            blocks = flavor.blocks(body["markdown"], body.get("markdown_version") or "v1")
            if "title" not in taken and blocks and blocks[0]["type"] == "heading_1":
                taken["title"] = {"type": "title",
                                  "title": flavor.rich_text(blocks.pop(0)["md"])}
        elif given:
            blocks = self.new_blocks(body[given[0]], "body." + given[0])
        self.ws.spend(1 + flavor.count(blocks))
        page = self.ws.add_page(where, self.ws.bot)
        page.values.update(taken)
        page.blocks = blocks
        if source is None:
            above.blocks.append({**flavor.block("child_page", self.ws.title_of(page)),
                                 "id": page.id})
        return self.show_page(call, page)

    def parent_source(self, parent):
        if "data_source_id" in parent:
            return self.source(parent["data_source_id"])
        if "database_id" in parent:
            one = self.ws.databases.get(values.checked_id("database", parent["database_id"]))
            if one is None:
                raise self.missing("database", parent["database_id"])
            if len(one["sources"]) != 1:
                raise invalid("Databases with multiple data sources are not supported in this API "
                              "version.")
            return self.source(one["sources"][0])
        if "page_id" not in parent:
            raise failed("body.parent.page_id should be defined, instead was `undefined`.")
        return None

    @staticmethod
    def taken(source, given):
        out = {}
        for key, value in given.items():
            name, config = source.find(key) if source else (
                ("title", {"id": "title", "type": "title"}) if key == "title" else (None, None))
            if name is None:
                raise invalid(f"{key} is not a property that exists.")
            if config["type"] in ("title", "rich_text", "multi_select") and isinstance(
                    value, list):
                value = {config["type"]: value}
            out[config["id"]] = values.taken(name, config, value)
        return out

    def get_page(self, call):
        return self.show_page(call, self.page(call.parts[1]))

    def patch_page(self, call):
        page = self.page(call.parts[1])
        if "archived" in call.body and call.newest:
            raise failed("body.archived should be not present, instead was "
                         f"`{str(call.body['archived']).lower()}`.")
        taken = self.taken(self.ws.source_of(page), call.body.get("properties") or {})
        trashed = call.body.get("in_trash", call.body.get("archived"))
        if page.in_trash and taken and trashed is not False:
            raise invalid("Can't edit block that is archived. You must unarchive the block before "
                          "editing.")
        if trashed is not None:
            page.in_trash = bool(trashed)
        page.values.update(taken)
        if call.body.get("erase_content"):
            page.blocks = []
        self.ws.touch(page, self.ws.bot)
        return self.show_page(call, page)

    # Markdown

    @staticmethod
    def markdown_version(given):
        version = given or "v1"
        if version not in ("v1", "v2"):
            raise failed("body.markdown_version should be `\"v1\"` or `\"v2\"`, instead was "
                         f"`\"{version}\"`.")
        return version

    def show_markdown(self, page, version):
        return {"object": "page_markdown", "id": page.id,
                "markdown": flavor.markdown(page.blocks, version), "truncated": page.truncated,
                "unknown_block_ids": [block["id"] for block in page.blocks
                                      if block["type"] == "unsupported"]}

    def get_markdown(self, call):
        page = self.page(call.parts[1])
        return self.show_markdown(page, self.markdown_version(call.query.get("markdown_version")))

    def patch_markdown(self, call):
        page = self.page(call.parts[1])
        version = self.markdown_version(call.body.get("markdown_version"))
        kind = call.body.get("type")
        if kind not in ("update_content", "replace_content", "insert_content"):
            raise failed("body.type should be `\"insert_content\"`, `\"update_content\"`, "
                         f"`\"replace_content\"` or `\"replace_content_range\"`, instead was "
                         f"`\"{kind}\"`.")
        if page.in_trash:
            raise invalid("Can't edit block that is archived. You must unarchive the block before "
                          "editing.")
        work = call.body.get(kind) or {}
        old = flavor.markdown(page.blocks, version)
        if kind == "replace_content":
            text = work["new_str"]
        elif kind == "insert_content":
            start = (work.get("position") or {}).get("type") == "start"
            gap = "\n" if version == "v1" else "\n\n"
            text = gap.join(part for part in (
                (work["content"], old) if start else (old, work["content"])) if part)
        else:
            text = self.updated(old, work)
        blocks = flavor.blocks(text, version)
        lost = {b["id"] for b in page.blocks if b["type"] == "child_page"}
        if lost and not work.get("allow_deleting_content") and any(
                f'id="{one}"' not in text for one in lost):
            raise invalid("This would delete child pages. Set allow_deleting_content to true to "
                          "delete them.")
        grown = flavor.count(blocks) - flavor.count(page.blocks)
        if grown > 0:
            self.ws.spend(grown)
        page.blocks = blocks
        self.ws.touch(page, self.ws.bot)
        return self.show_markdown(page, version)

    @staticmethod
    def updated(old, work):
        """All replacements or none."""
        updates = work.get("content_updates") or []
        values.check_length("body.update_content.content_updates", updates)
        for one in updates:
            if not one.get("old_str"):
                raise failed("body.update_content.content_updates[0].old_str should be not empty.")
            count = old.count(one["old_str"])
            if count == 0:
                raise invalid("old_str was not found in the page content: " + one["old_str"][:100])
            if count > 1 and not one.get("replace_all_matches"):
                raise invalid(f"old_str matches {count} places in the page content; set "
                              "replace_all_matches, or give more of the text around it.")
            old = old.replace(one["old_str"], one["new_str"])
        return old

    # Blocks

    def new_blocks(self, given, path, depth=0):
        values.check_length(path, given, CHILDREN)
        if depth >= 2:
            raise failed(f"{path} should be not present: at most two levels of nesting.")
        made = []
        for number, one in enumerate(given):
            kind = one.get("type") or next((key for key in one if key != "object"), "")
            content = one.get(kind)
            if not isinstance(content, dict):
                raise failed(f"{path}[{number}].{kind or 'type'} should be defined, instead was "
                             "`undefined`.")
            text = content.get("rich_text", [])
            values.check_rich_text(f"{path}[{number}].{kind}.rich_text", text)
            md = flavor.from_rich_text(text)
            if kind == "code":
                md = "".join(part["text"]["content"] for part in text)
            made.append(flavor.block(kind, md, checked=bool(content.get("checked")),
                                     language=content.get("language", "plain text")))
            made[-1]["children"] = self.new_blocks(content.get("children", []),
                                                   f"{path}[{number}].{kind}.children", depth + 1)
        if depth == 0 and flavor.count(made) > PAYLOAD_BLOCKS:
            raise failed(f"{path} should hold at most `{PAYLOAD_BLOCKS}` blocks.")
        return made

    def block(self, text):
        found = self.ws.find_block(values.checked_id("block", text))
        if found is None or not self.ws.is_shared(found[0]):
            raise self.missing("block", text)
        return found

    def get_block(self, call):
        page, items, place = self.block(call.parts[1])
        return self.show_block(call, items[place], page.id)

    def patch_block(self, call):
        page, items, place = self.block(call.parts[1])
        one = items[place]
        if one["type"] not in call.body and "in_trash" not in call.body:
            raise failed(f"body.{one['type']} should be defined, instead was `undefined`.")
        content = call.body.get(one["type"], {})
        if "rich_text" in content:
            values.check_rich_text(f"body.{one['type']}.rich_text", content["rich_text"])
            one["md"] = flavor.from_rich_text(content["rich_text"])
        one["checked"] = content.get("checked", one.get("checked"))
        self.ws.touch(page, self.ws.bot)
        return self.show_block(call, one, page.id)

    def delete_block(self, call):
        page, items, place = self.block(call.parts[1])
        shown = self.show_block(call, items.pop(place), page.id)
        self.ws.touch(page, self.ws.bot)
        return self.trash(call, shown, True)

    def holder(self, text):
        """(page, the list of children) of a block or a page."""
        page = self.ws.pages.get(values.checked_id("block", text))
        if page is not None and self.ws.is_shared(page):
            return page, page.blocks
        page, items, place = self.block(text)
        return page, items[place]["children"]

    def children(self, call):
        page, items = self.holder(call.parts[1])
        return self.listed(call, "block", items,
                           lambda block: self.show_block(call, block, page.id))

    def append(self, call):
        page, items = self.holder(call.parts[1])
        wrong = "after" if call.newest else "position"
        if wrong in call.body:
            raise failed(f"body.{wrong} should be not present, instead was "
                         f"`{call.body[wrong]!r}`.")
        made = self.new_blocks(call.body.get("children") or [], "body.children")
        position = call.body.get("position") or {"type": "end"}
        after = call.body.get("after") or (position.get("after_block") or {}).get("id")
        place = 0 if position["type"] == "start" else len(items)
        if after:
            places = [i for i, item in enumerate(items)
                      if item["id"] == values.checked_id("block", after)]
            if not places:
                raise invalid(f"Could not find block with ID: {after} among the children.")
            place = places[0] + 1
        self.ws.spend(flavor.count(made))
        items[place:place] = made
        self.ws.touch(page, self.ws.bot)
        return self.listed(Call("GET", call.parts, {}, {}, call.version, call.rights), "block",
                           made, lambda block: self.show_block(call, block, page.id))
