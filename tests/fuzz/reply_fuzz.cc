// rooms: model/local
// An answer in pieces of any size gives the same text, thinking and calls as in other pieces; what
// is passed on is valid UTF-8 when the answer is, and never the markup of a call. The first byte
// chooses how the answer begins and the size of the pieces.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.h"
#include "model/local/reply.h"

namespace {

using keel::local::ReplyReader;
using keel::local::ReplyStep;

struct Heard {
  std::string text;
  std::string thinking;
  std::string item;
  bool called = false;
};

Heard read(std::string_view answer, std::size_t piece, bool thinking) {
  ReplyReader reader({{"recall", "web_fetch"}, thinking});
  Heard heard;
  const auto hear = [&](const ReplyStep& step) {
    heard.text += step.text;
    heard.thinking += step.thinking;
  };
  for (std::size_t at = 0; at < answer.size() && !heard.called; at += piece) {
    const ReplyStep step = reader.feed(answer.substr(at, piece));
    hear(step);
    if (!step.call_found) continue;
    // As the engine does: it takes the beginning back, and goes on with a call of its own.
    heard.called = true;
    if (step.call_at > reader.raw().size()) std::abort();
    hear(reader.begin_call(step.call_at, ""));
    (void)reader.feed("recall");
    (void)reader.feed(keel::local::kCallMiddle);
    (void)reader.feed(answer.substr(std::min(answer.size(), at + piece)));
    (void)reader.feed(keel::local::kCallTail);
    if (!reader.in_call() || !reader.call_complete()) std::abort();
  }
  if (!heard.called) hear(reader.finish());
  if (heard.text != reader.text()) std::abort();
  const auto calls = keel::msg::tool_calls(reader.item());
  if (calls.size() != (heard.called ? 1u : 0u)) std::abort();
  if (heard.called && (calls[0].name != "recall" || !calls[0].complete)) std::abort();
  return heard;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view answer(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool thinking = (data[0] & 1) != 0;
  const Heard single = read(answer, 1, thinking);
  const Heard pieces = read(answer, 1u + (data[0] >> 1), thinking);
  if (single.text != pieces.text || single.thinking != pieces.thinking) std::abort();
  if (single.called != pieces.called) std::abort();
  if (keel::is_valid_utf8(answer) &&
      (!keel::is_valid_utf8(single.text) || !keel::is_valid_utf8(single.thinking))) {
    std::abort();
  }
  if (single.text.find(keel::local::kCallOpen) != std::string::npos) std::abort();
  (void)keel::local::announced_tool(answer, {"recall", "web_fetch"});
  return 0;
}
