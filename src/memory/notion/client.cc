#include "memory/notion/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>
#include <random>

#include "base/text.h"
#include "log/log.h"
#include "net/client.h"
#include "rt/thread.h"

namespace keel::memory::notion {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Retry-After in whole seconds; anything else is no time.
std::optional<std::chrono::seconds> retry_after(const net::Headers& headers) {
  const std::string text = net::header(headers, "retry-after");
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return std::min(std::chrono::seconds(value), std::chrono::seconds(limits::notion_pause_max));
}

bool is_full(std::string_view code, std::string_view message) {
  const std::string words = ascii_lower(message);
  return code == "row_limit_exceeded" ||
         (words.find("block") != words.npos && words.find("limit") != words.npos);
}

Error refusal(int status, const std::string& code, const std::string& message) {
  const std::string said = "Notion says: " + printable(message, 300);
  Error error{Code::invalid_argument, said, "", {std::source_location::current()}};
  if (is_full(code, message)) {
    error.code = Code::limit;
    error.hint = "Make room in the workspace or change its plan; until then new pages stay here.";
  } else if (status == 401) {
    error.code = Code::permission;
    error.hint =
        "Make a new token in Notion's settings and put it where [notion] token in "
        "keel.toml points to.";
  } else if (status == 403) {
    error.code = Code::permission;
    error.hint =
        "Give the connection the right to read, update and insert content, in Notion's "
        "settings.";
  } else if (status == 404) {
    error.code = Code::not_found;
    error.hint = "In Notion, open the page's menu and add the connection under Connections.";
  }
  return error;
}

}  // namespace

Result<std::unique_ptr<Client>> Client::create(net::Client& net, ClientOptions options) {
  net::Endpoint endpoint = TRY(net::Endpoint::create(options.base_url));
  return std::unique_ptr<Client>(new Client(net, std::move(endpoint), std::move(options)));
}

Client::Client(net::Client& net, net::Endpoint endpoint, ClientOptions options)
    : net_(net),
      endpoint_(std::move(endpoint)),
      options_(std::move(options)),
      filled_(steady_clock::now()) {}

Answer Client::read(std::string_view method, const std::string& path, const Json& body,
                    std::stop_token stop, std::chrono::seconds patience) {
  return call(method, path, body, true, stop, patience);
}

Answer Client::write(std::string_view method, const std::string& path, const Json& body,
                     std::stop_token stop, std::chrono::seconds patience) {
  return call(method, path, body, false, stop, patience);
}

std::int64_t Client::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::int64_t Client::ahead_ms() const {
  const std::lock_guard lock(mutex_);
  return ahead_ms_;
}

Answer Client::call(std::string_view method, const std::string& path, const Json& body, bool reads,
                    std::stop_token stop, std::chrono::seconds patience) {
  const std::string text = body.is_null() ? std::string() : dump_json(body);
  // At the usual pace the first wait is a second.
  const double first_ms = 2500.0 / options_.per_second;
  const auto most = duration_cast<milliseconds>(limits::notion_retry_max);
  thread_local std::minstd_rand random{std::random_device{}()};
  Answer answer;
  for (int attempt = 1;; ++attempt) {
    if (Status turn = wait_for_turn(stop, patience); !turn) {
      answer.fate = Fate::not_sent;
      answer.error = std::move(turn).error();
      return answer;
    }
    answer = once(method, path, text, reads, stop);
    if (answer.fate != Fate::not_sent || answer.error.code == Code::cancelled ||
        answer.error.code == Code::config || attempt >= options_.attempts)
      return answer;
    log::info("notion", "asking again after attempt {}: {}", attempt, answer.error.message);
    const double spread = std::uniform_real_distribution<double>(0.5, 1.0)(random);
    const auto wait = milliseconds(static_cast<long>(first_ms * spread * (1L << (attempt - 1))));
    if (!rt::wait_for(std::min(wait, most), stop)) return answer;
  }
}

Status Client::wait_for_turn(std::stop_token stop, std::chrono::seconds patience) {
  while (!stop.stop_requested()) {
    const steady_clock::duration wait = TRY(take_turn(patience));
    if (wait == steady_clock::duration::zero()) return {};
    rt::wait_for(wait, stop);
  }
  return fail(Code::cancelled, "the request to Notion was stopped");
}

// Zero: it is this request's turn now. Otherwise the time until it is worth asking again.
Result<steady_clock::duration> Client::take_turn(std::chrono::seconds patience) {
  const std::lock_guard lock(mutex_);
  const auto now = steady_clock::now();
  const double passed = std::chrono::duration<double>(now - filled_).count();
  tokens_ = std::min(limits::notion_burst, tokens_ + passed * options_.per_second);
  filled_ = now;
  if (paused_until_ - now > patience)
    return fail(Code::busy,
                fmt::format("Notion asks to wait {} seconds",
                            duration_cast<std::chrono::seconds>(paused_until_ - now).count()),
                "Try again after that.");
  if (now < paused_until_) return paused_until_ - now;
  if (tokens_ < 1.0) {
    const std::chrono::duration<double> wait((1.0 - tokens_) / options_.per_second);
    return std::chrono::ceil<steady_clock::duration>(wait);
  }
  tokens_ -= 1.0;
  ++requests_;
  return steady_clock::duration::zero();
}

