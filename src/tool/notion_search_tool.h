// notion_search {query}: pages of the owner's Notion by their titles. What it returns has the
// integrity of the web, because others may write there too.
#pragma once

#include <memory>

#include "tool/tool.h"

namespace keel::memory::notion {
class Client;
}

namespace keel::tool {

// `client` outlives the tool; nullptr for listings, where nothing is called.
std::unique_ptr<Tool> make_notion_search_tool(memory::notion::Client* client);

}  // namespace keel::tool
