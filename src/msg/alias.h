// Names that the other side accepts, for tool ids and tool names it would refuse. Each alias
// follows from the name alone, so that a conversation that is sent again has the same bytes, and
// what comes back is given its own name again.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "msg/conversation.h"

namespace keel::msg {

// What a dialect accepts as the id of a tool call; nine: Mistral's template and API.
enum class IdForm { anthropic, chat, responses, nine };

bool fits(std::string_view id, IdForm form);
// `id` itself where it fits. Otherwise a prefix of the dialect's ("toolu_", "call_") and letters
// that are a hash of it.
std::string id_alias(std::string_view id, IdForm form);

struct ToolName {
  std::string space;
  std::string name;
  bool operator==(const ToolName&) const = default;
};

// [a-zA-Z0-9_-]{1,64}, which every dialect accepts. `flat`: without namespaces, so that one becomes
// part of the name.
class ToolNames {
 public:
  explicit ToolNames(bool flat = true) : flat_(flat) {}
  std::string alias(std::string_view space, std::string_view name);
  // What was given for an alias; the alias itself if it was never given.
  ToolName original(std::string_view alias) const;
  // Whether any alias is another word than the tool's own name.
  bool renames() const;

 private:
  bool flat_;
  std::map<std::string, ToolName, std::less<>> originals_;
};

}  // namespace keel::msg
