// Cloud models against a server of our own that speaks each dialect, and misbehaves in the ways
// that real ones do.
#include "model/cloud/cloud_model.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "model/cloud/prices.h"
#include "model/cloud/retry.h"
#include "msg/raw.h"
#include "net/test_server.h"

namespace keel::model {
namespace {

using Exchange = net::TestServer::Exchange;
using msg::Dialect;

std::string body_of(const Exchange& x) {
  const std::size_t end = x.request.find("\r\n\r\n") + 4;
  std::string body = x.request.substr(end);
  const std::size_t at = x.request.find("ontent-Length: ");
  const std::size_t size = at == std::string::npos ? 0 : std::stoul(x.request.substr(at + 15));
  while (body.size() < size && !x.stop.stop_requested()) {
    std::array<char, 65536> buffer{};
    const ssize_t got = recv(x.fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got == 0) break;
    if (got < 0) {
      rt::sleep_ms(1);
      continue;
    }
    body.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return body;
}

// What a server of this dialect would stream for this answer.
std::string stream_of(Dialect dialect, const msg::Answer& answer) {
  msg::AnswerStyle style;
  style.chat.include_usage = true;
  const auto writer = msg::make_writer(dialect, style);
  std::string out;
  for (const msg::StreamEvent& event : msg::events_of(answer)) writer->event(event, out);
  return out;
}

msg::Answer answer_with(std::vector<msg::Block> blocks, msg::Stop stop = msg::Stop::end) {
  msg::Answer answer;
  answer.id = "msg_1";
  answer.model = "big";
  answer.item.blocks = std::move(blocks);
  answer.stop = stop;
  answer.usage = {100, 900, 0, 0, 50};
  return answer;
}

struct Heard {
  std::string text;
  std::string thinking;
  std::vector<std::string> calls;
  Sink sink() {
    return [this](const StreamEvent& event) {
      if (const auto* t = std::get_if<TextDelta>(&event)) text += t->text;
      if (const auto* t = std::get_if<ThinkingDelta>(&event)) thinking += t->text;
      if (const auto* c = std::get_if<ToolCallStarted>(&event)) calls.push_back(c->name);
    };
  }
};

class Cloud : public ::testing::TestWithParam<Dialect> {
 protected:
  void serve(net::TestServer::Handler handler) {
    server_ = std::make_unique<net::TestServer>(std::move(handler));
    net::ClientOptions options;
    options.allowed_private = {server_->host_port()};
    client_ = std::make_unique<net::Client>(options);
    CloudOptions cloud;
    cloud.name = "cloud";
    cloud.dialect = GetParam();
    cloud.base_url = server_->url("/v1");
    cloud.model = "big";
    cloud.prices = prices_for(GetParam(), 10, 20);
    model_ = MUST(CloudModel::create(cloud, *client_));
  }
  // Answers every request with this stream.
  void serve_stream(const std::string& stream) {
    serve([this, stream](const Exchange& x) {
      requests_.push_back(body_of(x));
      x.reply(200, "Content-Type: text/event-stream\r\n", stream);
    });
  }
  Result<Response> ask(std::stop_token stop = {}) {
    return model_->generate(request_, heard_.sink(), stop);
  }

  std::vector<std::string> requests_;
  std::unique_ptr<net::TestServer> server_;
  std::unique_ptr<net::Client> client_;
  std::unique_ptr<CloudModel> model_;
  Heard heard_;
  Request request_{
      .conversation = "c",
      .items = {msg::text_item(msg::Role::system, "rules"), msg::text_item(msg::Role::user, "hi")}};
};

TEST_P(Cloud, StreamsTextAndSaysWhatItCost) {
  serve_stream(stream_of(GetParam(), answer_with({msg::Text{"Hello."}})));
  const Result<Response> response = ask();
  ASSERT_TRUE(response) << response.error().text();
  EXPECT_EQ(heard_.text, "Hello.");
  EXPECT_EQ(msg::plain_text(response->item), "Hello.");
  EXPECT_EQ(response->stop, StopReason::end);
  EXPECT_EQ(response->usage.prompt_tokens, 1000);
  EXPECT_EQ(response->usage.cached_tokens, 900);
  const double factor = GetParam() == Dialect::anthropic ? 0.1 : 0.5;
  EXPECT_NEAR(response->usage.cost_usd, (100 * 10 + 900 * 10 * factor + 50 * 20) / 1e6, 1e-9);
}

TEST_P(Cloud, ToolCallsComeBackWithTheirOwnNames) {
  request_.tools = {{"git.log", "shows", Json::parse(R"({"type":"object"})")}};
  serve([&](const Exchange& x) {
    const msg::Parsed parsed = MUST(msg::parse_request(GetParam(), body_of(x)));
    const std::string name = parsed.conversation.tools.at(0).name;
    x.reply(200, "",
            stream_of(GetParam(), answer_with({msg::ToolCall{"call_1", name, "{\"a\":1}"}},
                                              msg::Stop::tool_calls)));
  });
  const Result<Response> response = ask();
  ASSERT_TRUE(response) << response.error().text();
  EXPECT_EQ(response->stop, StopReason::tool_calls);
  EXPECT_EQ(heard_.calls, std::vector<std::string>{"git.log"});
  const auto calls = msg::tool_calls(response->item);
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].name, "git.log");
  EXPECT_EQ(calls[0].arguments, "{\"a\":1}");
  EXPECT_TRUE(calls[0].complete);
}

TEST_P(Cloud, AsksAgainWhileTheServerIsOverloadedAndWaitsAsLongAsItAsks) {
  int asked = 0;
  serve([&](const Exchange& x) {
    body_of(x);
    if (++asked == 1) return x.reply(529, "retry-after-ms: 20\r\n", "{}");
    if (asked == 2) return x.reply(429, "Retry-After: 0\r\n", R"({"error":{"message":"slow"}})");
    x.reply(200, "", stream_of(GetParam(), answer_with({msg::Text{"Now."}})));
  });
  const Result<Response> response = ask();
  ASSERT_TRUE(response) << response.error().text();
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(heard_.text, "Now.");
}

TEST_P(Cloud, DoesNotAskAgainForWhatWillNotChange) {
  int asked = 0;
  serve([&](const Exchange& x) {
    ++asked;
    body_of(x);
    x.reply(401, "", R"({"error":{"message":"no such key"}})");
  });
  const Result<Response> response = ask();
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::config);
  EXPECT_EQ(response.error().message, "cloud: no such key");
  EXPECT_EQ(asked, 1);
}

