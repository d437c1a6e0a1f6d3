#include "net/http/server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/http/raw_client_test.h"
#include "rt/thread.h"

namespace keel::http {
namespace {

using namespace std::chrono_literals;

// Answers with what it was asked, unless a test gives it something else to do.
void echo(const Request& request, Responder& responder) {
  Response response;
  response.body = request.method + " " + request.path + "|" + request.query + "|" + request.body;
  responder.send(std::move(response));
}

ServerOptions options_for(Handler handler = echo) {
  ServerOptions options;
  options.listen = "127.0.0.1:0";
  options.screen = [](const Request&) { return std::nullopt; };
  options.handler = std::move(handler);
  return options;
}

std::unique_ptr<Server> serve(ServerOptions options = options_for()) {
  return MUST(Server::start(std::move(options)));
}

std::string post(std::string_view headers, std::string_view body) {
  return "POST /p HTTP/1.1\r\nHost: x\r\n" + std::string(headers) + "\r\n" + std::string(body);
}

TEST(HttpServerTest, ARequestReachesTheHandlerAndItsAnswerTheClient) {
  const auto server = serve();
  RawClient client(server->port());
  const std::string answer = client.ask(post("Content-Length: 5\r\n", "hello"));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\nPOST /p||hello")) << answer;
  EXPECT_NE(answer.find("date: "), answer.npos);
}

TEST(HttpServerTest, AConnectionIsKeptAndPipelinedRequestsAreAnsweredInOrder) {
  const auto server = serve();
  RawClient client(server->port());
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(client.get("/" + std::to_string(i) + "?a=b").ends_with("|a=b|"));
  }
  client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n" + post("Content-Length: 1\r\n", "1") +
              "GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(client.read_answer().ends_with("GET /a||"));
  EXPECT_TRUE(client.read_answer().ends_with("POST /p||1"));
  const std::string last = client.read_answer();
  EXPECT_TRUE(last.ends_with("GET /c||")) << last;
  EXPECT_NE(last.find("connection: close\r\n"), last.npos);
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(server->stats().accepted, 1u);
}

TEST(HttpServerTest, HeadHasTheHeadOfGetAndNoBody) {
  const auto server = serve();
  RawClient client(server->port());
  client.send("HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string head = client.read_answer(false);
  EXPECT_NE(head.find("content-length: 9\r\n"), head.npos) << head;
  EXPECT_TRUE(client.get("/next").ends_with("GET /next||"));
}

TEST(HttpServerTest, ABodyInChunksIsPutTogether) {
  const auto server = serve();
  RawClient client(server->port());
  const std::string answer = client.ask(
      post("Transfer-Encoding: chunked\r\n", "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: t\r\n\r\n"));
  EXPECT_TRUE(answer.ends_with("POST /p||abcde")) << answer;
  EXPECT_TRUE(client.get("/next").ends_with("GET /next||"));
}

TEST(HttpServerTest, ABodyByteByByteArrivesWhole) {
  const auto server = serve();
  RawClient client(server->port());
  for (const char c : post("Content-Length: 20\r\n", "abcdefghijklmnopqrst")) {
    ASSERT_TRUE(client.send({&c, 1}));
  }
  EXPECT_TRUE(client.read_answer().ends_with("|abcdefghijklmnopqrst"));
}

TEST(HttpServerTest, ContinueIsSaidWhenTheClientWaitsForIt) {
  const auto server = serve();
  RawClient client(server->port());
  client.send(post("Content-Length: 3\r\nExpect: 100-continue\r\n", ""));
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_TRUE(client.ask("abc").ends_with("|abc"));
  EXPECT_TRUE(
      client.ask(post("Content-Length: 3\r\nExpect: magic\r\n", "")).starts_with("HTTP/1.1 417 "));
}

TEST(HttpServerTest, TheScreenAnswersBeforeTheBodyIsRead) {
  ServerOptions options = options_for([](const Request&, Responder&) { ADD_FAILURE(); });
  options.screen = [](const Request& head) -> std::optional<Response> {
    EXPECT_TRUE(head.body.empty());
    return plain_error(401, "who are you");
  };
  const auto server = serve(std::move(options));
  RawClient client(server->port());
  // The client is not told to go on, and may not have sent a byte of its ten megabytes.
  const std::string answer =
      client.ask(post("Content-Length: 10000000\r\nExpect: 100-continue\r\n", ""));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 401 ")) << answer;
  EXPECT_NE(answer.find("connection: close\r\n"), answer.npos);
  // One that sends all the same still gets the answer: the connection is not reset under it.
  RawClient eager(server->port());
  eager.send(post("Content-Length: 500000\r\n", std::string(500000, 'x')));
  EXPECT_TRUE(eager.read_answer().starts_with("HTTP/1.1 401 "));
  // Without a body the connection stays.
  RawClient polite(server->port());
  EXPECT_TRUE(polite.get("/").starts_with("HTTP/1.1 401 "));
  EXPECT_TRUE(polite.get("/").starts_with("HTTP/1.1 401 "));
}

TEST(HttpServerTest, AStreamArrivesPieceByPieceInChunks) {
  std::atomic<int> allowed{0};
  const auto server = serve(options_for([&](const Request&, Responder& responder) {
    const auto stream = responder.begin(200, {{"content-type", "text/event-stream"}});
    for (int i = 1; i <= 3; ++i) {
      ASSERT_TRUE(rt::eventually([&] { return allowed >= i; }));
      EXPECT_TRUE(stream->write("piece" + std::to_string(i)));
    }
  }));
  RawClient client(server->port());
  client.send("GET /s HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string head = client.read_until("\r\n\r\n");
  EXPECT_NE(head.find("transfer-encoding: chunked\r\n"), head.npos) << head;
  EXPECT_EQ(head.find("content-length"), head.npos);
  for (int i = 1; i <= 3; ++i) {
    allowed = i;
    EXPECT_EQ(client.read_until("\r\n"), "6\r\n");
    EXPECT_EQ(client.read_until("\r\n"), "piece" + std::to_string(i) + "\r\n");
  }
  EXPECT_EQ(client.read_until("0\r\n\r\n"), "0\r\n\r\n");
  allowed = 3;
  client.send("GET /again HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(client.read_until("0\r\n\r\n").starts_with("HTTP/1.1 200 "));
}

TEST(HttpServerTest, AnOldClientGetsTheStreamWithoutChunks) {
  const auto server = serve(options_for([&](const Request&, Responder& responder) {
    const auto stream = responder.begin(200, {});
    stream->write("one");
    stream->write("two");
  }));
  RawClient client(server->port());
  client.send("GET /s HTTP/1.0\r\n\r\n");
  const std::string answer = client.read_all();
  EXPECT_TRUE(answer.ends_with("connection: close\r\n\r\nonetwo")) << answer;
}

TEST(HttpServerTest, AnAbortedStreamIsSeenToBeCut) {
  const auto server = serve(options_for([&](const Request&, Responder& responder) {
    const auto stream = responder.begin(200, {});
    stream->write("half");
    rt::sleep_ms(50);
    stream->abort();
    EXPECT_FALSE(stream->write("more"));
  }));
  RawClient client(server->port());
  client.send("GET /s HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answer = client.read_all();
  EXPECT_TRUE(answer.ends_with("4\r\nhalf\r\n")) << answer;
}

TEST(HttpServerTest, AHandlerLearnsThatItsClientHasGone) {
  std::atomic<int> told{0};
  const auto server = serve(options_for([&](const Request& request, Responder& responder) {
    std::shared_ptr<Stream> stream;
    if (request.path == "/stream") {
      stream = responder.begin(200, {});
      stream->write("x");
    }
    if (rt::eventually([&] { return responder.stop_token().stop_requested(); })) ++told;
    if (stream) {
      EXPECT_FALSE(stream->write("nobody"));
    }
  }));
  {
    RawClient waiting(server->port());
    waiting.send("GET /whole HTTP/1.1\r\nHost: x\r\n\r\n");
    RawClient reading(server->port());
    reading.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    reading.read_until("1\r\nx\r\n");
    EXPECT_EQ(told, 0);
  }
  EXPECT_TRUE(rt::eventually([&] { return told == 2; }));
}

TEST(HttpServerTest, AWriterWaitsForASlowClientAndMemoryStaysBounded) {
  std::atomic<std::size_t> written{0};
  const std::string piece(64u << 10, 'x');
  constexpr std::size_t total = 64u << 20;
  const auto server = serve(options_for([&](const Request&, Responder& responder) {
    const auto stream = responder.begin(200, {});
    while (written < total && stream->write(piece)) written += piece.size();
  }));
  RawClient client(server->port());
  client.send("GET /s HTTP/1.1\r\nHost: x\r\n\r\n");
  client.read_until("\r\n\r\n");
  // What the sockets hold is the system's matter; it is a few megabytes, not sixty.
  std::size_t before = 1;
  while (before != written) {
    before = written;
    rt::sleep_ms(200);
  }
  EXPECT_LT(written, total / 2);
  const std::string all = client.read_until("0\r\n\r\n");
  EXPECT_GT(all.size(), total / 2);
  EXPECT_EQ(written, total);
}

TEST(HttpServerTest, AClientThatReadsNothingIsLetGo) {
  ServerOptions options = options_for([](const Request&, Responder& responder) {
    const auto stream = responder.begin(200, {});
    while (stream->write(std::string(64u << 10, 'x'))) {
    }
  });
  options.stall_time = 300ms;
  const auto server = serve(std::move(options));
  RawClient client(server->port());
  client.send("GET /s HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(rt::eventually([&] { return server->stats().connections == 1; }));
  EXPECT_TRUE(rt::eventually([&] { return server->stats().connections == 0; }));
}

TEST(HttpServerTest, APushNeverWaitsAndATooSlowReaderIsDropped) {
  std::mutex mutex;
  std::shared_ptr<Stream> kept;
  const auto server = serve(options_for([&](const Request&, Responder& responder) {
    const std::lock_guard lock(mutex);
    kept = responder.begin(200, {});
  }));
  RawClient client(server->port());
  client.send("GET /s HTTP/1.1\r\nHost: x\r\n\r\n");
  client.read_until("\r\n\r\n");
  const std::lock_guard lock(mutex);
  EXPECT_TRUE(kept->push("first"));
  client.read_until("first\r\n");
  int pushes = 0;
  while (kept->push(std::string(64u << 10, 'x'))) ASSERT_LT(++pushes, 1000);
  EXPECT_TRUE(kept->stop_token().stop_requested());
  EXPECT_FALSE(client.read_all().ends_with("0\r\n\r\n"));
}

TEST(HttpServerTest, AHandlerThatGivesNoAnswerIsAnError) {
  const auto server = serve(options_for([](const Request&, Responder&) {}));
  RawClient client(server->port());
  EXPECT_TRUE(client.get("/").starts_with("HTTP/1.1 500 "));
  EXPECT_TRUE(rt::eventually([&] { return server->stats().answers_5xx == 1; }));
}

TEST(HttpServerTest, AHeaderOfAnAnswerCannotForgeAnother) {
  const auto server = serve(options_for([](const Request&, Responder& responder) {
    responder.send({200, {{"x-a", "1\r\nx-b: 2"}, {"x:c", "3"}, {"x-d", "4"}}, ""});
  }));
  RawClient client(server->port());
  const std::string answer = client.get("/");
  EXPECT_EQ(answer.find("x-b"), answer.npos) << answer;
  EXPECT_EQ(answer.find("x:c"), answer.npos) << answer;
  EXPECT_NE(answer.find("x-d: 4\r\n"), answer.npos) << answer;
}

TEST(HttpServerTest, TheEndWaitsForAnswersThenStopsThem) {
  std::atomic<int> begun{0};
  std::atomic<bool> stopped{false};
  auto server = serve(options_for([&](const Request& request, Responder& responder) {
    ++begun;
    if (request.path == "/short") {
      rt::sleep_ms(100);
    } else {
      stopped = rt::eventually([&] { return responder.stop_token().stop_requested(); });
    }
    responder.send({200, {}, "done"});
  }));
  RawClient quick(server->port());
  RawClient slow(server->port());
  RawClient idle(server->port());
  idle.get("/short");
  quick.send("GET /short HTTP/1.1\r\nHost: x\r\n\r\n");
  slow.send("GET /long HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(rt::eventually([&] { return begun == 3; }));
  EXPECT_FALSE(stopped);
  EXPECT_TRUE(server->drain(300ms, rt::patience));
  EXPECT_TRUE(stopped);
  EXPECT_TRUE(quick.read_answer().ends_with("done"));
  EXPECT_TRUE(slow.read_answer().ends_with("done"));
  EXPECT_TRUE(idle.closed());
  EXPECT_FALSE(RawClient(server->port()).connected());
}

TEST(HttpServerTest, AHandlerThatDoesNotObeyIsReported) {
  std::atomic<bool> release{false};
  std::atomic<bool> begun{false};
  auto server = serve(options_for([&](const Request&, Responder&) {
    begun = true;
    rt::eventually([&] { return release.load(); });
  }));
  RawClient client(server->port());
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(rt::eventually([&] { return begun.load(); }));
  EXPECT_FALSE(server->drain(50ms, 100ms));
  release = true;
}

TEST(HttpServerTest, AStreamMayOutliveTheServer) {
  std::mutex mutex;
  std::shared_ptr<Stream> kept;
  {
    const auto server = serve(options_for([&](const Request&, Responder& responder) {
      const std::lock_guard lock(mutex);
      kept = responder.begin(200, {});
    }));
    RawClient client(server->port());
    client.send("GET /s HTTP/1.1\r\nHost: x\r\n\r\n");
    client.read_until("\r\n\r\n");
  }
  EXPECT_FALSE(kept->push("nobody"));
  EXPECT_TRUE(kept->stop_token().stop_requested());
}

TEST(HttpServerTest, APortThatIsTakenAndAnAddressThatIsNone) {
  const auto server = serve();
  ServerOptions again = options_for();
  again.listen = "127.0.0.1:" + std::to_string(server->port());
  const auto taken = Server::start(std::move(again));
  ASSERT_FALSE(taken.has_value());
  EXPECT_EQ(taken.error().code, Code::busy) << taken.error().text();
  for (const char* listen : {"127.0.0.1", "nowhere.example:80", "127.0.0.1:70000", "192.0.2.1:80",
                             ":80", "127.0.0.1:"}) {
    ServerOptions wrong = options_for();
    wrong.listen = listen;
    const auto refused = Server::start(std::move(wrong));
    ASSERT_FALSE(refused.has_value()) << listen;
    EXPECT_EQ(refused.error().code, Code::config) << refused.error().text();
  }
}

}  // namespace
}  // namespace keel::http
