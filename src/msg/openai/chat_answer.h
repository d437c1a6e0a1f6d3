// Answers of OpenAI Chat Completions, whole and as streams, both ways.
#pragma once

#include "msg/stream/answer.h"
#include "msg/stream/codec.h"

namespace keel::msg::chat {

struct Style {
  std::int64_t created_s = 0;                       // Unix time of the answer
  bool include_usage = false;                       // a last chunk with the usage
  std::string reasoning_key = "reasoning_content";  // where thoughts go; "": nowhere
};

Result<ReadAnswer> parse_answer(const std::string& body);
std::string write_answer(Answer answer, const Style& style, Losses& losses);

std::unique_ptr<StreamReader> make_reader();
std::unique_ptr<StreamWriter> make_writer(Style style);

}  // namespace keel::msg::chat
