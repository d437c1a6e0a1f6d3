// The traps that servers and proxies between these dialects fall into, one test each: streams.
#include <gtest/gtest.h>

#include "msg/dialect/dialect.h"

namespace keel::msg {
namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}
std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

StreamEvents read(Dialect dialect, const std::string& bytes, std::size_t split = 0) {
  const auto reader = make_reader(dialect);
  StreamEvents out = reader->feed(std::string_view(bytes).substr(0, split));
  for (StreamEvents more :
       {reader->feed(std::string_view(bytes).substr(split)), reader->finish()}) {
    for (StreamEvent& event : more) out.push_back(std::move(event));
  }
  return out;
}
std::string write(Dialect dialect, const StreamEvents& events, const AnswerStyle& style = {}) {
  const auto writer = make_writer(dialect, style);
  std::string out;
  for (const StreamEvent& event : events) writer->event(event, out);
  return out;
}
StreamEvents gated(const StreamEvents& events) {
  CallGate gate;
  StreamEvents out;
  for (const StreamEvent& event : events) gate.event(event, out);
  return out;
}
Collector gather(const StreamEvents& events) {
  Collector collector;
  for (const StreamEvent& event : events) collector.event(event);
  return collector;
}
const End& end_of(const StreamEvents& events) {
  return std::get<End>(events.back());
}

// The order that event.h promises.
void expect_order(const StreamEvents& events) {
  int starts = 0;
  int ends = 0;
  int next = 0;
  int open = -1;
  for (const StreamEvent& event : events) {
    ASSERT_EQ(ends, 0) << "an event after the end";
    if (std::holds_alternative<Start>(event)) {
      ASSERT_EQ(starts++, 0);
    } else if (const auto* o = std::get_if<BlockOpen>(&event)) {
      ASSERT_EQ(starts, 1);
      ASSERT_EQ(open, -1) << "two blocks are open";
      ASSERT_EQ(o->index, next++);
      open = o->index;
    } else if (const auto* d = std::get_if<Delta>(&event)) {
      ASSERT_EQ(d->index, open);
      ASSERT_FALSE(d->text.empty());
    } else if (const auto* c = std::get_if<BlockClose>(&event)) {
      ASSERT_EQ(c->index, open);
      open = -1;
    } else if (std::holds_alternative<End>(event)) {
      ASSERT_EQ(open, -1);
      ++ends;
    } else if (std::holds_alternative<StreamError>(event)) {
      ++ends;
    }
  }
  ASSERT_EQ(ends, 1);
}

std::string chunk(const std::string& delta, const std::string& finish = "null") {
  return R"(data: {"id":"c1","model":"m","choices":[{"index":0,"delta":)" + delta +
         R"(,"finish_reason":)" + finish + "}]}\n\n";
}
std::string calls(const std::string& list) {
  return chunk(R"({"tool_calls":[)" + list + "]}");
}
std::string sse(const std::string& data) {
  return "data: " + data + "\n\n";
}

const std::string claude_stream =
    "event: message_start\n" +
    sse(R"({"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",)"
        R"("model":"claude","content":[],"usage":{"input_tokens":7,"cache_read_input_tokens":90,)"
        R"("cache_creation_input_tokens":3,"output_tokens":1}}})") +
    sse(R"({"type":"ping"})") +
    sse(R"({"type":"content_block_start","index":0,"content_block":{"type":"thinking",)"
        R"("thinking":"","signature":""}})") +
    sse(R"({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta",)"
        R"("thinking":"Höhe?"}})") +
    sse(R"({"type":"content_block_delta","index":0,"delta":{"type":"signature_delta",)"
        R"("signature":"c2ln"}})") +
    sse(R"({"type":"content_block_stop","index":0})") +
    sse(R"({"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}})") +
    sse(R"({"type":"content_block_delta","index":1,"delta":{"type":"text_delta",)"
        R"("text":"I look. \u00e9"}})") +
    sse(R"({"type":"content_block_stop","index":1})") +
    sse(R"({"type":"content_block_start","index":2,"content_block":{"type":"tool_use",)"
        R"("id":"toolu_1","name":"f","input":{}}})") +
    sse(R"({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta",)"
        R"("partial_json":"{\"a\": "}})") +
    sse(R"({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta",)"
        R"("partial_json":"1.0}"}})") +
    sse(R"({"type":"content_block_stop","index":2})") +
    sse(R"({"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},)"
        R"("usage":{"output_tokens":42}})") +
    sse(R"({"type":"message_stop"})");

