// Conversations made at random, written and read back in every dialect.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "msg/dialect/dialect.h"
#include "msg/dialect/local.h"
#include "msg/raw.h"

namespace keel::msg {
namespace {

constexpr Dialect dialects[] = {Dialect::anthropic, Dialect::chat, Dialect::responses};

class Maker {
 public:
  explicit Maker(unsigned seed) : random_(seed) {}

  Conversation conversation() {
    Conversation c;
    c.params = params();
    for (std::size_t n = pick(4); n > 0; --n) c.tools.push_back(tool());
    if (pick(2) == 0) c.items.push_back({Role::system, texts(1 + pick(3))});
    for (std::size_t n = 1 + pick(6); n > 0; --n) turn(c.items);
    return c;
  }

 private:
  std::size_t pick(std::size_t n) { return random_() % n; }
  bool maybe() { return pick(2) == 0; }

  std::string text() {
    static const std::vector<std::string> pieces = {
        "a",  "word ", "\"",   "\\", "\n", "é",       "日本", "😀",   "\t", "{\"x\":1}",
        "<|", "</s>",  "\x01", "/",  "  ", "[End of", "]]>",  "\r\n", "'"};
    std::string out = "t" + std::to_string(counter_++);
    for (std::size_t n = pick(8); n > 0; --n) out += pieces[pick(pieces.size())];
    return out;
  }
  std::vector<Block> texts(std::size_t n) {
    std::vector<Block> out;
    for (; n > 0; --n) out.emplace_back(Text{text()});
    return out;
  }
  std::string id() {
    static const std::vector<std::string> forms = {"toolu_", "call_", "functions.Bash:", "x y/",
                                                   ""};
    return forms[pick(forms.size())] + "i" + std::to_string(counter_++) +
           (pick(8) == 0 ? std::string(80, 'z') : "");
  }
  std::string arguments() {
    Writer w;
    w.object();
    for (std::size_t n = pick(3); n > 0; --n) w.text("k" + std::to_string(n), text());
    if (maybe()) w.member("n", "1.0");
    return w.end_object().take();
  }
  std::string name() {
    static const std::vector<std::string> names = {"f", "Bash", "git.log", "a b", "mcp__x__y"};
    return names[pick(names.size())];
  }
  Image image() {
    Image image{{Media::From::base64, "QUJD", "image/png"}};
    if (maybe()) image.source = {Media::From::url, "https://example.org/" + id(), ""};
    return image;
  }
  Document document() {
    Document document{{Media::From::base64, "JVBERg==", "application/pdf"}};
    if (maybe()) document.source = {Media::From::text, text(), "text/plain"};
    if (maybe()) document.title = text();
    return document;
  }
  Tool tool() {
    Tool tool{name() + std::to_string(counter_++), text()};
    tool.schema = Json::parse(R"({"type":"object","properties":{"k":{"type":"string"}}})");
    if (pick(4) == 0) tool.strict = maybe();
    if (pick(5) == 0) tool.kind = ToolKind::custom;
    if (tool.kind == ToolKind::custom) tool.schema = Json::object();
    return tool;
  }

  void turn(std::vector<Item>& items) {
    Item user{Role::user, texts(1 + pick(2))};
    if (pick(4) == 0) user.blocks.emplace_back(image());
    if (pick(6) == 0) user.blocks.emplace_back(document());
    items.push_back(std::move(user));
    if (pick(6) == 0) {
      items.push_back({Role::system, texts(1)});
      items.back().developer = maybe();
    }
    for (std::size_t loops = pick(3); loops > 0; --loops) calls(items);
    if (pick(5) == 0) {
      items.push_back({Role::assistant, {Refusal{text()}}});
    } else {
      items.push_back({Role::assistant, texts(1 + pick(2))});
    }
  }

  void calls(std::vector<Item>& items) {
    Item answer{Role::assistant, {}};
    if (maybe()) answer.blocks.push_back(thinking());
    if (maybe()) answer.blocks.emplace_back(Text{text()});
    Item results{Role::tool, {}};
    for (std::size_t n = 1 + pick(3); n > 0; --n) {
      ToolCall call{id(), name(), arguments()};
      if (pick(6) == 0) call.kind = CallKind::custom;
      if (call.kind == CallKind::custom) call.arguments = text();
      call.complete = pick(12) != 0;
      ToolResult result{call.id, call.name, text(), pick(5) == 0};
      result.kind = call.kind;
      if (pick(4) == 0) {
        result.parts = {Text{text()}, image()};
        if (maybe()) result.parts.emplace_back(document());
        result.text = "parts";
      }
      answer.blocks.emplace_back(std::move(call));
      if (pick(10) != 0) results.blocks.emplace_back(std::move(result));
    }
    items.push_back(std::move(answer));
    if (!results.blocks.empty()) items.push_back(std::move(results));
    if (pick(8) == 0) items.push_back({Role::tool, {ToolResult{"orphan", "f", text()}}});
  }

