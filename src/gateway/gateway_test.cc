#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <functional>

#include "base/limits.h"
#include "gateway/client.h"
#include "gateway/protocol.h"
#include "gateway/server.h"
#include "rt/patience_test.h"
#include "rt/thread.h"

namespace keel::gateway {
namespace {

using std::chrono::milliseconds;

// A session whose turns write what the test asks for; the real agent is met in tests/e2e.
class Turns final : public agent::Session {
 public:
  Result<Json> run(const agent::TurnRequest& request, const agent::EventSink& sink,
                   std::stop_token stop) override {
    ++started;
    if (request.text == "fail") return fail(Code::network, "the line is dead", "Try again.");
    sink(agent::TurnStarted{request.conversation, "T1"});
    if (request.text == "flood") {
      const std::string page(64 << 10, 'x');
      for (int i = 0; i < 10000; ++i) sink(agent::Token{page});
    }
    while (request.text == "wait" && !released && !stop.stop_requested()) rt::sleep_ms(5);
    const bool stopped = stop.stop_requested();
    sink(agent::Token{"done"});
    ++ended;
    return Json{{"reply", "done"}, {"stopped", stopped}, {"model", request.model}};
  }
  Result<Json> why(const std::string& turn) override { return Json{{"turn", turn}}; }
  Result<Json> status() override { return Json{{"agent", "Test"}, {"daemon", false}}; }
  Status use_model(const std::string& name) override {
    if (name != "known") return fail(Code::not_found, "there is no such model");
    return {};
  }
  Status prepare(const std::string& conversation, const agent::EventSink& sink,
                 std::stop_token) override {
    if (conversation != "main") return fail(Code::not_found, "another conversation");
    sink(agent::Progress{"loading", 500, 1000});
    return {};
  }
  std::atomic<int> started{0};
  std::atomic<int> ended{0};
  std::atomic<bool> released{false};
};

class GatewayTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "keelgwXXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    path_ = folder_ + "/sock";
    server_ = MUST(Server::start(turns_, path_));
  }
  void TearDown() override {
    turns_.released = true;
    server_.reset();
    ::unlink(path_.c_str());
    ::rmdir(folder_.c_str());
  }
  static void eventually(const std::function<bool()>& condition) {
    EXPECT_TRUE(rt::eventually(condition));
  }
  // FrameSocket cannot be moved: it is made, then greeted.
  void greet(rt::FrameSocket& socket) { ASSERT_TRUE(MUST(socket.receive())); }

  Turns turns_;
  std::string folder_;
  std::string path_;
  std::unique_ptr<Server> server_;
};

TEST(Protocol, EveryRequestComesBackAsItWas) {
  agent::TurnRequest turn{"c", "text \xf0\x9f\x9a\xa2", "telegram", "42", "small"};
  Request run = MUST(decode_request(encode(Request(RunRequest{turn}))));
  const auto& back = std::get<RunRequest>(run).turn;
  EXPECT_EQ(std::tie(back.conversation, back.text, back.channel, back.external_id, back.model),
            std::tie(turn.conversation, turn.text, turn.channel, turn.external_id, turn.model));
  EXPECT_TRUE(
      std::holds_alternative<StopRequest>(MUST(decode_request(encode(Request(StopRequest{}))))));
  EXPECT_TRUE(std::holds_alternative<PrepareRequest>(
      MUST(decode_request(encode(Request(PrepareRequest{}))))));
  EXPECT_TRUE(std::holds_alternative<StatusRequest>(
      MUST(decode_request(encode(Request(StatusRequest{}))))));
  EXPECT_EQ(std::get<WhyRequest>(MUST(decode_request(encode(Request(WhyRequest{"t"}))))).turn, "t");
  EXPECT_EQ(
      std::get<UseModelRequest>(MUST(decode_request(encode(Request(UseModelRequest{"m"}))))).name,
      "m");
}

TEST(Protocol, ErrorsKeepTheirCodeAndHint) {
  Reply back =
      MUST(decode_reply(encode(Reply(Error{Code::disk_full, "no room", "make some", {}}))));
  const Error& error = std::get<Error>(back);
  EXPECT_EQ(error.code, Code::disk_full);
  EXPECT_EQ(error.message, "no room");
  EXPECT_EQ(error.hint, "make some");
}

