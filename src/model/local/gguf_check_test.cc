#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "model/local/gguf_check_fixture_test.h"

namespace keel::local {
namespace {

template <class Change>
std::string problem_with(Change change) {
  Made made;
  change(made);
  return problem(made.bytes());
}

TEST(Gguf, AGoodFileIsDescribed) {
  const auto info = check(Made{}.bytes());
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->architecture, "llama");
  EXPECT_EQ(info->context_length, 2048u);
  EXPECT_EQ(info->parameters, 512u);
  EXPECT_FALSE(info->has_chat_template);
}

TEST(Gguf, EveryTruncationIsAnErrorAndNeverACrash) {
  const std::string good = Made{}.bytes();
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(check(good.substr(0, size))) << size;
}

TEST(Gguf, EveryBitOfTheHeadMayBeWrongWithoutACrash) {
  const std::string good = Made{}.bytes();
  for (std::size_t i = 0; i < good.size() - 288; ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      (void)check(bad);
    }
  }
}

TEST(Gguf, CountsThatCannotBeTrueAreRefused) {
  EXPECT_NE(problem_with([](Made& m) { m.tensors = ~0ull; }), "");
  EXPECT_NE(problem_with([](Made& m) { m.keys = 1ull << 40; }), "");
  EXPECT_NE(problem_with([](Made& m) { m.items = 1ull << 60; }), "");
  EXPECT_NE(problem_with([](Made& m) { m.item_type = 9; }), "");
  EXPECT_NE(problem_with([](Made& m) { m.item_type = 77; }), "");
}
TEST(Gguf, ImpossibleTensorsAreRefused) {
  EXPECT_NE(problem_with([](Made& m) { m.rows = 1ull << 61; }), "");
  EXPECT_NE(problem_with([](Made& m) { m.rows = 0; }), "");
  EXPECT_NE(problem_with([](Made& m) { m.row = 255; }), "");
  EXPECT_NE(problem_with([](Made& m) { m.dimensions = 5; }), "");
  EXPECT_NE(problem_with([](Made& m) { m.offset = ~0ull - 31; }), "");
  EXPECT_NE(problem_with([](Made& m) { m.offset = 8; }), "");
  EXPECT_NE(problem_with([](Made& m) { m.rows = 3; }).find("not whole"), std::string::npos);
  EXPECT_NE(problem_with([](Made& m) { m.type = 4; }).find("does not know"), std::string::npos);
}
TEST(Gguf, AlignmentMustBeAPowerOfTwo) {
  EXPECT_NE(problem_with([](Made& m) { m.alignment = 0; }), "");
  EXPECT_NE(problem_with([](Made& m) { m.alignment = 48; }), "");
}
TEST(Gguf, OtherVersionsAndByteOrderAreNamed) {
  EXPECT_NE(problem_with([](Made& m) { m.version = 9; }).find("version 9"), std::string::npos);
  EXPECT_NE(problem_with([](Made& m) { m.version = 3u << 24; }).find("byte order"),
            std::string::npos);
}
TEST(Gguf, DoubleKeysAreRefused) {
  EXPECT_NE(problem_with([](Made& m) { m.second_key = "general.architecture"; }), "");
}
TEST(Gguf, HtmlAndPointersAreNamed) {
  EXPECT_NE(problem("<!DOCTYPE html><html><body>404</body></html>").find("HTML page"),
            std::string::npos);
  EXPECT_NE(problem("version https://git-lfs.github.com/spec/v1\noid").find("Git LFS"),
            std::string::npos);
  EXPECT_NE(problem(std::string(64, 'x')).find("not a GGUF"), std::string::npos);
}
TEST(Gguf, PathsThatAreNoModelAreNamed) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("keel-gguf-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  std::ofstream(folder / "empty.gguf").close();
  EXPECT_NE(check_gguf(folder.string()).error().message.find("folder"), std::string::npos);
  EXPECT_NE(check_gguf((folder / "empty.gguf").string()).error().message.find("empty"),
            std::string::npos);
  EXPECT_EQ(check_gguf((folder / "none.gguf").string()).error().code, Code::not_found);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace keel::local
