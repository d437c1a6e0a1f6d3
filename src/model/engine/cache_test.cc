// Keys and values that are kept in 8 bits: the same sense in half the room, and never mixed up with
// those of 16 bits.
#include <gtest/gtest.h>

#include <fstream>

#include "base/json.h"
#include "model/budget/needs.h"
#include "model/engine/engine_fixture_test.h"
#include "model/local/tune.h"
#include "rt/file.h"
#include "rt/patience_test.h"
#include "rt/thread.h"

namespace keel::local {
namespace {

class CacheTest : public LocalModelTest {
 protected:
  // As if `keel model tune` had found it best.
  void keep_settings(const std::string& cache) {
    CpuOptions cpu;
    cpu.cache_path = home() + "/cpu.json";
    const CpuChoice choice = MUST(choose_cpu(cpu));
    const Json best = {{"library", choice.library},
                       {"attention", cache.empty() ? choice.attention : "flash"},
                       {"cache", cache}};
    const Json all = {{profile_key(options_.path, choice.fingerprint), {{"best", best}}}};
    ASSERT_TRUE(rt::write_file(home() + "/profile.json", dump_json(all)));
    model_ = LocalModel::create(options_);
  }
  void TearDown() override { fs::remove(home() + "/profile.json"); }

  model::Response answer(const std::string& conversation, const std::string& text, int tokens) {
    model::Request request;
    request.conversation = conversation;
    request.items = {msg::text_item(msg::Role::user, text)};
    request.max_tokens = tokens;
    auto response = generate(request);
    EXPECT_TRUE(response) << response.error().text();
    return response ? std::move(*response) : model::Response{};
  }
  // Of a conversation's file, once it is written.
  static std::uintmax_t file_bytes() {
    std::uintmax_t last = 0;
    EXPECT_TRUE(rt::eventually([&] {
      std::uintmax_t now = 0;
      std::error_code error;
      for (const auto& entry : fs::directory_iterator(home() + "/kv", error))
        now += entry.file_size(error);
      rt::sleep_ms(20);
      return now > 0 && now == std::exchange(last, now);
    }));
    return last;
  }
};

TEST_F(CacheTest, ASmallCacheHoldsTheSameSenseInHalfTheRoom) {
  NEED_MODEL(kTiny);
  std::string text;
  for (int i = 0; i < 60; ++i) text += "The ship sails on over the wide sea. ";
  text += "The name of the ship is Marigold. What is the name of the ship?";
  std::uintmax_t bytes[2] = {};
  for (const bool small : {false, true}) {
    fs::remove_all(home() + "/kv");
    keep_settings(small ? budget::kSmallCache : "");
    const model::Response said = answer("c", text, 24);
    EXPECT_NE(msg::plain_text(said.item).find("Marigold"), std::string::npos)
        << small << msg::plain_text(said.item);
    bytes[small ? 1 : 0] = file_bytes();
  }
  EXPECT_NEAR(static_cast<double>(bytes[1]) / static_cast<double>(bytes[0]), 17.0 / 32.0, 0.02);
}

TEST_F(CacheTest, FilesOfAnotherCacheAreReadAnew) {
  NEED_MODEL(kTiny);
  std::string text = "Tell me about the sea.";
  for (int i = 0; i < 20; ++i) text += " The ship sails on over the wide sea.";
  keep_settings("");
  const model::Response first = answer("c", text, 4);
  file_bytes();
  keep_settings(budget::kSmallCache);
  const model::Response other = answer("c", text, 4);
  EXPECT_EQ(other.usage.cached_tokens, 0);
  EXPECT_EQ(other.usage.evaluated_tokens, first.usage.prompt_tokens);
  model_.reset();
  keep_settings(budget::kSmallCache);
  EXPECT_LE(answer("c", text, 4).usage.evaluated_tokens, 1);
}

TEST_F(CacheTest, AProfileWithACacheNobodyKnowsIsNotUsed) {
  NEED_MODEL(kTiny);
  keep_settings("q3_x");
  CpuOptions cpu;
  cpu.cache_path = home() + "/cpu.json";
  const auto kept = kept_settings(home(), options_.path, MUST(choose_cpu(cpu)).fingerprint);
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code, Code::corrupt);
  EXPECT_FALSE(msg::plain_text(answer("c", "Say hello.", 4).item).empty());
}

}  // namespace
}  // namespace keel::local
