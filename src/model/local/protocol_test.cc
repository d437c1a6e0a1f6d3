#include "model/local/protocol.h"

#include <gtest/gtest.h>

namespace keel::local {
namespace {

TEST(Protocol, GenerateSurvivesTheWayThere) {
  GenerateRequest request;
  request.id = 7;
  request.resume = {1, 2, 151657};
  request.exact_tokens = true;
  request.request.conversation = "boat";
  request.request.items = {msg::text_item(msg::Role::user, "hé \"x\"\n")};
  request.request.tools = {{"recall", "finds", *parse_json(R"({"type":"object","z":1,"a":2})")}};
  request.request.tool_choice = model::ToolChoice::required;
  request.request.max_tokens = 5;
  request.request.sampling.seed = 4294967295u;
  const auto back = decode_request(encode(request));
  ASSERT_TRUE(back) << back.error().message;
  const auto& got = std::get<GenerateRequest>(*back);
  EXPECT_EQ(got.resume, request.resume);
  EXPECT_TRUE(got.exact_tokens);
  EXPECT_EQ(got.request.tool_choice, model::ToolChoice::required);
  EXPECT_EQ(got.request.sampling.seed, 4294967295u);
  EXPECT_EQ(dump_json(got.request.tools[0].schema.json()), R"({"type":"object","z":1,"a":2})");
  EXPECT_EQ(msg::plain_text(got.request.items[0]), "hé \"x\"\n");
}

TEST(Protocol, DoneSurvivesTheWayBack) {
  DoneEvent done;
  done.id = 3;
  done.response.item = {msg::Role::assistant,
                        {msg::ToolCall{"c1", "recall", "{\"q\": 1.0}", false}}};
  done.response.stop = model::StopReason::max_tokens;
  done.response.usage.cached_tokens = 11;
  const auto back = decode_event(encode(done));
  ASSERT_TRUE(back) << back.error().message;
  const auto& got = std::get<DoneEvent>(*back);
  EXPECT_EQ(got.response.stop, model::StopReason::max_tokens);
  EXPECT_EQ(got.response.usage.cached_tokens, 11);
  EXPECT_EQ(msg::tool_calls(got.response.item)[0].arguments, "{\"q\": 1.0}");
  EXPECT_FALSE(msg::tool_calls(got.response.item)[0].complete);
}

TEST(Protocol, ErrorsKeepTheirCode) {
  const auto back = decode_event(encode(ErrorEvent{2, {Code::limit, "too long", "shorten", {}}}));
  ASSERT_TRUE(back);
  EXPECT_EQ(std::get<ErrorEvent>(*back).error.code, Code::limit);
}

TEST(Protocol, NonsenseIsAnError) {
  for (const char* frame : {"", "{}", "[]", "{\"do\":\"fly\"}", "{\"do\":\"generate\",\"id\":1}",
                            "{\"do\":\"generate\",\"id\":1,\"request\":5}",
                            "{\"event\":\"done\",\"id\":1,\"item\":null}"}) {
    EXPECT_FALSE(decode_request(frame)) << frame;
    EXPECT_FALSE(decode_event(frame)) << frame;
  }
}

TEST(Protocol, ALoadRequestComesBackAsItWas) {
  const LoadRequest load{"/m.gguf",
                         "/lib/libggml-cpu-x64.so",
                         "/lib/libggml-vulkan.so",
                         4096,
                         3,
                         "avx2",
                         "q8_0",
                         false,
                         "/kv",
                         128,
                         false,
                         std::int64_t{5} << 30,
                         true};
  const auto back = std::get<LoadRequest>(MUST(decode_request(encode(EngineRequest(load)))));
  EXPECT_EQ(back.gpu, load.gpu);
  EXPECT_EQ(std::tie(back.path, back.library, back.context, back.threads, back.attention,
                     back.cache, back.drafts, back.kv_folder),
            std::tie(load.path, load.library, load.context, load.threads, load.attention,
                     load.cache, load.drafts, load.kv_folder));
  EXPECT_EQ(std::tie(back.batch, back.repack, back.parked_bytes, back.lock),
            std::tie(load.batch, load.repack, load.parked_bytes, load.lock));
  const auto need = MUST(decode_request(encode(EngineRequest(NeedRequest{load}))));
  ASSERT_TRUE(std::holds_alternative<NeedRequest>(need));
  EXPECT_EQ(std::get<NeedRequest>(need).load.context, 4096);
}

TEST(Protocol, NeedsComeBackAsTheyWere) {
  NeededEvent event;
  event.needs.mapped_bytes = std::int64_t{20} << 30;
  event.needs.shapes = {{4096, 512, 1, 2, 3, 4, "q8_0"}};
  const auto back = MUST(decode_event(encode(EngineEvent(event))));
  const budget::Needs& needs = std::get<NeededEvent>(back).needs;
  EXPECT_EQ(dump_json(budget::to_json(needs)), dump_json(budget::to_json(event.needs)));
  EXPECT_FALSE(decode_event(R"({"event":"needed"})"));
  EXPECT_FALSE(decode_event(R"({"event":"needed","needs":{"shapes":7}})"));
}

}  // namespace
}  // namespace keel::local
