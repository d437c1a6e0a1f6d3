#include "model/router.h"

#include <gtest/gtest.h>

#include "model/script.h"

namespace keel::model {
namespace {

std::unique_ptr<Model> scripted(const std::string& name) {
  return MUST(ScriptModel::from_text({name, "", 0}, R"({"text": "hello", "repeat": true})"));
}

TEST(Router, AWishComesBeforeTheModelInUseAndThatBeforeTheDefault) {
  Router router;
  router.add(scripted("a"));
  router.add(scripted("b"));
  router.add(scripted("c"));
  EXPECT_EQ(MUST(router.choose("")).name, "a");  // the first, where nothing is set
  router.set_default("b");
  Choice choice = MUST(router.choose(""));
  EXPECT_EQ(choice.name, "b");
  EXPECT_EQ(choice.rule, "default");
  ASSERT_TRUE(router.use("c"));
  EXPECT_EQ(MUST(router.choose("")).rule, "in-use");
  EXPECT_EQ(router.current(), "c");
  choice = MUST(router.choose("a"));
  EXPECT_EQ(choice.name, "a");
  EXPECT_EQ(choice.rule, "explicit");
  EXPECT_FALSE(choice.reason.empty());
  ASSERT_NE(choice.model, nullptr);
  EXPECT_EQ(choice.model->info().name, "a");
}

TEST(Router, AnUnknownNameSaysWhichThereAreAndChangesNothing) {
  Router router;
  router.add(scripted("qwen"));
  router.add(scripted("smol"));
  Status used = router.use("qwem");
  ASSERT_FALSE(used);
  EXPECT_EQ(used.error().code, Code::not_found);
  EXPECT_NE(used.error().hint.find("Did you mean qwen?"), std::string::npos);
  EXPECT_NE(used.error().hint.find("smol"), std::string::npos);
  EXPECT_EQ(router.current(), "qwen");
  EXPECT_FALSE(router.choose("other"));
}

TEST(Router, WithoutModelsTheErrorSaysWhatToDo) {
  Router router;
  EXPECT_EQ(router.current(), "");
  Result<Choice> choice = router.choose("");
  ASSERT_FALSE(choice);
  EXPECT_EQ(choice.error().code, Code::config);
  EXPECT_FALSE(choice.error().hint.empty());
  router.set_default("gone");
  EXPECT_FALSE(router.choose(""));
}

}  // namespace
}  // namespace keel::model
