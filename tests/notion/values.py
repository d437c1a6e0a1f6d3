"""Values of properties: what the API takes, what it gives, and what a filter says about them."""

import re

import flavor
from workspace import as_id, failed, invalid, new_id, stamp

LIST_LIMIT = 100


def check_length(path, items, limit=LIST_LIMIT):
    if len(items) > limit:
        raise failed(f"{path}.length should be ≤ `{limit}`, instead was `{len(items)}`.")


def check_rich_text(path, items):
    if not isinstance(items, list):
        raise failed(f"{path} should be an array, instead was `{type(items).__name__}`.")
    check_length(path, items)
    for number, item in enumerate(items):
        text = item.get("text") if isinstance(item, dict) else None
        if not isinstance(text, dict) or not isinstance(text.get("content"), str):
            raise failed(f"{path}[{number}].text should be defined, instead was `undefined`.")
        check_length(f"{path}[{number}].text.content", text["content"], 2000)
        url = (text.get("link") or {}).get("url")
        if url is not None:
            check_length(f"{path}[{number}].text.link.url", url, 2000 if url else 0)


def option(config, given):
    """An option of a select; unknown names are added, as the API does."""
    for known in config["options"]:
        if given.get("id") == known["id"] or given.get("name", "").lower() == known["name"].lower():
            return known
    made = {"id": new_id(), "name": given.get("name", ""), "color": "default", "description": None}
    if "," in made["name"]:
        raise invalid("Invalid select option, commas not allowed: " + made["name"])
    if len(config["options"]) >= 10_000:
        raise invalid("Too many options.")
    config["options"].append(made)
    return made


def taken(name, config, given):
    """A value as the API is given it, as it gives it back (without its id)."""
    kind = config["type"]
    path = f"body.properties.{name}.{kind}"
    if not isinstance(given, dict) or kind not in given:
        raise invalid(f"{name} is expected to be {kind}.")
    value = given[kind]
    if kind in ("title", "rich_text"):
        check_rich_text(path, value)
        value = flavor.rich_text(flavor.from_rich_text(value))
    elif kind == "select" and value is not None:
        check_length(path + ".name", value.get("name", ""))
        value = option(config["select"], value)
    elif kind == "multi_select":
        check_length(path, value)
        for place, one in enumerate(value):
            check_length(f"{path}[{place}].name", one.get("name", ""))
        value = [option(config["multi_select"], one) for one in value]
    elif kind == "number" and value is not None and not isinstance(value, (int, float)):
        raise failed(f"{path} should be a number or `null`, instead was `{value!r}`.")
    elif kind == "url" and value is not None:
        check_length(path, value, 2000)
        if not value:
            raise failed(f"{path} should be not empty or `null`.")
    elif kind == "date" and value is not None:
        if not re.match(r"\d{4}-\d\d-\d\d", str(value.get("start"))):
            raise failed(f"{path}.start should be a valid ISO 8601 date string, instead was "
                         f"`\"{value.get('start')}\"`.")
        value = {"start": value["start"], "end": value.get("end"), "time_zone": None}
    return {"type": kind, kind: value}


def empty(kind):
    return {"type": kind, kind: [] if kind in ("title", "rich_text", "multi_select") else None}


def shown(source, page):
    """All properties of a page."""
    if source is None:
        return {"title": {"id": "title", **page.values.get("title", empty("title"))}}
    return {name: {"id": one["id"], **page.values.get(one["id"], empty(one["type"]))}
            for name, one in source.properties.items()}


def words(value):
    kind = value["type"]
    if kind in ("title", "rich_text"):
        return "".join(part["plain_text"] for part in value[kind])
    if kind == "select":
        return (value["select"] or {}).get("name")
    return value[kind]


def time_matches(seconds, test):
    told = stamp(seconds)
    for name, want in test.items():
        want = str(want)[:16]
        if not {"on_or_after": told[:16] >= want, "after": told[:16] > want,
                "before": told[:16] < want, "on_or_before": told[:16] <= want,
                "equals": told[:16] == want}.get(name, False):
            return False
    return True


def value_matches(value, kind, test):
    have = words(value)
    for name, want in test.items():
        if name == "is_empty":
            fits = not have
        elif name == "is_not_empty":
            fits = bool(have)
        elif kind == "multi_select":
            names = [one["name"] for one in have]
            fits = {"contains": want in names, "does_not_contain": want not in names}.get(name)
        else:
            fits = {"equals": have == want, "does_not_equal": have != want,
                    "contains": str(want) in str(have or ""),
                    "starts_with": str(have or "").startswith(str(want))}.get(name)
        if fits is None:
            raise failed(f"body.filter.{kind}.{name} should be not present.")
        if not fits:
            return False
    return True


def matches(source, page, test, depth=0):
    """Whether a row fits a filter; `and` and `or` nest two levels."""
    if not test:
        return True
    for name, how in (("and", all), ("or", any)):
        if name in test:
            if depth >= 2:
                raise failed("body.filter nests too deep.")
            check_length("body.filter." + name, test[name])
            return how(matches(source, page, one, depth + 1) for one in test[name])
    if "timestamp" in test:
        kind = test["timestamp"]
        if kind not in ("created_time", "last_edited_time") or kind not in test:
            raise failed("body.filter.timestamp should be `\"created_time\"` or "
                         "`\"last_edited_time\"`.")
        return time_matches(page.created if kind == "created_time" else page.edited, test[kind])
    name, config = source.find(test.get("property"))
    if name is None:
        raise invalid(f"Could not find property with name or id: {test.get('property')}")
    kind = next((key for key in test if key not in ("property", "type")), None)
    if kind != config["type"]:
        raise invalid(f"database property {config['type']} does not match filter {kind}")
    value = page.values.get(config["id"], empty(kind))
    return value_matches(value, kind, test[kind])


def in_order(source, pages, sorts):
    for sort in reversed(sorts or []):
        back = sort.get("direction") == "descending"
        if "timestamp" in sort:
            created = sort["timestamp"] == "created_time"
            pages.sort(key=lambda p, c=created: int((p.created if c else p.edited) // 60),
                       reverse=back)
        else:
            name, config = source.find(sort.get("property"))
            if name is None:
                raise invalid(f"Could not find sort property with name or id: "
                              f"{sort.get('property')}")
            pages.sort(key=lambda p, c=config: str(words(
                p.values.get(c["id"], empty(c["type"]))) or ""), reverse=back)
    return pages


def checked_id(kind, text):
    found = as_id(text)
    if found is None:
        raise invalid(f"path failed validation: path.{kind}_id should be a valid uuid, instead was "
                      f"`\"{text}\"`.")
    return found
