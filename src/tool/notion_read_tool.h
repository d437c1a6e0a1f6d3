// notion_read {page}: one page that the owner shared with keel in Notion. What it returns has the
// integrity of the web, because others may write there too.
#pragma once

#include <memory>

#include "tool/tool.h"

namespace keel::memory::notion {
class Client;
}

namespace keel::tool {

// `client` outlives the tool; nullptr for listings, where nothing is called.
std::unique_ptr<Tool> make_notion_read_tool(memory::notion::Client* client);

}  // namespace keel::tool
