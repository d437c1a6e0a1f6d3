#include "model/ledger/kv_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

namespace keel::local {
namespace {

namespace fs = std::filesystem;

class KvFilesTest : public ::testing::Test {
 protected:
  KvFilesTest() {
    folder_ = fs::temp_directory_path() / ("keel-kv-" + std::to_string(::getpid()));
    fs::remove_all(folder_);
  }
  ~KvFilesTest() override { fs::remove_all(folder_); }

  std::unique_ptr<KvFiles> open(char mark = 'a') {
    return MUST(KvFiles::open(folder_.string(), std::string(64, mark)));
  }
  static KvSegment segment(std::size_t from, std::size_t tokens) {
    KvSegment made{from, {}, {}};
    for (std::size_t i = 0; i < tokens; ++i) {
      made.tokens.push_back(static_cast<std::int32_t>(from + i));
      made.state.push_back(static_cast<std::uint8_t>(from + i));
    }
    return made;
  }
  fs::path file() { return fs::directory_iterator(folder_)->path(); }

  fs::path folder_;
};

TEST_F(KvFilesTest, WhatWasSavedComesBackAfterARestart) {
  {
    const auto files = open();
    EXPECT_TRUE(files->load("c").empty());
    EXPECT_TRUE(files->save("c", segment(0, 100)));
    EXPECT_TRUE(files->save("c", segment(100, 7)));
  }
  const auto segments = open()->load("c");
  ASSERT_EQ(segments.size(), 2u);
  EXPECT_EQ(segments[1].from, 100u);
  EXPECT_EQ(segments[1].tokens, segment(100, 7).tokens);
  EXPECT_EQ(segments[1].state, segment(100, 7).state);
  EXPECT_TRUE(open()->load("another").empty());
  struct stat facts{};
  ASSERT_EQ(::stat(file().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u) << "private conversations";
}

TEST_F(KvFilesTest, ASegmentFromTheStartReplacesTheFile) {
  const auto files = open();
  files->save("c", segment(0, 100));
  files->save("c", segment(0, 5));
  const auto segments = files->load("c");
  ASSERT_EQ(segments.size(), 1u);
  EXPECT_EQ(segments[0].tokens.size(), 5u);
}

// A recurrent model cannot take a part back that it has read.
TEST_F(KvFilesTest, APartThatALaterOneTakesBackWholeIsLeftOut) {
  const auto files = open();
  for (const KvSegment& part : {segment(0, 100), segment(100, 20), segment(120, 5),
                                segment(100, 30), segment(130, 4), segment(125, 9)}) {
    files->save("c", part);
    files->settle();
  }
  std::vector<std::size_t> begins;
  for (const KvSegment& part : files->load("c")) begins.push_back(part.from);
  EXPECT_EQ(begins, (std::vector<std::size_t>{0, 100, 125}));
}

TEST_F(KvFilesTest, AFileOfAnotherModelIsNotRead) {
  open()->save("c", segment(0, 100));
  EXPECT_TRUE(open('b')->load("c").empty());
}

TEST_F(KvFilesTest, ACutFileGivesItsWholeSegmentsAndCanBeAppendedTo) {
  {
    const auto files = open();
    files->save("c", segment(0, 50));
    files->settle();
    files->save("c", segment(50, 50));
  }
  const auto size = fs::file_size(file());
  for (const std::uintmax_t cut : {size - 1, size - 64, size - 100, size - 300}) {
    fs::resize_file(file(), cut);
    EXPECT_EQ(open()->load("c").size(), 1u) << cut;
  }
  const auto files = open();
  files->save("c", segment(50, 3));
  EXPECT_EQ(files->load("c").size(), 2u);
}

TEST_F(KvFilesTest, NoFlippedBitIsEverTrusted) {
  open()->save("c", segment(0, 40));
  std::ifstream in(file(), std::ios::binary);
  const std::string good{std::istreambuf_iterator<char>(in), {}};
  std::mt19937 random(5);
  for (std::size_t i = 0; i < good.size(); i += 1 + random() % 3) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ (1 << random() % 8));
    std::ofstream(file(), std::ios::binary) << bad;
    EXPECT_TRUE(open()->load("c").empty()) << i;
  }
}

TEST_F(KvFilesTest, ASegmentThatLeavesAGapEndsWhatIsRead) {
  const auto files = open();
  files->save("c", segment(0, 10));
  files->save("c", segment(20, 10));
  EXPECT_EQ(files->load("c").size(), 1u);
}

TEST_F(KvFilesTest, AFileThatCannotBeWrittenIsSaidAndStartedAgain) {
  const auto files = open();
  files->save("c", segment(10, 10));  // there is nothing to append to
  files->settle();
  EXPECT_TRUE(files->lost("c"));
  EXPECT_FALSE(files->lost("c"));
  files->save("c", segment(0, 10));
  EXPECT_EQ(files->load("c").size(), 1u);
}

TEST_F(KvFilesTest, ANewConversationBeginsWithWhatItSharesWithAnother) {
  const auto files = open();
  files->save("short", segment(0, 40));
  files->save("long", segment(0, 90));
  files->save("other", segment(500, 10));
  std::vector<std::int32_t> tokens = segment(0, 60).tokens;
  tokens.push_back(7);
  const auto found = files->load_like(tokens, 30);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].tokens.size(), 90u) << "the one that shares most";
  EXPECT_EQ(found[0].state, segment(0, 90).state);
  EXPECT_TRUE(files->load_like(tokens, 61).empty());
  EXPECT_TRUE(open('b')->load_like(tokens, 1).empty()) << "of another model";
}

TEST_F(KvFilesTest, AReplacedModelFileHasAnotherFingerprint) {
  fs::create_directories(folder_);
  const std::string path = (folder_ / "m.gguf").string();
  std::ofstream(path) << std::string(100, 'x');
  const std::string first = MUST(model_fingerprint(path, "1"));
  EXPECT_EQ(MUST(model_fingerprint(path, "1")), first);
  EXPECT_NE(MUST(model_fingerprint(path, "2")), first);
  std::ofstream(path) << std::string(100, 'y');
  EXPECT_NE(MUST(model_fingerprint(path, "1")), first);
  EXPECT_FALSE(model_fingerprint(path + "-gone", "1"));
}

// Another model of the same family and size, put in place with the time of the first.
TEST_F(KvFilesTest, AModelWithTheSameHeadEndAndTimeHasAnotherFingerprint) {
  fs::create_directories(folder_);
  const std::string path = (folder_ / "m.gguf").string();
  std::string model(8u << 20, 'x');
  std::ofstream(path) << model;
  const auto time = fs::last_write_time(path);
  const std::string first = MUST(model_fingerprint(path, "1"));
  std::fill(model.begin() + (3 << 20), model.begin() + (4 << 20), 'y');
  std::ofstream(path) << model;
  fs::last_write_time(path, time);
  EXPECT_NE(MUST(model_fingerprint(path, "1")), first);
}

}  // namespace
}  // namespace keel::local
