#include "gateway/api/request_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "msg/dialect/dialect.h"

namespace keel::api {
namespace {

MapOptions options() {
  return {"small", "", "a secret of the daemon"};
}

Mapped from_anthropic(const std::string& body, const MapOptions& map = options()) {
  return map_request(
      std::move(MUST(msg::parse_request(msg::Dialect::anthropic, body)).conversation), map);
}
Mapped from_chat(const std::string& body) {
  return map_request(std::move(MUST(msg::parse_request(msg::Dialect::chat, body)).conversation),
                     options());
}

// What a model is shown, one item a line.
std::string shown(const model::Request& request) {
  std::string out;
  for (const msg::Item& item : request.items) {
    out += std::string(msg::role_name(item.role)) + ":";
    for (const msg::Block& block : item.blocks) {
      if (const auto* text = std::get_if<msg::Text>(&block)) out += " " + text->text;
      if (const auto* call = std::get_if<msg::ToolCall>(&block)) out += " CALL " + call->name;
      if (const auto* result = std::get_if<msg::ToolResult>(&block)) {
        out += " RESULT " + result->name + " " + result->text + (result->is_error ? " ERROR" : "");
      }
      if (const auto* thought = std::get_if<msg::Thinking>(&block)) {
        out += " THOUGHT " + thought->text + "@" + thought->origin;
      }
    }
    out += "\n";
  }
  return out;
}

bool lost(const Mapped& mapped, msg::Lost what) {
  return std::any_of(mapped.losses.begin(), mapped.losses.end(),
                     [&](const msg::Loss& loss) { return loss.what == what; });
}

TEST(RequestMap, TheNonceInTheSystemPromptNeverReachesTheModel) {
  const Mapped mapped = from_anthropic(R"({"model":"small","max_tokens":10,
    "system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=1; cch=abcde;"},
              {"type":"text","text":"You help."}],
    "messages":[{"role":"user","content":"hi"}]})");
  EXPECT_EQ(shown(mapped.request), "system: You help.\nuser: hi\n");
  EXPECT_TRUE(lost(mapped, msg::Lost::nonce));
}

TEST(RequestMap, ASystemNoteInTheMiddleStaysInItsPlaceAndLaterMessagesChangeNothing) {
  const std::string start = R"({"model":"small","max_tokens":10,"system":"Rules.","messages":[
    {"role":"user","content":"first"},{"role":"system","content":"agents: a, b"})";
  const Mapped one = from_anthropic(start + "]}");
  const Mapped two = from_anthropic(start + R"(,{"role":"assistant","content":"yes"},
    {"role":"user","content":"second"}]})");
  const std::string before = shown(one.request);
  EXPECT_EQ(before.find("system:"), 0u);
  EXPECT_EQ(before.find("system:", 1), before.npos) << before;
  EXPECT_NE(before.find("first"), before.npos);
  EXPECT_NE(before.find("agents: a, b"), before.npos);
  EXPECT_EQ(shown(two.request).compare(0, before.size(), before), 0) << shown(two.request);
  EXPECT_EQ(one.request.conversation, two.request.conversation);
}

TEST(RequestMap, ConversationsOfOneSessionAreTwoConversations) {
  MapOptions map = options();
  map.session = "s1";
  const auto ask = [&](const std::string& text) {
    return from_anthropic(
               R"({"model":"small","max_tokens":1,"messages":[{"role":"user","content":")" + text +
                   "\"}]}",
               map)
        .request.conversation;
  };
  EXPECT_EQ(ask("a"), ask("a"));
  EXPECT_NE(ask("a"), ask("b"));
  const std::string before = ask("a");
  map.session = "s2";
  EXPECT_NE(ask("a"), before);
}

TEST(RequestMap, ToolResultsStandRightAfterTheirCallsAndNameTheirTool) {
  const Mapped mapped = from_anthropic(R"({"model":"small","max_tokens":10,"messages":[
    {"role":"user","content":"go"},
    {"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"Read","input":{}},
                                   {"type":"tool_use","id":"t2","name":"Grep","input":{}}]},
    {"role":"user","content":[
      {"type":"tool_result","tool_use_id":"t1","content":"one"},
      {"type":"tool_result","tool_use_id":"t2","is_error":true,
       "content":[{"type":"text","text":"two"}]},
      {"type":"text","text":"and now?"}]}],
    "tools":[{"name":"Read","input_schema":{"type":"object"}},
             {"name":"Grep","input_schema":{"type":"object"}}]})");
  EXPECT_EQ(shown(mapped.request),
            "user: go\nassistant: CALL Read CALL Grep\ntool: RESULT Read one\n"
            "tool: RESULT Grep two ERROR\nuser: and now?\n");
}

TEST(RequestMap, AnInterruptedCallGetsAResultSoThatTheTemplateDoesNotFail) {
  const Mapped mapped = from_chat(R"({"model":"small","messages":[
    {"role":"user","content":"go"},
    {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function",
      "function":{"name":"read","arguments":"{}"}}]},
    {"role":"user","content":"never mind"}]})");
  const std::string text = shown(mapped.request);
  EXPECT_NE(text.find("assistant: CALL read\ntool: RESULT read"), text.npos) << text;
  EXPECT_TRUE(lost(mapped, msg::Lost::result));
}

