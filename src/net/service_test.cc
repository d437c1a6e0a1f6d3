#include "net/service.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>

#include "base/clock.h"
#include "base/text.h"
#include "net/test_server.h"
#include "rt/patience_test.h"
#include "rt/thread.h"

namespace keel::net {
namespace {

using namespace std::chrono_literals;
using Exchange = TestServer::Exchange;

ServiceRequest request_to(const TestServer& server, std::string path = "/v1/x") {
  ServiceRequest request{MUST(Endpoint::create(server.url(""))), std::move(path)};
  request.body = "{}";
  return request;
}

Client make_client() {
  return Client(ClientOptions{"keel-test/1", {}, 5s, 1s});
}

// The body that follows the head in a request with a Content-Length.
std::string body_of(const Exchange& x) {
  const std::size_t end = x.request.find("\r\n\r\n") + 4;
  std::string body = x.request.substr(end);
  const std::size_t at = x.request.find("Content-Length: ");
  const std::size_t size = at == x.request.npos ? 0 : std::stoul(x.request.substr(at + 16));
  std::string buffer(64u << 10, '\0');
  while (body.size() < size && !x.stop.stop_requested()) {
    const ssize_t got = recv(x.fd, buffer.data(), buffer.size(), 0);
    if (got <= 0) break;
    body.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return body;
}

TEST(ServiceTest, APostCarriesItsHeadersAndBodyAndBringsTheAnswer) {
  std::string head;
  std::string body;
  const TestServer server([&](const Exchange& x) {
    head = x.request;
    body = body_of(x);
    x.reply(200, "Request-Id: 7\r\nContent-Type: application/json\r\n", "{\"ok\":true}");
  });
  ServiceRequest request = request_to(server, "/v1/messages?beta=true");
  request.headers = {{"authorization", "Bearer secret"}, {"x-empty", ""}, {"accept", "text/x"}};
  request.body = "{\"a\":1}";
  Client client = make_client();
  const auto answer = client.service(request, {}, {});
  ASSERT_TRUE(answer.has_value()) << answer.error().text();
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "{\"ok\":true}");
  EXPECT_EQ(header(answer->headers, "request-id"), "7");
  EXPECT_EQ(body, "{\"a\":1}");
  EXPECT_TRUE(head.starts_with("POST /v1/messages?beta=true HTTP/1.1\r\n")) << head;
  for (const char* line :
       {"authorization: Bearer secret\r\n", "x-empty:\r\n", "Content-Type: application/json\r\n",
        "Accept: text/x\r\n", "User-Agent: keel-test/1\r\n"}) {
    EXPECT_NE(head.find(line), head.npos) << line << head;
  }
  EXPECT_EQ(ascii_lower(head).find("expect:"), head.npos);
  EXPECT_EQ(ascii_lower(head).find("accept-encoding"), head.npos);
}

TEST(ServiceTest, EveryMethodIsSentAsItIs) {
  const TestServer server([](const Exchange& x) { x.reply(204, "X: y\r\n", ""); });
  Client client = make_client();
  for (const char* method : {"GET", "HEAD", "PUT", "PATCH", "DELETE"}) {
    ServiceRequest request = request_to(server);
    request.method = method;
    request.body = {};
    const auto answer = client.service(request, {}, {});
    ASSERT_TRUE(answer.has_value()) << method << answer.error().text();
    EXPECT_EQ(answer->status, 204);
    EXPECT_EQ(header(answer->headers, "x"), "y");
  }
  ServiceRequest request = request_to(server);
  request.method = "GET / HTTP/1.1\r\nX:";
  EXPECT_FALSE(client.service(request, {}, {}).has_value());
}

TEST(ServiceTest, TensOfMegabytesArriveUnchanged) {
  std::string arrived;
  const TestServer server([&](const Exchange& x) {
    arrived = body_of(x);
    x.reply(200, "", "ok");
  });
  std::string body(24u << 20, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 31 % 251);
  ServiceRequest request = request_to(server);
  request.body = body;
  const auto answer = make_client().service(request, {}, {});
  ASSERT_TRUE(answer.has_value()) << answer.error().text();
  EXPECT_TRUE(arrived == body);
}

TEST(ServiceTest, AStreamIsHandedOnAsItComesHeadFirst) {
  std::atomic<int> seen{0};
  const TestServer server([&](const Exchange& x) {
    x.send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 3; ++i) {
      // Nothing more is sent before the client has had what was sent: no buffering in between.
      while (seen < i + 1 && !x.stop.stop_requested()) rt::sleep_ms(1);
      x.send("9\r\ndata: " + std::to_string(i) + "\n\n\r\n");
    }
    x.send("0\r\n\r\n");
  });
  std::string events;
  ServiceSink sink;
  sink.head = [&](const ServiceAnswer& head) {
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(header(head.headers, "content-type"), "text/event-stream");
    ++seen;
    return true;
  };
  sink.body = [&](std::string_view bytes) {
    events += bytes;
    if (bytes.ends_with("\n\n")) ++seen;
    return true;
  };
  const auto answer = make_client().service(request_to(server), sink, {});
  ASSERT_TRUE(answer.has_value()) << answer.error().text();
  EXPECT_EQ(events, "data: 0\n\ndata: 1\n\ndata: 2\n\n");
  EXPECT_TRUE(answer->body.empty());
}

TEST(ServiceTest, TheBodyOfAnErrorIsInTheAnswerNotInTheSink) {
  const TestServer server(
      [](const Exchange& x) { x.reply(529, "Retry-After: 3\r\n", "{\"error\":\"overloaded\"}"); });
  ServiceSink sink;
  sink.body = [](std::string_view) {
    ADD_FAILURE();
    return true;
  };
  const auto answer = make_client().service(request_to(server), sink, {});
  ASSERT_TRUE(answer.has_value()) << answer.error().text();
  EXPECT_EQ(answer->status, 529);
  EXPECT_EQ(answer->body, "{\"error\":\"overloaded\"}");
  EXPECT_EQ(header(answer->headers, "retry-after"), "3");
}

TEST(ServiceTest, ARedirectIsAnAnswerAndTheKeyStaysHere) {
  const TestServer other([](const Exchange& x) { x.reply(200, "", "stolen"); });
  const TestServer server(
      [&](const Exchange& x) { x.reply(307, "Location: " + other.url("/") + "\r\n", ""); });
  ServiceRequest request = request_to(server);
  request.headers = {{"x-api-key", "secret"}};
  const auto answer = make_client().service(request, {}, {});
  ASSERT_TRUE(answer.has_value()) << answer.error().text();
  EXPECT_EQ(answer->status, 307);
  EXPECT_TRUE(other.paths().empty());
}

TEST(ServiceTest, SilenceHasALimitBeforeAndWithinTheAnswer) {
  const TestServer server([](const Exchange& x) {
    if (x.path == "/mute") return x.hang();
    x.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
    for (int i = 0; i < 4; ++i) {
      rt::sleep_ms(100);
      x.send("x");
    }
    if (x.path == "/stops") return x.hang();
    x.send("xxxxx");
  });
  Client client = make_client();
  ServiceRequest request = request_to(server, "/mute");
  request.first_byte_time = 200ms;
  const auto mute = client.service(request, {}, {});
  ASSERT_FALSE(mute.has_value());
  EXPECT_EQ(mute.error().code, Code::timeout) << mute.error().text();
  EXPECT_NE(mute.error().message.find("did not answer"), std::string::npos);
  request = request_to(server, "/stops");
  request.idle_time = rt::promised(300ms);
  const auto stops = client.service(request, {}, {});
  ASSERT_FALSE(stops.has_value());
  EXPECT_EQ(stops.error().code, Code::timeout) << stops.error().text();
  EXPECT_NE(stops.error().message.find("in the middle"), std::string::npos);
  // Slow but alive for longer than both limits.
  request = request_to(server, "/slow");
  request.first_byte_time = rt::promised(300ms);
  request.idle_time = rt::promised(300ms);
  EXPECT_TRUE(client.service(request, {}, {}).has_value());
  request = request_to(server, "/stops");
  request.total_time = 300ms;
  const auto total = client.service(request, {}, {});
  ASSERT_FALSE(total.has_value());
  EXPECT_EQ(total.error().code, Code::timeout) << total.error().text();
}

TEST(ServiceTest, AStopEndsTheCallAtOnceAndTheServerNotices) {
  std::atomic<bool> begun{false};
  std::atomic<bool> left{false};
  const TestServer server([&](const Exchange& x) {
    x.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx");
    begun = true;
    x.hang();
    left = !x.stop.stop_requested();
  });
  std::stop_source stop;
  const rt::Thread stopper = rt::start_thread("test-stop", [&](std::stop_token) {
    rt::eventually([&] { return begun.load(); });
    stop.request_stop();
  });
  Client client = make_client();
  const auto begin = std::chrono::steady_clock::now();
  const auto answer = client.service(request_to(server), {}, stop.get_token());
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, Code::cancelled) << answer.error().text();
  EXPECT_LT(ms_between(begin, std::chrono::steady_clock::now()),
            static_cast<double>(rt::promised(2000ms).count()));
  EXPECT_TRUE(rt::eventually([&] { return left.load(); }));
}

