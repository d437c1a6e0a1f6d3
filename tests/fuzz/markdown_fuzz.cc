// rooms: ui
// A model's words can never do more to a terminal than fill lines: no line is wider than the
// window, and no control sequence gets through but keel's own. Written in pieces they end up as
// they do in one. The first byte chooses the width, the second the pieces.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.h"
#include "ui/cells.h"
#include "ui/live_markdown.h"

namespace {

void check_bytes(std::string_view bytes) {
  if (!keel::is_valid_utf8(bytes)) std::abort();
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const auto c = static_cast<unsigned char>(bytes[at]);
    if (c == 0x1b) {  // keel's own: CSI, digits and semicolons, m or A or J
      at = bytes.find_first_not_of("0123456789;", at + 2);
      if (at == bytes.npos || std::string_view("mAJ").find(bytes[at]) == std::string_view::npos)
        std::abort();
    } else if ((c < 0x20 && c != '\n' && c != '\r') || c == 0x7f) {
      std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  keel::ui::Look look{20 + data[0] % 100, false};
  for (const std::string& line : keel::ui::render_markdown(text, look)) {
    check_bytes(line);
    if (line.find('\n') != std::string::npos || keel::ui::cell_width(line) > look.width)
      std::abort();
  }
  look.styled = true;
  for (const std::string& line : keel::ui::render_markdown(text, look)) check_bytes(line);
  keel::ui::LiveMarkdown live(look, 24);
  const std::size_t piece = 1u + data[1] % 64;
  for (std::size_t at = 0; at < text.size(); at += piece)
    check_bytes(live.feed(text.substr(at, piece)));
  check_bytes(live.finish());
  if (!live.empty()) std::abort();
  return 0;
}
