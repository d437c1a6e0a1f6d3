#include "net/service.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/clock.h"
#include "base/text.h"
#include "log/log.h"
#include "net/transfer.h"

namespace keel::net {
namespace {

constexpr std::array<std::string_view, 6> kMethods = {"GET", "HEAD",  "POST",
                                                      "PUT", "PATCH", "DELETE"};
constexpr std::string_view kTokenSigns = "!#$%&'*+-.^_`|~";  // RFC 9110, 5.6.2

bool is_header_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kTokenSigns.find(c) != kTokenSigns.npos;
  });
}

// A line break in a value would be a header, or a request, of somebody else's making.
bool is_header_value(std::string_view value) {
  return value.size() <= limits::service_header_bytes &&
         std::all_of(value.begin(), value.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return (byte >= 0x20 && byte != 0x7f) || c == '\t';
         });
}

// The names only: a value may be a secret.
Result<std::vector<std::string>> header_lines(const ServiceRequest& request) {
  std::vector<std::string> lines = {"Expect:"};  // no round trip before a large body
  bool has_type = false;
  for (const auto& [name, value] : request.headers) {
    if (!is_header_name(name)) {
      return fail(Code::invalid_argument, "'" + printable(name, 40) + "' is no header name");
    }
    if (!is_header_value(value)) {
      return fail(Code::invalid_argument,
                  "the value of the header " + name + " holds a line break or is too long",
                  "if it is a key, look at the place in keel.toml that names it");
    }
    has_type = has_type || equals_ignoring_case(name, "content-type");
    if (equals_ignoring_case(name, "accept")) continue;
    // libcurl takes "name:" for "leave it out" and "name;" for an empty value.
    lines.push_back(value.empty() ? name + ";" : name + ": " + value);
  }
  if (!has_type) {
    lines.push_back(request.body.empty() ? "Content-Type:" : "Content-Type: application/json");
  }
  return lines;
}

std::string accepted(const Headers& headers) {
  const auto found = std::find_if(headers.begin(), headers.end(), [](const auto& line) {
    return equals_ignoring_case(line.first, "accept");
  });
  return found == headers.end() ? "*/*" : found->second;
}

Status check_request(const ServiceRequest& request) {
  if (std::find(kMethods.begin(), kMethods.end(), request.method) == kMethods.end()) {
    return fail(Code::invalid_argument, "'" + printable(request.method, 20) + "' is no method");
  }
  if (request.body.size() > limits::service_request_bytes) {
    return fail(Code::limit,
                "the request has " + bytes_text(request.body.size()) + ", more than " +
                    bytes_text(limits::service_request_bytes),
                "send less at once");
  }
  return {};
}

// What fetch() advises about pages is of no use here.
Error for_owner(Error error, const ServiceRequest& request, const Url& url) {
  const std::string where = request.endpoint.text();
  switch (error.code) {
    case Code::permission:
      error.message = url.host + " was not called: " + error.message;
      error.hint = url.secure ? "name a public or private address as base_url in keel.toml"
                              : "a key does not travel over plain http through a public network: "
                                "use https:// in base_url, or an address of your own network";
      break;
    case Code::network:
      error.hint = "check the network connection and base_url in keel.toml (" + where + ")";
      break;
    case Code::timeout:
      error.hint = "try later; if it stays so, check that " + where + " answers";
      break;
    case Code::limit:
      error.hint = "check that " + where + " is the service it should be";
      break;
    case Code::cancelled:
      error.message = "the call to " + url.host + " was stopped";
      break;
    default:
      break;
  }
  return error;
}

ServiceAnswer head_of(const Answer& answer) {
  return {answer.status, answer.headers, {}, false};
}

}  // namespace

