#include "tool/registry.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "base/limits.h"
#include "tool/calculator_tool.h"
#include "tool/list_files_tool.h"
#include "tool/read_file_tool.h"
#include "tool/recall_tool.h"
#include "tool/remember_tool.h"
#include "tool/testing.h"
#include "tool/time_tool.h"
#include "tool/web_fetch_tool.h"

namespace keel::tool {
namespace {

// Does what its argument says, and counts how often it ran.
class ProbeTool final : public Tool {
 public:
  explicit ProbeTool(std::string name = "probe", policy::Sink sink = policy::Sink::none)
      : spec_{std::move(name), "A probe.",
              schema_literal(R"json({"type":"object","properties":{"do":{"type":"string"}}})json")},
        sink_(sink) {}
  const msg::Tool& spec() const override { return spec_; }
  Effect effect() const override { return Effect::pure; }
  policy::Sink sink() const override { return sink_; }
  Result<Outcome> run(const Json& arguments, Context& context) override {
    ++runs;
    const std::string what = json_string_or(arguments, "do", "");
    if (what == "throw") throw std::runtime_error("thrown");
    if (what == "fail") return fail(Code::io, "it broke", "mend it");
    if (what == "cancel") return fail(Code::cancelled, "stopped");
    if (what == "big") return Outcome{std::string(1'000'000, 'x')};
    if (what == "bytes") return Outcome{"a\xff"};
    if (what == "label")
      return Outcome{std::string(policy::integrity_name(context.label.integrity))};
    return Outcome{"ran"};
  }
  static inline int runs = 0;