const std::string chat_stream =
    chunk(R"({"role":"assistant","content":""})") + chunk(R"({"reasoning_content":"hm"})") +
    chunk(R"({"content":"a é"})") +
    calls(R"({"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}})") +
    calls(R"({"index":0,"function":{"arguments":"{\"a\":"}})") +
    calls(R"({"index":0,"function":{"arguments":"1}"}})") +
    calls(R"({"index":1,"id":"c2","type":"function","function":{"name":"g","arguments":"{}"}})") +
    chunk("{}", R"("tool_calls")") +
    sse(R"({"id":"c1","model":"m","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,)"
        R"("prompt_tokens_details":{"cached_tokens":8}}})") +
    sse("[DONE]");

const std::string responses_stream =
    sse(R"({"type":"response.created","response":{"id":"resp_1","model":"m"}})") +
    sse(R"({"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning",)"
        R"("id":"rs_1","summary":[]}})") +
    sse(R"({"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,)"
        R"("delta":"hm"})") +
    sse(R"({"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning",)"
        R"("id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],)"
        R"("encrypted_content":"ZW5j"}})") +
    sse(R"({"type":"response.output_item.added","output_index":1,"item":{"type":"message",)"
        R"("id":"msg_1","role":"assistant","content":[]}})") +
    sse(R"({"type":"response.output_text.delta","output_index":1,"content_index":0,)"
        R"("delta":"a é"})") +
    sse(R"({"type":"response.output_item.done","output_index":1,"item":{"type":"message",)"
        R"("id":"msg_1","content":[{"type":"output_text","text":"a é"}]}})") +
    sse(R"({"type":"response.output_item.added","output_index":2,"item":{"type":"function_call",)"
        R"("id":"fc_1","call_id":"call_1","name":"f","arguments":""}})") +
    sse(R"({"type":"response.function_call_arguments.delta","output_index":2,"delta":"{\"a\":1}"})") +
    sse(R"({"type":"response.output_item.done","output_index":2,"item":{"type":"function_call",)"
        R"("id":"fc_1","call_id":"call_1","name":"f","arguments":"{\"a\":1}"}})") +
    sse(R"({"type":"response.completed","response":{"id":"resp_1","status":"completed",)"
        R"("output":[],"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":8},)"
        R"("output_tokens":5,"output_tokens_details":{"reasoning_tokens":2}}}})");

const std::pair<Dialect, const std::string*> streams[] = {{Dialect::anthropic, &claude_stream},
                                                          {Dialect::chat, &chat_stream},
                                                          {Dialect::responses, &responses_stream}};

std::string shown(const StreamEvents& events) {
  // Deltas are cut where the bytes were: joined, two readings of one stream are the same.
  return write(Dialect::anthropic, events_of(gather(events).answer()));
}

TEST(Stream, ReadsThinkingTextAndCallsOfEveryDialect) {
  for (const auto& [dialect, bytes] : streams) {
    const StreamEvents events = read(dialect, *bytes);
    expect_order(events);
    const Answer answer = gather(events).answer();
    ASSERT_GE(answer.item.blocks.size(), 3u) << dialect_name(dialect);
    EXPECT_TRUE(std::holds_alternative<Thinking>(answer.item.blocks[0]));
    EXPECT_TRUE(std::holds_alternative<Text>(answer.item.blocks[1]));
    EXPECT_TRUE(tool_calls(answer.item).at(0).complete);
    EXPECT_EQ(answer.stop, Stop::tool_calls);
    EXPECT_GT(answer.usage.cache_read, 0);
  }
}

