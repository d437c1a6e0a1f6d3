// What can be wrong with a model call, in the words of each dialect. Clients act on these words:
// one of them starts to shorten its conversation when it reads "prompt is too long: N tokens > M
// maximum", and shows anything else as the end of the session.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "msg/conversation.h"

namespace keel::msg {

enum class Fault {
  invalid,
  auth,
  permission,
  not_found,
  too_large,  // the body
  rate,
  overloaded,
  context_overflow,
  api,  // the server's own fault
  timeout,
};

struct ApiError {
  Fault kind = Fault::api;
  std::string message;
  std::optional<double> retry_after_s = {};
  std::string request_id = {};
  std::string param = {};  // the member of the request that is wrong
};

int http_status(Fault kind, Dialect dialect);
// The body of an answer that failed, and with it the data of an error event in a stream.
std::string error_body(const ApiError& error, Dialect dialect);
// "prompt is too long: 40000 tokens > 32768 maximum" and its counterpart.
std::string overflow_message(std::int64_t tokens, std::int64_t maximum, Dialect dialect);
// The two numbers of such a message, in whose words ever: the first two, the larger is the
// prompt's.
struct PromptSize {
  std::int64_t tokens = 0;
  std::int64_t maximum = 0;
};
std::optional<PromptSize> prompt_size(std::string_view message);

// Reads an answer with a status other than 2xx, or the data of an error event (status 0), in any
// dialect or none: whatever comes is an error with words.
ApiError read_error(int status, const std::string& body);
// Whether these words, of whatever server, say that the prompt does not fit.
bool says_overflow(std::string_view message);

ApiError to_api_error(const Error& error);
Error to_error(const ApiError& error);

}  // namespace keel::msg
