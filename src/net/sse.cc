#include "net/sse.h"

#include <algorithm>
#include <utility>

namespace keel::net {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

tl::unexpected<Error> too_large(std::size_t bound) {
  return fail(Code::limit,
              "an event of the stream has more than " + std::to_string(bound) + " bytes",
              "the server sends something else than the events that were asked for");
}

}  // namespace

Status SseParser::feed(std::string_view bytes, const Sink& sink) {
  bool go_on = true;
  while (go_on && !bytes.empty()) {
    if (std::exchange(after_cr_, false) && bytes.front() == '\n') bytes.remove_prefix(1);
    const std::size_t end = bytes.find_first_of("\r\n");
    if (line_.size() + std::min(end, bytes.size()) > event_bytes_) return too_large(event_bytes_);
    if (end == bytes.npos) {
      line_.append(bytes);
      return {};
    }
    after_cr_ = bytes[end] == '\r';
    if (line_.empty()) {
      TRY(take_line(bytes.substr(0, end), sink, go_on));
    } else {
      line_.append(bytes.substr(0, end));
      const std::string line = std::exchange(line_, {});
      TRY(take_line(line, sink, go_on));
    }
    bytes.remove_prefix(end + 1);
  }
  return {};
}

Status SseParser::take_line(std::string_view line, const Sink& sink, bool& go_on) {
  if (std::exchange(at_start_, false) && line.starts_with(kByteOrderMark)) {
    line.remove_prefix(kByteOrderMark.size());
  }
  if (!line.empty()) {
    has_field_ = true;
    const std::size_t colon = line.find(':');
    if (colon == 0) return {};  // a comment
    std::string_view value = colon == line.npos ? std::string_view() : line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    return take_field(line.substr(0, colon), value);
  }
  has_field_ = false;
  if (std::exchange(has_data_, false)) {
    event_.data.pop_back();  // the \n of its last line
    go_on = sink(event_);
    event_.data.clear();
  }
  event_.type = "message";
  return {};
}

Status SseParser::take_field(std::string_view name, std::string_view value) {
  if (name == "data") {
    if (event_.data.size() + value.size() > event_bytes_) return too_large(event_bytes_);
    event_.data.append(value);
    event_.data += '\n';
    has_data_ = true;
  } else if (name == "event") {
    if (value.size() > limits::event_field_bytes) return too_large(limits::event_field_bytes);
    event_.type = value.empty() ? "message" : std::string(value);
  } else if (name == "id") {
    if (value.size() > limits::event_field_bytes) return too_large(limits::event_field_bytes);
    if (value.find('\0') == value.npos) event_.id = std::string(value);
  } else if (name == "retry") {
    const bool digits =
        std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
    // Longer numbers are beyond any wait that makes sense, and beyond what an integer holds.
    if (digits && !value.empty() && value.size() <= 9) {
      retry_ = std::chrono::milliseconds(std::stol(std::string(value)));
    }
  }
  return {};
}

std::string sse_event(std::string_view type, std::string_view data) {
  std::string out;
  out.reserve(type.size() + data.size() + 32);
  if (!type.empty()) out.append("event: ").append(type).append("\n");
  for (;;) {
    const std::size_t end = data.find_first_of("\r\n");
    out.append("data: ").append(data.substr(0, end)).append("\n");
    if (end == data.npos) break;
    const bool pair = data[end] == '\r' && end + 1 < data.size() && data[end + 1] == '\n';
    data.remove_prefix(end + (pair ? 2 : 1));
  }
  out += '\n';
  return out;
}

}  // namespace keel::net
