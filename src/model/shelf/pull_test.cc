#include "model/shelf/pull.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "base/id.h"
#include "model/shelf/hub_server_test.h"
#include "rt/file.h"

namespace keel::shelf {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBytes = 3'000'000;

class PullTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "keel-pull-" + random_hex(6);
    hub_.content = random_model(kBytes);
  }
  void TearDown() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  PullOptions options(const std::string& source = "hf:owner/repo/m.gguf") {
    PullOptions options;
    options.folder = folder_;
    options.source = MUST(parse_source(source, hub_.base(), ""));
    options.piece_bytes = 256u << 10;
    options.retry_wait = 5ms;
    options.checkpoint_time = 20ms;
    return options;
  }
  Result<Pulled> pull_with(const PullOptions& options, std::stop_token stop = {}) {
    net::ClientOptions net_options;
    net_options.user_agent = "keel-test/1";
    if (cdn_allowed_) net_options.allowed_private = {hub_.cdn_pair()};
    net_options.stall_time = 1s;
    net::Client client(std::move(net_options));
    return pull(client, options, stop);
  }
  Result<Pulled> pulled() { return pull_with(options()); }
  Error failure(const PullOptions& options) {
    const Result<Pulled> result = pull_with(options);
    EXPECT_FALSE(result.has_value());
    if (result) return {};
    EXPECT_FALSE(result.error().hint.empty()) << result.error().message;
    EXPECT_FALSE(std::filesystem::exists(path()));
    return result.error();
  }
  Error failure() { return failure(options()); }

  std::string path() const { return folder_ + "/m.gguf"; }
  std::string stored() const { return MUST(rt::read_file(path(), 64u << 20)); }
  bool has_part() const { return std::filesystem::exists(folder_ + "/.shelf/m.gguf.part"); }
  static unsigned mode(const std::string& path) {
    struct stat info{};
    return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 0777 : 0;
  }

  HubServer hub_;
  bool cdn_allowed_ = true;
  std::string folder_;
};

TEST_F(PullTest, AFileComesOverSeveralConnectionsAndIsChecked) {
  const Result<Pulled> result = pulled();
  ASSERT_TRUE(result.has_value()) << result.error().text();
  EXPECT_EQ(stored(), hub_.content);
  EXPECT_EQ(result->record.sha256, sha256_hex(hub_.content));
  EXPECT_EQ(result->record.checked, Checked::hub);
  EXPECT_EQ(hub_.served_bytes(), kBytes + 4) << "nothing is read twice but the first look";
  EXPECT_GT(hub_.served().size(), 4u);
  EXPECT_EQ(mode(path()), 0600u);
  EXPECT_EQ(mode(folder_), 0700u);
  EXPECT_FALSE(has_part());
  ASSERT_EQ(items(folder_).size(), 1u);
  EXPECT_EQ(items(folder_)[0].record->sha256, result->record.sha256);

  const Result<Pulled> again = pulled();
  ASSERT_TRUE(again.has_value()) << again.error().text();
  EXPECT_TRUE(again->was_there);
  EXPECT_EQ(hub_.served_bytes(), kBytes + 8);
}

TEST_F(PullTest, BrokenConnectionsCostNothingThatHasArrived) {
  hub_.cut_after = 100'000;
  hub_.cuts = 12;
  const Result<Pulled> result = pulled();
  ASSERT_TRUE(result.has_value()) << result.error().text();
  EXPECT_EQ(stored(), hub_.content);
  EXPECT_EQ(hub_.served_bytes(), kBytes + 4);
}

