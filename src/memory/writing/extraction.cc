#include "memory/writing/extraction.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "memory/text/sentences.h"
#include "memory/text/statement.h"
#include "memory/text/words.h"

namespace keel::memory {
namespace {

constexpr std::string_view kToolName = "note_down";
constexpr std::string_view kInstructions =
    "You read one message that an owner has sent to his assistant, and note down what the "
    "assistant should still know about the owner next year. Note: facts about him, his family, "
    "friends, pets, home, work and things; what he likes, dislikes or wants done in a certain way; "
    "appointments, promises and plans with a date; what he has found out; what has happened to "
    "him. Do not note questions, requests, tasks, greetings, opinions on the answer, what is true "
    "only at this moment, or what everybody knows. Most messages hold nothing: then give an empty "
    "list. In quote, copy the words of the message exactly.";

struct Example {
  std::string_view message;
  std::string_view answer;
};
// Different in subject from anything that is measured (bench/memory/writing.txt).
constexpr std::array<Example, 4> kExamples = {{
    {"Can you explain how a sextant works? I have to write two pages about it today.",
     R"({"notes":[]})"},
    {"Morning! The vet says Momo has to take the drops twice a day until spring. Which vitamins do "
     "cats need?",
     R"({"notes":[{"quote":"The vet says Momo has to take the drops twice a day until spring.")"
     R"(,"kind":"fact","text":"Momo takes drops twice a day until spring."}]})"},
    {"Write a short thank-you note to my aunt Ruth, she turned 80. The code of the garden gate is "
     "4711.",
     R"({"notes":[{"quote":"my aunt Ruth, she turned 80","kind":"fact",)"
     R"("text":"The owner's aunt Ruth turned 80."},)"
     R"({"quote":"The code of the garden gate is 4711.","kind":"fact",)"
     R"("text":"The code of the garden gate is 4711.","subject":"garden gate",)"
     R"("attribute":"code","value":"4711"}]})"},
    {"Das war lustig. Erzähl mir noch einen Witz.", R"({"notes":[]})"},
}};

constexpr std::string_view kSchema = R"json({"type":"object","properties":{"notes":{"type":"array",
  "maxItems":5,"items":{"type":"object","properties":{
    "quote":{"type":"string","description":"words copied from the message"},
    "kind":{"type":"string","enum":["fact","preference","commitment","finding","episode"]},
    "text":{"type":"string","description":"the same in one short sentence"},
    "subject":{"type":"string","description":"what or who has the value, if there is one"},
    "attribute":{"type":"string"},
    "value":{"type":"string"}},
  "required":["quote","kind","text"],"additionalProperties":false}}},
  "required":["notes"],"additionalProperties":false})json";

bool is_kind(std::string_view kind) {
  constexpr std::string_view kKinds[] = {"fact", "preference", "commitment", "finding", "episode"};
  return std::find(std::begin(kKinds), std::end(kKinds), kind) != std::end(kKinds);
}

std::string message_text(std::string_view owner_text) {
  return to_valid_utf8(utf8_prefix(owner_text, limits::extract_said_bytes));
}

// The stems that say something.
std::set<std::string> telling(std::string_view text) {
  std::set<std::string> stems;
  for (Word& word : words_of(text, Use::query)) {
    if (class_of(word) != WordClass::stop) stems.insert(std::move(word.stem));
  }
  return stems;
}

bool contains(const std::set<std::string>& all, const std::set<std::string>& some) {
  return std::includes(all.begin(), all.end(), some.begin(), some.end());
}

// The sentence of the message in which the quote begins; what sentences_of() leaves out (code,
// quoted lines) has none.
std::string_view sentence_with(const std::vector<std::string_view>& sentences,
                               std::string_view message, std::string_view quote) {
  const std::string folded = ascii_lower(message);
  std::string wanted = ascii_lower(trim(quote));
  while (!wanted.empty() && (wanted.back() == '.' || wanted.back() == '!' || wanted.back() == '"'))
    wanted.pop_back();
  if (!wanted.empty() && wanted.front() == '"') wanted.erase(0, 1);
  if (words_of(wanted, Use::query).size() < 2) return {};
  for (std::size_t at = folded.find(wanted); at != std::string::npos;
       at = folded.find(wanted, at + 1)) {
    for (const std::string_view sentence : sentences) {
      const auto begin = static_cast<std::size_t>(sentence.data() - message.data());
      if (begin <= at && at < begin + sentence.size()) return sentence;
    }
  }
  return {};
}

// The model's own words for it, if the sentence bears them: no number and hardly a word that it
// does not hold.
std::string gist_of(const std::string& text, std::string_view sentence) {
  constexpr std::size_t kOwnWords = 2;
  if (text.empty() || text.size() > limits::extract_text_bytes) return {};
  const std::set<std::string> said = telling(sentence);
  std::size_t others = 0;
  for (const std::string& stem : telling(text)) {
    if (said.contains(stem) || stem == "owner" || stem == "user") continue;
    if (stem.find_first_of("0123456789") != std::string::npos) return {};
    ++others;
  }
  return others <= kOwnWords ? std::string(trim(text)) : std::string();
}

