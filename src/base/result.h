// Result<T> is a value or an Error. TRY(expr) yields the value or returns the error from the
// calling function; MUST(expr) yields the value or ends the program with the error's text, for what
// cannot fail unless keel itself is wrong.
#pragma once

#include <source_location>
#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "base/error.h"

namespace keel {

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(Code code, std::string message, std::string hint = {},
                                  std::source_location at = std::source_location::current()) {
  return tl::unexpected<Error>(Error{code, std::move(message), std::move(hint), {at}});
}

// Passes an error on unchanged but for one more line of its trail.
inline tl::unexpected<Error> pass(Error error,
                                  std::source_location at = std::source_location::current()) {
  error.trail.push_back(at);
  return tl::unexpected<Error>(std::move(error));
}

namespace detail {
template <class T>
T take(Result<T>&& result) {
  return std::move(*result);
}
inline void take(Result<void>&&) {}
[[noreturn]] void must_failed(const Error& error, std::source_location at);
}  // namespace detail

// Stays on in release builds: an invariant that does not hold is a defect, and going on would make
// it worse.
#define KEEL_ASSERT(condition) \
  ((condition) ? void(0) : ::keel::assert_failed(#condition, std::source_location::current()))

[[noreturn]] void assert_failed(const char* condition, std::source_location at);

// The counter keeps nested uses apart, as in TRY(f(TRY(g()))).
#define KEEL_CONCAT_(a, b) a##b
#define KEEL_CONCAT(a, b) KEEL_CONCAT_(a, b)

#define TRY(...) KEEL_TRY_(KEEL_CONCAT(try_result_, __COUNTER__), __VA_ARGS__)
#define KEEL_TRY_(result, ...)                                   \
  __extension__({                                                \
    auto result = (__VA_ARGS__);                                 \
    if (!result) return ::keel::pass(std::move(result).error()); \
    ::keel::detail::take(std::move(result));                     \
  })

#define MUST(...) KEEL_MUST_(KEEL_CONCAT(must_result_, __COUNTER__), __VA_ARGS__)
#define KEEL_MUST_(result, ...)                                                                \
  __extension__({                                                                              \
    auto result = (__VA_ARGS__);                                                               \
    if (!result) ::keel::detail::must_failed(result.error(), std::source_location::current()); \
    ::keel::detail::take(std::move(result));                                                   \
  })

}  // namespace keel
