// Runs the golden transcripts of this folder; README.md gives their format.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

#include "agent/house_test.h"
#include "base/text.h"

namespace keel::agent {
namespace {

using testing::House;
using testing::HouseOptions;

struct Line {
  int number = 0;
  std::string key;  // "given", "expect reply", "restart"
  std::string value;
};

std::vector<Line> read_lines(const std::string& path) {
  std::vector<Line> lines;
  int number = 0;
  for (const std::string& raw : testing::lines_of(path)) {
    ++number;
    const std::string_view line = trim(raw);
    if (line.empty() || line.front() == '#') continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      lines.push_back({number, std::string(line), ""});
    } else {
      lines.push_back(
          {number, std::string(line.substr(0, colon)), std::string(trim(line.substr(colon + 1)))});
    }
  }
  return lines;
}

// The script line of a "model ..." line; nothing for other lines.
std::optional<std::string> model_line(const Line& line) {
  if (line.key == "model") return line.value;
  if (line.key == "model says") return dump_json({{"text", line.value}});
  if (line.key == "model thinks") return dump_json({{"thinking", line.value}});
  if (line.key != "model calls") return std::nullopt;
  const std::size_t space = line.value.find(' ');
  Json call = {{"name", line.value.substr(0, space)}};
  if (space != std::string::npos) call["arguments"] = line.value.substr(space + 1);
  return dump_json({{"calls", Json::array({call})}});
}

// The model lines from `start` to the next restart.
std::string script_from(const std::vector<Line>& lines, std::size_t start) {
  std::string script;
  for (std::size_t i = start; i < lines.size() && lines[i].key != "restart"; ++i) {
    if (const auto line = model_line(lines[i])) script += *line + "\n";
  }
  return script;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class Player {
 public:
  explicit Player(std::vector<Line> lines) : lines_(std::move(lines)) {
    HouseOptions options;
    options.script = script_from(lines_, 0);
    if (!lines_.empty() && lines_[0].key == "context")
      options.context = std::stoll(lines_[0].value);
    house_ = std::make_unique<House>(options);
    MUST(house_->memory->ensure_identity("Keel"));
  }

  void play() {
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      const Line& line = lines_[i];
      SCOPED_TRACE("line " + std::to_string(line.number) + ": " + line.key + ": " + line.value);
      if (line.key == "given") {
        give(line.value);
      } else if (line.key == "restart") {
        house_->restart(script_from(lines_, i + 1));
      } else if (line.key.starts_with("page ")) {
        add_page(line.key.substr(5), line.value);
      } else if (line.key == "stop after") {
        stop_after_ = std::stoi(line.value);
      } else if (line.key.starts_with("expect ")) {
        expect(line.key.substr(7), line.value);
      } else if (line.key != "context" && !model_line(line)) {
        ADD_FAILURE() << "unknown line";
      }
    }
  }

 private:
  void give(std::string text) {
    const std::size_t times = text.rfind(" x");
    if (times != std::string::npos && times + 2 < text.size() &&
        std::all_of(text.begin() + static_cast<std::ptrdiff_t>(times) + 2, text.end(),
                    [](char c) { return c >= '0' && c <= '9'; })) {
      const int count = std::stoi(text.substr(times + 2));
      const std::string word = text.substr(0, times);
      text.clear();
      for (int i = 0; i < count; ++i) text += word + " ";
    }
    house_->events.clear();
    std::stop_source stop;
    int tokens = 0;
    house_->on_event = [&](const Event& event) {
      if (std::holds_alternative<Token>(event) && ++tokens == stop_after_) stop.request_stop();
    };
    result_ = house_->say(text, stop.get_token());
    house_->on_event = nullptr;
    stop_after_ = 0;
    next_tool_ = 0;
  }

  void add_page(const std::string& origin, const std::string& text) {
    const std::size_t bar = text.find(" | ");
    memory::NewPage page;
    page.origin = origin;
    page.title = text.substr(0, bar);
    page.body = bar == std::string::npos ? text : text.substr(bar + 3);
    MUST(house_->memory->add(page));
  }

  void expect(const std::string& what, const std::string& value) {
    if (what == "failed") {
      ASSERT_FALSE(result_) << "the turn did not fail";
      EXPECT_TRUE(has(result_.error().text(), value)) << result_.error().text();
    } else if (what == "page" || what == "no page") {
      EXPECT_EQ(has(pages(), value), what == "page") << pages();
    } else if (what == "prompt" || what == "no prompt") {
      EXPECT_EQ(has(prompt(), value), what == "prompt") << prompt();
    } else if (what == "notice") {
      EXPECT_TRUE(has(house_->notices(), value)) << house_->notices();
    } else if (what == "no notice") {
      EXPECT_EQ(house_->notices(), "");
    } else if (what == "effects") {
      EXPECT_EQ(testing::lines_of(house_->effect_file()).size(), std::stoul(value));
    } else if (what == "result has") {
      EXPECT_TRUE(has(results(), value)) << results();
    } else {
      ASSERT_TRUE(result_) << result_.error().text();
      expect_of_result(what, value);
    }
  }

  void expect_of_result(const std::string& what, const std::string& value) {
    const Json& result = *result_;
    if (what == "reply") {
      EXPECT_EQ(json_string_or(result, "reply", "?"), value);
    } else if (what == "reply has") {
      EXPECT_TRUE(has(json_string_or(result, "reply", "?"), value)) << result["reply"];
    } else if (what == "stopped") {
      EXPECT_TRUE(json_bool_or(result, "stopped", false));
    } else if (what == "no tools") {
      EXPECT_TRUE(result["tools"].empty()) << result["tools"];
    } else if (what == "tool") {
      ASSERT_LT(next_tool_, result["tools"].size()) << result["tools"];
      const Json& call = result["tools"][next_tool_++];
      EXPECT_EQ(
          json_string_or(call, "name", "?") + (json_bool_or(call, "ok", false) ? " ok" : " error"),
          value);
    } else if (what == "no memory") {
      EXPECT_TRUE(result["memory"].empty()) << result["memory"];
    } else if (what == "memory") {
      EXPECT_TRUE(has(dump_json(result["memory"]), value)) << result["memory"];
    } else {
      ADD_FAILURE() << "unknown expectation";
    }
  }

  std::string pages() {
    std::string all;
    for (const memory::Page& page : MUST(house_->memory->list("", 100))) {
      all += page.title + "\n" + page.body + "\n";
    }
    return all;
  }
  std::string prompt() {
    std::string all;
    for (const msg::Item& item : house_->script->last_request().items) {
      all += msg::plain_text(item) + "\n";
    }
    return all;
  }
  std::string results() {
    std::string all;
    for (const msg::Item& item : house_->script->last_request().items) {
      for (const msg::Block& block : item.blocks) {
        if (const auto* result = std::get_if<msg::ToolResult>(&block)) all += result->text + "\n";
      }
    }
    return all;
  }

  std::vector<Line> lines_;
  std::unique_ptr<House> house_;
  Result<Json> result_ = fail(Code::internal, "nothing was said");
  std::size_t next_tool_ = 0;
  int stop_after_ = 0;
};

std::vector<std::string> transcripts() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(GOLDEN_FOLDER)) {
    const std::filesystem::path& path = entry.path();
    if (path.extension() == ".txt" && path.stem() != "CMakeLists") {
      names.push_back(path.stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

class Golden : public ::testing::TestWithParam<std::string> {};

TEST_P(Golden, GoesAsWritten) {
  Player(read_lines(std::string(GOLDEN_FOLDER) + "/" + GetParam() + ".txt")).play();
}

INSTANTIATE_TEST_SUITE_P(Transcript, Golden, ::testing::ValuesIn(transcripts()),
                         [](const auto& one) { return replace_all(one.param, "-", "_"); });

}  // namespace
}  // namespace keel::agent