TEST(RequestMap, WhatTheModelCannotSeeIsSaidInWords) {
  const Mapped mapped = from_anthropic(R"({"model":"small","max_tokens":10,"messages":[
    {"role":"user","content":[{"type":"text","text":"what is this"},
      {"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},
      {"type":"document","source":{"type":"text","media_type":"text/plain",
                                   "data":"the text"}}]}]})");
  const std::string text = shown(mapped.request);
  EXPECT_NE(text.find("what is this"), text.npos);
  EXPECT_NE(text.find("image"), text.npos) << text;
  EXPECT_NE(text.find("the text"), text.npos) << text;
  EXPECT_EQ(text.find("AAAA"), text.npos) << text;
  EXPECT_TRUE(lost(mapped, msg::Lost::image));
}

TEST(RequestMap, ToolChoicesReachTheModel) {
  const auto choice = [](const std::string& value) {
    return from_anthropic(R"({"model":"small","max_tokens":10,"tools":[
        {"name":"Read","input_schema":{"type":"object"}}],"tool_choice":)" +
                          value + R"(,"messages":[{"role":"user","content":"x"}]})")
        .request;
  };
  EXPECT_EQ(choice(R"({"type":"auto"})").tool_choice, model::ToolChoice::automatic);
  EXPECT_EQ(choice(R"({"type":"none"})").tool_choice, model::ToolChoice::none);
  EXPECT_EQ(choice(R"({"type":"any"})").tool_choice, model::ToolChoice::required);
  const model::Request named = choice(R"({"type":"tool","name":"Read"})");
  EXPECT_EQ(named.tool_choice, model::ToolChoice::required);
  EXPECT_EQ(named.tool, "Read");
}

TEST(RequestMap, AServerToolIsNotOfferedAsAFunctionWithoutASchema) {
  const Mapped mapped = from_anthropic(R"({"model":"small","max_tokens":10,
    "tools":[{"type":"web_search_20250305","name":"web_search"},
             {"name":"Read","input_schema":{"type":"object"}}],
    "messages":[{"role":"user","content":"x"}]})");
  ASSERT_EQ(mapped.request.tools.size(), 1u);
  EXPECT_EQ(mapped.request.tools[0].name, "Read");
  EXPECT_TRUE(lost(mapped, msg::Lost::tool));
}

TEST(RequestMap, OnlyThoughtsOfThisVeryModelAreShownToIt) {
  const std::string good = sign_thinking(options().secret, "small", "hm");
  const auto ask = [](const std::string& thought, const std::string& signature) {
    return shown(from_anthropic(R"({"model":"small","max_tokens":10,"messages":[
        {"role":"user","content":"q"},{"role":"assistant","content":[
          {"type":"thinking","thinking":")" +
                                thought + R"(","signature":")" + signature +
                                R"("},{"type":"text","text":"a"}]},
        {"role":"user","content":"r"}]})")
                     .request);
  };
  EXPECT_NE(ask("hm", good).find("THOUGHT hm@small"), std::string::npos) << ask("hm", good);
  EXPECT_EQ(ask("hm!", good).find("THOUGHT"), std::string::npos);
  EXPECT_EQ(ask("hm", "EqQBCgIYAhIM").find("THOUGHT"), std::string::npos);
  EXPECT_EQ(ask("hm", sign_thinking(options().secret, "other", "hm")).find("THOUGHT"),
            std::string::npos);
  EXPECT_EQ(ask("hm", sign_thinking("another secret", "small", "hm")).find("THOUGHT"),
            std::string::npos);
}

TEST(RequestMap, LimitsAndSamplingAreTakenOver) {
  const model::Request request = from_chat(R"({"model":"small","max_completion_tokens":77,
    "temperature":0.5,"top_p":0.9,"seed":3,"stop":["END","HALT"],
    "messages":[{"role":"user","content":"x"}]})")
                                     .request;
  EXPECT_EQ(request.max_tokens, 77);
  EXPECT_EQ(request.stops, (std::vector<std::string>{"END", "HALT"}));
  EXPECT_DOUBLE_EQ(request.sampling.temperature, 0.5);
  EXPECT_DOUBLE_EQ(request.sampling.top_p, 0.9);
  EXPECT_EQ(request.sampling.seed, 3u);
  EXPECT_EQ(request.priority, model::Priority::client);
}

TEST(RequestMap, DeveloperNotesOfAResponsesClientAreTheSystemItem) {
  const Mapped mapped = map_request(
      std::move(MUST(msg::parse_request(msg::Dialect::responses, R"({"model":"small","input":[
        {"type":"message","role":"developer","content":[{"type":"input_text","text":"one"}]},
        {"type":"message","role":"developer","content":[{"type":"input_text","text":"two"}]},
        {"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]}]})"))
                    .conversation),
      options());
  EXPECT_EQ(shown(mapped.request), "system: one\n\ntwo\nuser: hi\n");
}

}  // namespace
}  // namespace keel::api