TEST(Stream, ReadsTheSameWhereverTheBytesAreSplit) {
  for (const auto& [dialect, bytes] : streams) {
    const std::string whole = shown(read(dialect, *bytes));
    for (std::size_t at = 0; at <= bytes->size(); ++at) {
      const StreamEvents events = read(dialect, *bytes, at);
      ASSERT_EQ(shown(events), whole) << dialect_name(dialect) << " split at " << at;
    }
  }
}

TEST(Stream, EveryCutIsAnErrorOrAWholeAnswerAndNeverHalfACall) {
  for (const auto& [dialect, bytes] : streams) {
    for (std::size_t at = 0; at < bytes->size(); ++at) {
      const StreamEvents events = gated(read(dialect, bytes->substr(0, at)));
      expect_order(events);
      for (const ToolCall& call : tool_calls(gather(events).answer().item)) {
        ASSERT_TRUE(!call.complete || whole_arguments(call.arguments));
      }
    }
  }
}

TEST(Stream, WhatIsWrittenInADialectReadsBackTheSame) {
  for (const auto& [from, bytes] : streams) {
    const Answer answer = gather(read(from, *bytes)).answer();
    for (const auto& [to, unused] : streams) {
      AnswerStyle style;
      style.chat.include_usage = true;
      const Answer back = gather(read(to, write(to, read(from, *bytes), style))).answer();
      ASSERT_EQ(plain_text(back.item), plain_text(answer.item));
      ASSERT_EQ(tool_calls(back.item).size(), tool_calls(answer.item).size());
      EXPECT_EQ(tool_calls(back.item)[0].arguments, tool_calls(answer.item)[0].arguments);
      EXPECT_EQ(back.stop, answer.stop);
      EXPECT_EQ(back.usage.prompt(), answer.usage.prompt());
      EXPECT_EQ(back.usage.cache_read, answer.usage.cache_read);
      EXPECT_EQ(back.usage.output, answer.usage.output);
    }
  }
}

// B. Tools

TEST(StreamTrap, CallsWithoutAnIndexDoNotCollapseIntoOne) {
  const StreamEvents events = read(
      Dialect::chat, calls(R"({"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}})") +
                         calls(R"({"id":"b","function":{"name":"g","arguments":"{\"y\":2}"}})") +
                         chunk("{}", R"("tool_calls")") + sse("[DONE]"));
  const auto found = tool_calls(gather(events).answer().item);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].arguments, R"({"x":1})");
  EXPECT_EQ(found[1].name, "g");
}

TEST(StreamTrap, CallsThatAllHaveTheSameIndexStayApart) {
  const StreamEvents events = read(
      Dialect::chat, calls(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{}"}})") +
                         calls(R"({"index":0,"id":"b","function":{"name":"g","arguments":"{"}})") +
                         calls(R"({"index":0,"function":{"arguments":"}"}})") +
                         chunk("{}", R"("tool_calls")") + sse("[DONE]"));
  const auto found = tool_calls(gather(events).answer().item);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[1].arguments, "{}");
}

TEST(StreamTrap, ParallelCallsDoNotShareOneAccumulator) {
  const StreamEvents events = read(
      Dialect::chat,
      calls(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":"}})") +
          calls(R"({"index":1,"id":"b","function":{"name":"g","arguments":"{\"y\":"}})") +
          calls(
              R"({"index":0,"function":{"arguments":"1}"}},{"index":1,"function":{"arguments":"2}"}})") +
          chunk("{}", R"("tool_calls")") + sse("[DONE]"));
  expect_order(events);
  const auto found = tool_calls(gather(events).answer().item);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].arguments, R"({"x":1})");
  EXPECT_EQ(found[1].arguments, R"({"y":2})");
}

TEST(StreamTrap, ACallThatWaitsIsWrittenAsSoonAsTheOneBeforeItIsWhole) {
  Sequencer sequencer;
  BlockOpen call{0, BlockKind::call, "a", "f"};
  sequencer.open(0, call);
  sequencer.open(1, call);
  sequencer.delta(1, DeltaKind::arguments, "{\"y\":");
  EXPECT_EQ(gather(sequencer.take()).answer().item.blocks.size(), 1u);
  sequencer.delta(0, DeltaKind::arguments, "{}");
  const StreamEvents events = sequencer.take();
  ASSERT_EQ(events.size(), 4u);
  EXPECT_TRUE(std::holds_alternative<BlockClose>(events[1]));
  EXPECT_EQ(std::get<Delta>(events[3]).text, "{\"y\":");
}

