#include "memory/foreign/chats.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/limits.h"
#include "base/text.h"
#include "memory/foreign/elements.h"
#include "memory/markdown/front_matter.h"

namespace keel::memory {
namespace {

const Json& member(const Json& object, std::string_view key) {
  static const Json none;
  if (!object.is_object()) return none;
  const auto found = object.find(key);
  return found == object.end() ? none : *found;
}

std::string text_of(const Json& object, std::string_view key) {
  const Json& value = member(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

WallMs ms_of(const Json& value) {
  if (value.is_number()) {
    const double seconds = value.get<double>();
    if (std::isfinite(seconds) && seconds > 0 && seconds < 1e11)
      return static_cast<WallMs>(std::llround(seconds * 1000.0));
  }
  if (value.is_string()) return time_of(value.get<std::string>()).value_or(0);
  return 0;
}

struct Turn {
  std::string id, speaker, text, model;
  WallMs at_ms = 0;
};

// What was typed and answered, without pictures, tools and what the model thought.
std::string chatgpt_text(const Json& message) {
  const Json& content = member(message, "content");
  const std::string type = text_of(content, "content_type");
  if (type == "code") return text_of(content, "text");
  if (type != "text" && type != "multimodal_text") return {};
  std::string out;
  const Json& parts = member(content, "parts");
  if (!parts.is_array()) return out;
  for (const Json& part : parts) {
    std::string piece;
    if (part.is_string())
      piece = part.get<std::string>();
    else if (text_of(part, "content_type") == "image_asset_pointer")
      piece = "[picture]";
    else
      piece = text_of(part, "text");
    if (piece.empty()) continue;
    if (!out.empty()) out += "\n\n";
    out += piece;
  }
  return out;
}

// Regenerated answers and edited questions are branches of a tree: from the node that was seen last
// to the root.
std::vector<Turn> chatgpt_turns(const Json& conversation, std::vector<Problem>& problems) {
  const Json& mapping = member(conversation, "mapping");
  std::string node = text_of(conversation, "current_node");
  if (!mapping.is_object()) return {};
  if (!mapping.contains(node)) {
    WallMs newest = -1;
    for (const auto& [id, one] : mapping.items()) {
      const WallMs at = ms_of(member(member(one, "message"), "create_time"));
      const Json& children = member(one, "children");
      if (at > newest && (!children.is_array() || children.empty())) newest = at, node = id;
    }
    problems.push_back(
        {{}, 0, "does not say which branch was seen last; the newest is taken", false});
  }
  std::vector<Turn> turns;
  std::set<std::string> seen;
  while (mapping.contains(node) && seen.insert(node).second) {
    const Json& one = mapping[node];
    const Json& message = member(one, "message");
    const std::string role = text_of(member(message, "author"), "role");
    const Json& meta = member(message, "metadata");
    const bool hidden = member(meta, "is_visually_hidden_from_conversation") == Json(true);
    if ((role == "user" || role == "assistant") && !hidden) {
      const std::string id = text_of(message, "id");
      turns.push_back({id.empty() ? node : id, role == "user" ? "Owner" : "ChatGPT",
                       chatgpt_text(message), text_of(meta, "model_slug"),
                       ms_of(member(message, "create_time"))});
    }
    node = text_of(one, "parent");
  }
  std::reverse(turns.begin(), turns.end());
  return turns;
}

std::string claude_text(const Json& message) {
  std::string out;
  const Json& content = member(message, "content");
  if (content.is_array()) {
    for (const Json& block : content) {
      const std::string piece = text_of(block, "type") == "text" ? text_of(block, "text") : "";
      if (!piece.empty()) out += (out.empty() ? "" : "\n\n") + piece;
    }
  }
  if (out.empty()) out = text_of(message, "text");
  const Json& attached = member(message, "attachments");
  if (attached.is_array()) {
    for (const Json& one : attached)
      if (const std::string name = text_of(one, "file_name"); !name.empty())
        out += (out.empty() ? "" : "\n\n") + std::string("[file: ") + name + "]";
  }
  return out;
}

std::vector<Turn> claude_turns(const Json& conversation) {
  std::vector<Turn> turns;
  const Json& messages = member(conversation, "chat_messages");
  if (!messages.is_array()) return turns;
  for (const Json& message : messages) {
    const std::string sender = text_of(message, "sender");
    if (sender != "human" && sender != "assistant") continue;
    turns.push_back({text_of(message, "uuid"),
                     sender == "human" ? "Owner" : "Claude",
                     claude_text(message),
                     {},
                     ms_of(member(message, "created_at"))});
  }
  return turns;
}

}  // namespace

std::vector<NewPage> turns_of(const Json& conversation, Chats kind,
                              std::vector<Problem>& problems) {
  const bool chatgpt = kind == Chats::chatgpt;
  const std::string service = chatgpt ? "chatgpt" : "claude";
  std::string id = text_of(conversation, chatgpt ? "conversation_id" : "uuid");
  if (id.empty()) id = text_of(conversation, "id");
  const std::string title = text_of(conversation, chatgpt ? "title" : "name");
  WallMs before = ms_of(member(conversation, chatgpt ? "create_time" : "created_at"));
  std::vector<NewPage> pages;
  for (Turn& turn : chatgpt ? chatgpt_turns(conversation, problems) : claude_turns(conversation)) {
    // Turns without a time, or of the same, stay in their order.
    if (turn.at_ms <= before) turn.at_ms = before + 1;
    before = turn.at_ms;
    if (trim(turn.text).empty()) continue;
    NewPage page;
    page.kind = "episode";
    page.body = std::string(utf8_prefix(turn.text, limits::foreign_message_bytes));
    if (page.body.size() < turn.text.size())
      problems.push_back({{},
                          0,
                          fmt::format("a turn of {} is cut after {}", bytes_text(turn.text.size()),
                                      bytes_text(page.body.size())),
                          false});
    page.speaker = turn.speaker;
    page.session = service + ":" + id;
    page.created_ms = turn.at_ms;
    page.day = local_day(turn.at_ms);
    page.author_model = turn.model;
    page.source_uri = service + ":" + id + "/" + turn.id;
    page.id = ulid_from(page.source_uri + (turn.id.empty() ? page.body : ""), turn.at_ms);
    if (!title.empty()) page.tags.push_back(shorten(title, limits::memory_tag_bytes));
    pages.push_back(std::move(page));
  }
  return pages;
}

Chats chats_in(const std::string& path) {
  Result<Elements> elements = Elements::open(path);
  if (!elements) return Chats::none;
  const Result<std::optional<std::string>> first = elements->next();
  if (!first || !*first) return Chats::none;
  const Result<Json> json = parse_json(**first);
  if (!json) return Chats::none;
  if (member(*json, "mapping").is_object()) return Chats::chatgpt;
  return member(*json, "chat_messages").is_array() ? Chats::claude : Chats::none;
}

Status import_chats(const std::string& path, const std::string& file, Chats kind, Intake& intake,
                    ImportReport& report) {
  Elements elements = TRY(Elements::open(path));
  ++report.files;
  for (;;) {
    const Result<std::optional<std::string>> text = elements.next();
    const int line = static_cast<int>(elements.line());
    if (!text) {
      report.add({file, line, text.error().message, true});
      break;
    }
    if (!*text) break;
    const Result<Json> conversation = parse_json(**text, "the conversation");
    if (!conversation || !conversation->is_object()) {
      report.add({file, line,
                  (*text)->empty()
                      ? "the conversation is larger than " + bytes_text(limits::json_bytes)
                      : "the conversation is not JSON that can be read",
                  true});
      continue;
    }
    std::vector<Problem> problems;
    for (NewPage& page : turns_of(*conversation, kind, problems))
      TRY(intake.take(std::move(page), file, line));
    for (Problem& one : problems) report.add({file, line, std::move(one.what), one.skipped});
  }
  return intake.finish();
}

}  // namespace keel::memory
