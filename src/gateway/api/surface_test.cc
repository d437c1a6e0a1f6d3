#include "gateway/api/surface.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <list>
#include <string>
#include <vector>

#include "model/script.h"
#include "net/http/raw_client_test.h"
#include "rt/patience_test.h"
#include "rt/thread.h"

namespace keel::api {
namespace {

using namespace std::chrono_literals;

struct SurfaceTest : testing::Test {
  std::string folder;
  std::string token;
  SystemClock clock;
  model::Router router{clock};
  std::unique_ptr<Surface> surface;

  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "keel-api-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder = pattern;
  }
  void TearDown() override {
    surface.reset();
    std::filesystem::remove_all(folder);
  }
  void serve(const std::string& script) {
    router.add(MUST(model::ScriptModel::from_text({"small", "", 0}, script)));
    SurfaceOptions options;
    options.listen = "127.0.0.1:0";
    options.token_path = folder + "/token";
    surface = MUST(Surface::start(router, clock, std::move(options)));
    std::ifstream(folder + "/token") >> token;
  }
  std::string request(const std::string& text, bool stream) const {
    const std::string body = R"({"model":"small","max_tokens":50,"stream":)" +
                             std::string(stream ? "true" : "false") +
                             R"(,"messages":[{"role":"user","content":")" + text + "\"}]}";
    return "POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(surface->port()) +
           "\r\nX-Api-Key: " + token + "\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
  }
  std::string health() const {
    http::RawClient client(surface->port());
    return client.ask(
        "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(surface->port()) + "\r\n\r\n");
  }
};

TEST_F(SurfaceTest, ManyClientsAtOnceEachGetTheirOwnStreamOrBody) {
  std::string script;
  for (int n = 0; n < 30; ++n) {
    const std::string name = "q" + std::to_string(100 + n) + ";";
    script += R"({"match":")" + name + R"(","thinking":"hm","text":"for )" + name +
              R"( with love","delay_ms":1})" + "\n";
  }
  serve(script);
  std::atomic<int> right{0};
  {
    std::vector<rt::Thread> threads;
    for (int n = 0; n < 30; ++n) {
      threads.push_back(rt::start_thread("test-client", [&, n](std::stop_token) {
        const std::string name = "q" + std::to_string(100 + n) + ";";
        http::RawClient client(surface->port());
        client.send(request(name, n % 2 == 0));
        const std::string all = n % 2 == 0 ? client.read_until("0\r\n\r\n") : client.read_answer();
        const bool own = all.find(name) != all.npos && all.find("love") != all.npos;
        const std::size_t first = all.find("q1");
        if (own && all.compare(first, name.size(), name) == 0) ++right;
      }));
    }
  }
  EXPECT_EQ(right, 30);
}

TEST_F(SurfaceTest, HealthAnswersWhileEveryWorkerWaitsForAModel) {
  serve(R"({"first_delay_ms":60000,"text":"late","repeat":true})");
  std::list<http::RawClient> clients;
  // More than there are workers and places to wait.
  for (int n = 0; n < 600; ++n) {
    clients.emplace_back(surface->port());
    ASSERT_TRUE(clients.back().send(request("x", false)));
  }
  EXPECT_TRUE(rt::eventually([&] { return health().ends_with(R"({"status":"ok"})"); }));
  // The last ones are told to come again, in words of their dialect.
  const std::string answer = clients.back().read_answer();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 529 ")) << answer;
  EXPECT_NE(answer.find("overloaded_error"), answer.npos) << answer;
  EXPECT_NE(answer.find("retry-after: "), answer.npos) << answer;
  EXPECT_TRUE(surface->drain(0ms, rt::patience));
}

TEST_F(SurfaceTest, AStreamBeginsSoonAndShowsThatItLives) {
  serve(R"({"first_delay_ms":60000,"text":"late","repeat":true})");
  http::RawClient client(surface->port());
  client.send(request("x", true));
  EXPECT_TRUE(client.read_until("message_start").starts_with("HTTP/1.1 200 "));
  client.read_until("event: ping");
  client.read_until("event: ping");
  client.close();
  EXPECT_TRUE(surface->drain(rt::patience, rt::patience));
}

TEST_F(SurfaceTest, BeyondThisMachineItTakesTheOwnersWord) {
  SurfaceOptions options;
  options.listen = "0.0.0.0:0";
  options.token_path = folder + "/token";
  const auto refused = Surface::start(router, clock, options);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::config);
  EXPECT_NE(refused.error().text().find("plain_http"), std::string::npos);
  options.plain_http = true;
  EXPECT_TRUE(Surface::start(router, clock, options).has_value());
}

}  // namespace
}  // namespace keel::api
