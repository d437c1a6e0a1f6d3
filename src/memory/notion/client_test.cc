#include "memory/notion/client.h"

#include <gtest/gtest.h>

#include <atomic>

#include "net/test_server.h"

namespace keel::memory::notion {
namespace {

using net::TestServer;
constexpr std::string_view kJson = "Content-Type: application/json\r\n";

class NotionClient : public ::testing::Test {
 protected:
  std::unique_ptr<Client> client(const TestServer& server, int attempts = 3) {
    ClientOptions options;
    options.base_url = server.url("");
    options.token = [] { return Result<std::string>("secret"); };
    options.per_second = 500;
    options.attempts = attempts;
    return MUST(Client::create(net_, std::move(options)));
  }
  net::Client net_{{}};
};

TEST_F(NotionClient, says_who_and_which_version) {
  std::string head;
  TestServer server([&](const TestServer::Exchange& exchange) {
    head = exchange.request;
    exchange.reply(200, kJson, R"({"id":"x"})");
  });
  const Answer answer = client(server)->get("/users/me", {});
  EXPECT_TRUE(answer.ok());
  EXPECT_EQ(json_string_or(answer.json, "id", ""), "x");
  EXPECT_TRUE(head.starts_with("GET /v1/users/me ")) << head;
  EXPECT_NE(head.find("uthorization: Bearer secret"), std::string::npos) << head;
  EXPECT_NE(head.find("otion-version: 2026-03-11"), std::string::npos) << head;
}

TEST_F(NotionClient, retry_after_is_obeyed_by_all) {
  std::atomic<int> count = 0;
  TestServer server([&](const TestServer::Exchange& exchange) {
    if (++count == 1)
      exchange.reply(429, std::string(kJson) + "Retry-After: 1\r\n",
                     R"({"code":"rate_limited","message":"slowly"})");
    else
      exchange.reply(200, kJson, "{}");
  });
  const auto notion = client(server);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(notion->write("PATCH", "/pages/x", Json::object(), {}).ok());
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(950));
  EXPECT_EQ(count, 2);
  EXPECT_EQ(notion->requests(), 2);
}

TEST_F(NotionClient, a_write_is_not_repeated_where_it_may_have_been_carried_out) {
  for (const int kind : {502, 504, 500, 0, 200}) {
    std::atomic<int> count = 0;
    TestServer server([&](const TestServer::Exchange& exchange) {
      ++count;
      if (kind == 502) exchange.reply(502, "cf-ray: 9a\r\n", "<html>Bad Gateway</html>");
      if (kind == 504 || kind == 500)
        exchange.reply(kind, kJson, R"({"code":"gateway_timeout","message":"late"})");
      if (kind == 200) exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"id\"");
    });
    const auto notion = client(server);
    EXPECT_EQ(notion->write("POST", "/pages", Json::object(), {}).fate, Fate::unknown) << kind;
    EXPECT_EQ(count, 1) << kind;
    EXPECT_EQ(notion->get("/pages/x", {}).fate, Fate::not_sent) << kind;
    EXPECT_EQ(count, 4) << kind;
  }
}

TEST_F(NotionClient, nothing_was_sent_where_nobody_listens) {
  std::string url;
  {
    const TestServer gone([](const TestServer::Exchange&) {});
    url = gone.url("");
  }
  ClientOptions options;
  options.base_url = url;
  options.token = [] { return Result<std::string>("secret"); };
  options.per_second = 500;
  options.attempts = 2;
  const auto notion = MUST(Client::create(net_, std::move(options)));
  const Answer answer = notion->write("POST", "/pages", Json::object(), {});
  EXPECT_EQ(answer.fate, Fate::not_sent);
  EXPECT_EQ(answer.error.code, Code::network);
}

TEST_F(NotionClient, refusals_say_what_to_do) {
  int status = 0;
  std::string body;
  TestServer server(
      [&](const TestServer::Exchange& exchange) { exchange.reply(status, kJson, body); });
  const auto notion = client(server);
  const auto refused = [&](int number, std::string_view code, std::string_view message) {
    status = number;
    body = dump_json({{"object", "error"}, {"code", code}, {"message", message}});
    const Answer answer = notion->write("POST", "/pages", Json::object(), {});
    EXPECT_EQ(answer.fate, Fate::refused) << number;
    EXPECT_EQ(answer.code, code);
    return answer.error;
  };
  EXPECT_EQ(refused(401, "unauthorized", "API token is invalid.").code, Code::permission);
  EXPECT_EQ(refused(403, "restricted_resource", "no").code, Code::permission);
  EXPECT_EQ(refused(403, "restricted_resource", "the block limit is reached").code, Code::limit);
  EXPECT_EQ(refused(409, "row_limit_exceeded", "too many rows").code, Code::limit);
  EXPECT_EQ(refused(404, "object_not_found", "Could not find page").code, Code::not_found);
  EXPECT_EQ(refused(400, "validation_error", "body failed").code, Code::invalid_argument);
}

TEST_F(NotionClient, stops_when_told_to_also_while_it_waits) {
  TestServer server([](const TestServer::Exchange& exchange) {
    exchange.reply(429, std::string(kJson) + "Retry-After: 300\r\n", "{}");
  });
  const auto notion = client(server);
  std::stop_source stop;
  const rt::Thread ending = rt::start_thread("end", [&](std::stop_token) {
    rt::sleep_ms(100);
    stop.request_stop();
  });
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(notion->get("/users/me", stop.get_token()).fate, Fate::not_sent);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST_F(NotionClient, somebody_who_waits_is_not_kept_for_long) {
  TestServer server([](const TestServer::Exchange& exchange) {
    exchange.reply(429, std::string(kJson) + "Retry-After: 300\r\n", "{}");
  });
  const auto notion = client(server);
  const auto begin = std::chrono::steady_clock::now();
  const Answer answer = notion->get("/users/me", {}, std::chrono::seconds(1));
  EXPECT_EQ(answer.fate, Fate::not_sent);
  EXPECT_EQ(answer.error.code, Code::busy);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST_F(NotionClient, knows_the_other_clock) {
  TestServer server([](const TestServer::Exchange& exchange) {
    exchange.reply(200, std::string(kJson) + "Date: Thu, 01 Jan 2026 00:00:10 GMT\r\n", "{}");
  });
  const auto notion = client(server);
  EXPECT_TRUE(notion->get("/users/me", {}).ok());
  EXPECT_NEAR(static_cast<double>(SystemClock().wall_ms() + notion->ahead_ms()), 1767225610000.0,
              60'000.0);
  EXPECT_EQ(http_time("Fri, 27 Nov 2026 16:31:14 GMT"), 1795797074000);
  EXPECT_EQ(http_time("yesterday"), 0);
}

TEST(NotionId, is_found_in_what_owners_paste) {
  constexpr std::string_view kId = "01ae8fff-045e-4bd6-b6cb-17b7b89f567b";
  EXPECT_EQ(MUST(notion_id(kId)), kId);
  EXPECT_EQ(MUST(notion_id("01AE8FFF045E4BD6B6CB17B7B89F567B")), kId);
  EXPECT_EQ(MUST(notion_id("https://www.notion.so/me/A-deed-01ae8fff045e4bd6b6cb17b7b89f567b?v="
                           "00000000000000000000000000000000")),
            kId);
  EXPECT_EQ(notion_id("my database").error().code, Code::invalid_argument);
}

}  // namespace
}  // namespace keel::memory::notion
