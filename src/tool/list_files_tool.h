// list_files {path?}: the entries of a folder inside the allowed folders.
#pragma once

#include <memory>

#include "tool/tool.h"

namespace keel::tool {

std::unique_ptr<Tool> make_list_files_tool();

}  // namespace keel::tool
