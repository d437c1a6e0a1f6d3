#include "msg/stream/sse.h"

#include "base/limits.h"

namespace keel::msg {

Result<std::vector<SseEvent>> SseReader::feed(std::string_view bytes) {
  std::vector<SseEvent> out;
  std::size_t start = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char c = bytes[i];
    const bool second = c == '\n' && after_cr_;  // of a line that ended with \r\n
    after_cr_ = c == '\r';
    if (c != '\n' && c != '\r') continue;
    if (!second) {
      buffer_.append(bytes, start, i - start);
      line(buffer_, out);
      buffer_.clear();
    }
    start = i + 1;
  }
  buffer_.append(bytes, start, bytes.size() - start);
  if (buffer_.size() + current_.data.size() > limits::sse_event_bytes) {
    return fail(Code::limit, "an event of the stream has more than " +
                                 std::to_string(limits::sse_event_bytes) + " bytes");
  }
  return out;
}

std::vector<SseEvent> SseReader::finish() {
  std::vector<SseEvent> out;
  if (!buffer_.empty()) line(buffer_, out);
  buffer_.clear();
  line("", out);
  return out;
}

void SseReader::line(std::string_view text, std::vector<SseEvent>& out) {
  constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  if (first_ && text.substr(0, 3) == byte_order_mark) text.remove_prefix(3);
  first_ = false;
  if (text.empty()) {
    if (has_data_) out.push_back(std::move(current_));
    current_ = {};
    has_data_ = false;
    return;
  }
  const std::size_t colon = text.find(':');
  const std::string_view field = text.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  if (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  if (field == "event") {
    current_.event = value;
  } else if (field == "data") {
    if (has_data_) current_.data += '\n';
    current_.data += value;
    has_data_ = true;
  }
}

void append_sse(std::string& out, std::string_view event, std::string_view data) {
  if (!event.empty()) {
    out += "event: ";
    out += event;
    out += '\n';
  }
  out += "data: ";
  out += data;
  out += "\n\n";
}

}  // namespace keel::msg
