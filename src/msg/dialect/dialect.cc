#include "msg/dialect/dialect.h"

#include "msg/anthropic/answer.h"
#include "msg/anthropic/request.h"
#include "msg/openai/chat_request.h"
#include "msg/openai/responses_request.h"
#include "msg/raw.h"

namespace keel::msg {
namespace {

// The tools as the request showed them.
std::string tools_json(const std::vector<Tool>& tools) {
  Writer w;
  w.array();
  for (const Tool& tool : tools) {
    if (tool.wire.dialect == Dialect::responses && tool.space.empty()) w.raw(tool.wire.bytes);
  }
  return w.end_array().take();
}

std::string choice_json(const ToolChoice& choice) {
  using Kind = ToolChoice::Kind;
  if (choice.kind == Kind::none) return "\"none\"";
  if (choice.kind == Kind::any) return "\"required\"";
  if (choice.kind != Kind::named) return "\"auto\"";
  Writer w;
  w.object().text("type", choice.call == CallKind::custom ? "custom" : "function");
  return w.text("name", choice.name).end_object().take();
}

}  // namespace

Result<Parsed> parse_request(Dialect dialect, std::string body) {
  if (dialect == Dialect::chat) return chat::parse_request(std::move(body));
  if (dialect == Dialect::responses) return responses::parse_request(std::move(body));
  return anthropic::parse_request(std::move(body));
}

Written write_request(Dialect dialect, const Conversation& conversation, const Target& target) {
  if (dialect == Dialect::chat) return chat::write_request(conversation, target);
  if (dialect == Dialect::responses) return responses::write_request(conversation, target);
  return anthropic::write_request(conversation, target);
}

Result<ReadAnswer> parse_answer(Dialect dialect, const std::string& body) {
  if (dialect == Dialect::chat) return chat::parse_answer(body);
  if (dialect == Dialect::responses) return responses::parse_answer(body);
  return anthropic::parse_answer(body);
}

AnswerStyle style_for(const Conversation& request, std::int64_t now_s) {
  AnswerStyle style;
  const Params& p = request.params;
  style.created_s = style.chat.created_s = style.responses.created_s = now_s;
  style.chat.include_usage = p.stream_usage.value_or(false);
  style.responses.tools = tools_json(request.tools);
  style.responses.tool_choice = choice_json(p.tool_choice);
  style.responses.parallel = p.parallel.value_or(true);
  style.responses.max_tokens = p.max_tokens;
  style.responses.temperature = p.temperature;
  style.responses.top_p = p.top_p;
  return style;
}

std::string write_answer(Dialect dialect, const Answer& answer, const AnswerStyle& style,
                         Losses& losses) {
  if (dialect == Dialect::chat) return chat::write_answer(answer, style.chat, losses);
  if (dialect == Dialect::responses) {
    return responses::write_answer(answer, style.responses, losses);
  }
  return anthropic::write_answer(answer, losses);
}

std::unique_ptr<StreamReader> make_reader(Dialect dialect) {
  if (dialect == Dialect::chat) return chat::make_reader();
  if (dialect == Dialect::responses) return responses::make_reader();
  return anthropic::make_reader();
}

std::unique_ptr<StreamWriter> make_writer(Dialect dialect, const AnswerStyle& style) {
  if (dialect == Dialect::chat) return chat::make_writer(style.chat);
  if (dialect == Dialect::responses) return responses::make_writer(style.responses);
  return anthropic::make_writer();
}

}  // namespace keel::msg
