// Answers of Anthropic Messages, whole and as streams, both ways.
#pragma once

#include "msg/stream/answer.h"
#include "msg/stream/codec.h"

namespace keel::msg::anthropic {

// The body of an answer with status 200. A body that is an error is that error.
Result<ReadAnswer> parse_answer(const std::string& body);
// Calls that are not whole are left out.
std::string write_answer(Answer answer, Losses& losses);

std::unique_ptr<StreamReader> make_reader();
// Sends a ping right after the start, so that the client hears something while a prompt is read.
std::unique_ptr<StreamWriter> make_writer();

}  // namespace keel::msg::anthropic