 private:
  msg::Tool spec_;
  policy::Sink sink_;
};

class RegistryTest : public ::testing::Test {
 protected:
  RegistryTest() : bench_(std::make_unique<ProbeTool>()) { ProbeTool::runs = 0; }
  Result<Outcome> invoke(const std::string& name, const std::string& arguments,
                         const std::function<Status()>& checked = {}) {
    return bench_.registry().invoke({name, arguments, {}}, bench_.context, checked);
  }
  Bench bench_;
};

TEST_F(RegistryTest, AnUnknownToolIsAnsweredWithTheOnesThereAre) {
  const auto outcome = invoke("prob", "{}");
  ASSERT_TRUE(outcome.has_value());
  EXPECT_TRUE(outcome->is_error);
  EXPECT_EQ(outcome->text, "unknown tool 'prob'; there are: probe");
  EXPECT_EQ(ProbeTool::runs, 0);
}

TEST_F(RegistryTest, BrokenArgumentsNeverReachTheTool) {
  for (const std::string& arguments :
       {std::string("{"), std::string("[]"), std::string(R"({"do":5})"), std::string("\xff"),
        std::string(R"({"do":"x"} trailing)"), std::string(5000, '['),
        R"({"do":")" + std::string(limits::tool_arguments_bytes, 'x') + R"("})"}) {
    const auto outcome = invoke("probe", arguments);
    ASSERT_TRUE(outcome.has_value());
    EXPECT_TRUE(outcome->is_error) << arguments.substr(0, 40);
    EXPECT_LT(outcome->text.size(), 500u);
  }
  EXPECT_EQ(ProbeTool::runs, 0);
}

TEST_F(RegistryTest, NoArgumentsMeanAnEmptyObject) {
  for (const char* arguments : {"", " ", "null", "{}"})
    EXPECT_EQ(invoke("probe", arguments)->text, "ran");
}

TEST_F(RegistryTest, TheCheckRunsBeforeTheEffectAndCanStopIt) {
  const auto stopped = invoke("probe", "{}", [] { return fail(Code::disk_full, "no room"); });
  ASSERT_FALSE(stopped.has_value());
  EXPECT_EQ(stopped.error().code, Code::disk_full);
  EXPECT_EQ(ProbeTool::runs, 0);
  int at_check = -1;
  const auto ran = invoke("probe", "{}", [&]() -> Status {
    at_check = ProbeTool::runs;
    return {};
  });
  ASSERT_TRUE(ran.has_value());
  EXPECT_EQ(at_check, 0);
  EXPECT_EQ(ProbeTool::runs, 1);
}

TEST_F(RegistryTest, TheCheckDoesNotRunForACallThatIsRefused) {
  int checks = 0;
  const auto count = [&]() -> Status {
    ++checks;
    return {};
  };
  EXPECT_TRUE(invoke("nobody", "{}", count)->is_error);
  EXPECT_TRUE(invoke("probe", "{", count)->is_error);
  EXPECT_EQ(checks, 0);
}

TEST_F(RegistryTest, ErrorsAndExceptionsOfAToolAreShownToTheModel) {
  EXPECT_EQ(invoke("probe", R"({"do":"fail"})")->text, "it broke (mend it)");
  const auto thrown = invoke("probe", R"({"do":"throw"})");
  ASSERT_TRUE(thrown.has_value());
  EXPECT_TRUE(thrown->is_error);
  EXPECT_NE(thrown->text.find("thrown"), std::string::npos);
  const auto cancelled = invoke("probe", R"({"do":"cancel"})");
  ASSERT_FALSE(cancelled.has_value());
  EXPECT_EQ(cancelled.error().code, Code::cancelled);
}

TEST_F(RegistryTest, ResultsAreBoundedValidText) {
  EXPECT_LE(invoke("probe", R"({"do":"big"})")->text.size(), limits::tool_outcome_bytes);
  EXPECT_EQ(invoke("probe", R"({"do":"bytes"})")->text, "a\uFFFD");
}

TEST_F(RegistryTest, AStopBeforeTheCallKeepsItFromRunning) {
  std::stop_source stop;
  stop.request_stop();
  bench_.context.stop = stop.get_token();
  const auto outcome = invoke("probe", "{}");
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code, Code::cancelled);
  EXPECT_EQ(ProbeTool::runs, 0);
}

TEST_F(RegistryTest, TheToolSeesTheLabelOfTheContext) {
  const auto outcome = bench_.registry().invoke(
      {"probe", R"({"do":"label"})", {policy::Integrity::web, policy::Confidentiality::open}},
      bench_.context);
  EXPECT_EQ(outcome->text, "web");
}

TEST(RegistryPolicyTest, WhatThePolicyDoesNotAllowDoesNotRun) {
  ProbeTool::runs = 0;
  Bench bench(std::make_unique<ProbeTool>("fetcher", policy::Sink::fetch_composed));
  const Outcome personal =
      bench.call("{}", {policy::Integrity::owner, policy::Confidentiality::personal});
  EXPECT_TRUE(personal.is_error);
  EXPECT_NE(personal.text.find("Ask the owner"), std::string::npos) << personal.text;
  EXPECT_EQ(ProbeTool::runs, 0);
  EXPECT_EQ(bench.text("{}"), "ran");
}

TEST(RegistryAddTest, NamesAreUniqueWellFormedAndSorted) {
  Registry registry;
  EXPECT_TRUE(registry.add(std::make_unique<ProbeTool>("b")).has_value());
  EXPECT_TRUE(registry.add(std::make_unique<ProbeTool>("a")).has_value());
  EXPECT_EQ(registry.add(std::make_unique<ProbeTool>("a")).error().code, Code::already_exists);
  for (const std::string& bad : {std::string(), std::string("A"), std::string("a-b"),
                                 std::string("a b"), std::string(65, 'a'), std::string("ü")}) {
    EXPECT_FALSE(registry.add(std::make_unique<ProbeTool>(bad)).has_value()) << bad;
  }
  ASSERT_EQ(registry.tools().size(), 2u);
  EXPECT_EQ(registry.specs().front().name, "a");
  EXPECT_NE(registry.find("b"), nullptr);
  EXPECT_EQ(registry.find("c"), nullptr);
}

TEST(RegistryAddTest, TheDescriptionsOfAllToolsFitASmallPrompt) {
  Registry registry;
  MUST(registry.add(make_remember_tool()));
  MUST(registry.add(make_recall_tool()));
  MUST(registry.add(make_time_tool()));
  MUST(registry.add(make_calculator_tool()));
  MUST(registry.add(make_read_file_tool()));
  MUST(registry.add(make_list_files_tool()));
  MUST(registry.add(make_web_fetch_tool()));
  std::size_t bytes = 0;
  for (const msg::Tool& tool : registry.specs()) bytes += dump_json(msg::to_json(tool)).size();
  // About 3.5 bytes a token: 900 tokens.
  EXPECT_LT(bytes, 3000u);
  RecordProperty("prompt_bytes", static_cast<int>(bytes));
}

}  // namespace
}  // namespace keel::tool
