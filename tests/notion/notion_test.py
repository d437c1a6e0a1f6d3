"""The Notion server of the tests, and what other clients make of it. The official client is tried
where KEEL_NOTION_SDK names a folder with node_modules (npm install @notionhq/client; 5.26.0 was
tried), the Python one where it is installed (pip install notion-client; 3.1.0 was tried)."""

import importlib.util
import json
import os
import subprocess
import unittest
import urllib.error
import urllib.request

import flavor
from server import NotionServer, every

PLAIN = "2026-03-11"


class ServerTest(unittest.TestCase):
    def setUp(self):
        self.server = NotionServer()
        self.addCleanup(self.server.stop)
        self.ws = self.server.ws
        self.database, self.source = self.ws.add_database(properties={"keel_id": "rich_text"})

    def call(self, method, path, body=None, version=PLAIN, token="secret", raw=False):
        request = urllib.request.Request(
            self.server.base + "/v1/" + path, method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": "Bearer " + token, "Content-Type": "application/json",
                     **({"Notion-Version": version} if version else {})})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            text = error.read().decode()
            return error.code, (error.headers, text) if raw else json.loads(text)

    def create(self, title, **more):
        return self.call("POST", "pages", {
            "parent": {"data_source_id": self.source.id},
            "properties": {"Name": {"title": [{"text": {"content": title}}]}}, **more})


