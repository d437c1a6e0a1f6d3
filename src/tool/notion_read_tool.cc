#include "tool/notion_read_tool.h"

#include "base/limits.h"
#include "base/text.h"
#include "memory/notion/client.h"
#include "memory/notion/flavor.h"
#include "tool/frame.h"

namespace keel::tool {
namespace {

namespace notion = memory::notion;

class NotionReadTool final : public Tool {
 public:
  explicit NotionReadTool(notion::Client* client) : client_(client) {}
  const msg::Tool& spec() const override { return spec_; }
  Effect effect() const override { return Effect::idempotent; }
  policy::Sink sink() const override { return policy::Sink::notion_read; }

 private:
  Result<Outcome> run(const Json& arguments, Context& context) override {
    const std::string id = TRY(notion::notion_id(TRY(json_string(arguments, "page"))));
    notion::Answer answer = client_->get("/pages/" + id + "/markdown?markdown_version=v2",
                                         context.stop, limits::fetch_time);
    if (!answer.ok()) return pass(std::move(answer.error));
    const std::string text =
        notion::read_markdown(TRY(json_string(answer.json, "markdown")), {}, {}, {}).body;
    Outcome outcome;
    outcome.integrity = policy::Integrity::web;
    outcome.confidentiality = policy::Confidentiality::personal;
    if (text.empty()) {
      outcome.text = "The page holds no text.";
      return outcome;
    }
    outcome.text = framed(text, limits::notion_page_bytes);
    if (json_bool_or(answer.json, "truncated", false))
      outcome.text += "\nNotion gave only the beginning of the page.";
    return outcome;
  }

  notion::Client* client_;
  msg::Tool spec_{"notion_read", "Read one page of the owner's Notion.",
                  schema_literal(R"json({"type":"object","properties":{
                    "page":{"type":"string","minLength":32,
                      "description":"its id from notion_search, or its link"}},
                    "required":["page"],"additionalProperties":false})json")};
};

}  // namespace

std::unique_ptr<Tool> make_notion_read_tool(notion::Client* client) {
  return std::make_unique<NotionReadTool>(client);
}

}  // namespace keel::tool
