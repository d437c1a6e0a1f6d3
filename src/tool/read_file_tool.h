// read_file {path, offset?, max_bytes?}: a piece of a text file inside the allowed folders.
#pragma once

#include <memory>

#include "tool/tool.h"

namespace keel::tool {

std::unique_ptr<Tool> make_read_file_tool();

}  // namespace keel::tool
