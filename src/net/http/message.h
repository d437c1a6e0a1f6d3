// A request as a handler sees it and an answer as it gives one: plain values, no sockets. Pure
// functions; any thread.
#pragma once

#include <string>
#include <string_view>

#include "net/client.h"

namespace keel::http {

using net::header;
using net::Headers;

struct Request {
  std::string method;  // as sent: "POST"
  std::string path;    // as sent, without the query, not unescaped: "/v1/messages"
  std::string query;   // what stood behind "?"
  Headers headers;     // names in lower case
  std::string body;
  std::string peer;  // the client's address without port; IPv4 in IPv6 as IPv4
  bool has_body = false;
  std::string who;  // for the handler, from the screen: who asks
};

struct Response {
  int status = 200;
  Headers headers;  // content-length and connection are added
  std::string body;
};

std::string_view status_text(int status);
// {"error":{"message":...}}: for clients of no particular dialect.
Response plain_error(int status, std::string_view message);

// How the end of a body is told.
enum class Framing {
  length,   // content-length
  chunked,  // chunks
  close,    // the end of the connection: HTTP/1.0
};
struct HeadOptions {
  Framing framing = Framing::length;
  std::size_t length = 0;
  bool keep_alive = true;
};
// The bytes from the status line to the blank line. A name or value that would break the head is
// left out: a defect of the caller must not become a second answer.
std::string answer_head(int status, const Headers& headers, const HeadOptions& options);
std::string chunk(std::string_view bytes);
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

}  // namespace keel::http
