#include "msg/stream/codec.h"

#include "base/text.h"

namespace keel::msg {

StreamEvents StreamReader::feed(std::string_view bytes) {
  if (to_.ended()) return {};
  Result<std::vector<SseEvent>> events = sse_.feed(bytes);
  if (!events) {
    to_.error({Fault::api, events.error().message});
    return to_.take();
  }
  take_in(std::move(*events), false);
  return to_.take();
}

void StreamReader::take_in(std::vector<SseEvent> events, bool last) {
  for (SseEvent& sse : events) {
    if (to_.ended()) return;
    if (trim(sse.data) == "[DONE]") {
      at_end(true);
      continue;
    }
    if (!is_valid_utf8(sse.data)) {
      // Broken bytes in one text must not cost the call beside it.
      sse.data = to_valid_utf8(sse.data);
      lose(Lost::characters, "bytes that are no UTF-8 were replaced");
    }
    const Result<Doc> doc = Doc::parse(sse.data, "an event of the stream");
    if (!doc && last) return;  // cut in the middle
    if (!doc || !doc->root().is_object()) {
      to_.error({Fault::api, "the server sent what is no event: " + printable(sse.data, 120)});
      return;
    }
    const Value root = doc->root();
    const bool error = sse.event == "error" || root["type"].string_equals("error") ||
                       (root["type"].empty() && !root["error"].empty());
    if (error) {
      to_.error(read_error(0, sse.data));
      return;
    }
    event(sse.event, root);
  }
}

StreamEvents StreamReader::finish() {
  if (to_.ended()) return {};
  take_in(sse_.finish(), true);
  if (!to_.ended()) at_end(false);
  if (!to_.ended()) to_.error({Fault::api, "the stream ended before the answer did"});
  return to_.take();
}

Losses StreamReader::take_losses() {
  Losses out;
  out.swap(losses_);
  for (Loss& loss : to_.take_losses()) out.push_back(std::move(loss));
  return out;
}

Losses StreamWriter::take_losses() {
  Losses out;
  out.swap(losses_);
  return out;
}

}  // namespace keel::msg
