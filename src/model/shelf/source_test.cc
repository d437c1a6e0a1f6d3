#include "model/shelf/source.h"

#include <gtest/gtest.h>

#include <set>

#include "base/limits.h"
#include "model/shelf/catalogue.h"

namespace keel::shelf {
namespace {

const std::string kHub = "https://hub.example";

Source source(std::string_view text, const std::string& name = {}) {
  Result<Source> parsed = parse_source(text, kHub, name);
  EXPECT_TRUE(parsed.has_value()) << text << ": " << parsed.error().text();
  return parsed ? *parsed : Source{};
}
Code code_of(std::string_view text, const std::string& name = {}) {
  const Result<Source> parsed = parse_source(text, kHub, name);
  EXPECT_FALSE(parsed.has_value()) << text;
  if (parsed) return Code::internal;
  EXPECT_FALSE(parsed.error().hint.empty()) << text;
  return parsed.error().code;
}

TEST(SourceTest, TheThreeWaysToNameAFile) {
  const Source listed = source("Qwen3.5-4B");
  EXPECT_EQ(listed.name, "qwen3.5-4b");
  EXPECT_EQ(listed.url,
            "https://hub.example/unsloth/Qwen3.5-4B-GGUF/resolve/main/Qwen3.5-4B-Q4_K_M.gguf");
  EXPECT_TRUE(listed.on_hub);
  EXPECT_EQ(source("smollm2-135m").bytes, 98'362'432u);

  const Source on_hub = source("hf:owner/repo/sub/My Model.Q4.gguf");
  EXPECT_EQ(on_hub.url, "https://hub.example/owner/repo/resolve/main/sub/My Model.Q4.gguf");
  EXPECT_EQ(on_hub.page, "https://hub.example/owner/repo");
  EXPECT_EQ(on_hub.file, "My-Model.Q4.gguf");
  EXPECT_EQ(on_hub.name, "my-model.q4");

  const Source elsewhere = source("http://192.168.1.5:8000/models/a%20b.GGUF?x=1");
  EXPECT_FALSE(elsewhere.on_hub);
  EXPECT_EQ(elsewhere.file, "a-b.gguf");
}

TEST(SourceTest, AnAddressFromTheBrowserBecomesTheFile) {
  const Source page = source("https://hub.example/o/r/blob/main/m.gguf");
  EXPECT_EQ(page.url, "https://hub.example/o/r/resolve/main/m.gguf");
  EXPECT_EQ(page.page, "https://hub.example/o/r");
  EXPECT_TRUE(page.on_hub);
  EXPECT_FALSE(source("https://hub.example.evil.example/o/r/resolve/main/m.gguf").on_hub);
}

TEST(SourceTest, AnotherName) {
  const Source named = source("hf:o/r/m.gguf", "small");
  EXPECT_EQ(named.name, "small");
  EXPECT_EQ(named.file, "small.gguf");
  for (const char* bad : {"../up", "a/b", ".hidden", "a b", "\n"})
    EXPECT_EQ(code_of("hf:o/r/m.gguf", bad), Code::invalid_argument);
  EXPECT_EQ(code_of("hf:o/r/m.gguf", std::string(limits::config_name_bytes + 1, 'a')),
            Code::invalid_argument);
}

TEST(SourceTest, WhatIsRefused) {
  EXPECT_EQ(code_of("qwen3.5-5b"), Code::not_found);
  const Result<Source> near = parse_source("qwen3.5-4", kHub, "");
  ASSERT_FALSE(near.has_value());
  EXPECT_NE(near.error().hint.find("qwen3.5-4b"), std::string::npos) << near.error().hint;
  for (const char* bad : {"hf:", "hf:o", "hf:o/r", "hf:o//m.gguf", "hf:o/../m.gguf", "hf:o/r/m.bin",
                          "hf:o/r/.gguf", "hf:o/r/m.gguf?x", "hf:/r/m.gguf"})
    EXPECT_EQ(code_of(bad), Code::invalid_argument) << bad;
  EXPECT_EQ(code_of("hf:o/r/m-00001-of-00003.gguf"), Code::unsupported);
  code_of("https://user:secret@hub.example/m.gguf");
  code_of("https://hub.example/page");
  EXPECT_EQ(code_of("hf:o/r/" + std::string(limits::shelf_file_name_bytes, 'a') + ".gguf"),
            Code::limit);
}

TEST(CatalogueTest, EveryEntryCanBePulledAndNamed) {
  std::set<std::string_view> names;
  for (const Entry& entry : catalogue()) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    const Source parsed = source(entry.name);
    EXPECT_EQ(parsed.file, entry.file);
    EXPECT_EQ(name_of_file(parsed.file), entry.name);
    EXPECT_GT(needed_bytes(entry), entry.bytes);
    EXPECT_TRUE(entry.sha256.empty() || entry.sha256.size() == 64);
    EXPECT_FALSE(entry.licence.empty());
  }
  EXPECT_TRUE(catalogue().front().name.starts_with("qwen3.5"));
}

TEST(CatalogueTest, WhatFitsFollowsTheMemory) {
  const Entry& entry = catalogue().front();
  const std::uint64_t needed = needed_bytes(entry);
  EXPECT_EQ(fit(entry, needed, needed), Fit::now);
  EXPECT_EQ(fit(entry, needed - 1, needed), Fit::if_freed);
  EXPECT_EQ(fit(entry, needed - 1, needed - 1), Fit::too_large);
  EXPECT_EQ(fit(entry, 0, 0), Fit::too_large);
}

}  // namespace
}  // namespace keel::shelf
