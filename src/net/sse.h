// Server-sent events (WHATWG HTML, section 9.2), read and written. The reader takes bytes as they
// arrive, split anywhere, and hands on each event when the blank line after it has come; what is
// unfinished when the stream ends is no event.
//
// Not thread-safe; no I/O. Bounds: limits::event_stream_bytes, event_field_bytes.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "base/result.h"

namespace keel::net {

struct SseEvent {
  std::string type = "message";
  std::string data;  // its lines, joined by \n
  std::string id;    // the last one the stream has named so far
};

class SseParser {
 public:
  // False ends the reading: feed() returns, and the rest of its bytes is dropped.
  using Sink = std::function<bool(const SseEvent& event)>;

  // A line and all data of one event may have `event_bytes` each; more is Code::limit, after which
  // the parser is of no use.
  explicit SseParser(std::size_t event_bytes = limits::event_stream_bytes)
      : event_bytes_(event_bytes) {}
  Status feed(std::string_view bytes, const Sink& sink);

  // What the server asked to wait before the next connection.
  std::optional<std::chrono::milliseconds> retry() const { return retry_; }
  // Bytes of an event have come that is not at its end: the stream was cut if it ends now.
  bool unfinished() const { return !line_.empty() || has_field_; }

 private:
  Status take_line(std::string_view line, const Sink& sink, bool& go_on);
  Status take_field(std::string_view name, std::string_view value);

  std::size_t event_bytes_;
  std::string line_;  // the beginning of a line whose end has not come
  SseEvent event_;
  bool has_data_ = false;
  bool has_field_ = false;
  bool after_cr_ = false;  // a \n that comes next belongs to that \r
  bool at_start_ = true;   // where a byte order mark may stand
  std::optional<std::chrono::milliseconds> retry_;
};

// One event as bytes. `data` may hold line breaks; an empty `type` is left out.
std::string sse_event(std::string_view type, std::string_view data);

}  // namespace keel::net