TEST(StreamTrap, ArgumentsThatComeOnlyInTheDoneEventAreNotLost) {
  const std::string done =
      sse(R"({"type":"response.created","response":{"id":"r","model":"m"}})") +
      sse(R"({"type":"response.output_item.added","output_index":0,"item":{"type":"function_call",)"
          R"("call_id":"c","name":"f","arguments":""}})") +
      sse(R"({"type":"response.function_call_arguments.done","output_index":0,)"
          R"("arguments":"{\"x\":1}"})") +
      sse(R"({"type":"response.completed","response":{"status":"completed","output":[]}})");
  EXPECT_EQ(tool_calls(gather(read(Dialect::responses, done)).answer().item).at(0).arguments,
            R"({"x":1})");
  const std::string whole =
      sse(R"({"type":"response.completed","response":{"id":"r","status":"completed","output":[)"
          R"({"type":"function_call","call_id":"c","name":"f","arguments":"{\"x\":1}"}]}})");
  EXPECT_EQ(tool_calls(gather(read(Dialect::responses, whole)).answer().item).at(0).arguments,
            R"({"x":1})");
}

TEST(StreamTrap, ArgumentsInTheStartOfABlockAreNotLost) {
  const std::string bytes =
      sse(R"({"type":"message_start","message":{"id":"m","usage":{}}})") +
      sse(R"({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t",)"
          R"("name":"f","input":{"x":1}}})") +
      sse(R"({"type":"content_block_stop","index":0})") +
      sse(R"({"type":"message_delta","delta":{"stop_reason":"tool_use"}})") +
      sse(R"({"type":"message_stop"})");
  EXPECT_EQ(tool_calls(gather(read(Dialect::anthropic, bytes)).answer().item).at(0).arguments,
            R"({"x":1})");
}

TEST(StreamTrap, ACallWithoutArgumentsHasAnInputAndOneDelta) {
  Answer answer;
  answer.item.blocks = {ToolCall{"t", "f", ""}};
  answer.stop = Stop::tool_calls;
  const std::string claude = write(Dialect::anthropic, events_of(answer));
  EXPECT_TRUE(has(claude, R"("name":"f","input":{}})"));
  EXPECT_EQ(count(claude, R"("partial_json":"{}")"), 1u);
  EXPECT_TRUE(has(write(Dialect::chat, events_of(answer)), R"("arguments":"{}")"));
  EXPECT_TRUE(has(write(Dialect::responses, events_of(answer)), R"("arguments":"{}")"));
}

TEST(StreamTrap, ACallWithoutANameReachesNobody) {
  const StreamEvents events =
      gated(read(Dialect::chat, calls(R"({"index":0,"id":"a","function":{"arguments":"{}"}})") +
                                    chunk("{}", R"("tool_calls")") + sse("[DONE]")));
  expect_order(events);
  EXPECT_TRUE(tool_calls(gather(events).answer().item).empty());
  const std::string nameless =
      sse(R"({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t"}})") +
      sse(R"({"type":"content_block_stop","index":0})") +
      sse(R"({"type":"message_delta","delta":{"stop_reason":"tool_use"}})") +
      sse(R"({"type":"message_stop"})");
  const StreamEvents claude = gated(read(Dialect::anthropic, nameless));
  EXPECT_TRUE(tool_calls(gather(claude).answer().item).empty());
  EXPECT_NE(end_of(claude).stop, Stop::tool_calls);
}