class RulesTest(ServerTest):
    def test_who_asks_and_at_which_version(self):
        status, error = self.call("GET", "users/me", token="wrong")
        self.assertEqual((status, error["code"], error["message"]),
                         (401, "unauthorized", "API token is invalid."))
        status, error = self.call("GET", "users/me", version=None)
        self.assertEqual((status, error["code"]), (400, "missing_version"))
        self.ws.tokens["reader"] = {"read"}
        status, error = self.call("PATCH", "pages/" + "0" * 32, {}, token="reader")
        self.assertEqual((status, error["code"]), (403, "restricted_resource"))

    def test_trash_is_told_by_version(self):
        page = self.create("x")[1]
        self.assertNotIn("archived", page)
        old = self.call("GET", "pages/" + page["id"], version="2025-09-03")[1]
        self.assertFalse(old["archived"])
        status, error = self.call("PATCH", "pages/" + page["id"], {"archived": True})
        self.assertEqual((status, error["message"]), (
            400, "body failed validation: body.archived should be not present, instead was "
            "`true`."))
        status, gone = self.call("PATCH", "pages/" + page["id"], {"archived": True}, "2025-09-03")
        self.assertTrue(gone["in_trash"])
        status, error = self.call("PATCH", f"pages/{page['id']}/markdown", {
            "type": "replace_content", "replace_content": {"new_str": "y"}})
        self.assertIn("archived", error["message"])

    def test_what_is_not_shared_is_not_there(self):
        hidden = self.ws.owner_page("Diary", shared=False)
        status, error = self.call("GET", "pages/" + hidden.id)
        self.assertEqual((status, error["code"]), (404, "object_not_found"))
        self.assertIn(f"Could not find page with ID: {hidden.id}.", error["message"])
        self.assertEqual(self.call("GET", "pages/abc")[1]["message"],
                         "path failed validation: path.page_id should be a valid uuid, instead was "
                         '`"abc"`.')

    def test_search_knows_titles_only_and_late(self):
        self.ws.search_delay = 60
        self.ws.owner_row(self.source, "Late boat", "anchor")
        shared = self.ws.owner_page("Shared boat", "anchor")
        found = self.call("POST", "search", {"query": "boat"})[1]["results"]
        self.assertEqual([one["id"] for one in found], [shared.id])
        self.assertEqual(self.call("POST", "search", {"query": "anchor"})[1]["results"], [])
        self.ws.skew = 61
        self.assertEqual(len(self.call("POST", "search", {"query": "boat"})[1]["results"]), 2)

    def test_a_query_ends_silently_at_its_limit(self):
        self.ws.query_limit = 5
        for number in range(7):
            self.ws.owner_row(self.source, f"Row {number}")
        path = f"data_sources/{self.source.id}/query"
        first = self.call("POST", path, {"page_size": 3})[1]
        self.assertTrue(first["has_more"])
        last = self.call("POST", path, {"page_size": 3, "start_cursor": first["next_cursor"]})[1]
        self.assertEqual((len(last["results"]), last["has_more"], last["request_status"]), (
            2, False, {"type": "incomplete", "incomplete_reason": "query_result_limit_reached"}))
        status, error = self.call("POST", "search", {"start_cursor": first["next_cursor"]})
        self.assertEqual(status, 400)
        self.assertIn("start_cursor provided is invalid", error["message"])

    def test_the_free_plan_counts_for_life(self):
        self.ws.free, self.ws.blocks_made = True, 998
        page = self.create("one", markdown="two")[1]
        self.call("PATCH", "pages/" + page["id"], {"in_trash": True})
        status, error = self.create("three")
        self.assertEqual((status, error["code"]), (403, "restricted_resource"))
        self.assertIn("block limit", error["message"])
        status, _ = self.call("PATCH", "pages/" + page["id"], {"in_trash": False})
        self.assertEqual(status, 200)

    def test_child_pages_are_guarded(self):
        above = self.ws.owner_page("Above", "text")
        self.call("POST", "pages", {"parent": {"page_id": above.id}, "properties": {
            "title": [{"text": {"content": "Below"}}]}})
        path = f"pages/{above.id}/markdown"
        replace = {"type": "replace_content", "replace_content": {"new_str": "new"}}
        self.assertIn("child pages", self.call("PATCH", path, replace)[1]["message"])
        replace["replace_content"]["allow_deleting_content"] = True
        self.assertEqual(self.call("PATCH", path, replace)[0], 200)

    def test_old_str_must_be_there_once(self):
        page = self.create("x", markdown="a\n\nb\n\na", markdown_version="v2")[1]
        def update(old):
            return self.call("PATCH", f"pages/{page['id']}/markdown", {
                "type": "update_content", "markdown_version": "v2", "update_content": {
                    "content_updates": [{"old_str": old, "new_str": "c"}]}})
        self.assertIn("matches 2 places", update("a")[1]["message"])
        self.assertIn("was not found", update("z")[1]["message"])
        self.assertEqual(update("b")[1]["markdown"], "a\n\nc\n\na")

    def test_work_may_be_done_later(self):
        status, task = self.create("x", markdown="a", allow_async=True)
        self.assertEqual((status, task["object"], task["status"]), (202, "async_task", "queued"))
        self.assertEqual(self.call("GET", "async_tasks/" + task["id"])[1]["status"], "running")
        done = self.call("GET", "async_tasks/" + task["id"])[1]
        self.assertEqual((done["status"], done["result"]["object"]), ("succeeded", "page"))

    def test_the_owner_is_at_the_door_beside_the_api(self):
        def owner(operation, **body):
            request = urllib.request.Request(self.server.base + "/owner/" + operation,
                                             data=json.dumps(body).encode())
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.load(answer)
        owner("row", title="By hand", body="One.")
        owner("edit", page="By hand", body="Two.")
        owner("trash", page="By hand")
        shown = owner("pages")[0]
        self.assertEqual((shown["body"], shown["in_trash"]), ("Two.", True))
        self.assertEqual(owner("requests"), [])
        with self.assertRaises(urllib.error.HTTPError):
            owner("dance")

    def test_owners_do_what_they_like(self):
        page = self.ws.owner_row(self.source, "Mine", "text")
        before = page.edited
        self.ws.skew = 300
        self.ws.owner_edit(page, body="changed", bump=False)
        self.assertEqual(page.edited, before)
        self.ws.owner_rename_property(self.source, "keel_id", "Ident")
        self.assertIn("Ident", self.call("GET", "pages/" + page.id)[1]["properties"])
        self.ws.owner_delete_property(self.source, "Ident")
        status, error = self.call("PATCH", "pages/" + page.id, {"properties": {
            "keel_id": {"rich_text": []}}})
        self.assertEqual((status, error["message"]),
                         (400, "keel_id is not a property that exists."))

    def test_markdown_comes_back_in_one_form(self):
        text = ("# Head\n\nA 5 * 3, **bold**, `c*d`, [n](http://x.y/a_b), {x}\nnext line\n\n- one\n"
                "- two\n\tsub\n\n1. a\n2. b\n\n> quote\n\n```py\nx = {1}\n```\n\nend")
        for version in ("v1", "v2"):
            once = flavor.markdown(flavor.blocks(text, version), version)
            self.assertEqual(flavor.markdown(flavor.blocks(once, version), version), once)
            self.assertIn("5 \\* 3, **bold**, `c*d`", once)
        self.assertNotIn("\n\n", flavor.markdown(flavor.blocks("a\n\nb", "v1"), "v1"))


