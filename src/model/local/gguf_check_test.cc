#include "model/local/gguf_check.h"

#include <ggml.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

namespace keel::local {
namespace {

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
void put_string(std::string& out, const std::string& text) {
  put<std::uint64_t>(out, text.size());
  out += text;
}

struct Made {
  std::uint32_t version = 3;
  std::uint64_t tensors = 1;
  std::uint64_t keys = 4;
  std::uint32_t alignment = 32;
  std::uint32_t dimensions = 2;
  std::uint64_t row = 256;
  std::uint64_t rows = 2;
  std::uint32_t type = 12;  // q4_K
  std::uint64_t offset = 0;
  std::uint64_t items = 3;
  std::uint32_t item_type = 8;  // string
  std::string second_key = "llama.context_length";

  std::string bytes() const {
    std::string out = "GGUF";
    put(out, version);
    put(out, tensors);
    put(out, keys);
    put_string(out, "general.architecture");
    put<std::uint32_t>(out, 8);
    put_string(out, "llama");
    put_string(out, second_key);
    put<std::uint32_t>(out, 4);
    put<std::uint32_t>(out, 2048);
    put_string(out, "general.alignment");
    put<std::uint32_t>(out, 4);
    put(out, alignment);
    put_string(out, "tokenizer.ggml.tokens");
    put<std::uint32_t>(out, 9);
    put(out, item_type);
    put(out, items);
    for (int i = 0; i < 3; ++i) put_string(out, "t");
    put_string(out, "w");
    put(out, dimensions);
    put(out, row);
    put(out, rows);
    put(out, type);
    put(out, offset);
    while (out.size() % 32 != 0) out += '\0';
    out.append(288, '\1');
    return out;
  }
};

Result<GgufInfo> check(const std::string& bytes) {
  return check_gguf_bytes(bytes, bytes.size(), "m.gguf");
}
std::string problem(const std::string& bytes) {
  const auto result = check(bytes);
  return result ? "" : result.error().message;
}
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

// The check's table of types must be the library's.
TEST(Gguf, TypesAreThoseOfTheLibrary) {
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
