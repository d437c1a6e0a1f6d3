// rooms: memory/foreign
//
// A Markdown file of any bytes: what is not changed stays, what is written reads back, and a page
// that is written and read again is the same page.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/text.h"
#include "memory/foreign/chats.h"
#include "memory/foreign/workspaces.h"
#include "memory/markdown/notes.h"
#include "memory/markdown/page_file.h"

namespace {

using namespace keel::memory;

void check_properties(const Document& document) {
  std::vector<Problem> unused;
  const std::string text = document_text(document.front, document.body);
  const Document again = read_document(text, unused);
  KEEL_ASSERT(document.front.empty() || again.front.text() == document.front.text());
  FrontMatter front = document.front;
  for (const std::string& key : front.keys()) {
    const auto value = front.scalar(key);
    if (!value || value->find('\0') != std::string::npos) continue;  // NUL is never written
    front.set(key, *value);
    KEEL_ASSERT(front.scalar(key) == value);
  }
}

void check_page(const NewPage& read) {
  if (!keel::is_valid_utf8(read.body) || read.title.find('\n') != std::string::npos) return;
  Page page;
  static_cast<NewPage&>(page) = read;
  page.id = "01JD5000000000000000000000";
  if (page.created_ms == 0) page.created_ms = 1;
  page.updated_ms = page.created_ms;
  if (page.origin.empty()) page.origin = "owner";
  std::vector<Problem> problems;
  const std::string text = document_text(front_of(page), page.body);
  const auto back = note_of(text, "x.md", 0, problems, Reading::edit);
  if (page.tags.size() > 64) return;
  KEEL_ASSERT(back.has_value());
  KEEL_ASSERT(back->body == page.body);
  KEEL_ASSERT(back->tags == page.tags);
  KEEL_ASSERT(back->created_ms == page.created_ms);
  KEEL_ASSERT(back->session == page.session);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  std::vector<Problem> problems;
  check_properties(read_document(text, problems));
  if (const auto page = note_of(text, "a/b.md", 7, problems)) check_page(*page);
  (void)notes_in(text);
  if (const auto json = keel::parse_json(text); json && json->is_object()) {
    (void)turns_of(*json, Chats::chatgpt, problems);
    (void)turns_of(*json, Chats::claude, problems);
  }
  return 0;
}
