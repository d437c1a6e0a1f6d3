#include "tool/remember_tool.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/limits.h"
#include "base/text.h"
#include "memory/memory.h"

namespace keel::tool {
namespace {

constexpr std::size_t kTitleBytes = 80;

bool is_letter(char32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c > 0x7f;
}

std::set<std::string> words_of(std::string_view text) {
  std::set<std::string> words;
  const std::string folded = fold_case(text);
  std::string word;
  for (std::size_t at = 0; at < folded.size();) {
    const char32_t c = next_code_point(folded, at);
    if (is_letter(c)) {
      append_utf8(word, c);
    } else {
      words.insert(std::move(word));
      word.clear();
    }
  }
  words.insert(std::move(word));
  words.erase("");
  return words;
}

// Words a model adds when it turns "my boat is called Ariadne" into "The user's boat is called
// Ariadne".
constexpr std::array<std::string_view, 34> kGlue = {
    "a",    "an",    "and",  "are", "as",  "at", "be",   "by",     "for",   "has",  "have", "in",
    "is",   "it",    "of",   "on",  "or",  "s",  "that", "the",    "their", "they", "to",   "was",
    "with", "owner", "user", "his", "her", "he", "she",  "called", "named", "name"};

// Whether the text says only what the owner's own message says, by its words. This is what makes a
// page the owner's; the model's claim does not.
bool is_owners_word(std::string_view text, std::string_view owner_text) {
  const std::set<std::string> said = words_of(owner_text);
  bool any = false;
  for (const std::string& word : words_of(text)) {
    if (std::find(kGlue.begin(), kGlue.end(), word) != kGlue.end()) continue;
    if (!said.contains(word)) return false;
    any = true;
  }
  return any;
}

std::string origin_of(std::string_view text, const Context& context) {
  if (is_owners_word(text, context.owner_text)) return "owner";
  return context.label.integrity >= policy::Integrity::paired ? "untrusted" : "agent";
}

std::string title_of(std::string_view text) {
  const std::string_view line = trim(text.substr(0, text.find('\n')));
  const std::size_t stop = line.find(". ");
  return shorten(line.substr(0, stop), kTitleBytes);
}

class RememberTool final : public Tool {
 public:
  const msg::Tool& spec() const override { return spec_; }
  Effect effect() const override { return Effect::idempotent; }  // an equal page is merged
  policy::Sink sink() const override { return policy::Sink::memory_write; }

 private:
  Result<Outcome> run(const Json& arguments, Context& context) override {
    const std::string text = std::string(trim(TRY(json_string(arguments, "text"))));
    if (text.empty()) return fail(Code::invalid_argument, "arguments.text must not be empty");
    if (text.size() > limits::remember_bytes) {
      return fail(Code::limit,
                  "the text has " + std::to_string(text.size()) + " bytes, more than " +
                      std::to_string(limits::remember_bytes),
                  "keep the gist of it");
    }
    memory::NewPage page;
    page.kind = json_string_or(arguments, "kind", "fact");
    page.title = std::string(trim(json_string_or(arguments, "title", "")));
    if (page.title.empty()) page.title = title_of(text);
    page.body = text;
    page.origin = origin_of(text, context);
    page.source_turn = context.turn;
    page.source_quote = shorten(trim(context.owner_text), limits::remember_quote_bytes);
    // What is learnt in the company of private pages stays as private as they are.
    const bool secret = context.label.confidentiality == policy::Confidentiality::secret;
    if (secret && !context.private_tags.empty()) page.tags = {context.private_tags.front()};
    const memory::Added added = TRY(context.memory.add(page));
    Outcome outcome;
    outcome.text = (added.merged ? "Already in memory: " : "Remembered: ") + added.page.title;
    // The title repeats the model's words, so it is as private as they are.
    outcome.integrity = context.label.integrity;
    outcome.confidentiality = context.label.confidentiality;
    return outcome;
  }

  msg::Tool spec_{"remember", "Save something the owner wants kept for later conversations.",
                  schema_literal(R"json({"type":"object","properties":{
                    "text":{"type":"string","minLength":1,"description":"one full sentence"},
                    "kind":{"type":"string","enum":["fact","preference","commitment"]},
                    "title":{"type":"string"}},
                    "required":["text"],"additionalProperties":false})json")};
};

}  // namespace

std::unique_ptr<Tool> make_remember_tool() {
  return std::make_unique<RememberTool>();
}

}  // namespace keel::tool
