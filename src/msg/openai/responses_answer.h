// Answers of OpenAI Responses, whole and as streams, both ways.
#pragma once

#include "msg/stream/answer.h"
#include "msg/stream/codec.h"

namespace keel::msg::responses {

// What an answer repeats of its request.
struct Style {
  std::int64_t created_s = 0;  // Unix time of the answer
  std::string tools = "[]";    // JSON as it came
  std::string tool_choice = "\"auto\"";
  std::string instructions = "null";
  bool parallel = true;
  std::optional<std::int64_t> max_tokens = {};
  std::optional<double> temperature = {};
  std::optional<double> top_p = {};
};

Result<ReadAnswer> parse_answer(const std::string& body);
std::string write_answer(Answer answer, const Style& style, Losses& losses);

std::unique_ptr<StreamReader> make_reader();
std::unique_ptr<StreamWriter> make_writer(Style style);

}  // namespace keel::msg::responses
