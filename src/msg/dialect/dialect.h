// One door to the three dialects, for who knows only at run time which one a client or a server
// speaks.
#pragma once

#include "msg/openai/chat_answer.h"
#include "msg/openai/responses_answer.h"
#include "msg/params.h"
#include "msg/stream/answer.h"
#include "msg/stream/codec.h"

namespace keel::msg {

Result<Parsed> parse_request(Dialect dialect, std::string body);
Written write_request(Dialect dialect, const Conversation& conversation, const Target& target);

Result<ReadAnswer> parse_answer(Dialect dialect, const std::string& body);

// What an answer repeats of its request, in whatever dialect.
struct AnswerStyle {
  std::int64_t created_s = 0;
  chat::Style chat = {};
  responses::Style responses = {};
};
// The style that this request asks for.
AnswerStyle style_for(const Conversation& request, std::int64_t now_s);
std::string write_answer(Dialect dialect, const Answer& answer, const AnswerStyle& style,
                         Losses& losses);

std::unique_ptr<StreamReader> make_reader(Dialect dialect);
std::unique_ptr<StreamWriter> make_writer(Dialect dialect, const AnswerStyle& style);

}  // namespace keel::msg
