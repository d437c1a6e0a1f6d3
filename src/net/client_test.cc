#include "net/client.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "base/clock.h"
#include "net/test_server.h"
#include "rt/patience_test.h"
#include "rt/thread.h"

namespace keel::net {
namespace {

using namespace std::chrono_literals;

Client client_for(const TestServer& server, std::chrono::milliseconds fetch_time = 5s) {
  ClientOptions options;
  options.user_agent = "keel-test/1";
  options.allowed_private = {server.host_port()};
  options.fetch_time = fetch_time;
  options.stall_time = 1s;
  return Client(options);
}

double ms_since(std::chrono::steady_clock::time_point begin) {
  return ms_between(begin, std::chrono::steady_clock::now());
}

TEST(ClientTest, APageArrivesWithItsTypeAndAnHonestRequest) {
  std::string request;
  const TestServer server([&](const TestServer::Exchange& x) {
    request = x.request;
    x.reply(200, "Content-Type: text/html; charset=utf-8\r\n", "<p>hello");
  });
  const auto response = client_for(server).fetch({server.url("/a?b")}, {});
  ASSERT_TRUE(response.has_value()) << response.error().text();
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "<p>hello");
  EXPECT_EQ(response->content_type, "text/html; charset=utf-8");
  EXPECT_EQ(response->url, server.url("/a?b"));
  EXPECT_FALSE(response->truncated);
  EXPECT_NE(request.find("User-Agent: keel-test/1\r\n"), request.npos);
  EXPECT_EQ(request.find("Authorization"), request.npos);
  EXPECT_EQ(request.find("Cookie"), request.npos);
}

TEST(ClientTest, AnErrorStatusIsAnAnswerNotAnError) {
  const TestServer server([](const TestServer::Exchange& x) { x.reply(403, "", "no"); });
  const auto response = client_for(server).fetch({server.url("/")}, {});
  ASSERT_TRUE(response.has_value()) << response.error().text();
  EXPECT_EQ(response->status, 403);
}

TEST(ClientTest, LoopbackIsRefusedWhateverItsSpelling) {
  const TestServer server([](const TestServer::Exchange& x) { x.reply(200, "", "secret"); });
  Client client(ClientOptions{});
  const std::string port = ":" + std::to_string(server.port());
  for (const std::string& url :
       {"http://127.0.0.1" + port + "/", "http://localhost" + port + "/",
        std::string("http://localhost/"), "http://[::1]" + port + "/",
        std::string("http://[::ffff:127.0.0.1]/"), std::string("http://127.0.0.1/"),
        std::string("http://169.254.169.254/latest/meta-data/"),
        std::string("http://[::ffff:7f00:1]/"), std::string("http://0.0.0.0/"),
        std::string("http://2130706433/"), std::string("http://[64:ff9b::7f00:1]/")}) {
    const auto response = client.fetch({url}, {});
    ASSERT_FALSE(response.has_value()) << url;
    EXPECT_FALSE(response.error().hint.empty()) << url;
  }
  EXPECT_TRUE(server.paths().empty());
}

TEST(ClientTest, ANameThatResolvesToLoopbackIsRefusedAtTheConnection) {
  ClientOptions options;
  Client client(options);
  const auto response = client.fetch({"http://localhost:8080/"}, {});
  ASSERT_FALSE(response.has_value());
  EXPECT_EQ(response.error().code, Code::permission) << response.error().text();
  EXPECT_NE(response.error().message.find("not a public address"), std::string::npos)
      << response.error().text();
}

TEST(ClientTest, AnAllowedPairMustMatchLiterally) {
  const TestServer server([](const TestServer::Exchange& x) { x.reply(200, "", "secret"); });
  Client client = client_for(server);
  // "localhost" is the same machine, but not the pair that was configured.
  const std::string port = std::to_string(server.port());
  EXPECT_FALSE(client.fetch({"http://localhost:" + port + "/"}, {}).has_value());
  EXPECT_FALSE(client.fetch({"http://127.0.0.1:8080/"}, {}).has_value());
  EXPECT_TRUE(client.fetch({"http://127.0.0.1:" + port + "/"}, {}).has_value());
}

TEST(ClientTest, AnAllowedPairDoesNotOpenOtherSpecialRanges) {
  ClientOptions options;
  options.allowed_private = {"169.254.169.254:80", "0.0.0.0:80"};
  Client client(options);
  for (const char* url : {"http://169.254.169.254/", "http://0.0.0.0/"}) {
    const auto response = client.fetch({url}, {});
    ASSERT_FALSE(response.has_value());
    EXPECT_EQ(response.error().code, Code::permission) << response.error().text();
  }
}

TEST(ClientTest, ARedirectIntoThisMachineIsRefused) {
  const TestServer inner([](const TestServer::Exchange& x) { x.reply(200, "", "secret"); });
  const TestServer outer([&](const TestServer::Exchange& x) {
    x.reply(302, "Location: " + inner.url("/") + "\r\n", "");
  });
  const auto response = client_for(outer).fetch({outer.url("/")}, {});
  ASSERT_FALSE(response.has_value());
  EXPECT_EQ(response.error().code, Code::permission) << response.error().text();
  EXPECT_TRUE(inner.paths().empty());
}

TEST(ClientTest, RedirectsAreFollowedCountedAndBounded) {
  const TestServer server([](const TestServer::Exchange& x) {
    if (x.path.starts_with("/hop")) {
      const int n = std::stoi(x.path.substr(4));
      const std::string next = n == 0 ? "/end" : "/hop" + std::to_string(n - 1);
      return x.reply(301, "Location: " + next + "\r\n", "moved");
    }
    if (x.path == "/circle") return x.reply(302, "Location: circle\r\n", "");
    if (x.path == "/scheme") return x.reply(302, "Location: file:///etc/passwd\r\n", "");
    if (x.path == "/user") return x.reply(302, "Location: http://a:b@example.com/\r\n", "");
    if (x.path == "/nowhere") return x.reply(302, "", "no location");
    x.reply(200, "", "end");
  });
  Client client = client_for(server);
  const auto four = client.fetch({server.url("/hop4")}, {});
  ASSERT_TRUE(four.has_value()) << four.error().text();
  EXPECT_EQ(four->redirects, 5);
  EXPECT_EQ(four->url, server.url("/end"));
  const auto five = client.fetch({server.url("/hop5")}, {});
  ASSERT_FALSE(five.has_value());
  EXPECT_NE(five.error().message.find("more than 5 times"), std::string::npos);
  const auto circle = client.fetch({server.url("/circle")}, {});
  ASSERT_FALSE(circle.has_value());
  EXPECT_NE(circle.error().message.find("circle"), std::string::npos);
  EXPECT_FALSE(client.fetch({server.url("/scheme")}, {}).has_value());
  EXPECT_FALSE(client.fetch({server.url("/user")}, {}).has_value());
  const auto nowhere = client.fetch({server.url("/nowhere")}, {});
  ASSERT_TRUE(nowhere.has_value());
  EXPECT_EQ(nowhere->status, 302);
}

// A gzip file of `runs` times 258 zeros at the most that deflate can do: two bits for 258 bytes,
// 1032 to 1. Made by hand (RFC 1951, section 3.2.7), so that the test needs no compression library.
std::string gzip_of_zeros(int runs) {
  std::string bits;
  const auto number = [&](unsigned value, int count) {  // least bit first
    for (int i = 0; i < count; ++i) bits += static_cast<char>('0' + ((value >> i) & 1));
  };
  bits += "101";  // last block, dynamic codes
  number(29, 5);  // 286 literal and length codes
  number(0, 5);   // one distance code
  number(14, 4);  // 18 lengths of the code that writes code lengths, in the order of the RFC
  for (int i = 0; i < 18; ++i) number(i == 2 ? 1 : i == 15 || i == 17 ? 2 : 0, 3);
  const auto zeros = [&](unsigned count) {
    bits += "0";
    number(count - 11, 7);
  };
  bits += "11";  // byte 0: two bits
  zeros(138);
  zeros(117);
  bits += "11";  // end of block: two bits
  zeros(28);
  bits += "1010";  // length 258 and distance 1: one bit each
  bits += "10";    // the byte 0 itself
  for (int i = 0; i < runs; ++i) bits += "00";
  bits += "11";
  std::string out("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);
  for (std::size_t i = 0; i < bits.size(); i += 8) {
    unsigned byte = 0;
    for (std::size_t b = 0; b < 8 && i + b < bits.size(); ++b) {
      if (bits[i + b] == '1') byte |= 1u << b;
    }
    out += static_cast<char>(byte);
  }
  return out;
}

TEST(ClientTest, ACompressionBombIsEndedEarly) {
  const std::string bomb = gzip_of_zeros(200'000);
  ASSERT_LT(bomb.size(), 60'000u);
  const TestServer server([&](const TestServer::Exchange& x) {
    x.reply(200, "Content-Type: text/html\r\nContent-Encoding: gzip\r\n", bomb);
  });
  const auto response = client_for(server).fetch({server.url("/")}, {});
  ASSERT_FALSE(response.has_value()) << response->body.size();
  EXPECT_EQ(response.error().code, Code::limit) << response.error().text();
  EXPECT_NE(response.error().message.find("unpacks"), std::string::npos) << response.error().text();
}

TEST(ClientTest, NestedEncodingsAreRefused) {
  const TestServer server([](const TestServer::Exchange& x) {
    x.reply(200,
            x.path == "/two" ? "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n"
                             : "Content-Encoding: gzip, gzip\r\n",
            "x");
  });
  Client client = client_for(server);
  for (const char* path : {"/one", "/two"}) {
    const auto response = client.fetch({server.url(path)}, {});
    ASSERT_FALSE(response.has_value());
    EXPECT_EQ(response.error().code, Code::limit) << response.error().text();
  }
}

TEST(ClientTest, AnEndlessBodyIsCutAtTheLimit) {
  const TestServer server([](const TestServer::Exchange& x) {
    x.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n");
    const std::string chunk(64 << 10, 'x');
    while (x.send(chunk)) {
    }
  });
  const auto response = client_for(server, 30s).fetch({server.url("/")}, {});
  ASSERT_TRUE(response.has_value()) << response.error().text();
  EXPECT_TRUE(response->truncated);
  EXPECT_EQ(response->body.size(), limits::fetch_body_bytes);
}

TEST(ClientTest, ABodyShorterThanAnnouncedIsKeptAndMarked) {
  const TestServer server([](const TestServer::Exchange& x) {
    x.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nConnection: close\r\n\r\nonly this");
  });
  const auto response = client_for(server).fetch({server.url("/")}, {});
  ASSERT_TRUE(response.has_value()) << response.error().text();
  EXPECT_EQ(response->body, "only this");
  EXPECT_TRUE(response->truncated);
}

TEST(ClientTest, ABodyLongerThanAnnouncedEndsWhereAnnounced) {
  const TestServer server([](const TestServer::Exchange& x) {
    x.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbodyand more");
  });
  const auto response = client_for(server).fetch({server.url("/")}, {});
  ASSERT_TRUE(response.has_value()) << response.error().text();
  EXPECT_EQ(response->body, "body");
}

TEST(ClientTest, ASlowBodyEndsAtTheWallClock) {
  const TestServer server([](const TestServer::Exchange& x) {
    x.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    while (x.send(std::string(50, 'x'))) rt::sleep_ms(50);
  });
  const auto begin = std::chrono::steady_clock::now();
  const auto response = client_for(server, 700ms).fetch({server.url("/")}, {});
  ASSERT_FALSE(response.has_value());
  EXPECT_EQ(response.error().code, Code::timeout) << response.error().text();
  EXPECT_LT(ms_since(begin), rt::promised(2s).count());
}

TEST(ClientTest, AServerThatFallsSilentIsGivenUpBeforeTheWallClock) {
  const TestServer server([](const TestServer::Exchange& x) {
    x.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nx");
    x.hang();
  });
  const auto begin = std::chrono::steady_clock::now();
  const auto response = client_for(server, 20s).fetch({server.url("/")}, {});
  ASSERT_FALSE(response.has_value());
  EXPECT_EQ(response.error().code, Code::timeout) << response.error().text();
  EXPECT_LT(ms_since(begin), 6000);
}

TEST(ClientTest, StopEndsAFetchWithin200Ms) {
  const TestServer server([](const TestServer::Exchange& x) { x.hang(); });
  Client client = client_for(server, 30s);
  std::stop_source stop;
  auto stopped_at = std::chrono::steady_clock::now();
  const rt::Thread stopper = rt::start_thread("stopper", [&](std::stop_token) {
    rt::sleep_ms(300);
    stopped_at = std::chrono::steady_clock::now();
    stop.request_stop();
  });
  const auto response = client.fetch({server.url("/")}, stop.get_token());
  ASSERT_FALSE(response.has_value());
  EXPECT_EQ(response.error().code, Code::cancelled);
  EXPECT_LT(ms_since(stopped_at), rt::promised(200ms).count());
}

TEST(ClientTest, AFloodOfHeadersIsRefused) {
  const TestServer server([](const TestServer::Exchange& x) {
    x.send("HTTP/1.1 200 OK\r\n");
    for (int i = 0; x.send("X-" + std::to_string(i) + ": " + std::string(200, 'h') + "\r\n"); ++i) {
    }
  });
  const auto response = client_for(server).fetch({server.url("/")}, {});
  ASSERT_FALSE(response.has_value());
  EXPECT_EQ(response.error().code, Code::limit) << response.error().text();
}

TEST(ClientTest, NotHttpNothingAndAClosedPortAreNetworkErrors) {
  int closed_port = 0;
  {
    const TestServer gone([](const TestServer::Exchange&) {});
    closed_port = gone.port();
  }
  const TestServer server([](const TestServer::Exchange& x) {
    if (x.path == "/garbage") x.send("\x01\x02\x03 this is not HTTP\r\n\r\n");
  });
  Client client = client_for(server);
  for (const char* path : {"/garbage", "/nothing"}) {
    const auto response = client.fetch({server.url(path)}, {});
    ASSERT_FALSE(response.has_value()) << path;
    EXPECT_EQ(response.error().code, Code::network) << response.error().text();
  }
  ClientOptions options;
  options.allowed_private = {"127.0.0.1:" + std::to_string(closed_port)};
  const auto response =
      Client(options).fetch({"http://127.0.0.1:" + std::to_string(closed_port) + "/"}, {});
  ASSERT_FALSE(response.has_value());
  EXPECT_EQ(response.error().code, Code::network) << response.error().text();
}

TEST(ClientTest, ANameThatDoesNotExistSaysSo) {
  Client client(ClientOptions{});
  const auto response = client.fetch({"http://no-such-host.invalid/"}, {});
  ASSERT_FALSE(response.has_value());
  EXPECT_NE(response.error().message.find("no-such-host.invalid"), std::string::npos)
      << response.error().text();
}

TEST(ClientTest, OddPortsAreRefused) {
  Client client(ClientOptions{});
  for (const char* url : {"http://example.com:22/", "http://example.com:6379/"}) {
    const auto response = client.fetch({url}, {});
    ASSERT_FALSE(response.has_value());
    EXPECT_EQ(response.error().code, Code::permission);
  }
}

// A download from a host that the owner named: it may be in the own network, and its body is not
// touched.
TEST(DownloadTest, BytesComeAsTheServerHasThem) {
  const TestServer server([](const TestServer::Exchange& x) {
    x.reply(206, "Content-Encoding: gzip\r\nContent-Range: bytes 2-6/9\r\nETag: \"a\"\r\n",
            "raw!!");
  });
  Client client(ClientOptions{});
  std::string body;
  std::string range;
  const auto answer = client.download({server.url("/f"), "", {"Range: bytes=2-6"}},
                                      [&](const Download& head, std::string_view bytes) {
                                        range = header(head.headers, "content-range");
                                        body += bytes;
                                        return true;
                                      },
                                      {});
  ASSERT_TRUE(answer.has_value()) << answer.error().text();
  EXPECT_EQ(answer->status, 206);
  EXPECT_EQ(body, "raw!!");
  EXPECT_EQ(range, "bytes 2-6/9");
  EXPECT_EQ(header(answer->headers, "etag"), "\"a\"");
  EXPECT_FALSE(answer->cut);
}

TEST(DownloadTest, ARedirectIsFollowedWithoutTheToken) {
  std::string first;
  std::string second;
  const TestServer cdn([&](const TestServer::Exchange& x) {
    second = x.request;
    x.reply(200, "", "bytes");
  });
  const TestServer hub([&](const TestServer::Exchange& x) {
    first = x.request;
    x.reply(302, "X-Linked-Size: 5\r\nLocation: " + cdn.url("/there") + "\r\n", "");
  });
  const DownloadRequest request{hub.url("/f"), "secret", {"Range: bytes=0-4"}};
  const auto sink = [](const Download&, std::string_view) { return true; };

  // The hub was named by the owner; where it sends on to was not.
  const auto refused = Client(ClientOptions{}).download(request, sink, {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::permission);
  EXPECT_TRUE(cdn.paths().empty());

  const auto answer = client_for(cdn).download(request, sink, {});
  ASSERT_TRUE(answer.has_value()) << answer.error().text();
  EXPECT_FALSE(answer->named);
  EXPECT_EQ(answer->url, cdn.url("/there"));
  EXPECT_EQ(header(answer->before, "x-linked-size"), "5");
  EXPECT_NE(first.find("Authorization: Bearer secret\r\n"), first.npos);
  EXPECT_EQ(second.find("Authorization"), second.npos);
  EXPECT_NE(second.find("Range: bytes=0-4\r\n"), second.npos);
}

TEST(DownloadTest, ACutBodyAndAnEndedOneAreToldApartFromAWholeOne) {
  const TestServer server([](const TestServer::Exchange& x) {
    if (x.path == "/short") {
      x.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
    } else if (x.path == "/error") {
      x.reply(503, "Retry-After: 7\r\n", "later");
    } else {
      x.reply(200, "", std::string(1 << 20, 'x'));
    }
  });
  Client client = client_for(server);
  std::size_t got = 0;
  const auto count = [&](const Download&, std::string_view bytes) {
    got += bytes.size();
    return true;
  };
  const auto cut = client.download({server.url("/short"), "", {}}, count, {});
  ASSERT_TRUE(cut.has_value()) << cut.error().text();
  EXPECT_TRUE(cut->cut);
  EXPECT_EQ(got, 9u);
  const auto failed = client.download({server.url("/error"), "", {}}, count, {});
  ASSERT_TRUE(failed.has_value()) << failed.error().text();
  EXPECT_EQ(failed->status, 503);
  EXPECT_EQ(failed->body, "later");
  EXPECT_EQ(header(failed->headers, "retry-after"), "7");
  EXPECT_EQ(got, 9u) << "what is no answer does not reach the sink";
  const auto ended = client.download({server.url("/long"), "", {}},
                                     [](const Download&, std::string_view) { return false; }, {});
  ASSERT_TRUE(ended.has_value()) << ended.error().text();
  EXPECT_TRUE(ended->cut);
  EXPECT_EQ(ended->status, 200);
}

}  // namespace
}  // namespace keel::net
