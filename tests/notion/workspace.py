"""What a Notion workspace holds: pages, databases with their data sources, people, what is shared
with the connection; and what its owner does in the app. server.py speaks the API over it."""

import datetime
import threading
import time
import uuid

import flavor

FREE_BLOCKS = 1000


class Refused(Exception):
    """An error as the API says it."""

    def __init__(self, status, code, message, more=None):
        super().__init__(message)
        self.status, self.code, self.message, self.more = status, code, message, more


def invalid(message):
    return Refused(400, "validation_error", message)


def failed(message):
    return invalid("body failed validation: " + message)


def stamp(seconds):
    """Times are told by the minute."""
    moment = datetime.datetime.fromtimestamp(int(seconds // 60) * 60, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:00.000Z")


def new_id():
    return str(uuid.uuid4())


def as_id(text):
    try:
        return str(uuid.UUID(text)) if len(str(text)) in (32, 36) else None
    except (ValueError, AttributeError, TypeError):
        return None


class Page:
    def __init__(self, parent, by, now):
        self.id = new_id()
        self.parent = parent        # {"type": ..., ...: id}
        self.values = {}            # property id -> value in the form of an answer, without id
        self.blocks = []
        self.created = self.edited = now
        self.created_by = self.edited_by = by
        self.in_trash = False
        self.shared = False         # directly, by name
        self.findable = 0.0         # when the search index has it
        self.truncated = False
        self.deleted = False


class DataSource:
    def __init__(self, database, title, now):
        self.id, self.database, self.title = new_id(), database, title
        self.created = self.edited = now
        self.in_trash = False
        self.properties = {}        # name -> {id, type, ...}

    def find(self, key):
        """(name, property) by name or id."""
        for name, one in self.properties.items():
            if key in (name, one["id"]):
                return name, one
        return None, None


class Workspace:
    """All of it under one lock; the owner_... functions are what a person does in the app."""

    def __init__(self):
        self.lock = threading.RLock()
        self.skew = 0.0              # seconds that its clock is ahead
        self.bot, self.owner, self.stranger = new_id(), new_id(), new_id()
        self.bot_owner = {"type": "workspace", "workspace": True}
        self.tokens = {"secret": {"read", "insert", "update"}}
        self.pages, self.sources, self.databases = {}, {}, {}
        self.rows = {}               # data source id -> its pages, in the order of creation
        self.shared_databases = set()
        self.search_delay = 0.0      # seconds until a page is found by its title
        self.search_omits = None     # page -> True: never found, unless shared directly
        self.query_limit = 10_000
        self.free = False            # plan: a lifetime of FREE_BLOCKS
        self.blocks_made = 0
        self.grace = False           # over the limit, but still let be

    def now(self):
        return time.time() + self.skew

    # Making things

    def add_database(self, title="keel memory", shared=True, properties=None):
        """(database id, data source) with a title property, as the app makes it."""
        database = {"id": new_id(), "title": title, "sources": [], "in_trash": False,
                    "created": self.now(), "edited": self.now()}
        self.databases[database["id"]] = database
        if shared:
            self.shared_databases.add(database["id"])
        return database["id"], self.add_source(database["id"], title, properties)

    def add_source(self, database, title, properties=None):
        source = DataSource(database, title, self.now())
        source.properties["Name"] = {"id": "title", "type": "title", "title": {}}
        for name, kind in (properties or {}).items():
            self.add_property(source, name, kind)
        self.sources[source.id] = source
        self.rows[source.id] = []
        self.databases[database]["sources"].append(source.id)
        return source

    @staticmethod
    def add_property(source, name, kind):
        source.properties[name] = {"id": uuid.uuid4().hex[:4], "type": kind, kind: (
            {"options": []} if kind.endswith("select") else
            {"format": "number"} if kind == "number" else {})}

    def spend(self, blocks):
        """The free plan counts every block that was ever made; deleting gives nothing back."""
        over = self.blocks_made + blocks > FREE_BLOCKS
        if self.free and over and not self.grace:
            raise Refused(403, "restricted_resource",
                          "This workspace has reached its block limit. Upgrade the plan to add "
                          "more blocks.")
        self.blocks_made += blocks

    def add_page(self, parent, by):
        page = Page(parent, by, self.now())
        page.findable = self.now() + self.search_delay
        self.pages[page.id] = page
        if parent["type"] == "data_source_id":
            self.rows[parent["data_source_id"]].append(page)
        return page

    def touch(self, page, by):
        page.edited, page.edited_by = self.now(), by

    # Looking

    def is_shared(self, page):
        if page.shared:
            return True
        kind = page.parent["type"]
        if kind == "page_id":
            above = self.pages.get(page.parent["page_id"])
            return above is not None and self.is_shared(above)
        if kind == "data_source_id":
            return self.sources[page.parent["data_source_id"]].database in self.shared_databases
        return False

    def source_of(self, page):
        return self.sources.get(page.parent.get("data_source_id"))

    def title_of(self, page):
        value = page.values.get("title") or {}
        return "".join(part["plain_text"] for part in value.get("title", []))

    def find_block(self, block_id):
        """(page, list that holds it, its place)"""
        def within(items):
            for place, item in enumerate(items):
                if item["id"] == block_id:
                    return items, place
                found = within(item["children"])
                if found:
                    return found
            return None
        for page in self.pages.values():
            found = within(page.blocks)
            if found:
                return page, *found
        return None

    # What a person does in the app

    def owner_row(self, source, title, body="", by=None, values=None):
        with self.lock:
            page = self.add_page({"type": "data_source_id", "data_source_id": source.id,
                                  "database_id": source.database}, by or self.owner)
            page.values["title"] = {"type": "title", "title": flavor.rich_text(
                flavor.escaped(title))}
            page.values.update(values or {})
            page.blocks = flavor.blocks(body, "v2")
            return page

    def owner_page(self, title, body="", shared=True, parent=None):
        with self.lock:
            page = self.add_page(parent or {"type": "workspace", "workspace": True}, self.owner)
            page.shared = shared
            page.values["title"] = {"type": "title", "title": flavor.rich_text(
                flavor.escaped(title))}
            page.blocks = flavor.blocks(body, "v2")
            return page

    def owner_edit(self, page, body=None, title=None, by=None, bump=True):
        """`bump`: whether the time of the last edit moves; it has been seen not to."""
        with self.lock:
            if body is not None:
                page.blocks = flavor.blocks(body, "v2")
            if title is not None:
                page.values["title"] = {"type": "title", "title": flavor.rich_text(
                    flavor.escaped(title))}
            if bump:
                self.touch(page, by or self.owner)

    def owner_trash(self, page, trashed=True):
        with self.lock:
            page.in_trash = trashed
            self.touch(page, self.owner)

    def owner_duplicate(self, page):
        """As "Duplicate" in the app: every property goes with it, keel_id too."""
        with self.lock:
            twin = self.add_page(dict(page.parent), self.owner)
            twin.values = dict(page.values)
            twin.blocks = flavor.blocks(flavor.markdown(page.blocks, "v2"), "v2")
            return twin

    def owner_rename_property(self, source, old, new):
        with self.lock:
            source.properties = {new if name == old else name: one
                                 for name, one in source.properties.items()}

    def owner_delete_property(self, source, name):
        with self.lock:
            gone = source.properties.pop(name)
            for page in self.rows[source.id]:
                page.values.pop(gone["id"], None)

    def body(self, page, version="v2"):
        with self.lock:
            return flavor.markdown(page.blocks, version)