TEST_F(PullTest, AStopKeepsWhatIsThereAndTheNextRunGoesOn) {
  std::stop_source stop;
  hub_.sent = [&](std::size_t all) {
    if (all > kBytes / 2) stop.request_stop();
  };
  const Result<Pulled> stopped = pull_with(options(), stop.get_token());
  ASSERT_FALSE(stopped.has_value());
  EXPECT_EQ(stopped.error().code, Code::cancelled);
  EXPECT_NE(stopped.error().hint.find("are kept"), std::string::npos) << stopped.error().text();
  EXPECT_FALSE(std::filesystem::exists(path()));
  hub_.settle();
  const std::size_t before = hub_.served_bytes();
  const Result<Pulled> result = pulled();
  ASSERT_TRUE(result.has_value()) << result.error().text();
  EXPECT_GT(result->kept_bytes, kBytes / 4);
  EXPECT_EQ(hub_.served_bytes() - before, kBytes - result->kept_bytes + 4);
  EXPECT_EQ(stored(), hub_.content);
}

// The file is replaced on the server while it is read. With and without a hub that announces
// hashes, and with a CDN that does not heed If-Range: never a mixture of both.
TEST_F(PullTest, AFileThatChangesIsNeverStitchedFromTwoVersions) {
  const std::string first = hub_.content;
  for (const bool announces : {true, false}) {
    for (const bool heeds : {true, false}) {
      SCOPED_TRACE(fmt::format("announces {} heeds {}", announces, heeds));
      std::filesystem::remove_all(folder_);
      const std::string second = random_model(kBytes, 2);
      bool changed = false;
      {
        const std::lock_guard lock(hub_.mutex);
        hub_.content = first;
        hub_.tag = "\"v1\"";
        hub_.announces = announces;
        hub_.keeps_version = heeds;
        const std::size_t from = hub_.all_sent();
        hub_.sent = [&, from](std::size_t all) {
          const std::lock_guard inner(hub_.mutex);
          if (changed || all < from + kBytes / 3) return;
          changed = true;
          hub_.content = second;
          hub_.tag = "\"v2\"";
        };
      }
      const Result<Pulled> result = pulled();
      hub_.settle();
      ASSERT_TRUE(result.has_value()) << result.error().text();
      ASSERT_TRUE(changed);
      EXPECT_TRUE(stored() == second);
    }
  }
}

TEST_F(PullTest, AServerWithoutPartsIsReadInOneGo) {
  hub_.ranges = false;
  hub_.announces = false;
  hub_.cut_after = 1'000'000;
  hub_.cuts = 2;
  const Result<Pulled> result = pulled();
  ASSERT_TRUE(result.has_value()) << result.error().text();
  EXPECT_EQ(stored(), hub_.content);
  EXPECT_EQ(result->record.checked, Checked::nothing);
  EXPECT_EQ(result->record.sha256, sha256_hex(hub_.content));
}

TEST_F(PullTest, WithoutAnyMarkOfTheVersionNothingIsResumed) {
  hub_.announces = false;
  hub_.tag = "";
  std::stop_source stop;
  hub_.sent = [&](std::size_t all) {
    if (all > kBytes / 2) stop.request_stop();
  };
  EXPECT_FALSE(pull_with(options(), stop.get_token()).has_value());
  hub_.settle();
  hub_.content = random_model(kBytes, 3);
  const Result<Pulled> result = pulled();
  ASSERT_TRUE(result.has_value()) << result.error().text();
  EXPECT_EQ(result->kept_bytes, 0u);
  EXPECT_EQ(stored(), hub_.content);
}

TEST_F(PullTest, AWrongHashIsRemoved) {
  hub_.announced = std::string(64, 'a');
  const Error error = failure();
  EXPECT_EQ(error.code, Code::corrupt) << error.text();
  EXPECT_FALSE(has_part());
}

TEST_F(PullTest, WhatIsNoModelIsRefused) {
  hub_.content = "<!DOCTYPE html>" + std::string(kBytes, ' ');
  EXPECT_EQ(failure().code, Code::invalid_argument);
  EXPECT_LT(hub_.served_bytes(), 200u) << "before it is read";

  hub_.content = random_model(kBytes);
  PullOptions checked = options();
  checked.check = [](const std::string&) { return fail(Code::corrupt, "its head is torn"); };
  const Error error = failure(checked);
  EXPECT_NE(error.message.find("its head is torn"), std::string::npos);
  EXPECT_FALSE(has_part());
}