TEST(StreamTrap, ATruncatedCallIsNeverExecutableAndTheLimitWins) {
  const std::string cut =
      chunk(R"({"content":"ok"})") +
      calls(R"({"index":0,"id":"a","function":{"name":"rm","arguments":"{\"path\":\"/"}})");
  for (const char* reason : {R"("length")", R"("tool_calls")"}) {
    const StreamEvents events = read(Dialect::chat, cut + chunk("{}", reason) + sse("[DONE]"));
    EXPECT_EQ(end_of(events).stop, Stop::max_tokens);
    const std::string claude = write(Dialect::anthropic, gated(events));
    EXPECT_FALSE(has(claude, "tool_use")) << claude;
    EXPECT_TRUE(has(claude, R"("stop_reason":"max_tokens")"));
    EXPECT_TRUE(has(write(Dialect::chat, gated(events)), R"("finish_reason":"length")"));
    EXPECT_TRUE(has(write(Dialect::responses, gated(events)), "response.incomplete"));
    Losses losses;
    EXPECT_FALSE(has(write_answer(Dialect::anthropic, gather(events).answer(), {}, losses), "rm"));
    EXPECT_TRUE(has_loss(losses, Lost::half_call));
  }
}

TEST(StreamTrap, ACallThatWasCutBeforeItsFirstArgumentIsNotACallWithoutArguments) {
  const StreamEvents events = read(
      Dialect::chat, calls(R"({"index":0,"id":"a","function":{"name":"wipe","arguments":""}})") +
                         chunk("{}", R"("length")") + sse("[DONE]"));
  EXPECT_FALSE(tool_calls(gather(events).answer().item).at(0).complete);
}

// D. Thinking

TEST(StreamTrap, ThinkingNeverStandsInATextBlock) {
  const StreamEvents events = read(
      Dialect::chat, chunk(R"({"content":"a"})") + chunk(R"({"reasoning":"b"})") +
                         chunk(R"({"content":"c"})") + chunk("{}", R"("stop")") + sse("[DONE]"));
  expect_order(events);
  BlockKind kind = BlockKind::text;
  for (const StreamEvent& event : events) {
    if (const auto* open = std::get_if<BlockOpen>(&event)) kind = open->kind;
    const auto* delta = std::get_if<Delta>(&event);
    if (delta == nullptr) continue;
    EXPECT_EQ(delta->kind == DeltaKind::thinking, kind == BlockKind::thinking);
  }
  EXPECT_EQ(gather(events).answer().item.blocks.size(), 3u);
}

TEST(StreamTrap, ASignatureOfOneDialectIsNotShownInAnother) {
  const StreamEvents claude = read(Dialect::anthropic, claude_stream);
  EXPECT_FALSE(has(write(Dialect::responses, claude), "c2ln"));
  EXPECT_TRUE(has(write(Dialect::anthropic, claude), "c2ln"));
  const StreamEvents gpt = read(Dialect::responses, responses_stream);
  EXPECT_FALSE(has(write(Dialect::anthropic, gpt), "ZW5j"));
  EXPECT_TRUE(has(write(Dialect::responses, gpt), R"("encrypted_content":"ZW5j")"));
}

// E. Streaming

TEST(StreamTrap, ASecondStartIsNotPassedOn) {
  const std::string start = sse(R"({"type":"message_start","message":{"id":"m","usage":{}}})");
  const StreamEvents events =
      read(Dialect::anthropic,
           start + start + sse(R"({"type":"message_delta","delta":{"stop_reason":"end_turn"}})") +
               sse(R"({"type":"message_stop"})"));
  expect_order(events);
}

TEST(StreamTrap, ACutStreamSaysWhatHappened) {
  const StreamEvents events =
      read(Dialect::anthropic, claude_stream.substr(0, claude_stream.size() / 2));
  const auto& error = std::get<StreamError>(events.back());
  EXPECT_TRUE(has(error.error.message, "ended before"));
  const std::string claude = write(Dialect::anthropic, events);
  EXPECT_TRUE(
      has(claude, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\""));
  EXPECT_TRUE(has(write(Dialect::chat, events), R"(data: {"error":{"message":)"));
  EXPECT_TRUE(has(write(Dialect::responses, events), R"("type":"response.failed")"));
}

