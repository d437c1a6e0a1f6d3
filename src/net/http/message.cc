#include "net/http/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "base/json.h"

namespace keel::http {
namespace {

bool is_safe(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || c == '\t';
  });
}

std::string date_text() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  static constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[parts.tm_wday], parts.tm_mday,
                     kMonths[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min,
                     parts.tm_sec);
}

}  // namespace

std::string_view status_text(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 529:
      return "Overloaded";
    default:
      return "Status";
  }
}

Response plain_error(int status, std::string_view message) {
  Response response;
  response.status = status;
  response.headers = {{"content-type", "application/json"}};
  response.body = dump_json(Json{{"error", {{"message", message}}}});
  return response;
}

std::string answer_head(int status, const Headers& headers, const HeadOptions& options) {
  std::string out =
      fmt::format("HTTP/1.1 {} {}\r\ndate: {}\r\n", status, status_text(status), date_text());
  for (const auto& [name, value] : headers) {
    if (name.empty() || name.find(':') != name.npos || !is_safe(name) || !is_safe(value)) continue;
    out.append(name).append(": ").append(value).append("\r\n");
  }
  if (options.framing == Framing::chunked) out += "transfer-encoding: chunked\r\n";
  // An answer without a body has no length either.
  if (options.framing == Framing::length && status != 204 && status != 304) {
    out += fmt::format("content-length: {}\r\n", options.length);
  }
  if (!options.keep_alive) out += "connection: close\r\n";
  out += "\r\n";
  return out;
}

std::string chunk(std::string_view bytes) {
  std::string out = fmt::format("{:x}\r\n", bytes.size());
  out.append(bytes).append("\r\n");
  return out;
}

}  // namespace keel::http