TEST_F(PullTest, StatusesAreExplained) {
  struct Case {
    int status;
    Code code;
    const char* words;
  };
  for (const Case& each : {Case{404, Code::not_found, "no such file"},
                           Case{401, Code::permission, "not for everybody"},
                           Case{403, Code::permission, "not for everybody"},
                           Case{400, Code::network, "400"}, Case{503, Code::network, "503"}}) {
    {
      const std::lock_guard lock(hub_.mutex);
      hub_.first = [&each](const net::TestServer::Exchange& x) {
        x.reply(each.status, "", "no");
        return true;
      };
    }
    const Error error = failure();
    hub_.settle();
    EXPECT_EQ(error.code, each.code) << each.status;
    EXPECT_NE(error.message.find(each.words), std::string::npos) << error.text();
  }
}

TEST_F(PullTest, ABusyServerIsAskedAgain) {
  std::atomic<int> refusals = 5;
  hub_.first = [&](const net::TestServer::Exchange& x) {
    if (hub_.served_bytes() < 4 || refusals-- <= 0) return false;
    x.reply(refusals % 2 == 0 ? 429 : 500, "Retry-After: 0\r\n", "");
    return true;
  };
  const Result<Pulled> result = pulled();
  hub_.settle();
  ASSERT_TRUE(result.has_value()) << result.error().text();
  EXPECT_EQ(stored(), hub_.content);
}

TEST_F(PullTest, ADeadServerIsGivenUpAndWhatCameIsKept) {
  std::atomic<bool> dead = false;
  hub_.sent = [&](std::size_t all) { dead = all > kBytes / 2; };
  hub_.first = [&](const net::TestServer::Exchange&) { return dead.load(); };  // says nothing
  const Error error = failure();
  EXPECT_EQ(error.code, Code::network) << error.text();
  EXPECT_NE(error.hint.find("are kept"), std::string::npos) << error.text();
  EXPECT_TRUE(has_part());
  hub_.settle();
  const Result<Pulled> result = pulled();
  ASSERT_TRUE(result.has_value()) << result.error().text();
  EXPECT_GT(result->kept_bytes, kBytes / 3);
  EXPECT_EQ(stored(), hub_.content);
}

TEST_F(PullTest, TheDiskIsLookedAtFirst) {
  PullOptions full = options();
  full.free_bytes = [](const std::string&) { return kBytes; };
  const Error error = failure(full);
  EXPECT_EQ(error.code, Code::disk_full);
  EXPECT_NE(error.message.find("3 MB are free"), std::string::npos) << error.text();
  EXPECT_EQ(hub_.served_bytes(), 4u);
}

TEST_F(PullTest, TheTokenGoesToTheHubAlone) {
  PullOptions closed = options();
  closed.token = "hub-secret";
  ASSERT_TRUE(pull_with(closed).has_value());
  for (const std::string& request : hub_.hub_requests())
    EXPECT_EQ(header_of(request, "Authorization"), "Bearer hub-secret");
  for (const std::string& request : hub_.cdn_requests())
    EXPECT_EQ(header_of(request, "Authorization"), "");

  std::filesystem::remove_all(folder_);
  PullOptions elsewhere = options(hub_.direct());
  elsewhere.token = "hub-secret";
  const std::size_t before = hub_.cdn_requests().size();
  ASSERT_TRUE(pull_with(elsewhere).has_value());
  const std::vector<std::string> requests = hub_.cdn_requests();
  for (std::size_t i = before; i < requests.size(); ++i)
    EXPECT_EQ(header_of(requests[i], "Authorization"), "");
}

TEST_F(PullTest, AHubMayNotSendOnIntoTheOwnNetwork) {
  cdn_allowed_ = false;
  const Error error = failure();
  EXPECT_EQ(error.code, Code::permission) << error.text();
  EXPECT_TRUE(hub_.cdn_requests().empty());
}

