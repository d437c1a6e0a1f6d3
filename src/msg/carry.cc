#include "msg/carry.h"

#include <algorithm>

#include "base/text.h"

namespace keel::msg {
namespace {

constexpr char inside_mark = '\n';  // between the name of a member and that of a member in it

std::string prefix_of(std::string_view inside) {
  return inside.empty() ? std::string() : std::string(inside) + inside_mark;
}

Lost kind_of(std::string_view key) {
  if (key == "cache_control") return Lost::cache_hint;
  if (key == "tool_choice") return Lost::tool_choice;
  return Lost::extra;
}

}  // namespace

tl::unexpected<Error> wrong(const std::string& where, const std::string& what) {
  return fail(Code::invalid_argument, where + ": " + what);
}

void read_extras(Extras& out, const Value& object, Dialect dialect,
                 std::initializer_list<std::string_view> known, std::string_view inside) {
  for (const Value member : object) {
    std::string key = member.key();
    if (member.empty() || std::find(known.begin(), known.end(), key) != known.end()) continue;
    out.push_back({dialect, prefix_of(inside) + key, std::string(member.raw())});
  }
}

void write_extras(Writer& w, const Extras& extras, Dialect dialect, Losses& losses,
                  const std::string& where, std::string_view inside) {
  const std::string prefix = prefix_of(inside);
  for (const Extra& e : extras) {
    const std::size_t mark = e.key.find(inside_mark);
    if (inside.empty() && e.dialect != dialect) {
      const std::string name = replace_all(e.key, std::string(1, inside_mark), ".");
      losses.push_back({kind_of(name), where + "." + name, "only its own dialect knows this"});
    }
    if (e.dialect != dialect) continue;
    if (inside.empty() && mark == std::string::npos) w.member(e.key, e.json);
    if (!inside.empty() && mark != std::string::npos && e.key.rfind(prefix, 0) == 0) {
      w.member(e.key.substr(prefix.size()), e.json);
    }
  }
}

bool has_extras(const Extras& extras, Dialect dialect, std::string_view inside) {
  const std::string prefix = prefix_of(inside);
  return std::any_of(extras.begin(), extras.end(), [&](const Extra& e) {
    return e.dialect == dialect && e.key.rfind(prefix, 0) == 0;
  });
}

std::string read_text(const Value& value, const std::string& where, Losses& losses) {
  std::string text = value.string();
  constexpr std::string_view replacement = "\xef\xbf\xbd";
  const std::string_view raw = value.raw();
  const bool escaped_half =
      raw.find("\\ud") != std::string_view::npos || raw.find("\\uD") != std::string_view::npos;
  if (escaped_half && text.find(replacement) != std::string::npos) {
    losses.push_back({Lost::characters, where, "half a surrogate pair is no character"});
  }
  return text;
}

std::size_t head_end(const std::vector<Item>& items) {
  std::size_t at = 0;
  while (at < items.size() && items[at].role == Role::system) ++at;
  return at;
}

void demote_system(std::vector<Item>& items, Losses& losses) {
  for (std::size_t i = head_end(items); i < items.size(); ++i) {
    if (items[i].role != Role::system) continue;
    items[i].role = Role::user;
    items[i].developer = false;
    for (Block& block : items[i].blocks) {
      auto* text = std::get_if<Text>(&block);
      if (text == nullptr) continue;
      text->text = "<system-reminder>\n" + text->text + "\n</system-reminder>";
    }
    losses.push_back({Lost::role, "items." + std::to_string(i),
                      "a system note in the middle is written as user text"});
  }
}

namespace {

template <class T>
void settle(std::vector<T>& blocks, Dialect dialect, std::size_t item, Losses& losses) {
  for (std::size_t b = 0; b < blocks.size();) {
    const auto* opaque = std::get_if<Opaque>(&blocks[b]);
    if (opaque == nullptr || opaque->dialect == dialect) {
      ++b;
      continue;
    }
    losses.push_back({Lost::opaque, block_path(item, b),
                      "only its own dialect knows the type " + json_quoted(opaque->type)});
    if (opaque->text.empty()) {
      blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(b));
    } else {
      blocks[b++] = Text{opaque->text};
    }
  }
}

}  // namespace

