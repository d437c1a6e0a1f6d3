// kind = "script": a file of model turns instead of a model, for tests and demonstrations.
// docs/formats/script-model.md gives the format. Deterministic; usage counts words, roughly.
//
// Threads: as model.h says; many generate() at once, so that it can stand for a busy service.
// Limits: limits.h, "model (script)".
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/model.h"

namespace keel::model {

struct ScriptOptions {
  std::string name;
  std::string path;          // shown in info() and errors
  std::int64_t context = 0;  // words; 0: no bound
};

class ScriptModel final : public Model {
 public:
  // An error names the line.
  static Result<std::unique_ptr<ScriptModel>> open(const ScriptOptions& options);
  static Result<std::unique_ptr<ScriptModel>> from_text(const ScriptOptions& options,
                                                        std::string_view text);

  Info info() const override;
  Result<Response> generate(const Request& request, const Sink& sink,
                            std::stop_token stop) override;
  Status prepare(const Request& request, const Sink& sink, std::stop_token stop) override;
  Result<std::int64_t> count(const Request& request) override;

  // What generate() was asked last; for tests of what a model is shown.
  Request last_request() const;

 private:
  struct Line {
    int number = 0;
    std::string match;  // lower case
    std::string result;
    std::optional<msg::Role> on;
    std::optional<bool> forced;
    bool repeat = false;
    std::string text;
    std::string thinking;
    std::vector<msg::ToolCall> calls;
    int delay_ms = 0;
    int first_delay_ms = 0;
    bool max_tokens = false;
    std::optional<Error> error;
    bool crash = false;
    bool used = false;
  };

  explicit ScriptModel(ScriptOptions options) : options_(std::move(options)) {}
  static Result<Line> parse_line(std::string_view text, int number);
  static Status parse_calls(const Json& value, Line& line);
  static Status parse_ending(const Json& value, Line& line);
  // With mutex_ held.
  Result<Line> pick(const Request& request);
  // `said`: the last words of the user, in lower case.
  static bool holds(const Line& line, const Request& request, const std::string& said);
  Usage count_prompt(const Request& request);
  Result<Line> begin(const Request& request, Response& response);

  const ScriptOptions options_;
  mutable std::mutex mutex_;
  std::vector<Line> lines_;
  std::map<std::string, std::vector<std::uint64_t>>
      prompts_;  // by conversation: marks of its items
  Request last_;
};

}  // namespace keel::model
