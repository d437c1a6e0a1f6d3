#include "agent/context/tool_list.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/json.h"
#include "base/text.h"

namespace keel::agent {
namespace {

constexpr std::string_view kHead = "\n\n[From keel: your tools changed.";

std::string list_json(const std::vector<msg::Tool>& tools) {
  Json list = Json::array();
  for (const msg::Tool& tool : tools) list.push_back(msg::to_json(tool));
  return dump_json(list);
}

// Nothing where the text is empty or not what keel wrote: the tools are then told anew.
std::optional<std::vector<msg::Tool>> tools_of(const std::string& text) {
  const Result<Json> list = parse_json(text);
  if (text.empty() || !list || !list->is_array()) return std::nullopt;
  std::vector<msg::Tool> tools;
  for (const Json& one : *list) {
    Result<msg::Tool> tool = msg::tool_from_json(one);
    if (!tool) return std::nullopt;
    tools.push_back(std::move(*tool));
  }
  return tools;
}

const msg::Tool* find(const std::vector<msg::Tool>& tools, std::string_view name) {
  const auto at = std::find_if(tools.begin(), tools.end(),
                               [&](const msg::Tool& tool) { return tool.name == name; });
  return at == tools.end() ? nullptr : &*at;
}

bool same(const msg::Tool& a, const msg::Tool& b) {
  return msg::to_json(a) == msg::to_json(b);
}

}  // namespace

ToolList::ToolList(const store::ConversationRow& conversation, std::vector<msg::Tool> now)
    : now_(std::move(now)), json_(list_json(now_)) {
  if (!conversation.tools.empty() && conversation.tools != json_) {
    shown_ = tools_of(conversation.tools).value_or(std::vector<msg::Tool>());
  }
  const std::string& told =
      conversation.tools_told.empty() ? conversation.tools : conversation.tools_told;
  told_ = told.empty() || told == json_ ? now_ : tools_of(told).value_or(now_);
}

std::string ToolList::announcement() const {
  std::vector<std::string> gone;
  for (const msg::Tool& tool : told_) {
    if (find(now_, tool.name) == nullptr) gone.push_back(tool.name);
  }
  std::string come;
  for (const msg::Tool& tool : now_) {
    const msg::Tool* before = find(told_, tool.name);
    if (before != nullptr && same(*before, tool)) continue;
    come += "\n" + dump_json(Json{{"name", tool.name},
                                  {"description", tool.description},
                                  {"parameters", tool.schema.json()}});
  }
  if (gone.empty() && come.empty()) return {};
  std::string out(kHead);
  if (!gone.empty()) out += " No longer there: " + join(gone, ", ") + ".";
  if (!come.empty()) out += " From now on you also have:" + come;
  return out + "]";
}

bool tells_tools(const msg::Item& item) {
  return std::any_of(item.blocks.begin(), item.blocks.end(), [](const msg::Block& block) {
    const auto* text = std::get_if<msg::Text>(&block);
    return text != nullptr && text->text.starts_with(kHead);
  });
}

}  // namespace keel::agent
