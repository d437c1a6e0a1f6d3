#include "model/route/decide.h"

#include <gtest/gtest.h>

#include "model/route/needs.h"

namespace keel::model {
namespace {

const Prices kPrices{10, 20, 1, 12.5};

// small and other run here, big and wide elsewhere.
struct World {
  config::RouteConfig route;
  Needs needs;
  Situation situation;

  World() {
    needs.channel = "terminal";
    needs.conversation = "main";
    needs.prompt_bytes = 4000;
    needs.max_tokens = 1000;
    add("small", false, 8192);
    add("other", false, 32768);
    add("big", true, 200'000);
    add("wide", true, 1'000'000);
  }
  void add(const std::string& name, bool elsewhere, std::int64_t context) {
    ModelState state;
    state.name = name;
    state.elsewhere = elsewhere;
    state.sees = elsewhere;
    state.context = context;
    state.prices = elsewhere ? kPrices : Prices{};
    situation.models.push_back(state);
  }
  ModelState& at(const std::string& name) {
    for (ModelState& model : situation.models) {
      if (model.name == name) return model;
    }
    return situation.models.front();
  }
  config::RouteRule& rule(std::vector<std::string> use) {
    config::RouteRule made;
    made.name = std::to_string(route.rules.size() + 1);
    made.use = std::move(use);
    route.rules.push_back(std::move(made));
    return route.rules.back();
  }
  Decision decided() const { return MUST(decide(route, needs, situation)); }
  Candidate first() const { return decided().candidates.front(); }
  // "small other": the candidates in order.
  std::string order() const {
    std::string out;
    for (const Candidate& one : decided().candidates) out += (out.empty() ? "" : " ") + one.model;
    return out;
  }
  std::string why_not(const std::string& name) const {
    for (const Failed& one : decided().left_out) {
      if (one.model == name) return one.why;
    }
    return {};
  }
};

TEST(Decide, AWishThenTheModelInUseThenTheDefaultThenTheFirst) {
  World w;
  EXPECT_EQ(w.order(), "small");
  EXPECT_EQ(w.first().rule, "default");
  w.situation.default_model = "big";
  EXPECT_EQ(w.order(), "big small other");
  w.situation.in_use = "wide";
  EXPECT_EQ(w.first().model, "wide");
  EXPECT_EQ(w.first().rule, "in-use");
  w.needs.wish = "other";
  EXPECT_EQ(w.first().rule, "explicit");
  EXPECT_EQ(w.order(), "other");
}

TEST(Decide, ARuleMayLookAtTheBattery) {
  World w;
  config::RouteRule& low = w.rule({"big"});
  low.battery_below = 30;
  w.rule({"other"}).battery = true;
  EXPECT_EQ(w.first().model, "small");
  w.situation.power = {true, true, 64};
  EXPECT_EQ(w.first().model, "other");
  EXPECT_EQ(w.first().reason,
            "The rule 2 (line 0 of keel.toml) says other; this machine is on battery, 64% left.");
  EXPECT_EQ(w.decided().needs["battery"], 64);
  w.situation.power.percent = 30;
  EXPECT_EQ(w.first().model, "other");
  w.situation.power.percent = 29;
  EXPECT_EQ(w.first().model, "big");
  // How much is left nobody knows, or it is being charged: that is not "below".
  w.situation.power.percent.reset();
  EXPECT_EQ(w.first().model, "other");
  w.situation.power = {true, false, 5};
  EXPECT_EQ(w.first().model, "small");
  EXPECT_FALSE(w.decided().needs.contains("battery"));
  w.route.rules.clear();
  w.rule({"other"}).battery = false;
  EXPECT_EQ(w.first().model, "other");
}

TEST(Decide, AWishForAModelOfThisMachineNeverFallsBackElsewhere) {
  World w;
  w.route.fallback = {"big", "other"};
  EXPECT_EQ(w.order(), "small big other");
  w.needs.wish = "small";
  EXPECT_EQ(w.order(), "small other");
  w.needs.wish = "wide";
  EXPECT_EQ(w.order(), "wide big other small");
}

TEST(Decide, TheFirstRuleThatFitsInAllItsPartsDecides) {
  World w;
  config::RouteRule& code = w.rule({"big"});
  code.name = "programs";
  code.line = 12;
  code.tasks = {"code"};
  code.channels = {"terminal"};
  w.rule({"other"}).longer_than = 2000;
  EXPECT_EQ(w.first().model, "small");
  w.needs.code = true;
  EXPECT_EQ(w.first().model, "big");
  EXPECT_EQ(w.first().rule, "rule:programs");
  EXPECT_EQ(w.first().reason, "The rule programs (line 12 of keel.toml) says big.");
  w.needs.channel = "api";
  EXPECT_EQ(w.first().model, "small");
  w.needs.prompt_bytes = 8004;  // about 2001 tokens
  EXPECT_EQ(w.first().rule, "rule:2");
  w.needs.prompt_bytes = 8000;
  EXPECT_EQ(w.first().rule, "default");
}

TEST(Decide, EveryPartOfARuleIsLookedAt) {
  const auto fits = [](void (*set)(config::RouteRule&), void (*make)(World&)) {
    World before;
    set(before.rule({"wide"}));
    World after;
    make(after);
    set(after.rule({"wide"}));
    return before.first().model == "small" && after.first().model == "wide";
  };
  EXPECT_TRUE(fits([](auto& r) { r.tools = true; }, [](World& w) { w.needs.tools = true; }));
  EXPECT_TRUE(fits([](auto& r) { r.vision = true; }, [](World& w) { w.needs.vision = true; }));
  EXPECT_TRUE(fits([](auto& r) { r.conversations = {"work"}; },
                   [](World& w) { w.needs.conversation = "work"; }));
  EXPECT_TRUE(
      fits([](auto& r) { r.channels = {"api"}; }, [](World& w) { w.needs.channel = "api"; }));
  EXPECT_TRUE(
      fits([](auto& r) { r.shorter_than = 1000; }, [](World& w) { w.needs.prompt_bytes = 100; }));
  EXPECT_TRUE(fits([](auto& r) { r.is_private = true; },
                   [](World& w) { w.needs.privacy = Privacy::pages; }));
  EXPECT_TRUE(
      fits([](auto& r) { r.busy = true; }, [](World& w) { w.at("small").readiness.busy = true; }));
}

TEST(Decide, NothingOverridesLocalOnly) {
  World w;
  w.route.local_only = true;
  w.route.fallback = {"wide", "big"};
  w.situation.default_model = "big";
  w.rule({"big", "wide"});
  for (const char* wish : {"", "big", "wide"}) {
    for (const char* in_use : {"", "wide"}) {
      for (const Privacy privacy : {Privacy::none, Privacy::pages, Privacy::whole}) {
        w.needs.wish = wish;
        w.situation.in_use = in_use;
        w.needs.privacy = privacy;
        for (const Candidate& one : w.decided().candidates) EXPECT_FALSE(one.elsewhere);
      }
    }
  }
  EXPECT_NE(w.why_not("big").find("local_only"), std::string::npos);
  w.situation.models.erase(w.situation.models.begin(), w.situation.models.begin() + 2);
  const Result<Decision> none = decide(w.route, w.needs, w.situation);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::unavailable);
  EXPECT_NE(none.error().message.find("local_only"), std::string::npos);
}

TEST(Decide, WhoIsLeftAloneOrHasFailedIsReplacedAndTheReasonSaysSo) {
  World w;
  w.situation.default_model = "big";
  w.route.fallback = {"wide"};
  w.at("big").open_because = "it failed 3 times (no route); it is tried again in 8 s";
  EXPECT_EQ(w.order(), "wide small other");
  EXPECT_EQ(w.first().rule, "fallback");
  EXPECT_EQ(w.first().reason,
            "big is not used: it failed 3 times (no route); it is tried again in 8 s. wide is "
            "among the fallbacks of keel.toml.");
  w.needs.failed = {{"wide", "overloaded"}};
  EXPECT_EQ(w.order(), "small other");
  EXPECT_EQ(w.why_not("wide"), "overloaded");
}

TEST(Decide, AModelOfThisMachineIsAskedAgainIfThereIsNobodyElse) {
  World w;
  w.at("small").open_because = "it failed 3 times (no engine); it is tried again in 9 s";
  w.needs.wish = "small";
  EXPECT_EQ(w.order(), "small");
  EXPECT_NE(w.first().reason.find("nobody else"), std::string::npos);
  w.needs.failed = {{"small", "no engine"}};  // in this very answer
  EXPECT_FALSE(decide(w.route, w.needs, w.situation));
  w.needs.failed.clear();
  w.needs.wish = "big";
  w.at("big").open_because = "it failed 3 times (no route); it is tried again in 9 s";
  EXPECT_EQ(w.order(), "other");
  w.situation.models = {w.at("big")};
  EXPECT_FALSE(decide(w.route, w.needs, w.situation));
}

TEST(Decide, AmongModelsOfThisMachineThoseThatCanBeginAtOnceComeFirst) {
  World w;
  w.needs.wish = "big";
  w.needs.failed = {{"big", "gone"}};
  w.at("small").readiness = {true, true};
  w.at("other").readiness = {true, false};
  EXPECT_EQ(w.order(), "other small");
  w.at("other").readiness = {false, false};
  EXPECT_EQ(w.order(), "small other");
}

TEST(Decide, PrivateContentStaysUnlessARuleForItNamesTheModel) {
  World w;
  w.situation.default_model = "big";
  w.needs.privacy = Privacy::pages;
  EXPECT_EQ(w.order(), "small other");
  EXPECT_EQ(w.first().rule, "private");
  EXPECT_NE(w.first().reason.find("private"), std::string::npos);
  w.rule({"big", "wide"});  // says nothing of private content
  EXPECT_EQ(w.first().model, "small");
  w.rule({"wide"}).is_private = true;
  EXPECT_EQ(w.first().model, "wide");  // of the first rule, the one that may
  EXPECT_FALSE(w.first().withholds);
  EXPECT_NE(w.why_not("big"), "");
}

TEST(Decide, AWishGoesElsewhereWithoutThePrivatePages) {
  World w;
  w.needs.wish = "big";
  w.needs.privacy = Privacy::pages;
  EXPECT_EQ(w.first().model, "big");
  EXPECT_EQ(w.first().rule, "explicit");
  EXPECT_TRUE(w.first().withholds);
  EXPECT_NE(w.first().reason.find("left out"), std::string::npos);
  w.needs.privacy = Privacy::whole;  // the owner's words themselves
  EXPECT_EQ(w.order(), "small other");
  EXPECT_EQ(w.first().rule, "private");
  w.rule({"big"}).is_private = true;
  EXPECT_EQ(w.first().model, "big");
  EXPECT_FALSE(w.first().withholds);
}

TEST(Decide, WithoutAModelOfThisMachinePrivatePagesAreLeftOut) {
  World w;
  w.situation.models.erase(w.situation.models.begin(), w.situation.models.begin() + 2);
  w.needs.privacy = Privacy::pages;
  EXPECT_EQ(w.order(), "big");
  EXPECT_TRUE(w.first().withholds);
  w.needs.privacy = Privacy::whole;
  EXPECT_FALSE(decide(w.route, w.needs, w.situation));
}

TEST(Decide, ABudgetThatIsUsedUpFallsBackToThisMachine) {
  World w;
  w.situation.default_model = "big";
  // (4000 / 2 + 1) x 12.5 + 1000 x 20 of a million: 0.0450125
  EXPECT_NEAR(most_usd(kPrices, 4000, 1000), 0.0450125, 1e-12);
  w.situation.day_left_usd = 0.0451;
  EXPECT_EQ(w.first().model, "big");
  w.situation.day_left_usd = 0.0449;
  EXPECT_EQ(w.order(), "small other");
  EXPECT_EQ(w.first().rule, "budget");
  EXPECT_EQ(w.first().reason,
            "big is not used: of the day's budget $0.0449 are left, and it may cost $0.0450. small "
            "runs on this machine.");
  w.situation.day_left_usd.reset();
  w.situation.turn_left_usd = 0.01;
  EXPECT_NE(w.why_not("big").find("turn's budget"), std::string::npos);
  w.at("big").prices = Prices{};  // free
  EXPECT_EQ(w.first().model, "big");
  w.at("big").prices.reset();
  EXPECT_NE(w.why_not("big").find("price is unknown"), std::string::npos);
}

TEST(Decide, APromptThatSurelyDoesNotFitGoesToWhereItDoes) {
  World w;
  w.route.fallback = {"big"};
  w.needs.prompt_bytes = std::int64_t{6} * 8192;
  EXPECT_EQ(w.first().model, "small");
  w.needs.prompt_bytes = std::int64_t{6} * 8193;
  EXPECT_EQ(w.first().model, "big");
  EXPECT_NE(w.why_not("small").find("do not fit into its 8192"), std::string::npos);
  w.needs.prompt_bytes = 6'000'006;  // for nobody: the model says so itself
  EXPECT_EQ(w.first().model, "small");
}

TEST(Decide, ImagesGoToWhoSeesThemUnlessSomebodyElseWasAskedFor) {
  World w;
  w.route.fallback = {"big"};
  w.needs.vision = true;
  EXPECT_EQ(w.order(), "big small");
  EXPECT_NE(w.first().reason.find("small cannot see images"), std::string::npos);
  w.needs.wish = "small";
  EXPECT_EQ(w.first().model, "small");
}

TEST(Decide, ARowHoldsTheWholeDecision) {
  World w;
  w.situation.default_model = "big";
  w.needs.privacy = Privacy::pages;
  w.needs.tools = true;
  const Json row = to_json(w.decided());
  EXPECT_EQ(row["model"], "small");
  EXPECT_EQ(row["rule"], "private");
  EXPECT_EQ(row["candidates"].size(), 2u);
  EXPECT_EQ(row["left_out"][0]["model"], "big");
  EXPECT_EQ(row["needs"], Json({{"tokens", 1000}, {"tools", true}, {"private", "pages"}}));
}

TEST(Needs, CodeIsKnownByItsSigns) {
  for (const char* text :
       {"Why does this fail?\n```\nx = 1\n```", "int main() {\n  return 0;\n}",
        "Write a Python function that sorts names.", "main.cc does not compile any more",
        "My SQL query throws an exception."}) {
    EXPECT_TRUE(is_about_code(text)) << text;
  }
  for (const char* text : {"What is my boat called?", "I go to class on Monday.",
                           "Remind me of the function at school; bring a cake;", "",
                           "Translate: The method was simple."}) {
    EXPECT_FALSE(is_about_code(text)) << text;
  }
}

TEST(Needs, AreReadOffTheRequest) {
  Request request;
  request.items = {
      msg::text_item(msg::Role::system, "rules"), msg::text_item(msg::Role::user, "```c\nx\n```"),
      msg::text_item(msg::Role::assistant, "ok"), msg::text_item(msg::Role::user, "Thank you")};
  request.max_tokens = 77;
  Needs needs = needs_of(request);
  EXPECT_FALSE(needs.code);  // the newest words count
  EXPECT_FALSE(needs.tools);
  EXPECT_EQ(needs.max_tokens, 77);
  EXPECT_EQ(needs.prompt_bytes, 5 + 10 + 2 + 9);
  request.tools.push_back({"t", "d", Json::object()});
  msg::Image image;
  image.source.data = std::string(1'000'000, 'A');
  request.items.back().blocks.push_back(image);
  needs = needs_of(request);
  EXPECT_TRUE(needs.tools);
  EXPECT_TRUE(needs.vision);
  EXPECT_LT(needs.prompt_bytes, 10'000);
  request.tool_choice = ToolChoice::none;
  EXPECT_FALSE(needs_of(request).tools);
}

}  // namespace
}  // namespace keel::model