void settle_opaque(std::vector<Item>& items, Dialect dialect, Losses& losses) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    settle(items[i].blocks, dialect, i, losses);
    for (Block& block : items[i].blocks) {
      if (auto* result = std::get_if<ToolResult>(&block)) settle(result->parts, dialect, i, losses);
    }
  }
}

bool drop_thinking(std::vector<Item>& items, Losses& losses,
                   const std::function<std::optional<Loss>(const Thinking&)>& judge) {
  bool dropped = false;
  for (std::size_t i = 0; i < items.size(); ++i) {
    std::vector<Block>& blocks = items[i].blocks;
    for (std::size_t b = blocks.size(); b-- > 0;) {
      const auto* thinking = std::get_if<Thinking>(&blocks[b]);
      std::optional<Loss> loss = thinking == nullptr ? std::nullopt : judge(*thinking);
      if (!loss) continue;
      loss->where = block_path(i, b);
      losses.push_back(std::move(*loss));
      blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(b));
      dropped = true;
    }
  }
  return dropped;
}

void describe_images(std::vector<Item>& items, Losses& losses) {
  const auto lose = [&](std::size_t i, std::size_t b) {
    losses.push_back({Lost::image, block_path(i, b), "the model cannot see"});
  };
  for (std::size_t i = 0; i < items.size(); ++i) {
    for (std::size_t b = 0; b < items[i].blocks.size(); ++b) {
      Block& block = items[i].blocks[b];
      if (const auto* image = std::get_if<Image>(&block)) {
        lose(i, b);
        block = Text{described(*image)};
      } else if (auto* result = std::get_if<ToolResult>(&block)) {
        for (ToolResult::Part& part : result->parts) {
          const auto* shown = std::get_if<Image>(&part);
          if (shown == nullptr) continue;
          lose(i, b);
          part = Text{described(*shown)};
        }
      }
    }
  }
}

void alias_ids(std::vector<Item>& items, IdForm form) {
  for (Item& item : items) {
    for (Block& block : item.blocks) {
      if (auto* call = std::get_if<ToolCall>(&block)) call->id = id_alias(call->id, form);
      if (auto* result = std::get_if<ToolResult>(&block)) {
        result->call_id = id_alias(result->call_id, form);
      }
    }
  }
}

void alias_names(Conversation& conversation, ToolNames& names) {
  for (Tool& tool : conversation.tools) {
    if (tool.kind == ToolKind::server) continue;
    const std::string alias = names.alias(tool.space, tool.name);
    if (conversation.params.tool_choice.name == tool.name) {
      conversation.params.tool_choice.name = alias;
    }
    tool.name = alias;
  }
  for (Item& item : conversation.items) {
    for (Block& block : item.blocks) {
      auto* call = std::get_if<ToolCall>(&block);
      if (call != nullptr) call->name = names.alias(call->space, call->name);
    }
  }
}

std::string described(const Image& image) {
  // Titles and addresses come from outside: quoted, so that they cannot pass for keel's words.
  if (image.source.from == Media::From::url) {
    return "[An image that cannot be shown here: " + json_quoted(image.source.data) + "]";
  }
  return "[An image that cannot be shown here]";
}

std::string described(const Document& document) {
  std::string head = "[Document";
  if (!document.title.empty()) head += " " + json_quoted(document.title);
  if (!document.context.empty()) head += ", context " + json_quoted(document.context);
  if (document.source.from == Media::From::text) {
    return head + "]\n" + document.source.data + "\n[End of the document]";
  }
  if (document.source.from == Media::From::url) {
    return head + " that cannot be shown here: " + json_quoted(document.source.data) + "]";
  }
  return head + " that cannot be shown here]";
}

std::string words_of(const ToolResult::Part& part) {
  if (const auto* text = std::get_if<Text>(&part)) return text->text;
  if (const auto* image = std::get_if<Image>(&part)) return described(*image);
  if (const auto* document = std::get_if<Document>(&part)) return described(*document);
  return std::get<Opaque>(part).text;
}

std::string joined_text(const std::vector<ToolResult::Part>& parts) {
  std::vector<std::string> texts;
  for (const auto& part : parts) {
    std::string words = words_of(part);
    if (!words.empty()) texts.push_back(std::move(words));
  }
  return join(texts, "\n");
}

std::string block_path(std::size_t item, std::size_t block) {
  return "items." + std::to_string(item) + ".blocks." + std::to_string(block);
}

}  // namespace keel::msg
