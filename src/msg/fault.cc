#include "msg/fault.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/limits.h"
#include "base/text.h"
#include "msg/raw.h"

namespace keel::msg {
namespace {

struct Words {
  Fault kind;
  int anthropic_status;
  std::string_view anthropic_type;
  int openai_status;
  std::string_view openai_type;
  std::string_view openai_code;  // "": null
};
constexpr std::array<Words, 10> table{{
    {Fault::invalid, 400, "invalid_request_error", 400, "invalid_request_error", ""},
    {Fault::auth, 401, "authentication_error", 401, "invalid_request_error", "invalid_api_key"},
    {Fault::permission, 403, "permission_error", 403, "permission_error", ""},
    {Fault::not_found, 404, "not_found_error", 404, "invalid_request_error", "model_not_found"},
    {Fault::too_large, 413, "request_too_large", 413, "invalid_request_error", ""},
    {Fault::rate, 429, "rate_limit_error", 429, "rate_limit_error", "rate_limit_exceeded"},
    {Fault::overloaded, 529, "overloaded_error", 503, "server_error", "server_is_overloaded"},
    {Fault::context_overflow, 400, "invalid_request_error", 400, "invalid_request_error",
     "context_length_exceeded"},
    {Fault::api, 500, "api_error", 500, "server_error", ""},
    {Fault::timeout, 504, "timeout_error", 504, "server_error", "timeout"},
}};

const Words& words_of(Fault kind) {
  for (const Words& words : table) {
    if (words.kind == kind) return words;
  }
  return table[8];
}

Fault from_status(int status) {
  switch (status) {
    case 401:
      return Fault::auth;
    case 402:
    case 403:
      return Fault::permission;
    case 404:
      return Fault::not_found;
    case 408:
    case 504:
    case 524:
      return Fault::timeout;
    case 413:
      return Fault::too_large;
    case 429:
      return Fault::rate;
    case 503:
    case 529:
      return Fault::overloaded;
    default:
      return status >= 400 && status < 500 ? Fault::invalid : Fault::api;
  }
}

// By the type or code in the body, which says more than the status: an error event has no status,
// and some servers answer 200.
std::optional<Fault> from_name(std::string_view name) {
  for (const Words& words : table) {
    if (words.kind == Fault::context_overflow) continue;
    if (name == words.anthropic_type) return words.kind;
  }
  for (const Words& words : table) {
    if (!words.openai_code.empty() && name == words.openai_code) return words.kind;
  }
  if (name == "server_error") return Fault::api;
  if (name == "insufficient_quota" || name == "billing_error") return Fault::permission;
  if (name == "exceed_context_size_error") return Fault::context_overflow;
  return std::nullopt;
}

std::string text_or_raw(const Value& value) {
  return value.is_string() ? value.string() : std::string(value.empty() ? "" : value.raw());
}

}  // namespace

int http_status(Fault kind, Dialect dialect) {
  const Words& words = words_of(kind);
  return dialect == Dialect::anthropic ? words.anthropic_status : words.openai_status;
}

std::string error_body(const ApiError& error, Dialect dialect) {
  const Words& words = words_of(error.kind);
  Writer w;
  w.object();
  if (dialect == Dialect::anthropic) {
    w.text("type", "error").key("error").object();
    w.text("type", words.anthropic_type).text("message", error.message).end_object();
    if (!error.request_id.empty()) w.text("request_id", error.request_id);
    return w.end_object().take();
  }
  w.key("error").object().text("message", error.message).text("type", words.openai_type);
  w.key("param");
  if (error.param.empty()) {
    w.null();
  } else {
    w.string(error.param);
  }
  w.key("code");
  if (words.openai_code.empty()) {
    w.null();
  } else {
    w.string(words.openai_code);
  }
  return w.end_object().end_object().take();
}

std::string overflow_message(std::int64_t tokens, std::int64_t maximum, Dialect dialect) {
  const std::string n = std::to_string(tokens);
  const std::string m = std::to_string(maximum);
  if (dialect == Dialect::anthropic) {
    return "prompt is too long: " + n + " tokens > " + m + " maximum";
  }
  return "This model's maximum context length is " + m +
         " tokens. However, your messages resulted in " + n +
         " tokens. Please reduce the length of the messages.";
}

std::optional<PromptSize> prompt_size(std::string_view message) {
  std::array<std::int64_t, 2> numbers{};
  std::size_t found = 0;
  for (std::size_t i = 0; i < message.size() && found < numbers.size();) {
    if (message[i] < '0' || message[i] > '9') {
      ++i;
      continue;
    }
    const char* end = message.data() + message.size();
    const auto parsed = std::from_chars(message.data() + i, end, numbers[found]);
    if (parsed.ec != std::errc()) return std::nullopt;
    ++found;
    i = static_cast<std::size_t>(parsed.ptr - message.data());
  }
  const auto [least, most] = std::minmax(numbers[0], numbers[1]);
  if (found < 2 || least <= 0 || least == most) return std::nullopt;
  return PromptSize{most, least};
}

bool says_overflow(std::string_view message) {
  const std::string lower = ascii_lower(message);
  for (const std::string_view words :
       {"prompt is too long", "maximum context length", "context_length_exceeded",
        "available context size", "exceed context limit", "exceeds the context",
        "exceeds the model's context", "input is too long for", "exceed_context_size"}) {
    if (lower.find(words) != std::string::npos) return true;
  }
  return false;
}

ApiError read_error(int status, const std::string& body) {
  ApiError error;
  error.kind = status >= 400 ? from_status(status) : Fault::api;
  const std::string prefix = status > 0 ? "HTTP " + std::to_string(status) : "an error";
  const Result<Doc> doc = Doc::parse(body, "the answer");
  if (!doc) {
    const std::string shown = printable(trim(body), limits::error_shown_bytes);
    error.message = shown.empty() ? prefix + " without words" : prefix + ": " + shown;
    return error;
  }
  const Value root = doc->root();
  const Value inner = root["error"].empty() ? root : root["error"];
  if (inner.is_string()) {
    error.message = inner.string();
  } else {
    error.message = text_or_raw(inner["message"]);
    if (error.message.empty()) error.message = text_or_raw(inner["detail"]);
    error.param = inner["param"].string();
    // The code is narrower than the type where both are there.
    for (const std::string_view key : {"type", "code"}) {
      const std::optional<Fault> kind = from_name(inner[key].string());
      // "invalid" is said of much that the status says better.
      if (kind && (*kind != Fault::invalid || status < 400)) error.kind = *kind;
    }
    if (status == 0 || status == 200) {
      if (const auto code = inner["code"].integer(); code && *code >= 400 && *code < 600) {
        error.kind = from_status(static_cast<int>(*code));
      }
    }
  }
  error.request_id = root["request_id"].string();
  if (error.message.empty()) error.message = prefix + ": " + printable(body, 200);
  if (says_overflow(error.message)) error.kind = Fault::context_overflow;
  return error;
}

ApiError to_api_error(const Error& error) {
  const auto kind = [&] {
    if (says_overflow(error.message)) return Fault::context_overflow;
    switch (error.code) {
      case Code::invalid_argument:
      case Code::unsupported:
      case Code::already_exists:
        return Fault::invalid;
      case Code::not_found:
        return Fault::not_found;
      case Code::permission:
        return Fault::permission;
      case Code::limit:
        return Fault::too_large;
      case Code::busy:
      case Code::unavailable:
        return Fault::overloaded;
      case Code::timeout:
        return Fault::timeout;
      default:
        return Fault::api;
    }
  }();
  return {kind, error.text()};
}

Error to_error(const ApiError& error) {
  const auto [code, hint] = [&]() -> std::pair<Code, std::string> {
    switch (error.kind) {
      case Fault::invalid:
        return {Code::invalid_argument, ""};
      case Fault::auth:
        return {Code::config, "check the model's api_key in keel.toml"};
      case Fault::permission:
        return {Code::permission, "check what the key may use, and its credit"};
      case Fault::not_found:
        return {Code::not_found, "check the model's name and base_url in keel.toml"};
      case Fault::too_large:
      case Fault::context_overflow:
        return {Code::limit, ""};
      case Fault::rate:
      case Fault::overloaded:
        return {Code::busy, "try again later"};
      case Fault::api:
        return {Code::unavailable, "try again later"};
      case Fault::timeout:
        return {Code::timeout, "try again later"};
    }
    return {Code::unavailable, ""};
  }();
  return Error{code, error.message, hint, {std::source_location::current()}};
}

}  // namespace keel::msg