TEST_P(Cloud, AWaitThatIsTooLongIsAnErrorAtOnce) {
  serve([&](const Exchange& x) {
    body_of(x);
    x.reply(429, "Retry-After: 86400\r\n", R"({"error":{"message":"tomorrow"}})");
  });
  const Result<Response> response = ask();
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::busy);
}

TEST_P(Cloud, NothingThatWasShownIsShownTwice) {
  int asked = 0;
  const std::string whole = stream_of(GetParam(), answer_with({msg::Text{"Half an answer"}}));
  const std::size_t shown = whole.find("Half an answer");
  const std::string half = whole.substr(0, whole.find("\n\n", shown) + 2);
  serve([&](const Exchange& x) {
    ++asked;
    body_of(x);
    x.reply(200, "", half);
  });
  const Result<Response> response = ask();
  ASSERT_FALSE(response);
  EXPECT_EQ(heard_.text, "Half an answer");
  EXPECT_EQ(asked, 1);
}

TEST_P(Cloud, AStreamThatEndsBeforeItsFirstWordIsAskedForAgain) {
  int asked = 0;
  serve([&](const Exchange& x) {
    body_of(x);
    if (++asked == 1) return x.reply(200, "", "");
    x.reply(200, "", stream_of(GetParam(), answer_with({msg::Text{"Yes."}})));
  });
  ASSERT_TRUE(ask());
  EXPECT_EQ(asked, 2);
}

TEST_P(Cloud, AnErrorInTheStreamIsTheServersError) {
  serve([&](const Exchange& x) {
    body_of(x);
    x.reply(200, "",
            "event: error\ndata: " +
                msg::error_body({msg::Fault::invalid, "bad schema"}, GetParam()) + "\n\n");
  });
  const Result<Response> response = ask();
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().message, "cloud: bad schema");
}

TEST_P(Cloud, APromptThatDoesNotFitIsALimit) {
  serve([&](const Exchange& x) {
    body_of(x);
    x.reply(400, "",
            msg::error_body({msg::Fault::context_overflow, msg::overflow_message(9, 8, GetParam())},
                            GetParam()));
  });
  const Result<Response> response = ask();
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::limit);
  EXPECT_NE(response.error().message.find("prompt is too long"), std::string::npos)
      << response.error().message;
}

TEST_P(Cloud, APromptIsCountedByTheServiceIfItCounts) {
  request_.tools = {{"f", "does", Json::parse(R"({"type":"object"})")}};
  request_.max_tokens = 77;
  std::string asked;
  int answers = 0;
  serve([&](const Exchange& x) {
    asked = x.request.substr(0, x.request.find("\r\n")) + "\n" + body_of(x);
    if (++answers == 2) return x.reply(429, "", R"({"error":{"message":"slow"}})");
    x.reply(200, "", R"({"input_tokens": 321})");
  });
  const Result<std::int64_t> tokens = model_->count(request_);
  if (GetParam() != Dialect::anthropic) {
    ASSERT_FALSE(tokens);
    EXPECT_EQ(tokens.error().code, Code::unsupported);
    EXPECT_EQ(answers, 0);
    return;
  }
  ASSERT_TRUE(tokens) << tokens.error().text();
  EXPECT_EQ(*tokens, 321);
  EXPECT_EQ(asked.find("POST /v1/messages/count_tokens HTTP/1.1"), 0u) << asked;
  const Json body = MUST(parse_json(asked.substr(asked.find('\n'))));
  std::vector<std::string> keys;
  for (const auto& [key, value] : body.items()) keys.push_back(key);
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(keys, (std::vector<std::string>{"messages", "model", "system", "tools"}));
  const Result<std::int64_t> refused = model_->count(request_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "cloud: slow");
}

