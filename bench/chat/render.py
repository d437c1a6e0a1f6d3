"""History to prompt: as items of keel's engine protocol, and as chat messages for llama-server.

Both give the model the same text. keel's engine puts tools and their results into the form that
most small models were trained on (src/model/engine/template.cc); a client of llama-server that
wants to be compared does the same, and leaves only the marks of the roles to the model's template.
"""

import dataclasses
import json

TOOLS_HEAD = ("# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
              "You are provided with function signatures within <tools></tools> XML tags:\n<tools>")
TOOLS_TAIL = ("\n</tools>\n\nFor each function call, return a json object with function name and "
              "arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n"
              "{\"name\": <function-name>, \"arguments\": <args-json-object>}\n</tool_call>")
AFTER_RESULTS = "If this answers the request, answer it in words. Otherwise call the next tool."


def protocol_items(items):
    """Items as docs/formats/journal.md has them."""
    out = []
    for item in items:
        if item.role == "assistant" and item.call:
            block = {"type": "tool_call", "id": f"c{len(out)}", "name": item.call,
                     "arguments": item.arguments, "complete": True}
        elif item.role == "tool":
            block = {"type": "tool_result", "call_id": f"c{len(out) - 1}", "name": item.call,
                     "text": item.text, "is_error": False}
        else:
            block = {"type": "text", "text": item.text}
        out.append({"role": item.role, "blocks": [block]})
    return out


def tools_text(tools, spaced):
    """What the model is shown of its tools; templates write JSON with spaces, keel without."""
    marks = (", ", ": ") if spaced else (",", ":")
    lines = [json.dumps({"type": "function", "function": {
        "name": tool["name"], "description": tool["description"], "parameters": tool["schema"]}},
        separators=marks) for tool in tools]
    return TOOLS_HEAD + "".join("\n" + line for line in lines) + TOOLS_TAIL


def is_spaced(count, system, tools):
    """Whether this model's prompts have spaces in their JSON: the form whose length is right.

    count(items, tools) says how many tokens keel's own prompt has.
    """
    wanted = count(system, tools)

    def miss(spaced):
        text = system[0].text + "\n\n" + tools_text(tools, spaced)
        return abs(count((dataclasses.replace(system[0], text=text),), ()) - wanted)
    return miss(True) < miss(False)


def messages(items, tools, spaced=False):
    """Chat messages with alternating roles."""
    system = items[0].text
    if tools:
        system += "\n\n" + tools_text(tools, spaced)
    out = [{"role": "system", "content": system}]

    def user(text):
        if out[-1]["role"] == "user":
            out[-1]["content"] += "\n\n" + text
        else:
            out.append({"role": "user", "content": text})

    for item in items[1:]:
        if item.role == "system":
            user(f"<system-reminder>\n{item.text}\n</system-reminder>")
        elif item.role == "user":
            user(item.text)
        elif item.role == "tool":
            user(f"<tool_response>\n{item.text}\n</tool_response>\n\n{AFTER_RESULTS}")
        elif item.call:
            out.append({"role": "assistant", "content": "<tool_call>\n{\"name\": \"" + item.call +
                        "\", \"arguments\": " + item.arguments + "}\n</tool_call>"})
        else:
            out.append({"role": "assistant", "content": item.text})
    return out
