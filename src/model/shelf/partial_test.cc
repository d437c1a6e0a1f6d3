#include "model/shelf/partial.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <random>

#include "base/id.h"
#include "rt/file.h"

namespace keel::shelf {
namespace {

class PartialTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "keel-partial-" + random_hex(6);
    MUST(rt::make_folder(folder_));
    base_ = folder_ + "/m.gguf";
  }
  std::string bytes() const { return MUST(rt::read_file(base_ + ".part", 1u << 20)); }
  void write_state(const std::string& text) const {
    std::ofstream(base_ + ".state", std::ios::trunc) << text;
  }

  std::string folder_;
  std::string base_;
  const Version version_{1000, "etag:\"a\""};
};

TEST_F(PartialTest, WhatWasStoredIsThereInTheNextRun) {
  {
    Partial partial(base_);
    MUST(partial.begin(version_));
    const Span first = *partial.take(400);
    const Span second = *partial.take(400);
    EXPECT_EQ(first, (Span{0, 400}));
    EXPECT_EQ(second, (Span{400, 800}));
    MUST(partial.store(400, std::string(100, 'b')));
    MUST(partial.store(0, std::string(400, 'a')));
    EXPECT_EQ(partial.arrived_bytes(), 500u);
    MUST(partial.checkpoint());
    // Stored after the checkpoint: a kill now costs these.
    MUST(partial.store(500, std::string(50, 'c')));
  }
  Partial partial(base_);
  EXPECT_EQ(partial.kept(version_), 500u);
  MUST(partial.begin(version_));
  EXPECT_EQ(partial.take(1000), (Span{500, 1000}));
  EXPECT_EQ(bytes().substr(0, 500), std::string(400, 'a') + std::string(100, 'b'));
  struct stat info{};
  ASSERT_EQ(::stat((base_ + ".part").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(PartialTest, AnotherVersionBeginsAnew) {
  {
    Partial partial(base_);
    MUST(partial.begin(version_));
    const Span piece = *partial.take(1000);
    MUST(partial.store(0, std::string(1000, 'a')));
    partial.give_back(piece.end);
    EXPECT_TRUE(partial.complete());
    MUST(partial.checkpoint());
  }
  EXPECT_EQ(Partial(base_).kept(version_), 1000u);
  for (const Version& other :
       {Version{1000, "etag:\"b\""}, Version{999, "etag:\"a\""}, Version{1000, ""}}) {
    EXPECT_EQ(Partial(base_).kept(other), 0u);
  }
  Partial partial(base_);
  MUST(partial.begin({1000, "etag:\"b\""}));
  EXPECT_EQ(partial.arrived_bytes(), 0u);
  EXPECT_EQ(bytes(), std::string(1000, '\0'));
}

TEST_F(PartialTest, ARecordThatDoesNotCheckOutIsNotBelieved) {
  const std::string good =
      R"({"version":1,"bytes":1000,"identity":"etag:\"a\"","missing":[[10,20]]})";
  MUST(Partial(base_).begin(version_));
  write_state(good);
  ASSERT_EQ(Partial(base_).kept(version_), 990u);
  for (const char* missing :
       {"[[20,10]]", "[[10,10]]", "[[10,2000]]", "[[10,20],[15,30]]", "[[30,40],[10,20]]", "[[10]]",
        "[[-1,20]]", "[10,20]", "[[1.5,20]]", "{}", "null"}) {
    std::string text = good;
    write_state(text.replace(text.find("[[10"), 9, missing));
    EXPECT_EQ(Partial(base_).kept(version_), 0u) << missing;
  }
  for (const char* text : {"", "{", "[]", "{}", "\"x\"", "{\"version\":2}"}) {
    write_state(text);
    EXPECT_EQ(Partial(base_).kept(version_), 0u) << text;
  }
  write_state(good);
  std::ofstream(base_ + ".part", std::ios::app) << "x";
  EXPECT_EQ(Partial(base_).kept(version_), 0u);
}

// Whatever the order of taking, storing, giving back and dying: what is not missing is right.
TEST_F(PartialTest, NothingIsClaimedThatWasNotStored) {
  std::mt19937 random(7);
  std::string content(100'000, '\0');
  for (char& c : content) c = static_cast<char>(random() | 1);
  const Version version{content.size(), "etag:\"r\""};
  int lives = 0;
  for (bool complete = false; !complete; ++lives) {
    ASSERT_LT(lives, 1000);
    Partial partial(base_);
    MUST(partial.begin(version));
    std::vector<std::pair<Span, std::uint64_t>> hands;  // a piece and how far it is
    for (int step = 0; step < 40; ++step) {
      const auto dice = random() % 10;
      if (dice < 3) {
        if (const auto piece = partial.take(1 + random() % 5000))
          hands.emplace_back(*piece, piece->begin);
      } else if (dice < 8 && !hands.empty()) {
        auto& [piece, at] = hands[random() % hands.size()];
        const std::uint64_t n = std::min<std::uint64_t>(random() % 3000, piece.end - at);
        MUST(partial.store(at, std::string_view(content).substr(at, n)));
        at += n;
      } else if (dice == 8 && !hands.empty()) {
        partial.give_back(hands.back().first.end);
        hands.pop_back();
      } else {
        MUST(partial.checkpoint());
      }
    }
    complete = partial.complete();
    const std::uint64_t arrived = partial.arrived_bytes();
    const std::string file = bytes();
    std::uint64_t right = 0;
    for (std::size_t i = 0; i < content.size(); ++i) right += file[i] == content[i];
    ASSERT_GE(right, arrived);
    EXPECT_TRUE(!complete || file == content);
  }
  EXPECT_GT(lives, 2);
}

}  // namespace
}  // namespace keel::shelf