TEST(ServiceTest, TheSinkMayEndTheCallAtTheHeadOrLater) {
  const TestServer server([](const Exchange& x) { x.reply(200, "", "abcdef"); });
  Client client = make_client();
  ServiceSink sink;
  sink.head = [](const ServiceAnswer&) { return false; };
  auto answer = client.service(request_to(server), sink, {});
  ASSERT_TRUE(answer.has_value()) << answer.error().text();
  EXPECT_TRUE(answer->ended);
  EXPECT_EQ(answer->status, 200);
  sink = {};
  sink.body = [](std::string_view) { return false; };
  answer = client.service(request_to(server), sink, {});
  ASSERT_TRUE(answer.has_value()) << answer.error().text();
  EXPECT_TRUE(answer->ended);
}

TEST(ServiceTest, AFailureTellsWhetherTheRequestMayHaveArrived) {
  int port = 0;
  bool sending = false;
  ServiceSink sink;
  sink.sending = [&] { sending = true; };
  Client client = make_client();
  {
    const TestServer server(
        [](const Exchange& x) { x.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"); });
    port = server.port();
    const auto cut = client.service(request_to(server), sink, {});
    ASSERT_FALSE(cut.has_value());
    EXPECT_EQ(cut.error().code, Code::network) << cut.error().text();
    EXPECT_NE(cut.error().message.find("in the middle"), std::string::npos) << cut.error().text();
    EXPECT_TRUE(sending);
  }
  sending = false;
  const std::string nobody = "http://127.0.0.1:" + std::to_string(port);
  const auto refused = client.service({MUST(Endpoint::create(nobody)), "/"}, sink, {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::network) << refused.error().text();
  EXPECT_NE(refused.error().hint.find("base_url"), std::string::npos);
  EXPECT_FALSE(sending);
}

TEST(ServiceTest, AnAnswerThatIsNotStreamedHasABound) {
  const TestServer server([](const Exchange& x) { x.reply(200, "", std::string(1001, 'x')); });
  ServiceRequest request = request_to(server);
  request.answer_bytes = 1000;
  const auto answer = make_client().service(request, {}, {});
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, Code::limit) << answer.error().text();
  request.answer_bytes = 1001;
  EXPECT_TRUE(make_client().service(request, {}, {}).has_value());
}

TEST(ServiceTest, APackedAnswerThatNobodyAskedForIsRefused) {
  const TestServer server(
      [](const Exchange& x) { x.reply(200, "Content-Encoding: gzip\r\n", "xxxx"); });
  const auto answer = make_client().service(request_to(server), {}, {});
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, Code::limit) << answer.error().text();
}

TEST(ServiceTest, AKeyWithALineBreakIsRefusedAndNotShown) {
  const TestServer server([](const Exchange& x) { x.reply(200, "", ""); });
  Client client = make_client();
  for (const char* value : {"abc\r\nX-Evil: 1", "abc\n",
                            "a\x01"
                            "b"}) {
    ServiceRequest request = request_to(server);
    request.headers = {{"x-api-key", value}};
    const auto answer = client.service(request, {}, {});
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().text().find("abc"), std::string::npos) << answer.error().text();
  }
  ServiceRequest request = request_to(server);
  request.headers = {{"bad name", "x"}};
  EXPECT_FALSE(client.service(request, {}, {}).has_value());
  EXPECT_TRUE(server.paths().empty());
}

