#include "msg/stream/sse.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/limits.h"

namespace keel::msg {
namespace {

std::string text_of(const std::vector<SseEvent>& events) {
  std::string text;
  for (const SseEvent& event : events) text += "[" + event.event + "|" + event.data + "]";
  return text;
}

std::string read_in_pieces(std::string_view stream, std::size_t piece) {
  SseReader reader;
  std::string text;
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    text += text_of(MUST(reader.feed(stream.substr(at, piece))));
  }
  return text;
}

TEST(Sse, TheStandardsExamplesReadAsTheStandardSays) {
  // https://html.spec.whatwg.org/multipage/server-sent-events.html, section 9.2.6
  EXPECT_EQ(read_in_pieces("data: YHOO\ndata: +2\ndata: 10\n\n", 1000), "[|YHOO\n+2\n10]");
  EXPECT_EQ(read_in_pieces(": test stream\n\ndata: first event\nid: 1\n\ndata:second "
                           "event\nid\n\ndata:  third event\n\n",
                           1000),
            "[|first event][|second event][| third event]");
  EXPECT_EQ(read_in_pieces("data\n\ndata\ndata\n\ndata:", 1000), "[|][|\n]");
  EXPECT_EQ(read_in_pieces("data:test\n\ndata: test\n\n", 1000), "[|test][|test]");
}

TEST(Sse, EveryLineEndAndEverySplitGivesTheSameEvents) {
  const std::string lines[] = {("\xef\xbb\xbf"
                                "event: message_start"),
                               "data: {\"a\":\"\xc3\xa4\"}",
                               "",
                               "id: 7",
                               "event:",
                               "data: x",
                               "data",
                               "other: y",
                               "",
                               "",
                               "event: dropped",
                               "",
                               "data: last",
                               ""};
  for (const std::string_view end : {"\n", "\r", "\r\n"}) {
    std::string stream;
    for (const std::string& line : lines) stream.append(line).append(end);
    for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
      ASSERT_EQ(read_in_pieces(stream, piece), "[message_start|{\"a\":\"\xc3\xa4\"}][|x\n][|last]")
          << piece;
    }
  }
}

// Some servers close right behind their last line.
TEST(Sse, AnEventWithoutItsBlankLineIsOneOnlyAtTheEnd) {
  SseReader reader;
  EXPECT_TRUE(MUST(reader.feed("data: half\n")).empty());
  EXPECT_EQ(text_of(reader.finish()), "[|half]");
  EXPECT_TRUE(reader.finish().empty());
}

TEST(Sse, AnEventHasABoundAndAStreamHasNone) {
  const std::string half = "data: " + std::string(limits::sse_event_bytes / 2, 'x') + "\n";
  SseReader reader;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(MUST(reader.feed(half + "\n")).size(), 1u);
  ASSERT_TRUE(reader.feed(half));
  ASSERT_TRUE(reader.feed(half.substr(0, half.size() - 100)));
  const auto more = reader.feed(half);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, Code::limit);
}

TEST(Sse, WhatIsWrittenReadsBackTheSame) {
  for (const char* data : {"", "one", " leading", "{\"a\": 1}"}) {
    std::string stream;
    append_sse(stream, "ping", data);
    EXPECT_EQ(read_in_pieces(stream, 3), "[ping|" + std::string(data) + "]");
  }
}

}  // namespace
}  // namespace keel::msg
