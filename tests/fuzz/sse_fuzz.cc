// rooms: net
// A stream of events means the same however it is cut into pieces, and what an event says can be
// written and read back.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "net/sse.h"

namespace {

using keel::net::SseEvent;
using keel::net::SseParser;

struct Read {
  std::vector<SseEvent> events;
  bool well = true;
};

constexpr std::size_t bound = 4096;

// Pieces of `step` bytes; 0: all at once.
Read read_stream(std::string_view stream, std::size_t step) {
  Read read;
  SseParser parser(bound);
  if (step == 0) step = std::max<std::size_t>(stream.size(), 1);
  for (std::size_t at = 0; at < stream.size() && read.well; at += step) {
    read.well = parser
                    .feed(stream.substr(at, step),
                          [&](const SseEvent& event) {
                            read.events.push_back(event);
                            return true;
                          })
                    .has_value();
  }
  return read;
}

bool same(const Read& a, const Read& b) {
  return a.well == b.well && std::equal(a.events.begin(), a.events.end(), b.events.begin(),
                                        b.events.end(), [](const SseEvent& x, const SseEvent& y) {
                                          return x.type == y.type && x.data == y.data &&
                                                 x.id == y.id;
                                        });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Read whole = read_stream(stream, 0);
  if (!same(whole, read_stream(stream, 1))) std::abort();
  if (!same(whole, read_stream(stream, data[0]))) std::abort();
  for (const SseEvent& event : whole.events) {
    if (event.data.size() > bound) std::abort();
    const Read again = read_stream(keel::net::sse_event(event.type, event.data), 0);
    if (event.data.size() + 64 > bound) continue;  // "data: " counts as well
    if (!again.well || again.events.size() != 1 || again.events[0].data != event.data ||
        again.events[0].type != event.type) {
      std::abort();
    }
  }
  return 0;
}