// What the model says is one value of something, where the sentence says it too: the value stands
// in it, and every other telling word is in what the value is of. So "the code of the garden gate"
// is never taken for "the code of the door".
std::optional<Json> attribute_in(const Json& note, std::string_view sentence) {
  const auto field = [&](std::string_view key) {
    std::string text(trim(json_string_or(note, key, "")));
    return text.size() <= limits::extract_attribute_bytes ? text : std::string();
  };
  const std::string subject = field("subject"), attribute = field("attribute"),
                    value = field("value");
  if (subject.empty() || attribute.empty() || value.empty()) return std::nullopt;
  const std::set<std::string> said = telling(sentence);
  const std::set<std::string> values = telling(value);
  std::set<std::string> named = telling(subject + " " + attribute);
  for (const char* self : {"owner", "user"}) named.erase(self);
  if (values.empty() || named.empty() || !contains(said, values) || !contains(said, named))
    return std::nullopt;
  for (const std::string& stem : said) {
    if (!values.contains(stem) && !named.contains(stem)) return std::nullopt;
  }
  return Json{{"subject", subject}, {"attribute", attribute}, {"value", value}};
}

std::optional<NewPage> page_of(const Json& note, std::string_view sentence) {
  NewPage page;
  page.kind = json_string_or(note, "kind", "");
  if (!is_kind(page.kind)) return std::nullopt;
  const std::string content = content_of_sentence(sentence);
  if (content.empty()) return std::nullopt;
  page.title = shorten(content, limits::memory_title_bytes);
  page.body = said_by_owner(content + ".");
  page.origin = "owner";
  page.source_quote = sentence;
  page.gist = gist_of(json_string_or(note, "text", ""), sentence);
  if (std::optional<Json> attribute = attribute_in(note, sentence))
    page.extra = std::move(*attribute);
  return page;
}

}  // namespace

bool may_hold_more(std::string_view owner_text) {
  const std::string message = message_text(owner_text);
  if (is_text_work(message)) return false;
  const std::vector<OwnerStatement> known = statements_of(message);
  const std::vector<std::string_view> sentences = sentences_of(message);
  return std::any_of(sentences.begin(), sentences.end(), [&](std::string_view sentence) {
    const bool is_known = std::any_of(known.begin(), known.end(), [&](const OwnerStatement& one) {
      return one.sentence == sentence;
    });
    return !is_known && !asks(sentence) && sentence.size() <= limits::memory_sentence_bytes &&
           words_of(sentence, Use::query).size() >= limits::extract_words;
  });
}

std::vector<msg::Item> extraction_items(std::string_view owner_text) {
  std::vector<msg::Item> items = {msg::text_item(msg::Role::system, std::string(kInstructions))};
  int number = 0;
  for (const Example& example : kExamples) {
    const std::string id = "example_" + std::to_string(++number);
    items.push_back(msg::text_item(msg::Role::user, std::string(example.message)));
    items.push_back({msg::Role::assistant,
                     {msg::ToolCall{id, std::string(kToolName), std::string(example.answer)}}});
    items.push_back({msg::Role::tool, {msg::ToolResult{id, std::string(kToolName), "noted"}}});
    items.push_back(msg::text_item(msg::Role::assistant, "Done."));
  }
  items.push_back(msg::text_item(msg::Role::user, message_text(owner_text)));
  return items;
}

msg::Tool extraction_tool() {
  return {std::string(kToolName), "Note down what is worth knowing next year.",
          parse_json(kSchema, "the schema").value_or(Json::object())};
}

std::vector<NewPage> pages_found(std::string_view arguments, std::string_view owner_text) {
  std::vector<NewPage> pages;
  const Result<Json> answer = parse_json(arguments, "the answer");
  if (!answer || !answer->is_object() || !answer->contains("notes") ||
      !(*answer)["notes"].is_array() || is_text_work(owner_text))
    return pages;
  const std::string message = message_text(owner_text);
  const std::vector<std::string_view> sentences = sentences_of(message);
  std::set<std::string_view> taken;
  for (const Json& note : (*answer)["notes"]) {
    if (!note.is_object() || pages.size() == limits::extract_pages) continue;
    const std::string_view sentence =
        sentence_with(sentences, message, json_string_or(note, "quote", ""));
    if (sentence.empty() || asks(sentence) || sentence.size() > limits::memory_sentence_bytes ||
        taken.contains(sentence))
      continue;
    if (std::optional<NewPage> page = page_of(note, sentence)) {
      taken.insert(sentence);
      pages.push_back(std::move(*page));
    }
  }
  return pages;
}

}  // namespace keel::memory