  Thinking thinking() {
    Thinking thinking{text(), maybe() ? "m" : "other", ThinkingKind::full, "sig" + text()};
    thinking.dialect = dialects[pick(3)];
    if (thinking.dialect == Dialect::chat) thinking.signature.clear();
    if (thinking.dialect == Dialect::responses) thinking.kind = ThinkingKind::summary;
    return thinking;
  }

  Params params() {
    Params p;
    p.model = "m";
    if (maybe()) p.max_tokens = 1 + static_cast<std::int64_t>(pick(5000));
    for (std::size_t n = pick(6); n > 0; --n) p.stops.push_back(text());
    if (maybe()) p.temperature = static_cast<double>(pick(20)) / 10;
    if (maybe()) p.top_p = 0.5;
    if (pick(4) == 0) p.top_k = 40;
    if (pick(4) == 0) p.seed = 7;
    p.tool_choice.kind = static_cast<ToolChoice::Kind>(pick(4));
    if (maybe()) p.parallel = maybe();
    p.thinking.mode = static_cast<ThinkingWish::Mode>(pick(5));
    if (p.thinking.mode == ThinkingWish::Mode::budget) {
      p.thinking.budget = static_cast<std::int64_t>(pick(20000));
    }
    if (p.thinking.mode == ThinkingWish::Mode::effort) p.thinking.effort = "high";
    p.format.kind = static_cast<AnswerFormat::Kind>(pick(4));
    if (p.format.kind == AnswerFormat::Kind::json_schema) p.format.schema = R"({"type":"object"})";
    if (maybe()) p.user = text();
    if (maybe()) p.affinity = text();
    p.stream = maybe();
    return p;
  }

  std::mt19937 random_;
  int counter_ = 0;
};

constexpr unsigned conversations = 1500;

// Where two long texts part; "" if they are the same.
std::string difference(const std::string& a, const std::string& b) {
  if (a == b) return "";
  const auto [at, unused] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  const auto from = static_cast<std::size_t>(std::max<std::ptrdiff_t>(at - a.begin() - 120, 0));
  return "\n  " + a.substr(from, 240) + "\nis not\n  " + b.substr(std::min(from, b.size()), 240);
}

TEST(Property, WhatIsWrittenReadsBackAndIsWrittenTheSame) {
  for (unsigned seed = 0; seed < conversations; ++seed) {
    const Conversation c = Maker(seed).conversation();
    for (const Dialect d : dialects) {
      Target target{.pass_through = false, .reasoning_key = "reasoning_content"};
      const std::string first = write_request(d, c, target).body;
      const Result<Parsed> parsed = parse_request(d, first);
      ASSERT_TRUE(parsed) << seed << " " << parsed.error().text() << "\n" << first;
      ASSERT_EQ(difference(write_request(d, parsed->conversation, target).body, first), "")
          << dialect_name(d) << " seed " << seed;
    }
  }
}

TEST(Property, WhatIsSentOnToItsOwnDialectKeepsItsBytes) {
  for (unsigned seed = 0; seed < conversations; ++seed) {
    const Conversation c = Maker(seed).conversation();
    for (const Dialect d : dialects) {
      std::string body = write_request(d, c, {}).body;
      body.insert(1, " \n ");
      body.insert(body.size() - 1, R"(, "x_unknown" : [1.0, "\u00e9"] )");
      const Parsed parsed = MUST(parse_request(d, body));
      const Written same = write_request(d, parsed.conversation, {});
      ASSERT_EQ(difference(same.body, body), "") << dialect_name(d) << " seed " << seed;
      ASSERT_TRUE(same.losses.empty());
      // Another model: the rest still keeps its bytes, as far as JSON shows them.
      const Written renamed = write_request(d, parsed.conversation, {.model = "m"});
      ASSERT_EQ(difference(renamed.body, body), "");
      Target other{.model = "other"};
      ASSERT_NE(write_request(d, parsed.conversation, other).body, body);
    }
  }
}

TEST(Property, AChangedBlockIsNeverSentWithItsOldBytes) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    const Conversation c = Maker(seed).conversation();
    for (const Dialect d : dialects) {
      Parsed parsed = MUST(parse_request(d, write_request(d, c, {}).body));
      std::string old;
      for (Item& item : parsed.conversation.items) {
        for (Block& block : item.blocks) {
          auto* text = std::get_if<Text>(&block);
          if (text == nullptr || !old.empty()) continue;
          old = text->text;
          text->text = "[redacted]";
        }
      }
      const std::string body = write_request(d, parsed.conversation, {}).body;
      EXPECT_EQ(body.find(json_quoted(old)), std::string::npos);
      EXPECT_NE(body.find("[redacted]"), std::string::npos);
    }
  }
}