TEST_P(Cloud, ACallThatWasCutOffIsMarkedAsHalf) {
  const std::string whole =
      stream_of(GetParam(), answer_with({msg::ToolCall{"call_1", "f", R"({"path":"/tmp"})", false}},
                                        msg::Stop::max_tokens));
  serve_stream(whole);
  const Result<Response> response = ask();
  ASSERT_TRUE(response) << response.error().text();
  EXPECT_EQ(response->stop, StopReason::max_tokens);
}

TEST_P(Cloud, AStopRequestEndsItAtOnceWithWhatWasWritten) {
  const std::string whole = stream_of(GetParam(), answer_with({msg::Text{"One. Two."}}));
  const std::size_t shown = whole.find("One. Two.");
  const std::string half = whole.substr(0, whole.find("\n\n", shown) + 2);
  serve([&](const Exchange& x) {
    body_of(x);
    x.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + half);
    x.hang();
  });
  std::stop_source stop;
  const Result<Response> response = model_->generate(
      request_,
      [&](const StreamEvent& event) {
        if (std::holds_alternative<TextDelta>(event)) stop.request_stop();
      },
      stop.get_token());
  ASSERT_TRUE(response) << response.error().text();
  EXPECT_EQ(response->stop, StopReason::cancelled);
  EXPECT_EQ(msg::plain_text(response->item), "One. Two.");
}

TEST_P(Cloud, GarbageIsAnErrorThatShowsIt) {
  serve([&](const Exchange& x) {
    body_of(x);
    x.reply(400, "Content-Type: text/html\r\n", "<html>no</html>");
  });
  const Result<Response> response = ask();
  ASSERT_FALSE(response);
  EXPECT_NE(response.error().message.find("<html>no</html>"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Dialects, Cloud,
                         ::testing::Values(Dialect::anthropic, Dialect::chat, Dialect::responses),
                         [](const auto& given) {
                           return std::string(msg::dialect_name(given.param));
                         });

TEST(CloudRequest, MarksTheRulesAndTheLastTwoTurnsForTheCache) {
  Request request;
  request.items = {msg::text_item(msg::Role::system, "rules"), msg::text_item(msg::Role::user, "a"),
                   msg::text_item(msg::Role::assistant, "b"), msg::text_item(msg::Role::user, "c")};
  msg::Conversation c = conversation_for(request, "big");
  mark_for_cache(c);
  const std::string body = msg::write_request(Dialect::anthropic, c, {}).body;
  std::size_t marks = 0;
  for (std::size_t at = body.find("cache_control"); at != std::string::npos;
       at = body.find("cache_control", at + 1)) {
    ++marks;
  }
  EXPECT_EQ(marks, 3u) << body;
}

TEST(CloudRequest, TheNameOfAConversationDoesNotLeaveTheMachine) {
  Request request;
  request.conversation = "telegram:anna";
  request.items = {msg::text_item(msg::Role::user, "a")};
  const std::string body =
      msg::write_request(Dialect::chat, conversation_for(request, "big"), {}).body;
  EXPECT_EQ(body.find("anna"), std::string::npos);
  EXPECT_NE(body.find("prompt_cache_key"), std::string::npos);
}

TEST(Retry, WaitsLongerEachTimeAndNotForever) {
  using std::chrono::milliseconds;
  EXPECT_LT(*wait_before(1, std::nullopt, 0), *wait_before(2, std::nullopt, 0));
  EXPECT_LT(*wait_before(1, std::nullopt, 1), *wait_before(1, std::nullopt, 0));
  EXPECT_EQ(wait_before(1, milliseconds(1234), 0.5), milliseconds(1234));
  EXPECT_FALSE(wait_before(1, milliseconds(3'600'000), 0));
  EXPECT_FALSE(wait_before(100, std::nullopt, 0));
}

TEST(Retry, ReadsBothHeadersAndNothingElse) {
  using std::chrono::milliseconds;
  EXPECT_EQ(asked_wait({{"retry-after", "2"}}), milliseconds(2000));
  EXPECT_EQ(asked_wait({{"retry-after", "2"}, {"retry-after-ms", "15"}}), milliseconds(15));
  for (const char* bad : {"", "soon", "-1", "1e99", "nan", "Wed, 21 Oct 2026 07:28:00 GMT"}) {
    EXPECT_FALSE(asked_wait({{"retry-after", bad}})) << bad;
  }
}

}  // namespace
}  // namespace keel::model
