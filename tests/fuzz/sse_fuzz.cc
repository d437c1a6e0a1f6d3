// rooms: msg/stream
// A stream of events means the same however it is cut into pieces, and what an event says can be
// written and read back.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "msg/stream/sse.h"

namespace {

using keel::msg::SseEvent;
using keel::msg::SseReader;

// Pieces of `step` bytes; 0: all at once.
std::vector<SseEvent> read_stream(std::string_view stream, std::size_t step) {
  std::vector<SseEvent> events;
  SseReader reader;
  if (step == 0) step = std::max<std::size_t>(stream.size(), 1);
  for (std::size_t at = 0; at < stream.size(); at += step) {
    const auto some = reader.feed(stream.substr(at, step));
    if (!some) std::abort();  // the bound is far above what is tried here
    events.insert(events.end(), some->begin(), some->end());
  }
  const auto last = reader.finish();
  events.insert(events.end(), last.begin(), last.end());
  return events;
}

bool same(const std::vector<SseEvent>& a, const std::vector<SseEvent>& b) {
  return std::equal(
      a.begin(), a.end(), b.begin(), b.end(),
      [](const SseEvent& x, const SseEvent& y) { return x.event == y.event && x.data == y.data; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::vector<SseEvent> whole = read_stream(stream, 0);
  if (!same(whole, read_stream(stream, 1))) std::abort();
  if (!same(whole, read_stream(stream, data[0]))) std::abort();
  for (const SseEvent& event : whole) {
    if (event.data.find('\n') != std::string::npos) continue;  // what keel writes has none
    std::string again;
    keel::msg::append_sse(again, event.event, event.data);
    if (!same({event}, read_stream(again, 0))) std::abort();
  }
  return 0;
}
