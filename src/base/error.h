// Errors as values. An Error carries a code for programs, a sentence for the owner (what failed and
// why) and a hint (what to do next). The trail holds the source line where it was made and one line
// per TRY it passed through; it is shown by `keel doctor` and in debug logs only.
#pragma once

#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

namespace keel {

enum class Code {
  invalid_argument,  // the caller's input is wrong
  not_found,
  already_exists,
  permission,  // the operating system or a policy refused
  config,      // keel.toml is wrong
  corrupt,     // stored data does not check out
  io,          // a read, write or system call failed
  disk_full,
  network,      // an outside service could not be reached or broke the protocol
  unavailable,  // a part of keel is not running (engine, daemon, database)
  busy,         // somebody else holds it; try again later
  limit,        // a bound in limits.h was reached
  timeout,
  cancelled,
  unsupported,
  internal,  // a defect in keel
};

std::string_view code_name(Code code);
// Code::internal for what is no code's name.
Code code_from_name(std::string_view name);

struct Error {
  Code code = Code::internal;
  std::string message;
  std::string hint;
  std::vector<std::source_location> trail;
  // What a service asked to wait before it is asked again; 0: nothing.
  std::int64_t retry_after_ms = 0;

  // "message (hint)" on one line, for logs and for terminals.
  std::string text() const;
};

}  // namespace keel
