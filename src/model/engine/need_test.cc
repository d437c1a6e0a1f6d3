// Dry runs of real models against what loading them then takes.
#include "model/engine/need.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/limits.h"
#include "base/text.h"
#include "model/engine/engine_fixture_test.h"
#include "model/local/fit.h"
#include "model/local/local_model.h"
#include "rt/file.h"

namespace keel::local {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMiB = std::int64_t{1} << 20;

class NeedTest : public ::testing::Test {
 protected:
  void SetUp() override { fs::remove_all(home() + "/needs.json"); }

  bool have(const char* file) {
    options_.path = model_path(file).string();
    options_.home = home();
    return fs::exists(options_.path);
  }
  Result<Fit> fit() { return fit_model(options_, TRY(settings_for(options_))); }

  FitOptions options_;
};

// A line of /proc/PID/status, in bytes.
std::int64_t status_bytes(int pid, std::string_view key) {
  const std::string text =
      MUST(rt::read_file("/proc/" + std::to_string(pid) + "/status", limits::machine_file_bytes));
  for (const std::string_view line : split(text, '\n')) {
    if (line.starts_with(key))
      return 1024 * std::atoll(std::string(trim(line.substr(key.size()))).c_str());
  }
  return -1;
}

// The plan's figures are what the engine then has in memory: within 12% and 24 MiB, which is what
// the program, its threads and what llama.cpp rounds up may differ by.
TEST_F(NeedTest, WhatWasPlannedIsWhatItTakes) {
  if (!have(kTiny)) GTEST_SKIP() << "the model is not there";
  options_.context = 8192;
  const Fit planned = MUST(fit());
  const budget::Plan& plan = planned.plan;
  ASSERT_FALSE(plan.refusal);
  LocalOptions local;
  local.name = "test";
  local.path = options_.path;
  local.home = options_.home;
  local.context = options_.context;
  const auto model = LocalModel::create(local);
  // A prompt as long as a batch, so that everything that was laid out is used once.
  model::Request request;
  request.conversation = "need";
  std::string story;
  for (int i = 0; i < 150; ++i) story += "The ship sails on over the wide sea. ";
  request.items = {msg::text_item(msg::Role::user, story)};
  request.max_tokens = 2;
  const auto answer = model->generate(request, {}, {});
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_EQ(model->info().context, plan.context);

  std::int64_t parked = 0;
  for (const budget::Line& line : plan.lines) {
    if (line.what == "other conversations") parked = line.bytes;
  }
  const int pid = model->stats().pid;
  // Pages of the file that only served to fill the rearranged copy may still be there; they can be
  // dropped at any time and are no need.
  const std::int64_t own = status_bytes(pid, "RssAnon:") + status_bytes(pid, "RssShmem:");
  const std::int64_t all = status_bytes(pid, "VmRSS:");
  const std::int64_t expected_own = plan.fixed_bytes - parked;
  RecordProperty("planned_own_mib", static_cast<int>(expected_own / kMiB));
  RecordProperty("measured_own_mib", static_cast<int>(own / kMiB));
  RecordProperty("measured_rss_mib", static_cast<int>(all / kMiB));
  const double margin = 0.12 * static_cast<double>(expected_own) + 24.0 * kMiB;
  EXPECT_NEAR(static_cast<double>(own), static_cast<double>(expected_own), margin);
  EXPECT_GE(all, own + planned.needs.mapped_bytes / 2) << "weights in the file are mapped";
}

TEST_F(NeedTest, ADryRunLoadsNoWeights) {
  if (!have(kCoder)) GTEST_SKIP() << "the model is not there";
  const Fit found = MUST(fit());
  const budget::Needs& needs = found.needs;
  const auto file = static_cast<std::int64_t>(fs::file_size(options_.path));
  EXPECT_GT(needs.base_bytes, 10 * kMiB);
  EXPECT_LT(needs.base_bytes, file / 3) << "the engine was this large in the dry run";
  EXPECT_GT(needs.mapped_bytes + needs.repacked_bytes, file / 10 * 9);
  EXPECT_LT(needs.mapped_bytes + needs.repacked_bytes, file / 10 * 14);
  EXPECT_EQ(needs.cache_bytes_per_token, 28 * 1024) << "2 key heads of 128 in 28 layers, 16 bits";
  EXPECT_EQ(needs.checkpoint_bytes, 0);
  EXPECT_EQ(needs.experts, 0);
}

TEST_F(NeedTest, SmallerShapesNeedLess) {
  if (!have(kTiny)) GTEST_SKIP() << "the model is not there";
  std::vector<budget::Shape> shapes = MUST(fit()).needs.shapes;
  // Where a context is small enough, the last way to lay it out is with a small cache.
  for (std::size_t i = 1; i < shapes.size(); ++i) {
    if (shapes[i].cache.empty()) continue;
    EXPECT_LE(shapes[i].context, limits::budget_context_whole);
    EXPECT_EQ(shapes[i].context, shapes[i - 1].context);
    EXPECT_EQ(shapes[i].cache_bytes * 32, shapes[i - 1].cache_bytes * 17);
  }
  EXPECT_GE(std::erase_if(shapes, [](const auto& shape) { return !shape.cache.empty(); }), 2u);
  ASSERT_GE(shapes.size(), 6u);
  for (std::size_t i = 1; i < shapes.size(); ++i) {
    const bool same_context = shapes[i].context == shapes[i - 1].context;
    EXPECT_EQ(same_context, shapes[i].batch < shapes[i - 1].batch);
    if (same_context) {
      EXPECT_EQ(shapes[i].cache_bytes, shapes[i - 1].cache_bytes);
      EXPECT_LT(shapes[i].compute_bytes, shapes[i - 1].compute_bytes);
    } else {
      EXPECT_EQ(shapes[i].cache_bytes * 2, shapes[i - 1].cache_bytes);
    }
  }
  EXPECT_GE(shapes.back().context, limits::budget_context_least);
}

TEST_F(NeedTest, WeightsThatAreNotRearrangedAreMapped) {
  if (!have(kCoder)) GTEST_SKIP() << "the model is not there";
  EngineSettings settings = MUST(settings_for(options_));
  const budget::Needs packed = MUST(fit_model(options_, settings)).needs;
  settings.repack = false;
  const budget::Needs plain = MUST(fit_model(options_, settings)).needs;
  EXPECT_EQ(plain.repacked_bytes, 0);
  EXPECT_GT(packed.repacked_bytes, plain.mapped_bytes / 4) << "this library rearranges none of it";
  EXPECT_LT(packed.mapped_bytes, plain.mapped_bytes);
  EXPECT_NEAR(static_cast<double>(plain.mapped_bytes),
              static_cast<double>(fs::file_size(options_.path)), 8.0 * kMiB);
}

TEST_F(NeedTest, IsKeptUntilTheModelChanges) {
  if (!have(kTiny)) GTEST_SKIP() << "the model is not there";
  const EngineSettings settings = MUST(settings_for(options_));
  const budget::Needs first = MUST(fit_model(options_, settings)).needs;
  options_.program = "/bin/false";  // whoever asks an engine now is answered by nobody
  const auto second = fit_model(options_, settings);
  ASSERT_TRUE(second) << second.error().text();
  EXPECT_EQ(dump_json(budget::to_json(second->needs)), dump_json(budget::to_json(first)));
  options_.context = 4096;
  EXPECT_FALSE(fit_model(options_, settings)) << "another context is another question";
  options_.context = 0;
  std::ofstream(home() + "/needs.json") << "{ damaged";
  EXPECT_FALSE(fit_model(options_, settings));
  options_.program.clear();
  EXPECT_TRUE(fit_model(options_, settings)) << "a damaged file is measured anew";
}

// An engine that may have less memory than the machine seems to offer.
TEST_F(NeedTest, RunningOutOfMemoryWhileLoadingIsAClearError) {
  if (!have(kTiny)) GTEST_SKIP() << "the model is not there";
  const std::string script = home() + "/small-engine";
  for (const int mib : {200, 300, 400, 500}) {
    std::ofstream(script) << "#!/bin/sh\nulimit -v " << mib * 1024 << "\nexec '"
                          << MUST(rt::own_program_path()) << "' \"$@\"\n";
    fs::permissions(script, fs::perms::owner_all);
    LocalOptions local;
    local.name = "test";
    local.path = options_.path;
    local.home = options_.home;
    local.context = 16384;
    local.program = script;
    local.library = MUST(settings_for(options_)).library;
    const auto model = LocalModel::create(local);
    const Status loaded = model->prepare({}, {}, {});
    ASSERT_FALSE(loaded) << mib;
    EXPECT_EQ(loaded.error().code, Code::limit) << mib << loaded.error().text();
    EXPECT_NE(loaded.error().message.find("memory"), std::string::npos) << loaded.error().text();
    EXPECT_NE(loaded.error().hint.find("keel model memory"), std::string::npos);
    EXPECT_EQ(model->stats().pid, -1) << "no engine is left behind";
  }
}

}  // namespace
}  // namespace keel::local
