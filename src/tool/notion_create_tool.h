// notion_create {parent, title, text}: a new page below one that the owner shared with keel in
// Notion.
#pragma once

#include <memory>

#include "tool/tool.h"

namespace keel::memory::notion {
class Client;
}

namespace keel::tool {

// `client` outlives the tool; nullptr for listings, where nothing is called.
std::unique_ptr<Tool> make_notion_create_tool(memory::notion::Client* client);

}  // namespace keel::tool
