// The tools as a conversation knows them. Those in the frozen prefix stay as they were, so that the
// evaluated conversation stays valid when tools come, go or change; the difference is told once,
// behind the newest message of the owner.
//
// Values; one owner each.
#pragma once

#include <string>
#include <vector>

#include "msg/conversation.h"
#include "store/journal.h"

namespace keel::agent {

class ToolList {
 public:
  ToolList() = default;
  // `now`: the tools there are, in canonical order. A conversation from before prefixes held their
  // tools is taken to show those.
  ToolList(const store::ConversationRow& conversation, std::vector<msg::Tool> now);

  // Those that may be called.
  const std::vector<msg::Tool>& now() const { return now_; }
  // Those in the prefix; empty where they are the same.
  const std::vector<msg::Tool>& shown() const { return shown_; }
  // What the conversation is to be told; empty if it knows all.
  std::string announcement() const;
  // The tools there are, as the journal keeps them (store::Prefix::tools, Change::tools_told).
  const std::string& json() const { return json_; }

 private:
  std::vector<msg::Tool> now_;
  std::string json_;
  std::vector<msg::Tool> shown_;
  std::vector<msg::Tool> told_;
};

// Whether an announcement is part of the item.
bool tells_tools(const msg::Item& item);

}  // namespace keel::agent
