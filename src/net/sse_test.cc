#include "net/sse.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace keel::net {
namespace {

struct Seen {
  std::vector<SseEvent> events;
  Status status;
};

Seen read_in_pieces(std::string_view stream, std::size_t piece,
                    std::size_t bound = limits::event_stream_bytes) {
  Seen seen;
  SseParser parser(bound);
  for (std::size_t at = 0; at < stream.size() && seen.status; at += piece) {
    seen.status = parser.feed(stream.substr(at, piece), [&](const SseEvent& event) {
      seen.events.push_back(event);
      return true;
    });
  }
  return seen;
}

std::string text_of(const std::vector<SseEvent>& events) {
  std::string text;
  for (const SseEvent& event : events) {
    text += "[" + event.type + "|" + event.data + "|" + event.id + "]";
  }
  return text;
}

TEST(SseTest, TheStandardsExamplesReadAsTheStandardSays) {
  // https://html.spec.whatwg.org/multipage/server-sent-events.html, section 9.2.6
  EXPECT_EQ(text_of(read_in_pieces("data: YHOO\ndata: +2\ndata: 10\n\n", 1000).events),
            "[message|YHOO\n+2\n10|]");
  EXPECT_EQ(text_of(read_in_pieces(": test stream\n\ndata: first event\nid: 1\n\ndata:second "
                                   "event\nid\n\ndata:  third event\n\n",
                                   1000)
                        .events),
            "[message|first event|1][message|second event|][message| third event|]");
  EXPECT_EQ(text_of(read_in_pieces("data\n\ndata\ndata\n\ndata:", 1000).events),
            "[message||][message|\n|]");
  EXPECT_EQ(text_of(read_in_pieces("data:test\n\ndata: test\n\n", 1000).events),
            "[message|test|][message|test|]");
}

TEST(SseTest, EveryLineEndAndEverySplitGivesTheSameEvents) {
  const std::string lines[] = {
      "\xef\xbb\xbf"
      "event: message_start",
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
      const Seen seen = read_in_pieces(stream, piece);
      ASSERT_TRUE(seen.status);
      // With \r alone the stream's last line ends all the same.
      ASSERT_EQ(text_of(seen.events),
                "[message_start|{\"a\":\"\xc3\xa4\"}|][message|x\n|7][message|last|7]")
          << piece;
    }
  }
}

TEST(SseTest, AnEventWithoutItsBlankLineIsNoEvent) {
  SseParser parser;
  int events = 0;
  ASSERT_TRUE(parser.feed("data: half\n", [&](const SseEvent&) { return ++events > 0; }));
  EXPECT_EQ(events, 0);
  EXPECT_TRUE(parser.unfinished());
  ASSERT_TRUE(parser.feed("\n", [&](const SseEvent&) { return ++events > 0; }));
  EXPECT_EQ(events, 1);
  EXPECT_FALSE(parser.unfinished());
}

TEST(SseTest, ALineAndAnEventHaveABound) {
  EXPECT_FALSE(read_in_pieces(std::string(101, 'x'), 7, 100).status);
  EXPECT_FALSE(read_in_pieces(std::string(101, 'x') + "\n", 1000, 100).status);
  const std::string line = "data: " + std::string(40, 'x') + "\n";
  EXPECT_TRUE(read_in_pieces(line + line + "\n", 1000, 100).status);
  const Seen seen = read_in_pieces(line + line + line + "\n", 1000, 100);
  ASSERT_FALSE(seen.status);
  EXPECT_EQ(seen.status.error().code, Code::limit);
  // The bound is for one event, not for the stream.
  EXPECT_EQ(read_in_pieces(line + "\n" + line + "\n" + line + "\n", 5, 100).events.size(), 3u);
}

TEST(SseTest, RetryTakesDigitsOnly) {
  SseParser parser;
  const auto ignore = [](const SseEvent&) { return true; };
  for (const char* bad : {"retry: 1s\n", "retry:\n", "retry: -1\n", "retry: 99999999999999999\n"}) {
    ASSERT_TRUE(parser.feed(bad, ignore));
    EXPECT_FALSE(parser.retry().has_value()) << bad;
  }
  ASSERT_TRUE(parser.feed("retry: 1500\n", ignore));
  EXPECT_EQ(parser.retry(), std::chrono::milliseconds(1500));
}

TEST(SseTest, TheSinkMayEndTheReading) {
  SseParser parser;
  int events = 0;
  ASSERT_TRUE(parser.feed("data: 1\n\ndata: 2\n\n", [&](const SseEvent&) { return ++events < 1; }));
  EXPECT_EQ(events, 1);
}

TEST(SseTest, WhatIsWrittenReadsBackTheSame) {
  for (const char* data : {"", "one", "two\nlines", "\n", " leading", "a\r\nb", "a\rb"}) {
    const Seen seen = read_in_pieces(sse_event("ping", data), 3);
    ASSERT_EQ(seen.events.size(), 1u) << data;
    EXPECT_EQ(seen.events[0].type, "ping");
    std::string plain;
    for (const char c : std::string(data)) {
      if (c == '\n' && plain.ends_with('\r')) plain.pop_back();
      plain += c;
    }
    std::replace(plain.begin(), plain.end(), '\r', '\n');
    EXPECT_EQ(seen.events[0].data, plain);
  }
}

}  // namespace
}  // namespace keel::net
