#include "msg/fault.h"

#include <gtest/gtest.h>

namespace keel::msg {
namespace {

TEST(Fault, AnOverflowIsSaidInTheWordsThatClientsActOn) {
  const ApiError error{Fault::context_overflow, overflow_message(40000, 32768, Dialect::anthropic)};
  EXPECT_EQ(http_status(error.kind, Dialect::anthropic), 400);
  EXPECT_EQ(error_body(error, Dialect::anthropic),
            R"({"type":"error","error":{"type":"invalid_request_error",)"
            R"("message":"prompt is too long: 40000 tokens > 32768 maximum"}})");
  const ApiError chat{Fault::context_overflow, overflow_message(40000, 32768, Dialect::chat)};
  EXPECT_EQ(error_body(chat, Dialect::chat),
            R"({"error":{"message":"This model's maximum context length is 32768 tokens. )"
            R"(However, your messages resulted in 40000 tokens. Please reduce the length of the )"
            R"(messages.","type":"invalid_request_error","param":null,)"
            R"("code":"context_length_exceeded"}})");
}

TEST(Fault, AnOverflowIsKnownInEveryServersWords) {
  for (const char* words :
       {"prompt is too long: 9 tokens > 8 maximum",
        "This model's maximum context length is 8 tokens.",
        "request (9 tokens) exceeds the available context size (8 tokens), try increasing it",
        "input length and `max_tokens` exceed context limit: 9 + 9 > 8"}) {
    EXPECT_EQ(read_error(400, "{\"error\":{\"message\":\"" + std::string(words) + "\"}}").kind,
              Fault::context_overflow)
        << words;
  }
  EXPECT_FALSE(says_overflow("the tool's name is too long"));
}

TEST(Fault, EveryKindComesBackFromEveryDialect) {
  for (int k = 0; k <= static_cast<int>(Fault::timeout); ++k) {
    const auto kind = static_cast<Fault>(k);
    for (const Dialect dialect : {Dialect::anthropic, Dialect::chat, Dialect::responses}) {
      ApiError error{kind, "words"};
      if (kind == Fault::context_overflow) error.message = overflow_message(2, 1, dialect);
      const int status = http_status(kind, dialect);
      const ApiError back = read_error(status, error_body(error, dialect));
      EXPECT_EQ(back.kind, kind) << k << " " << dialect_name(dialect);
      EXPECT_EQ(back.message, error.message);
    }
  }
}

TEST(Fault, WhateverAServerAnswersIsAnErrorWithWords) {
  for (const char* body : {"", "<html>Bad gateway</html>", "[]", "7", "null", "{}",
                           "{\"error\":{}}", "{\"error\":null}", "{\"error\":\"no such model\"}",
                           "{\"detail\":[{\"loc\":1}]}", "\xff\xfe", "{\"message\":{\"a\":1}}"}) {
    for (const int status : {0, 200, 301, 400, 401, 429, 500, 529}) {
      EXPECT_FALSE(read_error(status, body).message.empty()) << body;
    }
  }
  EXPECT_EQ(read_error(404, "{\"error\":\"no such model\"}").message, "no such model");
  EXPECT_EQ(read_error(502, "<html>").kind, Fault::api);
  EXPECT_EQ(read_error(529, "").kind, Fault::overloaded);
}

TEST(Fault, AnErrorOfKeelKeepsItsMeaning) {
  const Error busy{Code::busy, "the engine is loading", "try again", {}};
  EXPECT_EQ(to_api_error(busy).kind, Fault::overloaded);
  EXPECT_EQ(to_api_error(busy).message, "the engine is loading (try again)");
  EXPECT_EQ(to_api_error({Code::limit, "prompt is too long: 9 tokens > 8 maximum", "", {}}).kind,
            Fault::context_overflow);
  EXPECT_EQ(to_error({Fault::auth, "no"}).code, Code::config);
}

TEST(Fault, APromptSizeIsReadInAnyOrderOrLeftAlone) {
  for (const char* text : {"prompt is too long: 5000 tokens > 4096 maximum",
                           "This model's maximum context length is 4096 tokens. However, your "
                           "messages resulted in 5000 tokens."}) {
    const auto size = prompt_size(text);
    ASSERT_TRUE(size) << text;
    EXPECT_EQ(size->tokens, 5000);
    EXPECT_EQ(size->maximum, 4096);
  }
  EXPECT_FALSE(prompt_size("no numbers"));
  EXPECT_FALSE(prompt_size("7 > 7"));
  EXPECT_FALSE(prompt_size("99999999999999999999999 tokens > 1"));
}

}  // namespace
}  // namespace keel::msg
