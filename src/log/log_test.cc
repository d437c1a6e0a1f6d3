#include "log/log.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/limits.h"
#include "log/redact.h"
#include "rt/thread.h"

namespace keel::log {
namespace {

class LogTest : public testing::Test {
 protected:
  LogTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "keel-log-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    folder_ = pattern;
    path_ = folder_ + "/logs/keel.log";
  }
  ~LogTest() override {
    close();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::string content(const std::string& suffix = "") {
    std::ifstream file(suffix.empty() ? path_ : folder_ + "/logs/" + suffix, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  mode_t mode(const std::string& path) {
    struct stat info{};
    return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 0777 : 0;
  }

  std::string folder_;
  std::string path_;
};

TEST_F(LogTest, a_line_is_on_disk_before_write_returns) {
  MUST(open({.path = path_, .level = Level::info}));
  info("store", "opened {} pages", 7);
  debug("store", "not shown");
  std::string text = content();
  EXPECT_NE(text.find(" info store: opened 7 pages\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("not shown"), std::string::npos);
  EXPECT_EQ(text.substr(4, 1) + text.substr(10, 1) + text.substr(23, 2), "-TZ ") << text;
}

TEST_F(LogTest, the_file_is_private_even_with_a_wide_umask_and_after_rotation) {
  mode_t old = ::umask(0);
  MUST(open({.path = path_, .level = Level::info}));
  std::string line(8000, 'x');
  for (std::size_t written = 0; written < limits::log_file_bytes + 100000; written += line.size())
    info("test", "{}", line);
  ::umask(old);
  EXPECT_EQ(mode(folder_ + "/logs"), 0700u);
  EXPECT_EQ(mode(path_), 0600u);
  EXPECT_EQ(mode(folder_ + "/logs/keel.1.log"), 0600u);
  EXPECT_LE(std::filesystem::file_size(path_), limits::log_file_bytes);
}

TEST_F(LogTest, the_number_of_files_is_bounded) {
  MUST(open({.path = path_, .level = Level::info}));
  std::string line(8000, 'x');
  std::size_t total = limits::log_file_bytes * (limits::log_files + 3);
  for (std::size_t written = 0; written < total; written += line.size()) info("test", "{}", line);
  auto files = std::filesystem::directory_iterator(folder_ + "/logs");
  EXPECT_EQ(static_cast<std::size_t>(std::distance(begin(files), end(files))),
            limits::log_files + 1);
}

TEST_F(LogTest, a_file_others_can_read_is_closed_to_them) {
  std::filesystem::create_directories(folder_ + "/logs");
  std::ofstream(path_) << "old\n";
  ::chmod(path_.c_str(), 0644);
  MUST(open({.path = path_}));
  EXPECT_EQ(mode(path_), 0600u);
  EXPECT_NE(content().find("old"), std::string::npos);
}

TEST_F(LogTest, no_form_of_a_secret_reaches_the_file) {
  MUST(open({.path = path_, .level = Level::debug}));
  std::string secret = "s3cr3t/kéy+\"quoted\" value?";
  add_secret(secret);
  // Made with base64(1), xxd and a URL encoder, not with the code under test.
  std::vector<std::string> lines = {
      secret,
      "czNjcjN0L2vDqXkrInF1b3RlZCIgdmFsdWU/",          // base64
      "czNjcjN0L2vDqXkrInF1b3RlZCIgdmFsdWU_",          // base64url
      "dXNlcjpzM2NyM3Qva8OpeSsicXVvdGVkIiB2YWx1ZT8=",  // base64 of user:secret
      "YTpzM2NyM3Qva8OpeSsicXVvdGVkIiB2YWx1ZT86Yg==",  // base64 of a:secret:b
      "eHh4czNjcjN0L2vDqXkrInF1b3RlZCIgdmFsdWU/eXk=",  // base64 of xxxsecretyy
      ("733363723374"
       "2f6bc3a9792b2271756f746564222076616c75653f"),
      ("733363723374"
       "2F6BC3A9792B2271756F746564222076616C75653F"),
      "s3cr3t%2Fk%C3%A9y%2B%22quoted%22%20value%3F",
      "s3cr3t%2fk%c3%a9y%2b%22quoted%22%20value%3f",
      "s3cr3t%2Fk%C3%A9y%2B%22quoted%22+value%3F",
      "s3cr3t/kéy+\\\"quoted\\\" value?",  // inside JSON
      "twice " + secret + secret,
  };
  for (const std::string& line : lines) {
    info("test", "before {} after", line);
    EXPECT_NE(redact(line).find("[redacted]"), std::string::npos) << line;
  }
  std::string text = content();
  for (const char* part : {"s3cr3t", "quoted", "czNjcjN0", "M2NyM3", "zY3IzdC", "InF1b3", "Y3IzdC9",
                           "733363", "value"}) {
    EXPECT_EQ(text.find(part), std::string::npos) << part;
  }
  EXPECT_NE(text.find("before [redacted] after"), std::string::npos);
  EXPECT_NE(text.find("twice [redacted][redacted]"), std::string::npos);
}

TEST_F(LogTest, a_secret_inside_another_leaves_no_rest) {
  Redactor redactor;
  redactor.add("abcdefgh");
  redactor.add("abcdefgh-and-more");
  EXPECT_EQ(redactor.apply("x abcdefgh-and-more y"), "x [redacted] y");
}

TEST_F(LogTest, a_short_secret_does_not_redact_ordinary_words) {
  add_secret("the");
  add_secret("");
  EXPECT_EQ(redact("the cat and the dog"), "the cat and the dog");
}

TEST_F(LogTest, a_message_cannot_forge_a_line_or_steer_a_terminal) {
  MUST(open({.path = path_, .level = Level::info}));
  info("net", "{}",
       std::string("one\n2026-01-01T00:00:00.000Z error store: forged\r\x1b[2J\x7f\xff\xc2\x9b"
                   "\u202e end\0!",
                   66));
  std::string text = content();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_NE(text.find("one\\n2026"), std::string::npos);
  EXPECT_NE(text.find("forged\\x0d\\x1b[2J\\x7f\\xff\\u{009b}\\u{202e} end"), std::string::npos)
      << text;
  for (char c : text) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 || c == '\n');
}

TEST_F(LogTest, a_format_character_in_a_message_is_only_text) {
  MUST(open({.path = path_, .level = Level::info}));
  write(Level::info, "%v{}", "100% {} {0} %v %l");
  EXPECT_NE(content().find("%v{}: 100% {} {0} %v %l\n"), std::string::npos);
}

TEST_F(LogTest, a_long_line_is_cut_at_a_character) {
  MUST(open({.path = path_, .level = Level::info}));
  std::string umlauts;
  for (int i = 0; i < 20000; ++i) umlauts += "ä";
  info("test", "{}", umlauts);
  std::string text = content();
  EXPECT_LT(text.size(), limits::log_line_bytes + 100);
  EXPECT_TRUE(text.ends_with("ä…\n"));
}

TEST_F(LogTest, levels_have_names_and_unknown_ones_are_refused) {
  EXPECT_EQ(MUST(level_from_name("debug")), Level::debug);
  EXPECT_EQ(MUST(level_from_name("off")), Level::off);
  EXPECT_EQ(level_from_name("loud").error().code, Code::invalid_argument);
  MUST(open({.path = path_, .level = Level::off}));
  error("test", "nothing");
  EXPECT_EQ(content(), "");
}

TEST_F(LogTest, warnings_reach_stderr_when_asked_and_before_open) {
  testing::internal::CaptureStderr();
  warn("early", "before open");
  MUST(open({.path = path_, .level = Level::debug, .to_stderr = true}));
  info("late", "quiet");
  error("late", "loud");
  std::string text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("early: before open"), std::string::npos);
  EXPECT_NE(text.find("late: loud"), std::string::npos);
  EXPECT_EQ(text.find("quiet"), std::string::npos);
  EXPECT_NE(content().find("quiet"), std::string::npos);
}

TEST_F(LogTest, a_place_that_cannot_be_written_is_an_error_with_its_name) {
  std::filesystem::create_directories(path_);
  Status folder = open({.path = path_});
  ASSERT_FALSE(folder);
  EXPECT_NE(folder.error().message.find(path_), std::string::npos);
  std::filesystem::remove(path_);
  std::filesystem::create_symlink("/tmp/elsewhere", path_);
  EXPECT_FALSE(open({.path = path_}));
}

TEST_F(LogTest, many_threads_write_whole_lines_while_secrets_are_added) {
  MUST(open({.path = path_, .level = Level::info}));
  {
    std::vector<rt::Thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.push_back(rt::start_thread("log", [t](std::stop_token) {
        for (int i = 0; i < 200; ++i) {
          if (i % 50 == 0) add_secret("secret-number-" + std::to_string(t * 1000 + i));
          info("test", "thread {} line {}", t, i);
        }
      }));
    }
  }
  std::string text = content();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 800);
}

}  // namespace
}  // namespace keel::log
