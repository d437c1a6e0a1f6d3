// The tables of memory as SQL, one text a version; docs/formats/memory.md describes each.
#pragma once

#include <string_view>

namespace keel::memory {

extern const std::string_view kSchema1;
extern const std::string_view kSchema2;  // what else a page carries; changes that can be followed
extern const std::string_view kSchema3;  // an index of keel's own in place of FTS5's
extern const std::string_view kSchema4;  // what of ended turns is still to be written down

}  // namespace keel::memory
