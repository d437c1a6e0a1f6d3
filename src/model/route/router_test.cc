#include "model/route/router.h"

#include <gtest/gtest.h>

#include "model/script.h"

namespace keel::model {
namespace {

const SystemClock clock;

Needs wish(const std::string& name) {
  Needs needs;
  needs.wish = name;
  return needs;
}

std::unique_ptr<Model> scripted(const std::string& name) {
  return MUST(ScriptModel::from_text({name, "", 0}, R"({"text": "hello", "repeat": true})"));
}

TEST(Router, AWishComesBeforeTheModelInUseAndThatBeforeTheDefault) {
  Router first(clock);
  first.add(scripted("a"));
  first.add(scripted("b"));
  EXPECT_EQ(MUST(first.choose({})).name, "a");  // the first, where nothing is set
  config::RouteConfig route;
  route.default_model = "b";
  Router router(clock, route);
  router.add(scripted("a"));
  router.add(scripted("b"));
  router.add(scripted("c"));
  Choice choice = MUST(router.choose({}));
  EXPECT_EQ(choice.name, "b");
  EXPECT_EQ(choice.rule, "default");
  ASSERT_TRUE(router.use("c"));
  EXPECT_EQ(MUST(router.choose({})).rule, "in-use");
  EXPECT_EQ(router.current(), "c");
  choice = MUST(router.choose(wish("a")));
  EXPECT_EQ(choice.name, "a");
  EXPECT_EQ(choice.rule, "explicit");
  EXPECT_FALSE(choice.reason.empty());
  ASSERT_NE(choice.model, nullptr);
  EXPECT_EQ(choice.model->info().name, "a");
}

TEST(Router, AnUnknownNameSaysWhichThereAreAndChangesNothing) {
  Router router(clock);
  router.add(scripted("qwen"));
  router.add(scripted("smol"));
  Status used = router.use("qwem");
  ASSERT_FALSE(used);
  EXPECT_EQ(used.error().code, Code::not_found);
  EXPECT_NE(used.error().hint.find("Did you mean qwen?"), std::string::npos);
  EXPECT_NE(used.error().hint.find("smol"), std::string::npos);
  EXPECT_EQ(router.current(), "qwen");
  EXPECT_FALSE(router.choose(wish("other")));
}

TEST(Router, LooksAtTheBatteryOnlyIfARuleDoes) {
  config::RouteConfig route;
  int looks = 0;
  const auto power = [&] {
    ++looks;
    return Power{true, true, 20};
  };
  Router without(clock, route);
  without.add(scripted("a"));
  without.set_power(power);
  EXPECT_EQ(MUST(without.choose({})).name, "a");
  EXPECT_EQ(looks, 0);
  config::RouteRule rule;
  rule.name = "low";
  rule.use = {"b"};
  rule.battery_below = 25;
  route.rules = {rule};
  Router router(clock, route);
  router.add(scripted("a"));
  router.add(scripted("b"));
  router.set_power(power);
  EXPECT_EQ(MUST(router.choose({})).name, "b");
  EXPECT_EQ(looks, 1);
}

TEST(Router, AModelThatCameLaterIsMadeWhenItIsUsed) {
  Router router(clock);
  router.add(scripted("old"));
  int made = 0;
  router.set_maker([&](const std::string& name) -> Result<std::unique_ptr<Model>> {
    if (name == "broken") return fail(Code::config, "keel.toml:3: no");
    if (name != "new") return fail(Code::not_found, "none of that name");
    ++made;
    return scripted(name);
  });
  EXPECT_TRUE(router.use("old"));
  EXPECT_EQ(made, 0);
  EXPECT_EQ(router.use("broken").error().code, Code::config);
  const Status unknown = router.use("nwe");
  EXPECT_EQ(unknown.error().code, Code::not_found);
  EXPECT_NE(unknown.error().hint.find("old"), std::string::npos);
  EXPECT_EQ(router.current(), "old");
  EXPECT_TRUE(router.use("new"));
  EXPECT_TRUE(router.use("new"));
  EXPECT_EQ(made, 1);
  EXPECT_EQ(router.current(), "new");
  EXPECT_EQ(router.infos().size(), 2u);
}

class RestingModel final : public Model {
 public:
  RestingModel(std::string name, int& rests) : name_(std::move(name)), rests_(rests) {}
  Info info() const override { return {name_, "test", "", 0}; }
  Result<Response> generate(const Request&, const Sink&, std::stop_token) override {
    return fail(Code::unsupported, "not asked here");
  }
  Status prepare(const Request&, const Sink&, std::stop_token) override { return {}; }
  void rest() override { ++rests_; }

 private:
  const std::string name_;
  int& rests_;
};

TEST(Router, TheModelThatIsLeftRests) {
  Router router(clock);
  int first = 0;
  int second = 0;
  router.add(std::make_unique<RestingModel>("first", first));
  router.add(std::make_unique<RestingModel>("second", second));
  EXPECT_TRUE(router.use("first"));
  EXPECT_EQ(first, 0);
  EXPECT_TRUE(router.use("second"));
  EXPECT_TRUE(router.use("second"));
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 0);
}

TEST(Router, WithoutModelsTheErrorSaysWhatToDo) {
  Router router(clock);
  EXPECT_EQ(router.current(), "");
  Result<Choice> choice = router.choose({});
  ASSERT_FALSE(choice);
  EXPECT_EQ(choice.error().code, Code::config);
  EXPECT_FALSE(choice.error().hint.empty());
  config::RouteConfig route;
  route.default_model = "gone";
  EXPECT_FALSE(Router(clock, route).choose({}));
}

}  // namespace
}  // namespace keel::model
