// How commands end: exit statuses, errors on standard error, results on standard output.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace keel::app {

enum Exit : int {
  exit_ok = 0,
  exit_failed = 1,
  exit_usage = 2,
  exit_running = 75,  // another keel holds what is needed (EX_TEMPFAIL)
  exit_config = 78,   // keel.toml is wrong or missing (EX_CONFIG)
};

// What failed, why and what to do, on standard error; gives the exit status that belongs to the
// error.
int report(const Error& error);
int report(const Status& status);
// What was wrong with the arguments; gives exit_usage.
int report_usage(std::string_view problem);

// To standard output; control characters of text from outside are made visible when that is a
// terminal.
void print(std::string_view text);
void print_json(const Json& value);

// A message of the owner read from standard input to its end; at most limits::message_bytes, valid
// UTF-8.
Result<std::string> read_message();
// The same checks for a message given as an argument.
Status check_message(std::string_view text);

}  // namespace keel::app
