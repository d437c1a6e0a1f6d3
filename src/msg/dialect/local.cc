#include "msg/dialect/local.h"

#include <algorithm>
#include <utility>

#include "msg/carry.h"
#include "msg/repair.h"

namespace keel::msg {
namespace {

constexpr std::string_view billing = "x-anthropic-billing-header:";
constexpr std::string_view apart = "\n\n";  // texts that were blocks of their own

class Local {
 public:
  Local(Conversation conversation, const LocalTraits& traits)
      : c_(std::move(conversation)), traits_(traits) {}

  LocalForm run() {
    strip_nonce();
    lose_extras();
    settle_opaque(c_.items, Dialect::none, form_.losses);
    drop_thinking(c_.items, form_.losses, [this](const Thinking& t) { return judge(t); });
    if (!traits_.vision) describe_images(c_.items, form_.losses);
    for (std::size_t i = 0; i < c_.items.size(); ++i) to_text(i);
    repair(c_.items, form_.losses);
    note_roles();
    if (!traits_.system_inline) demote_system(c_.items, form_.losses);
    merge();
    take_tools();
    alias_names(c_, form_.names);
    form_.items = std::move(c_.items);
    form_.tools = std::move(c_.tools);
    form_.params = std::move(c_.params);
    return std::move(form_);
  }

 private:
  void lose(Lost what, std::string where, std::string why) {
    form_.losses.push_back({what, std::move(where), std::move(why)});
  }

  // One line of accounting that some clients put first, with digits that change at each request: it
  // would make every prompt a new one.
  void strip_nonce() {
    for (std::size_t i = 0; i < head_end(c_.items); ++i) {
      std::vector<Block>& blocks = c_.items[i].blocks;
      for (std::size_t b = blocks.size(); b-- > 0;) {
        const auto* text = std::get_if<Text>(&blocks[b]);
        if (text == nullptr || text->text.rfind(billing, 0) != 0) continue;
        lose(Lost::nonce, block_path(i, b), "an accounting line is not for the model");
        const std::size_t end = text->text.find('\n');
        if (end == std::string::npos) {
          blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(b));
        } else {
          blocks[b] = Text{text->text.substr(end + 1)};
        }
      }
    }
    const auto empty = [](const Item& item) { return item.blocks.empty(); };
    c_.items.erase(std::remove_if(c_.items.begin(), c_.items.end(), empty), c_.items.end());
  }

  void lose_extras() {
    Writer nowhere;
    const auto lose_all = [&](Extras& extras, const std::string& where) {
      write_extras(nowhere, extras, Dialect::none, form_.losses, where);
      extras.clear();
    };
    for (std::size_t i = 0; i < c_.items.size(); ++i) {
      lose_all(c_.items[i].extras, "items." + std::to_string(i));
      for (std::size_t b = 0; b < c_.items[i].blocks.size(); ++b) {
        std::visit(
            [&](auto& block) {
              if constexpr (requires { block.extras; }) {
                lose_all(block.extras, block_path(i, b));
              }
              // The bytes of its own dialect are nothing to a template either.
              if constexpr (requires { block.wire; }) block.wire = {};
            },
            c_.items[i].blocks[b]);
      }
    }
    for (std::size_t t = 0; t < c_.tools.size(); ++t) {
      lose_all(c_.tools[t].extras, "tools." + std::to_string(t));
      c_.tools[t].wire = {};
    }
    lose_all(c_.params.extras, "params");
  }

  std::optional<Loss> judge(const Thinking& thinking) const {
    const bool own = !thinking.origin.empty() && thinking.origin == traits_.model;
    if (own && traits_.keep_thinking) return std::nullopt;
    return Loss{Lost::thinking,
                {},
                own ? "the template shows no earlier thoughts" : "another model's thought"};
  }

  void to_text(std::size_t i) {
    for (std::size_t b = 0; b < c_.items[i].blocks.size(); ++b) {
      Block& block = c_.items[i].blocks[b];
      if (const auto* document = std::get_if<Document>(&block)) {
        lose(Lost::document, block_path(i, b), "a document is written as quoted text");
        block = Text{described(*document)};
      } else if (const auto* refusal = std::get_if<Refusal>(&block)) {
        lose(Lost::refusal, block_path(i, b), "a refusal is written as text");
        block = Text{refusal->text};
      } else if (auto* call = std::get_if<ToolCall>(&block);
                 call != nullptr && call->kind == CallKind::custom) {
        lose(Lost::call_kind, block_path(i, b), "a freeform call is a function call with one text");
        call->arguments = "{\"input\":" + json_quoted(call->arguments) + "}";
        call->kind = CallKind::function;
      } else if (auto* result = std::get_if<ToolResult>(&block); result != nullptr) {
        if (result->parts.empty()) continue;
        result->text = joined_text(result->parts);
        const auto words = [](const auto& part) { return !std::holds_alternative<Image>(part); };
        auto& parts = result->parts;
        parts.erase(std::remove_if(parts.begin(), parts.end(), words), parts.end());
      }
    }
  }

  void note_roles() {
    for (std::size_t i = 0; i < c_.items.size(); ++i) {
      if (!c_.items[i].developer) continue;
      lose(Lost::role, "items." + std::to_string(i), "a developer's note is a system note");
      c_.items[i].developer = false;
    }
  }

  void append(Item& to, Item&& from) const {
    for (Block& block : from.blocks) {
      auto* last = to.blocks.empty() ? nullptr : std::get_if<Text>(&to.blocks.back());
      const auto* text = std::get_if<Text>(&block);
      if (last != nullptr && text != nullptr) {
        // An answer's texts follow one another; others' were said apart.
        if (to.role != Role::assistant) last->text += apart;
        last->text += text->text;
      } else {
        to.blocks.push_back(std::move(block));
      }
    }
  }

  void merge() {
    std::vector<Item> out;
    const std::size_t head = head_end(c_.items);
    for (std::size_t i = 0; i < c_.items.size(); ++i) {
      const bool system = i < head;
      const bool same = !out.empty() && out.back().role == c_.items[i].role &&
                        (system || (traits_.alternate && c_.items[i].role != Role::system));
      if (!same) out.push_back({c_.items[i].role, {}});
      append(out.back(), std::move(c_.items[i]));
    }
    c_.items = std::move(out);
  }

  void take_tools() {
    std::vector<Tool> out;
    for (std::size_t t = 0; t < c_.tools.size(); ++t) {
      Tool& tool = c_.tools[t];
      const std::string where = "tools." + std::to_string(t);
      if (tool.kind == ToolKind::server) {
        lose(Lost::tool, where, "only its own provider runs " + json_quoted(tool.type));
        continue;
      }
      if (tool.kind == ToolKind::custom) {
        lose(Lost::call_kind, where, "a freeform tool takes one text");
        tool.schema = Json{{"type", "object"},
                           {"properties", {{"input", {{"type", "string"}}}}},
                           {"required", {"input"}}};
      }
      out.push_back(std::move(tool));
    }
    c_.tools = std::move(out);
  }

  Conversation c_;
  const LocalTraits& traits_;
  LocalForm form_;
};

}  // namespace

LocalForm local_form(Conversation conversation, const LocalTraits& traits) {
  return Local(std::move(conversation), traits).run();
}

}  // namespace keel::msg