TEST(StreamTrap, AnErrorOfTheServerKeepsItsKindInEveryDialect) {
  const StreamEvents events = read(
      Dialect::anthropic,
      "event: error\n" +
          sse(R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})"));
  EXPECT_EQ(std::get<StreamError>(events.back()).error.kind, Fault::overloaded);
  EXPECT_TRUE(has(write(Dialect::responses, events), R"("message":"Overloaded")"));
  const StreamEvents chat =
      read(Dialect::chat, sse(R"({"error":{"message":"slow down",)"
                              R"("type":"x","code":"rate_limit_exceeded"}})"));
  EXPECT_EQ(std::get<StreamError>(chat.back()).error.kind, Fault::rate);
  EXPECT_TRUE(has(write(Dialect::anthropic, chat), "rate_limit_error"));
}

TEST(StreamTrap, AnErrorWithStatus200IsAnError) {
  for (const Dialect dialect : {Dialect::anthropic, Dialect::chat, Dialect::responses}) {
    const auto answer = parse_answer(dialect, R"({"error":{"message":"no","code":500}})");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().message, "no");
    EXPECT_FALSE(parse_answer(dialect, "<html>502</html>"));
  }
}

TEST(StreamTrap, GarbageFromTheServerIsAnErrorWithItsWords) {
  for (const auto& [dialect, bytes] : streams) {
    const StreamEvents events = read(dialect, bytes->substr(0, 200) + "\n\ndata: <html>\n\n");
    EXPECT_TRUE(std::holds_alternative<StreamError>(events.back()));
  }
}

TEST(StreamTrap, IndicesAreDenseWhateverTheSourceSkips) {
  const StreamEvents events = read(
      Dialect::anthropic,
      sse(R"({"type":"message_start","message":{"id":"m","usage":{}}})") +
          sse(R"({"type":"content_block_start","index":4,"content_block":{"type":"text","text":""}})") +
          sse(R"({"type":"content_block_delta","index":4,"delta":{"type":"text_delta","text":"a"}})") +
          sse(R"({"type":"content_block_start","index":9,"content_block":{"type":"text","text":""}})") +
          sse(R"({"type":"content_block_delta","index":9,"delta":{"type":"text_delta","text":"b"}})") +
          sse(R"({"type":"message_delta","delta":{"stop_reason":"end_turn"}})") +
          sse(R"({"type":"message_stop"})"));
  expect_order(events);
  EXPECT_EQ(plain_text(gather(events).answer().item), "ab");
}

TEST(StreamTrap, UnknownEventsAndADoneMarkAreTolerated) {
  const StreamEvents events =
      read(Dialect::anthropic, sse(R"({"type":"hologram","x":1})") + claude_stream + sse("[DONE]"));
  expect_order(events);
  EXPECT_TRUE(std::holds_alternative<End>(events.back()));
}

TEST(StreamTrap, SilenceIsFilledWithRealEventsNotComments) {
  const StreamEvents events{Start{"x_1", "m", {}}, Progress{10, 100}};
  EXPECT_GE(count(write(Dialect::anthropic, events), "event: ping\ndata: {\"type\":\"ping\"}"), 2u);
  EXPECT_TRUE(has(write(Dialect::chat, events), R"("delta":{})"));
  EXPECT_EQ(count(write(Dialect::responses, events), "event: response.in_progress"), 2u);
}

TEST(StreamTrap, TheStartSaysHowLongThePromptIs) {
  const StreamEvents events{Start{"msg_1", "m", {7, 90, 3}}};
  EXPECT_TRUE(has(write(Dialect::anthropic, events),
                  R"("usage":{"input_tokens":7,"cache_creation_input_tokens":3,)"
                  R"("cache_read_input_tokens":90)"));
}

TEST(StreamTrap, ACharacterThatIsSplitOverTwoDeltasIsWhole) {
  Sequencer sequencer;
  sequencer.write(DeltaKind::text, "a\xc3");
  sequencer.write(DeltaKind::text, "\xa9");
  sequencer.end(Stop::end);
  const StreamEvents events = sequencer.take();
  EXPECT_EQ(plain_text(gather(events).answer().item), "aé");
  expect_order(events);
}

