// web_fetch {url}: one public page, as readable Markdown. What it returns has the integrity of the
// web.
#pragma once

#include <memory>

#include "tool/tool.h"

namespace keel::tool {

std::unique_ptr<Tool> make_web_fetch_tool();

}  // namespace keel::tool