Answer Client::once(std::string_view method, const std::string& path, const std::string& body,
                    bool reads, std::stop_token stop) {
  Answer answer;
  Result<std::string> token = options_.token();
  if (!token) {
    answer.error = std::move(token).error();
    return answer;
  }
  net::ServiceRequest request{endpoint_, path};
  request.path = "/v1" + path;
  request.method = method;
  request.headers = {{"authorization", "Bearer " + *token},
                     {"notion-version", options_.version},
                     {"accept", "application/json"}};
  request.body = body;
  // A write must not be repeated by the transport.
  request.fresh_connection = !reads;
  request.total_time = options_.request_time;
  request.answer_bytes = limits::notion_answer_bytes;
  bool sent = false;
  net::ServiceSink sink;
  sink.sending = [&] { sent = true; };
  Result<net::ServiceAnswer> got = net_.service(request, sink, stop);
  if (got) return answered(*got, reads);
  answer.error = std::move(got).error();
  const bool hopeless =
      answer.error.code == Code::permission || answer.error.code == Code::invalid_argument;
  answer.fate = hopeless ? Fate::refused : sent && !reads ? Fate::unknown : Fate::not_sent;
  return answer;
}

Answer Client::answered(const net::ServiceAnswer& got, bool reads) {
  if (const WallMs there = http_time(net::header(got.headers, "date")); there > 0) {
    const std::lock_guard lock(mutex_);
    ahead_ms_ = there - SystemClock().wall_ms();
  }
  Answer answer;
  answer.status = got.status;
  Result<Json> json = parse_json(got.body, "Notion's answer");
  const bool is_object = json && json->is_object();
  if (got.status >= 200 && got.status < 300 && is_object) {
    answer.fate = Fate::done;
    answer.json = std::move(*json);
    return answer;
  }
  std::string message = fmt::format("status {}", got.status);
  if (is_object) {
    answer.code = json_string_or(*json, "code", "");
    message = json_string_or(*json, "message", message);
  }
  answer.error = Error{Code::network,
                       fmt::format("Notion did not answer as it should: {}", printable(message)),
                       "It is tried again later.",
                       {std::source_location::current()}};
  if (got.status == 429 || got.status == 529) {
    answer.error.code = Code::busy;
    answer.error.message = "Notion asks to wait: " + printable(message);
    if (const auto wait = retry_after(got.headers)) {
      const std::lock_guard lock(mutex_);
      paused_until_ = std::max(paused_until_, steady_clock::now() + *wait);
    }
    return answer;
  }
  if (got.status == 409 && answer.code != "row_limit_exceeded") {
    answer.error.code = Code::busy;
    return answer;
  }
  // A page of HTML with cf-ray is from in front of the service; its own errors are JSON.
  const bool edge = !is_object;
  if (edge) {
    const std::string ray = net::header(got.headers, "cf-ray");
    log::warn("notion", "status {} without JSON, cf-ray {}", got.status, printable(ray, 40));
  }
  if (got.status >= 500 || got.status < 300 || (edge && got.status != 403)) {
    answer.fate = reads ? Fate::not_sent : Fate::unknown;
    return answer;
  }
  answer.fate = Fate::refused;
  answer.error = refusal(got.status, answer.code, message);
  return answer;
}

WallMs http_time(std::string_view text) {
  static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  int day = 0, year = 0, hour = 0, minute = 0, second = 0;
  char month[4] = {};
  const std::string copy(text.substr(0, 40));
  if (std::sscanf(copy.c_str(), "%*3c, %2d %3s %4d %2d:%2d:%2d GMT", &day, month, &year, &hour,
                  &minute, &second) != 6)
    return 0;
  const std::size_t at = kMonths.find(month);
  if (at == kMonths.npos || at % 3 != 0) return 0;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(at / 3 + 1)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return 0;
  const auto days = std::chrono::sys_days(date).time_since_epoch();
  return duration_cast<milliseconds>(days).count() +
         ((hour * 60 + minute) * 60 + second) * WallMs{1000};
}

Result<std::string> notion_id(std::string_view text) {
  // The last run of 32 hex digits of the path, dashes left out.
  const std::string_view path = text.substr(0, text.find_first_of("?#"));
  std::string digits, found;
  for (const char c : path) {
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (hex) {
      digits += c;
      if (digits.size() > 32) digits.erase(0, 1);
      if (digits.size() == 32) found = digits;
    } else if (c != '-') {
      digits.clear();
    }
  }
  if (found.empty())
    return fail(Code::invalid_argument,
                fmt::format("'{}' holds no identifier of Notion.", printable(text, 80)),
                "Copy the link of the page or of the database in Notion, or its id.");
  const std::string id = ascii_lower(found);
  return id.substr(0, 8) + "-" + id.substr(8, 4) + "-" + id.substr(12, 4) + "-" + id.substr(16, 4) +
         "-" + id.substr(20);
}

}  // namespace keel::memory::notion