TEST(StreamTrap, BytesThatAreNoTextDoNotCostTheCallBesideThem) {
  const auto reader = make_reader(Dialect::chat);
  StreamEvents events =
      reader->feed(chunk("{\"content\":\"\xff\"}") +
                   calls(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{}"}})") +
                   chunk("{}", R"("tool_calls")") + sse("[DONE]"));
  EXPECT_EQ(tool_calls(gather(events).answer().item).size(), 1u);
  EXPECT_TRUE(has_loss(reader->take_losses(), Lost::characters));
}

TEST(StreamTrap, TheStopSequenceIsReported) {
  Answer answer;
  answer.item.blocks = {Text{"a"}};
  answer.stop = Stop::stop_sequence;
  answer.stop_sequence = "\n\nHuman:";
  const std::string stop = R"("stop_reason":"stop_sequence","stop_sequence":"\n\nHuman:")";
  EXPECT_TRUE(has(write(Dialect::anthropic, events_of(answer)), stop));
  Losses losses;
  EXPECT_TRUE(has(write_answer(Dialect::anthropic, answer, {}, losses), stop));
  EXPECT_TRUE(losses.empty());
  write_answer(Dialect::chat, answer, {}, losses);
  EXPECT_TRUE(has_loss(losses, Lost::stop_reason));
}

TEST(StreamTrap, AllBlocksLeftOpenUntilTheEndAreClosedInOrder) {
  const auto block = [](int index, const std::string& delta) {
    const std::string at = std::to_string(index);
    return sse(R"({"type":"content_block_start","index":)" + at +
               R"(,"content_block":{"type":"text","text":""}})") +
           sse(R"({"type":"content_block_delta","index":)" + at +
               R"(,"delta":{"type":"text_delta","text":")" + delta + "\"}}");
  };
  const StreamEvents events =
      read(Dialect::anthropic,
           sse(R"({"type":"message_start","message":{"id":"m","usage":{}}})") + block(0, "a") +
               block(1, "b") + sse(R"({"type":"content_block_stop","index":0})") +
               sse(R"({"type":"content_block_stop","index":1})") +
               sse(R"({"type":"message_delta","delta":{"stop_reason":"end_turn"}})") +
               sse(R"({"type":"message_stop"})"));
  expect_order(events);
}

TEST(StreamTrap, RefusalsAndFiltersMapBothWays) {
  const StreamEvents filter =
      read(Dialect::chat,
           chunk(R"({"content":"a"})") + chunk("{}", R"("content_filter")") + sse("[DONE]"));
  EXPECT_TRUE(has(write(Dialect::anthropic, filter), R"("stop_reason":"refusal")"));
  EXPECT_TRUE(has(write(Dialect::responses, filter), R"("reason":"content_filter")"));
  const auto full =
      parse_answer(Dialect::anthropic, R"({"id":"m","content":[],"stop_reason":)"
                                       R"("model_context_window_exceeded","usage":{}})");
  ASSERT_TRUE(full);
  Losses losses;
  EXPECT_TRUE(has(write_answer(Dialect::chat, full->answer, {}, losses), R"("length")"));
}

TEST(StreamTrap, SequenceNumbersAndIdsOfResponsesAreConsistent) {
  const std::string out = write(Dialect::responses, read(Dialect::chat, chat_stream));
  for (int n = 0; n < 10; ++n) {
    EXPECT_EQ(count(out, "\"sequence_number\":" + std::to_string(n) + ","), 1u) << n;
  }
  EXPECT_TRUE(has(out, "event: response.created\ndata: {\"type\":\"response.created\""));
  EXPECT_GT(count(out, "\"item_id\":\"fc_c1_2\""), 0u) << out;
}

TEST(StreamTrap, ThousandsOfBlocksOrEndlessTextEndTheAnswer) {
  std::string bytes = sse(R"({"type":"message_start","message":{"id":"m","usage":{}}})");
  for (int i = 0; i < 3000; ++i) {
    bytes += sse(R"({"type":"content_block_start","index":)" + std::to_string(i) +
                 R"(,"content_block":{"type":"text","text":"x"}})");
  }
  const StreamEvents events = read(Dialect::anthropic, bytes);
  EXPECT_TRUE(std::holds_alternative<StreamError>(events.back()));
}

}  // namespace
}  // namespace keel::msg