TEST(ServiceTest, APathNeverLeavesItsEndpoint) {
  const auto endpoint = Endpoint::create("https://api.example.com/v1/");
  ASSERT_TRUE(endpoint.has_value());
  EXPECT_EQ(endpoint->at("/messages?x=y")->text(), "https://api.example.com/v1/messages?x=y");
  for (const char* path : {"", "messages", "@evil.com/", ".evil.com/", ":8443/x", "/../admin",
                           "/a/../../admin", "/%2e%2e/admin", "/a/./b", "\\evil"}) {
    EXPECT_FALSE(endpoint->at(path).has_value()) << path;
  }
  EXPECT_EQ(Endpoint::create("https://api.example.com")->at("/x")->text(),
            "https://api.example.com/x");
  EXPECT_FALSE(Endpoint::create("https://api.example.com/?key=1").has_value());
  EXPECT_FALSE(Endpoint::create("ftp://api.example.com/").has_value());
  EXPECT_FALSE(Endpoint::create("api.example.com").has_value());
}

TEST(ServiceTest, ASecretDoesNotTravelOverPlainHttpThroughPublicNetworks) {
  // Refused before anything is sent: the address is never connected to.
  bool sending = false;
  ServiceSink sink;
  sink.sending = [&] { sending = true; };
  const auto answer =
      make_client().service({MUST(Endpoint::create("http://1.1.1.1")), "/x"}, sink, {});
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, Code::permission) << answer.error().text();
  EXPECT_NE(answer.error().hint.find("https://"), std::string::npos) << answer.error().text();
  EXPECT_FALSE(sending);
}

TEST(ServiceTest, AConnectionIsKeptForTheNextCallUnlessAskedOtherwise) {
  std::atomic<int> connections{0};
  const TestServer server([&](const Exchange& x) {
    ++connections;
    std::string request = x.request;
    while (!x.stop.stop_requested()) {
      if (request.find("\r\n\r\n{}") != request.npos) {
        request.clear();
        x.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      }
      char buffer[4096];
      const ssize_t got = recv(x.fd, buffer, sizeof buffer, MSG_DONTWAIT);
      if (got == 0) return;
      if (got > 0) request.append(buffer, static_cast<std::size_t>(got));
      if (got < 0) rt::sleep_ms(1);
    }
  });
  Client client = make_client();
  ServiceRequest request = request_to(server);
  for (int i = 0; i < 3; ++i) {
    const auto answer = client.service(request, {}, {});
    ASSERT_TRUE(answer.has_value()) << answer.error().text();
  }
  EXPECT_EQ(connections, 1);
  request.fresh_connection = true;
  EXPECT_TRUE(client.service(request, {}, {}).has_value());
  EXPECT_EQ(connections, 2);
}

}  // namespace
}  // namespace keel::net
