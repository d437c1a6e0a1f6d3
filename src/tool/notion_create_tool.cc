#include "tool/notion_create_tool.h"

#include <fmt/format.h>

#include "base/limits.h"
#include "base/text.h"
#include "memory/notion/client.h"
#include "memory/notion/flavor.h"

namespace keel::tool {
namespace {

namespace notion = memory::notion;

class NotionCreateTool final : public Tool {
 public:
  explicit NotionCreateTool(notion::Client* client) : client_(client) {}
  const msg::Tool& spec() const override { return spec_; }
  Effect effect() const override { return Effect::unsafe; }
  policy::Sink sink() const override { return policy::Sink::notion_write; }

 private:
  Result<Outcome> run(const Json& arguments, Context& context) override {
    const std::string parent = TRY(notion::notion_id(TRY(json_string(arguments, "parent"))));
    const std::string title(trim(TRY(json_string(arguments, "title"))));
    const std::string text = notion::to_notion(json_string_or(arguments, "text", ""));
    if (text.size() > limits::notion_create_bytes)
      return fail(Code::limit,
                  fmt::format("the text has {} bytes, more than {}", text.size(),
                              limits::notion_create_bytes),
                  "write a shorter page");
    Json words = Json::array();
    words.push_back({{"text", {{"content", shorten(title, limits::memory_title_bytes)}}}});
    Json body{{"parent", {{"type", "page_id"}, {"page_id", parent}}},
              {"properties", {{"title", {{"title", std::move(words)}}}}}};
    if (!text.empty()) {
      body["markdown"] = text;
      body["markdown_version"] = "v2";
    }
    notion::Answer answer =
        client_->write("POST", "/pages", body, context.stop, limits::fetch_time);
    if (answer.fate == notion::Fate::unknown)
      return fail(answer.error.code,
                  "it is not known whether the page was made: " + answer.error.message,
                  "look for it with notion_search before making it again");
    if (!answer.ok()) return pass(std::move(answer.error));
    Outcome outcome;
    outcome.text = fmt::format("Made: {} {}", printable(json_string_or(answer.json, "id", ""), 40),
                               printable(json_string_or(answer.json, "url", ""), 300));
    outcome.integrity = context.label.integrity;
    outcome.confidentiality = policy::Confidentiality::personal;
    return outcome;
  }

  notion::Client* client_;
  msg::Tool spec_{"notion_create", "Make a page in the owner's Notion, below one shared with you.",
                  schema_literal(R"json({"type":"object","properties":{
                    "parent":{"type":"string","minLength":32,
                      "description":"id of the page above it, from notion_search, or its link"},
                    "title":{"type":"string","minLength":1},
                    "text":{"type":"string","description":"Markdown"}},
                    "required":["parent","title"],"additionalProperties":false})json")};
};

}  // namespace

std::unique_ptr<Tool> make_notion_create_tool(notion::Client* client) {
  return std::make_unique<NotionCreateTool>(client);
}

}  // namespace keel::tool
