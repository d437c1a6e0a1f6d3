#include "model/kernel/bandwidth.h"

#include <gtest/gtest.h>

namespace keel::kernel {
namespace {

TEST(Bandwidth, IsAFigureThatMemoryCanHave) {
  for (const int threads : {1, 2}) {
    const double bytes_per_second = memory_bandwidth(threads);
    EXPECT_GT(bytes_per_second, 1e8);
    EXPECT_LT(bytes_per_second, 5e12);
  }
}

}  // namespace
}  // namespace keel::kernel