TEST(Protocol, WhatIsNoRequestIsRefusedInWords) {
  for (std::string_view frame :
       {"", "{", "[]", "null", "{}", "{\"op\": 1}", "{\"op\": \"fly\"}", "{\"op\": \"run\"}",
        "{\"op\": \"run\", \"text\": \"x\", \"conversation\": \"\"}", "{\"op\": \"use_model\"}"}) {
    Result<Request> request = decode_request(frame);
    ASSERT_FALSE(request) << frame;
    EXPECT_FALSE(request.error().message.empty());
  }
  EXPECT_EQ(decode_request(std::string(limits::request_bytes + 1, ' ')).error().code, Code::limit);
}

TEST_F(GatewayTest, ATurnComesThroughWithItsEvents) {
  auto client = MUST(Client::connect(path_));
  std::vector<std::string> events;
  Json result = MUST(client->run(
      {.text = "hello", .model = "m"},
      [&](const agent::Event& event) { events.push_back(agent::to_json(event)["event"]); }, {}));
  EXPECT_EQ(result["reply"], "done");
  EXPECT_EQ(result["model"], "m");
  EXPECT_EQ(events, (std::vector<std::string>{"turn_started", "token"}));
  EXPECT_EQ(client->run({.text = "fail"}, {}, {}).error().code, Code::network);
  EXPECT_EQ(MUST(client->status())["daemon"], true);
  EXPECT_EQ(MUST(client->why("t"))["turn"], "t");
  EXPECT_TRUE(client->use_model("known"));
  EXPECT_EQ(client->use_model("other").error().code, Code::not_found);
  int loading = 0;
  EXPECT_TRUE(client->prepare("main", [&](const agent::Event&) { ++loading; }, {}));
  EXPECT_EQ(loading, 1);
}

TEST_F(GatewayTest, AStopReachesTheTurn) {
  auto client = MUST(Client::connect(path_));
  std::stop_source stop;
  rt::Thread stopper = rt::start_thread("stopper", [&](std::stop_token) {
    eventually([&] { return turns_.started > 0; });
    stop.request_stop();
  });
  Json result = MUST(client->run({.text = "wait"}, {}, stop.get_token()));
  EXPECT_EQ(result["stopped"], true);
}

TEST_F(GatewayTest, AClientThatLeavesDoesNotEndItsTurn) {
  {
    rt::FrameSocket socket(MUST(rt::connect_unix(path_)));
    greet(socket);
    ASSERT_TRUE(socket.send(encode(Request(RunRequest{{.text = "wait"}}))));
    eventually([&] { return turns_.started > 0; });
  }
  rt::sleep_ms(50);
  EXPECT_EQ(turns_.ended, 0);
  turns_.released = true;
  eventually([&] { return turns_.ended == 1; });
}

TEST_F(GatewayTest, AClientThatDoesNotReadCannotHoldUpATurn) {
  rt::FrameSocket socket(MUST(rt::connect_unix(path_)));
  greet(socket);
  ASSERT_TRUE(socket.send(encode(Request(RunRequest{{.text = "flood"}}))));
  eventually([&] { return turns_.ended == 1; });
}

TEST_F(GatewayTest, OneTurnAtATimeOnAConnection) {
  rt::FrameSocket socket(MUST(rt::connect_unix(path_)));
  greet(socket);
  ASSERT_TRUE(socket.send(encode(Request(RunRequest{{.text = "wait"}}))));
  ASSERT_TRUE(socket.send(encode(Request(RunRequest{{.text = "hello"}}))));
  for (;;) {
    Reply reply = MUST(decode_reply(*MUST(socket.receive())));
    if (const auto* error = std::get_if<Error>(&reply)) {
      EXPECT_EQ(error->code, Code::busy);
      break;
    }
    ASSERT_FALSE(std::holds_alternative<Answer>(reply));
  }
}

TEST_F(GatewayTest, DrainingRefusesNewTurnsAndStopsOldOnes) {
  auto client = MUST(Client::connect(path_));
  Result<Json> result = Json();
  rt::Thread waiting = rt::start_thread(
      "waiting", [&](std::stop_token) { result = client->run({.text = "wait"}, {}, {}); });
  eventually([&] { return turns_.started > 0; });
  EXPECT_TRUE(server_->drain(milliseconds(50), rt::patience));
  waiting.join();
  EXPECT_EQ(MUST(std::move(result))["stopped"], true);
  EXPECT_FALSE(Client::connect(path_)) << "the socket is gone";
}

TEST(Gateway, NoDaemonIsAnErrorNotAWait) {
  EXPECT_FALSE(Client::connect("/nonexistent/keel.sock"));
  EXPECT_EQ(Client::connect("/" + std::string(200, 'x')).error().code, Code::limit);
}

}  // namespace
}  // namespace keel::gateway
