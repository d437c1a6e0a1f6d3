#include "gateway/api/flight.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/limits.h"
#include "rt/patience_test.h"
#include "rt/thread.h"

namespace keel::api {
namespace {

model::Response said(const std::string& text) {
  model::Response response;
  response.item = msg::text_item(msg::Role::assistant, text);
  return response;
}

// A call that says "one", waits to be told, says "two" and ends.
struct Slow {
  std::atomic<int> calls = 0;
  std::atomic<bool> go = false;
  std::atomic<bool> stopped = false;
  Flights flights;

  Flights::Call call() {
    return [this](const model::Sink& sink, std::stop_token stop) -> Result<model::Response> {
      ++calls;
      sink(model::TextDelta{"one"});
      while (!go && !stop.stop_requested()) rt::sleep_ms(1);
      stopped = stop.stop_requested();
      if (stopped) return fail(Code::cancelled, "stopped");
      sink(model::TextDelta{"two"});
      return said("onetwo");
    };
  }
};

struct Client {
  std::string heard;
  std::mutex mutex;
  std::stop_source stop;
  bool joined = false;
  Result<model::Response> response = fail(Code::internal, "not yet");
  std::thread thread;

  void ask(Slow& slow, const std::string& key) {
    thread = std::thread([this, &slow, key] {
      const model::Sink sink = [this](const model::StreamEvent& event) {
        const std::lock_guard lock(mutex);
        heard += std::get<model::TextDelta>(event).text;
      };
      response = slow.flights.answer({"", key}, sink, stop.get_token(), slow.call(), joined);
    });
  }
  std::string so_far() {
    const std::lock_guard lock(mutex);
    return heard;
  }
  ~Client() {
    if (thread.joinable()) thread.join();
  }
};

bool hears(Client& client, const std::string& text) {
  return rt::eventually([&] { return client.so_far() == text; });
}

TEST(Flight, TheSameAtTheSameTimeIsCalledOnceAndBothHearAll) {
  Slow slow;
  Client first;
  Client second;
  Client other;
  first.ask(slow, "a");
  ASSERT_TRUE(hears(first, "one"));
  second.ask(slow, "a");
  other.ask(slow, "b");
  ASSERT_TRUE(hears(second, "one"));
  ASSERT_TRUE(hears(other, "one"));
  slow.go = true;
  for (Client* client : {&first, &second, &other}) {
    client->thread.join();
    ASSERT_TRUE(client->response);
    EXPECT_EQ(client->heard, "onetwo");
  }
  EXPECT_EQ(slow.calls, 2);
  EXPECT_TRUE(second.joined);
  EXPECT_FALSE(first.joined);
  // Afterwards it is a new call.
  Client later;
  later.ask(slow, "a");
  later.thread.join();
  EXPECT_FALSE(later.joined);
  EXPECT_EQ(slow.calls, 3);
}

TEST(Flight, GoesOnAsLongAsSomebodyWaits) {
  Slow slow;
  Client first;
  Client second;
  first.ask(slow, "a");
  ASSERT_TRUE(hears(first, "one"));
  second.ask(slow, "a");
  ASSERT_TRUE(hears(second, "one"));
  first.stop.request_stop();
  rt::sleep_ms(20);
  EXPECT_FALSE(slow.stopped);
  slow.go = true;
  second.thread.join();
  ASSERT_TRUE(second.response);
  EXPECT_EQ(second.heard, "onetwo");
}

TEST(Flight, IsStoppedWhenNobodyWaitsAnyMore) {
  Slow slow;
  Client first;
  Client second;
  first.ask(slow, "a");
  ASSERT_TRUE(hears(first, "one"));
  second.ask(slow, "a");
  ASSERT_TRUE(hears(second, "one"));
  second.stop.request_stop();
  second.thread.join();
  EXPECT_EQ(second.response.error().code, Code::cancelled);
  EXPECT_FALSE(slow.stopped);
  first.stop.request_stop();
  first.thread.join();
  EXPECT_TRUE(slow.stopped);
}

TEST(Flight, AFailureIsEverybodys) {
  Flights flights;
  std::atomic<bool> go = false;
  const Flights::Call call = [&](const model::Sink& sink,
                                 std::stop_token) -> Result<model::Response> {
    sink(model::TextDelta{"x"});
    while (!go) rt::sleep_ms(1);
    return fail(Code::unavailable, "gone");
  };
  bool first_joined = false;
  bool joined = false;
  std::atomic<bool> heard = false;
  Result<model::Response> first = said("");
  std::thread leader([&] {
    first = flights.answer(
        {"", "a"}, [&](const model::StreamEvent&) { heard = true; }, {}, call, first_joined);
  });
  while (!heard) rt::sleep_ms(1);
  const Result<model::Response> second =
      flights.answer({"", "a"}, [&](const model::StreamEvent&) { go = true; }, {}, call, joined);
  leader.join();
  EXPECT_TRUE(joined);
  EXPECT_EQ(first.error().message, "gone");
  EXPECT_EQ(second.error().message, "gone");
}

// Each client's bytes are its own, as they are where requests come in.
TEST(Flight, TheBytesOfWhoLeadsAreEnough) {
  Slow slow;
  auto first = std::make_unique<Client>();
  first->ask(slow, "a");
  ASSERT_TRUE(hears(*first, "one"));
  first->stop.request_stop();
  first.reset();  // its bytes are gone
  Client second;
  second.ask(slow, "a");
  ASSERT_TRUE(hears(second, "one"));
  EXPECT_FALSE(second.joined);
  slow.go = true;
  second.thread.join();
  EXPECT_EQ(slow.calls, 2);
}

TEST(Flight, MoreThanTheLimitCallForThemselves) {
  Slow slow;
  std::vector<std::unique_ptr<Client>> clients;
  for (std::size_t i = 0; i <= limits::joined_clients; ++i) {
    clients.push_back(std::make_unique<Client>());
    clients.back()->ask(slow, "a");
    ASSERT_TRUE(hears(*clients.back(), "one"));
  }
  EXPECT_EQ(slow.calls, 2);
  slow.go = true;
}

}  // namespace
}  // namespace keel::api
