#include "model/schedule.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/limits.h"
#include "rt/patience_test.h"

namespace keel::model {
namespace {

using rt::eventually;

// Waits in a thread of its own and notes when it got the use.
struct Guest {
  Guest(Schedule& schedule, Priority priority, std::string name, std::vector<std::string>& order)
      : thread([&schedule, &order, priority, name = std::move(name), this](std::stop_token stop) {
          const auto place = schedule.enter(priority, stop);
          if (place) order.push_back(name);  // whoever has the use is alone
          refused = !place;
          done = true;
        }) {}
  std::atomic<bool> done{false};
  std::atomic<bool> refused{false};
  std::jthread thread;
};

TEST(ScheduleTest, TheUrgentGoesFirstThenTheEarlier) {
  Schedule schedule;
  std::vector<std::string> order;
  auto held = schedule.enter(Priority::owner, {});
  ASSERT_TRUE(held);
  std::vector<std::unique_ptr<Guest>> guests;
  const auto come = [&](Priority priority, const char* name) {
    const std::size_t before = guests.size();
    guests.push_back(std::make_unique<Guest>(schedule, priority, name, order));
    ASSERT_TRUE(eventually([&] { return schedule.waiting() == before + 1; }));
  };
  come(Priority::background, "job");
  come(Priority::client, "client 1");
  come(Priority::client, "client 2");
  come(Priority::owner, "owner");
  {
    const auto end = std::move(*held);
  }
  for (const auto& guest : guests) ASSERT_TRUE(eventually([&] { return guest->done.load(); }));
  EXPECT_EQ(order, (std::vector<std::string>{"owner", "client 1", "client 2", "job"}));
}

TEST(ScheduleTest, OnlySomebodyMoreUrgentAsksForTheUseAndItComesBackFirst) {
  Schedule schedule;
  std::vector<std::string> order;
  auto job = schedule.enter(Priority::background, {});
  ASSERT_TRUE(job);
  Guest second(schedule, Priority::background, "second job", order);
  ASSERT_TRUE(eventually([&] { return schedule.waiting() == 1; }));
  EXPECT_FALSE(job->yield().stop_requested());
  Guest owner(schedule, Priority::owner, "owner", order);
  ASSERT_TRUE(eventually([&] { return job->yield().stop_requested(); }));
  ASSERT_TRUE(job->rejoin({}));
  EXPECT_EQ(order, std::vector<std::string>{"owner"});
  EXPECT_FALSE(job->yield().stop_requested());
  {
    const auto end = std::move(*job);
  }
  ASSERT_TRUE(eventually([&] { return second.done.load(); }));
}

TEST(ScheduleTest, WhoStopsWaitingLeavesTheOthersTheirPlaces) {
  Schedule schedule;
  std::vector<std::string> order;
  auto held = schedule.enter(Priority::owner, {});
  ASSERT_TRUE(held);
  Guest first(schedule, Priority::client, "first", order);
  ASSERT_TRUE(eventually([&] { return schedule.waiting() == 1; }));
  Guest second(schedule, Priority::client, "second", order);
  ASSERT_TRUE(eventually([&] { return schedule.waiting() == 2; }));
  first.thread.request_stop();
  ASSERT_TRUE(eventually([&] { return first.done.load(); }));
  EXPECT_TRUE(first.refused);
  {
    const auto end = std::move(*held);
  }
  ASSERT_TRUE(eventually([&] { return second.done.load(); }));
  EXPECT_EQ(order, std::vector<std::string>{"second"});
}

TEST(ScheduleTest, AYieldThatIsStoppedWhileItWaitsGivesTheUseUp) {
  Schedule schedule;
  auto job = schedule.enter(Priority::background, {});
  ASSERT_TRUE(job);
  std::stop_source stop;
  std::vector<std::string> order;
  Guest owner(schedule, Priority::owner, "owner", order);
  ASSERT_TRUE(eventually([&] { return job->yield().stop_requested(); }));
  stop.request_stop();
  const Status joined = job->rejoin(stop.get_token());
  ASSERT_TRUE(eventually([&] { return owner.done.load(); }));
  // Whether it was stopped before its turn came again or not, the use is free in the end.
  if (!joined) {
    EXPECT_EQ(joined.error().code, Code::cancelled);
  }
  {
    const auto end = std::move(*job);
  }
  EXPECT_TRUE(schedule.try_enter(Priority::background).has_value());
}

TEST(ScheduleTest, MoreThanMayWaitAreTurnedAwayAtOnce) {
  Schedule schedule;
  std::vector<std::string> order;
  auto held = schedule.enter(Priority::owner, {});
  ASSERT_TRUE(held);
  std::vector<std::unique_ptr<Guest>> guests;
  for (std::size_t i = 0; i < limits::model_waiting; ++i)
    guests.push_back(std::make_unique<Guest>(schedule, Priority::client, "guest", order));
  ASSERT_TRUE(eventually([&] { return schedule.waiting() == limits::model_waiting; }));
  const auto refused = schedule.enter(Priority::client, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::busy);
  EXPECT_FALSE(schedule.try_enter(Priority::owner));
}

}  // namespace
}  // namespace keel::model