class FaultTest(ServerTest):
    def test_each_fault_says_what_it_is(self):
        plan = ["rate", "overload", "conflict", "error", "unavailable", "timeout", "edge"]
        self.server.faults = lambda number: plan[number - 1] if number <= len(plan) else None
        seen = []
        for _ in plan:
            status, (headers, text) = self.call("GET", "users/me", raw=True)
            seen.append(status)
            if status in (429, 529):
                self.assertEqual(headers["Retry-After"], "1")
            if status == 502:
                self.assertTrue(text.startswith("<!DOCTYPE html>"))
                self.assertTrue(headers["cf-ray"])
        self.assertEqual(seen, [429, 529, 409, 500, 503, 504, 502])
        self.assertEqual(self.call("GET", "users/me")[0], 200)

    def test_applied_and_yet_failed(self):
        self.server.faults = lambda number: {1: "applied-timeout", 2: "applied-reset",
                                             3: "reset"}.get(number)
        self.assertEqual(self.create("one")[0], 504)
        for _ in range(2):
            with self.assertRaises((ConnectionError, urllib.error.URLError)):
                self.create("two")
        rows = self.call("POST", f"data_sources/{self.source.id}/query", {})[1]["results"]
        self.assertEqual(len(rows), 2)
        self.assertEqual([one[3] for one in self.server.requests],
                         ["applied-timeout", "applied-reset", "reset", 200])


SDK = os.environ.get("KEEL_NOTION_SDK", "")


@unittest.skipUnless(os.path.isdir(SDK + "/node_modules/@notionhq/client"),
                     "KEEL_NOTION_SDK names no folder with @notionhq/client")
class OfficialClientTest(ServerTest):
    def official(self, version):
        folder = os.path.dirname(os.path.abspath(__file__))
        done = subprocess.run(["node", folder + "/official.js", self.server.base, "secret",
                               version, self.source.id, self.database], capture_output=True,
                              text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, f"ok {version}\n")

    def test_2026_03_11(self):
        self.official("2026-03-11")

    def test_2025_09_03(self):
        self.official("2025-09-03")

    def test_2026_03_11_with_rate_limits(self):
        self.server.faults = every(9, ("rate", "overload"))
        self.official("2026-03-11")


@unittest.skipUnless(importlib.util.find_spec("notion_client"), "notion-client is not installed")
class PythonClientTest(ServerTest):
    def test_it_finds_its_way(self):
        import notion_client
        from notion_client.helpers import collect_paginated_api, is_full_page
        client = notion_client.Client(auth="secret", base_url=self.server.base,
                                      notion_version=PLAIN)
        self.assertEqual(client.users.me()["type"], "bot")
        page = client.pages.create(parent={"data_source_id": self.source.id}, properties={
            "Name": {"title": [{"text": {"content": "From Python"}}]}})
        self.assertTrue(is_full_page(page))
        client.blocks.children.append(page["id"], children=[
            {"paragraph": {"rich_text": [{"text": {"content": "text"}}]}}])
        kids = collect_paginated_api(client.blocks.children.list, block_id=page["id"])
        self.assertEqual(kids[0]["paragraph"]["rich_text"][0]["plain_text"], "text")
        self.assertEqual(client.pages.retrieve_markdown(page["id"])["markdown"], "text")
        rows = collect_paginated_api(client.data_sources.query, data_source_id=self.source.id)
        self.assertEqual([row["id"] for row in rows], [page["id"]])
        with self.assertRaises(notion_client.APIResponseError) as caught:
            client.pages.retrieve("0" * 32)
        self.assertEqual(caught.exception.code, "object_not_found")


if __name__ == "__main__":
    unittest.main()
