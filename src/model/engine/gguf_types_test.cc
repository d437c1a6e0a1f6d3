#include <ggml.h>
#include <gtest/gtest.h>

#include "model/local/gguf_check_fixture_test.h"

namespace keel::local {
namespace {

// The check's table of types must be the library's.
TEST(GgufTypes, TheCheckKnowsThoseOfTheLibrary) {
  for (int type = 0; type < GGML_TYPE_COUNT; ++type) {
    const auto id = static_cast<ggml_type>(type);
    const bool known = ggml_blck_size(id) > 0 && ggml_type_size(id) > 0;
    Made made;
    made.type = static_cast<std::uint32_t>(type);
    made.row = 256;
    made.rows = 1;
    std::string bytes = made.bytes();
    if (!known) {
      EXPECT_NE(problem(bytes).find("does not know"), std::string::npos) << type;
      continue;
    }
    const std::size_t wanted = bytes.size() - 288 + ggml_row_size(id, 256);
    bytes.resize(wanted);
    EXPECT_EQ(problem(bytes), "") << ggml_type_name(id);
    bytes.resize(wanted - 1);
    EXPECT_NE(problem(bytes), "") << ggml_type_name(id);
  }
}

}  // namespace
}  // namespace keel::local
