// Server-sent events: the framing of every dialect's streams. Bytes may be split anywhere.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace keel::msg {

struct SseEvent {
  std::string event;  // "" where the stream names none
  std::string data;
};

class SseReader {
 public:
  // The events that these bytes complete. Comments and unknown fields are left out; an event over
  // limits::sse_event_bytes is an error, and ends the stream.
  Result<std::vector<SseEvent>> feed(std::string_view bytes);
  // At the end of the stream: an event whose blank line never came. Some servers end so.
  std::vector<SseEvent> finish();

 private:
  void line(std::string_view text, std::vector<SseEvent>& out);
  std::string buffer_;
  SseEvent current_;
  bool has_data_ = false;
  bool after_cr_ = false;
  bool first_ = true;
};

// "event: NAME\ndata: DATA\n\n"; without the first line where the name is "". `data` has no
// newline.
void append_sse(std::string& out, std::string_view event, std::string_view data);

}  // namespace keel::msg