// All words of a conversation: what must not vanish without a loss.
std::multiset<std::string> words_in(const Conversation& c) {
  std::multiset<std::string> out;
  for (const Item& item : c.items) {
    for (const Block& block : item.blocks) {
      if (const auto* text = std::get_if<Text>(&block)) out.insert(text->text);
      if (const auto* refusal = std::get_if<Refusal>(&block)) out.insert(refusal->text);
      if (const auto* thinking = std::get_if<Thinking>(&block)) out.insert(thinking->text);
      if (const auto* call = std::get_if<ToolCall>(&block)) out.insert(call->arguments);
      const auto* result = std::get_if<ToolResult>(&block);
      if (result == nullptr) continue;
      if (result->parts.empty()) out.insert(result->text);
      for (const auto& part : result->parts) {
        if (const auto* text = std::get_if<Text>(&part)) out.insert(text->text);
      }
    }
  }
  for (const Tool& tool : c.tools) out.insert(tool.description);
  for (const std::string& stop : c.params.stops) out.insert(stop);
  out.insert(c.params.user);
  out.insert(c.params.affinity);
  return out;
}

TEST(Property, NothingVanishesBetweenDialectsWithoutALoss) {
  for (unsigned seed = 0; seed < conversations; ++seed) {
    const Conversation made = Maker(seed).conversation();
    for (const Dialect from : dialects) {
      const Parsed source = MUST(parse_request(from, write_request(from, made, {}).body));
      for (const Dialect to : dialects) {
        const Written w = write_request(to, source.conversation, {});
        const Result<Parsed> there = parse_request(to, w.body);
        ASSERT_TRUE(there) << seed << ": " << there.error().text();
        if (words_in(there->conversation) != words_in(source.conversation)) {
          ASSERT_FALSE(w.losses.empty())
              << dialect_name(from) << " to " << dialect_name(to) << " seed " << seed;
        }
        // Every call is whole, its id is used once, and it has its result.
        const Written again = write_request(to, there->conversation, {});
        ASSERT_FALSE(has_loss(again.losses, Lost::result)) << seed;
        ASSERT_FALSE(has_loss(again.losses, Lost::call_id)) << seed;
        ASSERT_FALSE(has_loss(again.losses, Lost::half_call)) << seed;
      }
    }
  }
}

TEST(Property, TheLocalFormOfABeginningIsTheBeginningOfTheLocalForm) {
  for (unsigned seed = 0; seed < conversations; ++seed) {
    Conversation c = Maker(seed).conversation();
    for (const bool alternate : {false, true}) {
      LocalTraits traits{"m", false, false, true, alternate};
      const LocalForm whole = local_form(c, traits);
      Conversation part = c;
      // Up to an answer: where a turn ends, the next request begins with the same items.
      while (!part.items.empty() && (part.items.back().role != Role::assistant ||
                                     !tool_calls(part.items.back()).empty())) {
        part.items.pop_back();
      }
      const LocalForm beginning = local_form(part, traits);
      ASSERT_LE(beginning.items.size(), whole.items.size());
      for (std::size_t i = 0; i < beginning.items.size(); ++i) {
        ASSERT_EQ(dump_json(to_json(beginning.items[i])), dump_json(to_json(whole.items[i])))
            << "seed " << seed << " item " << i;
      }
    }
  }
}

TEST(Property, TheJournalFormKeepsEveryTypedField) {
  for (unsigned seed = 0; seed < conversations; ++seed) {
    for (const Item& item : Maker(seed).conversation().items) {
      const Item back = MUST(item_from_json(MUST(parse_json(dump_json(to_json(item))))));
      ASSERT_EQ(mark_of(back), mark_of(item)) << dump_json(to_json(item));
    }
  }
}

// Chat services refuse a message that stands between the results of one answer's calls.
TEST(Property, ImagesOfSeveralResultsComeBehindAllOfThem) {
  Conversation talk =
      MUST(parse_request(Dialect::anthropic,
                         R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"q"},)"
                         R"({"role":"assistant","content":[)"
                         R"({"type":"tool_use","id":"t","name":"f","input":{}},)"
                         R"({"type":"tool_use","id":"u","name":"f","input":{}}]},)"
                         R"({"role":"user","content":[)"
                         R"({"type":"tool_result","tool_use_id":"t","content":[{"type":"image",)"
                         R"("source":{"type":"url","url":"https://a.b/c.png"}}]},)"
                         R"({"type":"tool_result","tool_use_id":"u","content":[{"type":"image",)"
                         R"("source":{"type":"url","url":"https://a.b/d.png"}}]}]}]})"))
          .conversation;
  // As two items, which a conversation may have too.
  talk.items.push_back({Role::tool, {talk.items.back().blocks.back()}});
  talk.items[talk.items.size() - 2].blocks.pop_back();
  const std::string body = write_request(Dialect::chat, talk, {.pass_through = false}).body;
  EXPECT_LT(body.rfind(R"("role":"tool")"), body.find("c.png")) << body;
  EXPECT_LT(body.find("c.png"), body.find("d.png")) << body;
}

}  // namespace
}  // namespace keel::msg