TEST_F(PullTest, AnotherFileOfThatNameIsNotTouched) {
  std::filesystem::create_directories(folder_);
  std::ofstream(path()) << "GGUF mine";
  const Result<Pulled> refused = pulled();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::already_exists);
  EXPECT_EQ(stored(), "GGUF mine");

  PullOptions replace = options();
  replace.replace = true;
  ASSERT_TRUE(pull_with(replace).has_value());
  EXPECT_EQ(stored(), hub_.content);

  // The same file, put there by hand: known by its hash.
  std::filesystem::remove_all(folder_ + "/.shelf");
  const Result<Pulled> known = pulled();
  ASSERT_TRUE(known.has_value()) << known.error().text();
  EXPECT_TRUE(known->was_there);
  EXPECT_TRUE(items(folder_)[0].record.has_value());
}

TEST_F(PullTest, OnePullOfAFileAtATime) {
  MUST(shelf_folder(folder_));
  const rt::Fd held = MUST(rt::lock_file(folder_ + "/.shelf/m.gguf.lock"));
  EXPECT_EQ(failure().code, Code::busy);
}

TEST_F(PullTest, AListedFileMustBeTheListedOne) {
  PullOptions listed = options("smollm2-135m");
  const Result<Pulled> other = pull_with(listed);
  ASSERT_FALSE(other.has_value());
  EXPECT_EQ(other.error().code, Code::corrupt) << other.error().text();
  EXPECT_EQ(hub_.served_bytes(), 4u);

  // A mirror without hashes: known by the list's hash, after it has come.
  hub_.announces = false;
  listed.source.bytes = kBytes;
  const Result<Pulled> wrong = pull_with(listed);
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().code, Code::corrupt);
  listed.source.sha256 = sha256_hex(hub_.content);
  const Result<Pulled> right = pull_with(listed);
  ASSERT_TRUE(right.has_value()) << right.error().text();
  EXPECT_EQ(right->record.checked, Checked::list);
}

// Servers that lie: another part than was asked for, more than was asked for, two sizes.
TEST_F(PullTest, LiesEndAsErrorsNotAsFiles) {
  const std::string content = hub_.content;
  const auto answer = [&](const char* range, std::size_t bytes, std::size_t from) {
    const std::lock_guard lock(hub_.mutex);
    hub_.first = [=](const net::TestServer::Exchange& x) {
      if (header_of(x.request, "Range") == "bytes=0-3") return false;
      x.reply(206, fmt::format("Content-Range: bytes {}\r\nETag: \"v1\"\r\n", range),
              std::string_view(content).substr(from, bytes));
      return true;
    };
  };
  answer("0-9/3000000", 10, 0);
  EXPECT_EQ(failure().code, Code::network);
  answer("x-y/z", 10, 0);
  EXPECT_EQ(failure().code, Code::network);
  answer("0-262143/9000000", 262144, 0);
  EXPECT_EQ(failure().code, Code::network);
  {
    const std::lock_guard lock(hub_.mutex);
    hub_.first = [&](const net::TestServer::Exchange& x) {
      x.reply(302, "X-Linked-Size: 5\r\nLocation: http://" + hub_.cdn_pair() + "/FILE.gguf\r\n",
              "");
      return true;
    };
  }
  EXPECT_EQ(failure().code, Code::corrupt);
  hub_.settle();
}

TEST_F(PullTest, ProgressIsTold) {
  std::vector<Progress> seen;
  PullOptions told = options();
  told.progress = [&](const Progress& progress) { seen.push_back(progress); };
  ASSERT_TRUE(pull_with(told).has_value());
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.front().phase, Progress::Phase::asking);
  EXPECT_EQ(seen.back().phase, Progress::Phase::checking);
  EXPECT_EQ(seen.back().done_bytes, kBytes);
  EXPECT_EQ(seen.back().total_bytes, kBytes);
}

}  // namespace
}  // namespace keel::shelf
