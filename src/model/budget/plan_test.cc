#include "model/budget/plan.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/limits.h"
#include "base/text.h"
#include "model/budget/fixture_test.h"

namespace keel::budget {
namespace {

// Of a dense model on the processor. The cache costs 100 KiB a token.
Needs dense(std::int64_t mapped, std::int64_t repacked, int context = 16384) {
  Needs needs;
  needs.description = "a model";
  needs.base_bytes = 60 * kMiB;
  needs.mapped_bytes = mapped;
  needs.repacked_bytes = repacked;
  needs.cache_bytes_per_token = std::int64_t{100} * 1024;
  for (int c = context; c >= limits::budget_context_least; c /= 2) {
    for (int batch = 512; batch >= limits::budget_batch_least; batch /= 2)
      needs.shapes.push_back(
          {c, batch, c * needs.cache_bytes_per_token, batch * kMiB / 2, 0, 0, {}});
  }
  return needs;
}

// The same, wholly on the graphics processor of a Mac with the working set that its system reports
// (engine notes: 16 GB gives 10.67, 48 GB 37.4, 128 GB 107.5; 8 and 32 GB two thirds).
Needs on_mac(std::int64_t weights, std::int64_t working_set) {
  Needs needs = dense(100 * kMiB, 0);
  needs.device_bytes = weights;
  for (Shape& shape : needs.shapes) {
    std::swap(shape.cache_bytes, shape.device_cache_bytes);
    std::swap(shape.compute_bytes, shape.device_compute_bytes);
  }
  needs.devices = {{"MTL0", "Apple", working_set, working_set}};
  return needs;
}

Machine linux_machine(std::int64_t gib) {
  return MUST(look_at_machine(linux_source(gib)));
}
Machine mac(std::int64_t gib) {
  return MUST(look_at_machine(mac_source(gib)));
}

void expect_sum(const Plan& plan) {
  const auto add = [](std::int64_t sum, const Line& line) { return sum + line.bytes; };
  EXPECT_EQ(std::accumulate(plan.lines.begin(), plan.lines.end(), std::int64_t{0}, add),
            plan.need_bytes);
  for (const Line& line : plan.lines) EXPECT_FALSE(line.why.empty()) << line.what;
}

TEST(PlanTest, WithRoomNothingIsShrunk) {
  const Plan plan = make_plan(dense(kGiB, kGiB), linux_machine(16));
  EXPECT_FALSE(plan.refusal);
  EXPECT_FALSE(plan.tight);
  EXPECT_EQ(plan.context, 16384);
  EXPECT_EQ(plan.batch, 512);
  EXPECT_EQ(plan.parked_bytes, limits::engine_parked_bytes);
  EXPECT_TRUE(plan.shrunk.empty());
  EXPECT_LE(plan.need_bytes, plan.room_bytes);
  expect_sum(plan);
}

// The order of giving things up: other conversations, the batch, the context.
TEST(PlanTest, ShrinksWhatCostsTheOwnerLeastFirst) {
  const Needs needs = dense(kGiB, kGiB);
  Machine machine = linux_machine(16);
  struct Seen {
    int context, batch;
    std::int64_t parked;
    bool operator==(const Seen&) const = default;
  };
  std::vector<Seen> seen;
  for (machine.available_bytes = 8 * kGiB; machine.available_bytes > kGiB;
       machine.available_bytes -= 32 * kMiB) {
    const Plan plan = make_plan(needs, machine);
    if (plan.refusal || plan.tight) break;
    EXPECT_LE(plan.need_bytes, plan.room_bytes);
    EXPECT_LE(plan.room_bytes + plan.reserve_bytes, machine.available_bytes);
    expect_sum(plan);
    const Seen now{plan.context, plan.batch, plan.parked_bytes};
    if (seen.empty() || !(seen.back() == now)) seen.push_back(now);
    const bool as_wished = now == Seen{16384, 512, limits::engine_parked_bytes};
    EXPECT_EQ(plan.shrunk.empty(), as_wished);
  }
  ASSERT_GE(seen.size(), 8u);
  EXPECT_EQ(seen[0], (Seen{16384, 512, limits::engine_parked_bytes}));
  EXPECT_EQ(seen[1], (Seen{16384, 512, limits::engine_parked_bytes / 4}));
  EXPECT_EQ(seen[2], (Seen{16384, 512, 0}));
  EXPECT_EQ(seen[3], (Seen{16384, 256, 0}));
  EXPECT_EQ(seen[4], (Seen{16384, 128, 0}));
  for (std::size_t i = 1; i < seen.size(); ++i) EXPECT_LE(seen[i].context, seen[i - 1].context);
  EXPECT_EQ(seen.back(), (Seen{2048, 128, 0}));
}

// A context that would get small is kept whole with a cache of half the size.
TEST(PlanTest, ASmallCacheComesBeforeASmallContext) {
  Needs needs = dense(kGiB, kGiB);
  std::vector<Shape> shapes;
  for (const Shape& shape : needs.shapes) {
    shapes.push_back(shape);
    if (shape.context > limits::budget_context_whole || shape.batch > limits::budget_batch_least)
      continue;
    shapes.push_back(shape);
    shapes.back().cache_bytes = shape.cache_bytes * 17 / 32;
    shapes.back().cache = kSmallCache;
  }
  needs.shapes = shapes;
  Machine machine = linux_machine(16);
  std::vector<std::pair<int, std::string>> seen;
  for (machine.available_bytes = 8 * kGiB; machine.available_bytes > kGiB;
       machine.available_bytes -= 16 * kMiB) {
    const Plan plan = make_plan(needs, machine);
    if (plan.refusal || plan.tight) break;
    expect_sum(plan);
    const std::pair now{plan.context, plan.cache};
    if (seen.empty() || seen.back() != now) seen.push_back(now);
    const std::string all = join(plan.shrunk, "; ");
    EXPECT_EQ(all.find("8 bits") != std::string::npos, !plan.cache.empty()) << all;
  }
  const std::vector<std::pair<int, std::string>> expected{
      {16384, ""},         {8192, ""}, {8192, kSmallCache}, {4096, ""},
      {4096, kSmallCache}, {2048, ""}, {2048, kSmallCache}};
  EXPECT_EQ(seen, expected);
}

TEST(PlanTest, AControlGroupCountsLikeAMachine) {
  FakeSource source = linux_source(64);
  source.files["/proc/self/cgroup"] = "0::/\n";
  source.files["/sys/fs/cgroup/memory.max"] = std::to_string(3 * kGiB);
  source.files["/sys/fs/cgroup/memory.current"] = std::to_string(kGiB / 4);
  const Plan plan = make_plan(dense(kGiB, kGiB), MUST(look_at_machine(source)));
  EXPECT_FALSE(plan.refusal);
  EXPECT_LT(plan.context, 16384);
  EXPECT_LE(plan.need_bytes, 3 * kGiB - kGiB / 4);
}

TEST(PlanTest, WhatMustStayInMemoryAndDoesNotFitIsRefusedWithItsFigures) {
  FakeSource source = linux_source(64);
  source.files["/proc/meminfo"] =
      "MemTotal: 67108864 kB\nMemAvailable: 60000000 kB\nSwapFree: 0 kB\n";
  source.files["/proc/self/cgroup"] = "0::/\n";
  source.files["/sys/fs/cgroup/memory.max"] = "2147483648\n";
  const Plan plan = make_plan(dense(kGiB, 3 * kGiB), MUST(look_at_machine(source)));
  ASSERT_TRUE(plan.refusal);
  EXPECT_EQ(plan.refusal->code, Code::limit);
  EXPECT_NE(plan.refusal->message.find("3.6 GB"), std::string::npos) << plan.refusal->message;
  EXPECT_NE(plan.refusal->message.find("/sys/fs/cgroup/memory.max"), std::string::npos)
      << plan.refusal->message;
  EXPECT_FALSE(plan.lock);
}

TEST(PlanTest, ADenseModelLargerThanTheMachineIsRefusedOneOfExpertsIsTried) {
  Needs needs = dense(40 * kGiB, 0);
  const Plan plan = make_plan(needs, linux_machine(16));
  ASSERT_TRUE(plan.refusal);
  EXPECT_NE(plan.refusal->message.find("every token would read weights from the disk"),
            std::string::npos);
  needs.experts = 128;
  const Plan experts = make_plan(needs, linux_machine(16));
  EXPECT_FALSE(experts.refusal);
  EXPECT_TRUE(experts.tight);
}

TEST(PlanTest, MemoryThatOthersHoldNowMakesItTightNotImpossible) {
  Machine machine = linux_machine(16);
  machine.available_bytes = 2 * kGiB;
  const Plan plan = make_plan(dense(8 * kGiB, 0), machine);
  EXPECT_FALSE(plan.refusal);
  EXPECT_TRUE(plan.tight);
  EXPECT_FALSE(plan.advice.empty());
}

TEST(PlanTest, CheckpointsAndParkedConversationsAreCounted) {
  Needs needs = dense(kGiB, 0);
  const std::int64_t before = make_plan(needs, linux_machine(64)).need_bytes;
  needs.checkpoint_bytes = 10 * kMiB;
  const Plan plan = make_plan(needs, linux_machine(64));
  EXPECT_EQ(plan.need_bytes - before,
            10 * kMiB * static_cast<std::int64_t>(limits::engine_checkpoints));
  expect_sum(plan);
  // A cache of 22 MiB cannot fill 512.
  Needs small = dense(kGiB, 0, 2048);
  for (Shape& shape : small.shapes) shape.cache_bytes = 22 * kMiB;
  std::int64_t parked = 0;
  for (const Line& line : make_plan(small, linux_machine(64)).lines)
    if (line.what == "other conversations") parked = line.bytes;
  EXPECT_EQ(parked, 22 * kMiB * static_cast<std::int64_t>(limits::engine_parked));
}

TEST(PlanTest, WeightsAreLockedOnlyWhereThatIsAllowedAndThereIsPlenty) {
  Machine machine = linux_machine(16);
  Plan plan = make_plan(dense(kGiB, 0), machine);
  EXPECT_FALSE(plan.lock);
  EXPECT_NE(plan.lock_why.find("LimitMEMLOCK="), std::string::npos) << plan.lock_why;
  machine.lockable_bytes = 2 * kGiB;
  EXPECT_TRUE(make_plan(dense(kGiB, 0), machine).lock);
  machine.lockable_bytes = -1;
  EXPECT_TRUE(make_plan(dense(kGiB, 0), machine).lock);
  plan = make_plan(dense(8 * kGiB, 0), machine);
  EXPECT_FALSE(plan.lock);
  EXPECT_NE(plan.lock_why.find("others"), std::string::npos) << plan.lock_why;
}

TEST(PlanTest, HugePagesAreAdviceWithTheWayBack) {
  const auto advised = [](const std::string& setting) {
    FakeSource source = linux_source(16);
    source.files["/sys/kernel/mm/transparent_hugepage/enabled"] = setting;
    std::string all;
    for (const std::string& line : make_plan(dense(kGiB, 0), MUST(look_at_machine(source))).advice)
      all += line;
    return all;
  };
  EXPECT_EQ(advised("[always] madvise never\n"), "");
  EXPECT_EQ(advised("always [madvise] never\n"), "") << "then the engine asks for them";
  EXPECT_NE(advised("always madvise [never]\n").find("back: echo never"), std::string::npos);
  EXPECT_EQ(advised("nonsense"), "");
}

// --- Macs

struct MacCase {
  std::int64_t ram_gib;
  double working_set_gib;
  double weights_gib;
  bool loads;
  std::int64_t wired_mb;  // proposed; 0: none
  const char* why;
};

TEST(PlanTest, MacsOfEverySize) {
  const MacCase cases[] = {
      {8, 5.33, 1.2, true, 0, "a small model fits as the Mac is"},
      {8, 5.33, 4.5, false, 0, "never on 8 GB"},
      {16, 10.67, 6.0, true, 0, "fits once less is read at once"},
      {16, 10.67, 9.5, false, 0, "never on 16 GB"},
      {32, 21.33, 16.0, true, 0, "no limit needed"},
      {32, 21.33, 19.5, false, 24096, "shrinking is not enough, the ceiling of 24 GiB is"},
      {32, 21.33, 26.0, false, 0, "more than may be wired"},
      {48, 37.4, 22.0, true, 0, "35B-A3B in four bits needs no limit"},
      {48, 37.4, 35.9, false, 40890, "six bits do"},
      {128, 107.52, 80.0, true, 0, "plenty"},
      {128, 107.52, 106.0, false, 0, "15 percent stay free: the ceiling is 108.8 GiB"},
  };
  for (const MacCase& c : cases) {
    const auto bytes = [](double gib) {
      return static_cast<std::int64_t>(gib * static_cast<double>(kGiB));
    };
    const Plan plan =
        make_plan(on_mac(bytes(c.weights_gib), bytes(c.working_set_gib)), mac(c.ram_gib));
    const std::string which = std::to_string(c.ram_gib) + " GB: " + c.why;
    EXPECT_EQ(!plan.refusal, c.loads) << which;
    expect_sum(plan);
    if (c.loads) {
      EXPECT_FALSE(plan.wired) << which;
      EXPECT_LE(plan.device_bytes, bytes(c.working_set_gib) - 2 * kGiB) << which;
      continue;
    }
    ASSERT_EQ(plan.wired.has_value(), c.wired_mb != 0) << which << plan.refusal->message;
    if (!plan.wired) continue;
    EXPECT_NEAR(static_cast<double>(plan.wired->mb), static_cast<double>(c.wired_mb), 400) << which;
    EXPECT_GE(plan.wired->mb * kMiB, bytes(c.working_set_gib)) << which;
    EXPECT_GE(plan.wired->kept_free, 8 * kGiB) << which;
    EXPECT_NE(plan.refusal->hint.find(plan.wired->command), std::string::npos);
    EXPECT_NE(plan.refusal->hint.find("iogpu.wired_limit_mb=0"), std::string::npos);
  }
}

TEST(PlanTest, AHigherWorkingSetIsBelievedAndTheWayBackIsTold) {
  const Plan plan = make_plan(on_mac(19 * kGiB + kGiB / 2, 24 * kGiB),
                              MUST(look_at_machine(mac_source(32, 24576))));
  EXPECT_FALSE(plan.refusal);
  ASSERT_FALSE(plan.advice.empty());
  EXPECT_NE(plan.advice.back().find("iogpu.wired_limit_mb=0"), std::string::npos);
}

TEST(PlanTest, ACardWithTooLittleMemoryIsRefusedWithoutTalkOfMacs) {
  const Plan plan = make_plan(on_mac(12 * kGiB, 8 * kGiB), linux_machine(64));
  ASSERT_TRUE(plan.refusal);
  EXPECT_FALSE(plan.wired);
  EXPECT_EQ(plan.refusal->hint.find("sysctl"), std::string::npos);
}

TEST(WiredLimitTest, NeverBelowWhatTheDeviceAllowsNow) {
  const auto limit = propose_wired_limit(10 * kGiB, 64 * kGiB, 48 * kGiB);
  ASSERT_TRUE(limit);
  EXPECT_EQ(limit->mb, 48 * 1024);
  EXPECT_EQ(limit->kept_free, 16 * kGiB);
}

TEST(WiredLimitTest, TheDaemonSetsItAndTellsHowToRemoveIt) {
  const auto limit = propose_wired_limit(20 * kGiB, 32 * kGiB, 21 * kGiB);
  ASSERT_TRUE(limit) << limit.error().text();
  const std::string text = launchd_text(*limit);
  EXPECT_NE(text.find("<string>iogpu.wired_limit_mb=22528</string>"), std::string::npos) << text;
  EXPECT_NE(text.find("<key>RunAtLoad</key>\n  <true/>"), std::string::npos);
  EXPECT_NE(text.find("launchctl bootout system/"), std::string::npos);
  EXPECT_NE(text.find("sudo sysctl iogpu.wired_limit_mb=0"), std::string::npos);
  const std::size_t open = text.find("<!--");
  const std::size_t close = text.find("-->");
  ASSERT_LT(open, close);
  EXPECT_EQ(text.substr(open + 4, close - open - 4).find("--"), std::string::npos)
      << "a comment of XML may not hold two hyphens";
}

TEST(NeedsTest, SurviveTheWayThroughJson) {
  Needs needs = on_mac(kGiB, 8 * kGiB);
  needs.experts = 128;
  needs.checkpoint_bytes = 5;
  needs.shapes.back().cache = kSmallCache;
  const auto back = needs_from_json(to_json(needs));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(dump_json(to_json(*back)), dump_json(to_json(needs)));
  Json broken = to_json(needs);
  broken["mapped_bytes"] = -1;
  EXPECT_FALSE(needs_from_json(broken));
  broken = to_json(needs);
  broken["shapes"] = Json::array();
  EXPECT_FALSE(needs_from_json(broken));
  EXPECT_FALSE(needs_from_json(Json::array()));
}

}  // namespace
}  // namespace keel::budget