Result<Endpoint> Endpoint::create(std::string_view base_url) {
  Result<Url> url = parse_url(base_url);
  if (!url) {
    return fail(Code::config, "base_url is no address: " + url.error().message,
                "write it as in https://api.example.com/v1");
  }
  if (!url->query.empty()) {
    return fail(Code::config, "base_url has a query (?...)", "leave it out");
  }
  while (url->path.ends_with('/')) url->path.pop_back();
  return Endpoint(std::move(*url));
}

Result<Url> Endpoint::at(std::string_view path) const {
  const std::string_view plain = path.substr(0, path.find_first_of("?#"));
  Url url = TRY(parse_url(base_.text() + std::string(path)));
  const auto slashes = [](std::string_view text) {
    return std::count(text.begin(), text.end(), '/');
  };
  // Dot segments would have become fewer slashes.
  const bool stays = path.starts_with('/') && url.host_port() == base_.host_port() &&
                     url.secure == base_.secure && url.path.starts_with(base_.path) &&
                     slashes(url.path) == slashes(base_.path) + slashes(plain);
  if (!stays) {
    return fail(Code::invalid_argument, "'" + printable(path, 80) + "' is no path of " + text());
  }
  return url;
}

Result<ServiceAnswer> run_service(const ServiceRequest& request, const ServiceSink& sink,
                                  const ClientOptions& client, TransferPool& pool,
                                  std::stop_token stop) {
  const auto begin = std::chrono::steady_clock::now();
  TRY(check_request(request));
  const Url url = TRY(request.endpoint.at(request.path));
  bool ended = false;
  bool sent = false;
  ServiceOptions service;
  service.method = request.method;
  service.body = request.body;
  service.connect_time = request.connect_time;
  service.first_byte_time = request.first_byte_time;
  service.idle_time = request.idle_time;
  service.fresh_connection = request.fresh_connection;
  service.only_own_network = request.secret && !url.secure;
  service.on_connected = [&] {
    if (!std::exchange(sent, true) && sink.sending) sink.sending();
  };
  service.on_head = [&](const Answer& answer) {
    ended = sink.head && !sink.head(head_of(answer));
    return !ended;
  };
  TransferOptions options;
  options.user_agent = client.user_agent;
  options.accept = accepted(request.headers);
  options.headers = TRY(header_lines(request));
  options.deadline = request.total_time.count() > 0 ? begin + request.total_time
                                                    : std::chrono::steady_clock::time_point::max();
  options.stall_time = request.idle_time;
  options.body_bytes = sink.body ? limits::service_error_bytes : request.answer_bytes;
  options.service = &service;
  if (sink.body) {
    options.sink = [&](const Answer&, std::string_view bytes) {
      ended = !sink.body(bytes);
      return !ended;
    };
  }
  if (stop.stop_requested()) return fail(Code::cancelled, "the call was stopped");
  std::unique_ptr<Transfer> transfer = pool.take();
  Result<Answer> answer =
      transfer->recorded_call(url, options, true, stop, client.ledger, request.why);
  pool.give_back(std::move(transfer));
  const auto ms = static_cast<long>(ms_between(begin, std::chrono::steady_clock::now()));
  log::info("net", "egress service host={} status={} sent={} bytes={} ms={}", url.host_port(),
            answer ? std::to_string(answer->status) : std::string(code_name(answer.error().code)),
            sent ? request.body.size() : 0, answer ? answer->received_bytes : 0, ms);
  if (!answer) return pass(for_owner(std::move(answer).error(), request, url));
  const bool is_error = answer->status < 200 || answer->status > 299;
  if (answer->truncated && !ended && !is_error) {
    const bool full = !sink.body && answer->body.size() >= request.answer_bytes;
    Error error{full ? Code::limit : Code::network,
                url.host + (full ? " answered with more than " + bytes_text(request.answer_bytes)
                                 : std::string(" ended in the middle of its answer")),
                "",
                {std::source_location::current()}};
    return pass(for_owner(std::move(error), request, url));
  }
  return ServiceAnswer{answer->status, std::move(answer->headers), std::move(answer->body), ended};
}

}  // namespace keel::net
