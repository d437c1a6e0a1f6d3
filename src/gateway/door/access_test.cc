#include "gateway/door/access.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/limits.h"

namespace keel::api {
namespace {

using namespace std::chrono_literals;

struct AccessTest : testing::Test {
  std::string folder;
  std::string token;
  ManualClock clock{1'000'000'000};
  std::optional<Access> access;
  std::string who;  // passed last

  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "keel-api-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder = pattern;
    TokenFile file = MUST(TokenFile::open(path()));
    token = file.current();
    access.emplace(host_names("127.0.0.1:7117", 7117, {"Keel.Home:7117"}), std::move(file), clock);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  std::string path() const { return folder + "/token"; }
  void put(const std::string& text, mode_t mode = 0600) const {
    std::filesystem::remove(path());
    std::ofstream(path()) << text;
    ::chmod(path().c_str(), mode);
  }
  int status_with(const http::Headers& headers, const std::string& peer = "127.0.0.1") {
    http::Request head;
    head.headers = headers;
    head.peer = peer;
    const auto denial = access->check_token(head, who);
    return denial ? denial->status : 200;
  }
  int origin_status(const http::Headers& headers, const std::string& query = {}) const {
    http::Request head;
    head.headers = headers;
    head.query = query;
    const auto denial = access->check_origin(head);
    return denial ? denial->status : 200;
  }
};

TEST_F(AccessTest, TheTokenIsMadeOnceForTheOwnerAlone) {
  struct stat info{};
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_GE(token.size(), limits::token_min_bytes);
  EXPECT_EQ(MUST(TokenFile::open(path())).current(), token);
}

TEST_F(AccessTest, AFileThatOthersCanReadOrThatHoldsNoTokenIsRefused) {
  const std::string good(40, 'x');
  put(good, 0644);
  EXPECT_FALSE(TokenFile::open(path()).has_value());
  for (const std::string& bad : {std::string(), std::string("short"), good + "\n" + good,
                                 good + " x", std::string(600, 'x')}) {
    put(bad);
    const auto file = TokenFile::open(path());
    ASSERT_FALSE(file.has_value()) << bad;
    EXPECT_EQ(file.error().code, Code::config) << file.error().text();
    if (bad.size() > 8) {
      EXPECT_EQ(file.error().text().find(bad), std::string::npos) << "a secret is shown";
    }
  }
  std::filesystem::remove(path());
  std::ofstream(folder + "/elsewhere") << good;
  ::chmod((folder + "/elsewhere").c_str(), 0600);
  std::filesystem::create_symlink(folder + "/elsewhere", path());
  EXPECT_FALSE(TokenFile::open(path()).has_value());
}

TEST_F(AccessTest, ANewTokenCountsAndTheOldOneDoesNotFromTheNextRequestOn) {
  EXPECT_EQ(status_with({{"authorization", "Bearer " + token}}), 200);
  const std::string other = "keel_" + std::string(40, 'n');
  put(other + "\n");
  EXPECT_EQ(status_with({{"authorization", "Bearer " + token}}), 401);
  EXPECT_EQ(status_with({{"authorization", "Bearer " + other}}), 200);
  std::filesystem::remove(path());
  EXPECT_EQ(status_with({{"authorization", "Bearer " + other}}), 401);
  EXPECT_EQ(status_with({{"authorization", "Bearer "}}), 401) << "no token is not an empty token";
}

TEST_F(AccessTest, TheTokenComesInOneOfTwoHeaders) {
  EXPECT_EQ(status_with({{"authorization", "bearer  " + token}}), 200);
  EXPECT_EQ(status_with({{"x-api-key", token}}), 200);
  EXPECT_EQ(status_with({{"x-api-key", "placeholder"}, {"authorization", "Bearer " + token}}), 200);
  for (const http::Headers& headers :
       std::vector<http::Headers>{{},
                                  {{"authorization", token}},
                                  {{"authorization", "Basic " + token}},
                                  {{"x-api-key", token + "x"}},
                                  {{"x-api-key", token.substr(1)}},
                                  {{"cookie", "token=" + token}}}) {
    EXPECT_EQ(status_with(headers), 401);
  }
}

TEST_F(AccessTest, GuessingIsLimitedWhateverElseIsSent) {
  for (std::size_t i = 0; i < limits::token_guesses; ++i) {
    EXPECT_EQ(status_with({{"x-api-key", "guess" + std::to_string(i)}}, "10.0.0.9"), 401);
  }
  // Not even the right one, or guessing would go on until it is found.
  EXPECT_EQ(status_with({{"x-api-key", token}}, "10.0.0.9"), 429);
  EXPECT_EQ(status_with({{"x-api-key", "again"}, {"x-forwarded-for", "1.2.3.4"}}, "10.0.0.9"), 429);
  EXPECT_EQ(status_with({{"x-api-key", token}}, "10.0.0.8"), 200);
  clock.advance(limits::token_guess_time);
  EXPECT_EQ(status_with({{"x-api-key", token}}, "10.0.0.9"), 200);
}

TEST_F(AccessTest, LoopbackIsNotExemptFromTheLimit) {
  for (std::size_t i = 0; i < limits::token_guesses; ++i) {
    status_with({{"x-api-key", "guess" + std::to_string(i)}});
  }
  EXPECT_EQ(status_with({{"x-api-key", token}}), 429);
}

TEST_F(AccessTest, AProgramWithAnOldTokenDoesNotLockTheOthersOut) {
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(status_with({{"x-api-key", "an old token"}}), 401);
  EXPECT_EQ(status_with({}), 401);
  EXPECT_EQ(status_with({{"x-api-key", token}}), 200);
}

TEST_F(AccessTest, ManyAddressesDoNotGrowTheMemoryForEver) {
  for (int i = 0; i < 3000; ++i) {
    status_with({{"x-api-key", "guess"}},
                "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250));
  }
  EXPECT_EQ(status_with({{"x-api-key", token}}), 200);
}

TEST_F(AccessTest, TheHostMustBeOneOfOurNames) {
  for (const char* host :
       {"127.0.0.1:7117", "localhost:7117", "LOCALHOST:7117", "[::1]:7117", "keel.home:7117"}) {
    EXPECT_EQ(origin_status({{"host", host}}), 200) << host;
  }
  for (const char* host : {"", "evil.example", "evil.example:7117", "127.evil.com:7117",
                           "127.0.0.1", "localhost", "127.0.0.1:80", "localhost.evil.com:7117",
                           "0.0.0.0:7117", "127.0.0.1:7117.evil.com", "keel.home"}) {
    EXPECT_EQ(origin_status({{"host", host}}), 403) << host;
  }
}

TEST_F(AccessTest, PagesOfOtherSitesMayNotAsk) {
  const std::string host = "127.0.0.1:7117";
  EXPECT_EQ(origin_status({{"host", host}, {"origin", "http://127.0.0.1:7117"}}), 200);
  EXPECT_EQ(origin_status({{"host", host}, {"origin", "https://keel.home:7117"}}), 200);
  for (const char* origin :
       {"null", "", "http://evil.example", "http://127.0.0.1:7117.evil.example",
        "http://evil.example/http://127.0.0.1:7117", "http://localhost", "file://",
        "chrome-extension://abc"}) {
    EXPECT_EQ(origin_status({{"host", host}, {"origin", origin}}), 403) << origin;
  }
}

TEST_F(AccessTest, ATokenInTheAddressIsRefusedWhateverIsAskedFor) {
  const http::Headers host{{"host", "127.0.0.1:7117"}};
  EXPECT_EQ(origin_status(host, "beta=true&tokens=5"), 200);
  for (const char* query :
       {"token=x", "beta=true&access_token=x", "API_KEY=x", "key=x", "x-api-key=x", "token"}) {
    EXPECT_EQ(origin_status(host, query), 400) << query;
  }
}

TEST_F(AccessTest, OnlyAddressesOfThisMachineAreLoopback) {
  for (const char* listen : {"127.0.0.1:1", "127.1.2.3:1", "[::1]:1", "localhost:1"}) {
    EXPECT_TRUE(is_loopback(listen)) << listen;
  }
  for (const char* listen : {"0.0.0.0:1", "[::]:1", "192.168.1.2:1", "127.evil.com:1",
                             "localhost.evil.com:1", "128.0.0.1:1", "[::ffff:7f00:1]:1"}) {
    EXPECT_FALSE(is_loopback(listen)) << listen;
  }
}

TEST_F(AccessTest, OtherKeysAreKnownByTheirNames) {
  const auto secret = [&](const std::string& name, const std::string& text) {
    std::ofstream(folder + "/" + name) << text << "\n";
    ::chmod((folder + "/" + name).c_str(), 0600);
    return config::GatewayKey{name, config::Secret("file:" + folder + "/" + name), {}, 1};
  };
  const std::string editor = "editor_" + std::string(40, 'e');
  const config::GatewayKey key = secret("editor", editor);
  access.emplace(host_names("127.0.0.1:7117", 7117, {}), MUST(TokenFile::open(path())), clock,
                 MUST(named_tokens({key})));
  EXPECT_EQ(status_with({{"x-api-key", editor}}), 200);
  EXPECT_EQ(who, "editor");
  EXPECT_EQ(status_with({{"x-api-key", token}}), 200);
  EXPECT_EQ(who, "");
  EXPECT_EQ(status_with({{"x-api-key", editor.substr(1)}}), 401);
  EXPECT_EQ(who, "");
  for (const config::GatewayKey& bad :
       {secret("short", "x"), secret("twice", editor), secret("none", "")}) {
    const auto tokens = named_tokens({key, bad});
    ASSERT_FALSE(tokens.has_value()) << bad.name;
    EXPECT_EQ(tokens.error().code, Code::config);
    EXPECT_NE(tokens.error().text().find(bad.name), std::string::npos) << tokens.error().text();
    EXPECT_EQ(tokens.error().text().find(editor), std::string::npos) << "a secret is shown";
  }
}

}  // namespace
}  // namespace keel::api
