#include "agent/event.h"

#include <gtest/gtest.h>

namespace keel::agent {
namespace {

TEST(Event, EveryKindSurvivesTheSocket) {
  const std::vector<Event> events = {
      TurnStarted{"main", "t1"},
      Recalled{
          "r1",
          {{"p1", "Boat", 1.5, Json::parse(R"([{"term":"boat","field":"body","value":1.5}])")}}},
      Routed{"qwen", "default", "It is the default."},
      Progress{"reading", 3, 10},
      Token{"ä\n"},
      ToolStarted{"c1", "time", "{}"},
      ToolFinished{"c1", "time", "{}", true, 2.5, "19:05"},
      Notice{"n"},
      Replied{Json{{"reply", "hi"}}},
      Failed{Error{Code::limit, "too long", "shorter", {}}}};
  for (const Event& event : events) {
    const std::string wire = dump_json(to_json(event));
    const Result<Event> back = event_from_json(MUST(parse_json(wire)));
    ASSERT_TRUE(back) << wire;
    EXPECT_EQ(back->index(), event.index());
    EXPECT_EQ(dump_json(to_json(*back)), wire);
  }
}

TEST(Event, WhatIsNoEventIsAnError) {
  for (const char* text : {"{}", "[]", "3", R"({"event":"dance"})", R"({"event":"token"})",
                           R"({"event":"token","text":7})", R"({"event":"replied","result":"x"})",
                           R"({"event":"recalled","pages":[{}]})", R"({"event":"tool_started"})"}) {
    EXPECT_FALSE(event_from_json(MUST(parse_json(text)))) << text;
  }
}

}  // namespace
}  // namespace keel::agent
