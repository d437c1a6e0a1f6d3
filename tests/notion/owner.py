"""What the owner does in the app, over HTTP beside the API: POST /owner/OPERATION with arguments in
JSON. For trying keel by hand and for programs in other languages; tests in this folder call the
workspace itself. Pages are named by their title or id."""

from workspace import invalid


def find(workspace, name):
    for page in workspace.pages.values():
        if name in (page.id, workspace.title_of(page)) and not page.deleted:
            return page
    raise invalid(f"there is no page {name}")


def the_source(workspace, body):
    name = body.get("data_source")
    return workspace.sources[name] if name else next(iter(workspace.sources.values()))


def shown(workspace, page):
    return {"id": page.id, "title": workspace.title_of(page), "body": workspace.body(page),
            "in_trash": page.in_trash, "parent": page.parent}


def act(server, operation, body):
    """The answer's JSON."""
    workspace = server.ws
    if operation == "pages":
        return [shown(workspace, page) for page in workspace.pages.values()]
    if operation == "requests":
        return server.requests
    if operation == "row":
        return shown(workspace, workspace.owner_row(the_source(workspace, body), body["title"],
                                                    body.get("body", "")))
    if operation == "page":
        return shown(workspace, workspace.owner_page(body["title"], body.get("body", "")))
    if operation == "clock":
        workspace.skew = float(body["ahead_seconds"])
        return {}
    if operation == "rename_property":
        workspace.owner_rename_property(the_source(workspace, body), body["old"], body["new"])
        return {}
    if operation == "delete_property":
        workspace.owner_delete_property(the_source(workspace, body), body["name"])
        return {}
    if operation == "token":
        workspace.tokens = {body["token"]: {"read", "insert", "update"}} if body["token"] else {}
        return {}
    page = find(workspace, body.get("page"))
    by = workspace.stranger if body.get("stranger") else workspace.owner
    if operation == "edit":
        workspace.owner_edit(page, body.get("body"), body.get("title"), by,
                             body.get("bump", True))
    elif operation in ("trash", "restore"):
        workspace.owner_trash(page, operation == "trash")
    elif operation == "duplicate":
        page = workspace.owner_duplicate(page)
    elif operation == "share":
        page.shared = body.get("shared", True)
    else:
        raise invalid(f"the owner cannot {operation}")
    return shown(workspace, page)
