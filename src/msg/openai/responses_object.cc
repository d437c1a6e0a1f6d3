#include "msg/openai/responses_object.h"

#include "msg/openai/part.h"
#include "msg/openai/responses_request.h"

namespace keel::msg::responses {
namespace {

void write_usage(Writer& w, const TokenUsage& usage) {
  w.object().count("input_tokens", usage.prompt());
  w.key("input_tokens_details").object().count("cached_tokens", usage.cache_read).end_object();
  w.count("output_tokens", usage.output).key("output_tokens_details").object();
  w.count("reasoning_tokens", usage.thinking).end_object();
  w.count("total_tokens", usage.prompt() + usage.output).end_object();
}

// The code and words of an error, without the envelope around it.
void write_error(Writer& w, const ApiError& error) {
  const std::string body = error_body(error, Dialect::responses);
  const Doc doc = MUST(Doc::parse(body, "an error"));
  const Value inner = doc.root()["error"];
  w.object().key("code");
  if (inner["code"].empty()) {
    w.string(inner["type"].string());
  } else {
    w.raw(inner["code"].raw());
  }
  w.text("message", error.message).end_object();
}

OutputItem output_item(const Block& block, const std::string& answer_id, int index) {
  OutputItem item;
  if (const auto* text = std::get_if<Text>(&block)) {
    item.text = text->text;
    item.id = text->id;
  } else if (const auto* refusal = std::get_if<Refusal>(&block)) {
    item.kind = BlockKind::refusal;
    item.text = refusal->text;
    item.id = refusal->id;
  } else if (const auto* thinking = std::get_if<Thinking>(&block)) {
    item.kind = BlockKind::thinking;
    item.text = thinking->text;
    item.signature = thinking->signature;
    item.id = thinking->id;
  } else if (const auto* call = std::get_if<ToolCall>(&block)) {
    item.kind = call->kind == CallKind::custom ? BlockKind::custom_call : BlockKind::call;
    item.text = call->arguments.empty() && item.kind == BlockKind::call ? "{}" : call->arguments;
    item.call_id = call->id;
    item.name = call->name;
    item.space = call->space;
    item.id = call->item_id;
  } else if (const auto* opaque = std::get_if<Opaque>(&block)) {
    item.kind = BlockKind::opaque;
    item.data = opaque->json;
  }
  if (item.id.empty()) item.id = item_id(item.kind, answer_id, index);
  return item;
}

}  // namespace

std::string item_id(BlockKind kind, const std::string& answer_id, int index) {
  std::string prefix = "msg_";
  if (kind == BlockKind::thinking || kind == BlockKind::redacted) prefix = "rs_";
  if (kind == BlockKind::call) prefix = "fc_";
  if (kind == BlockKind::custom_call) prefix = "ctc_";
  const std::size_t mark = answer_id.find('_');
  const std::string rest = mark == std::string::npos ? answer_id : answer_id.substr(mark + 1);
  return prefix + rest + "_" + std::to_string(index);
}

std::string item_json(const OutputItem& item, bool done) {
  if (item.kind == BlockKind::opaque) return item.data;
  const std::string_view status = done ? "completed" : "in_progress";
  Writer w;
  w.object().text("id", item.id);
  switch (item.kind) {
    case BlockKind::thinking:
    case BlockKind::redacted:
      w.text("type", "reasoning").key("summary").array();
      if (done && !item.text.empty()) {
        w.object().text("type", "summary_text").text("text", item.text).end_object();
      }
      w.end_array();
      if (done && !item.signature.empty()) w.text("encrypted_content", item.signature);
      break;
    case BlockKind::call:
    case BlockKind::custom_call: {
      const bool custom = item.kind == BlockKind::custom_call;
      w.text("type", custom ? "custom_tool_call" : "function_call").text("status", status);
      w.text(custom ? "input" : "arguments", done ? item.text : "");
      w.text("call_id", item.call_id).text("name", item.name);
      if (!item.space.empty()) w.text("namespace", item.space);
      break;
    }
    default:
      w.text("type", "message").text("status", status).text("role", "assistant");
      w.key("content").array();
      if (done && item.kind == BlockKind::refusal) {
        w.object().text("type", "refusal").text("refusal", item.text).end_object();
      } else if (done) {
        w.object().text("type", "output_text").key("annotations").array().end_array();
        w.text("text", item.text).end_object();
      }
      w.end_array();
  }
  return w.end_object().take();
}

std::string_view status_of(Stop stop) {
  return stop == Stop::max_tokens || stop == Stop::context_full || stop == Stop::refusal
             ? "incomplete"
             : "completed";
}

std::string object_json(const Answer& answer, const Style& style, std::string_view status,
                        const std::vector<std::string>& output,
                        const std::optional<ApiError>& error) {
  Writer w;
  w.object().text("id", answer.id).text("object", "response");
  w.count("created_at", style.created_s).text("status", status).key("background").boolean(false);
  w.key("error");
  if (error) {
    write_error(w, *error);
  } else {
    w.null();
  }
  w.key("incomplete_details");
  if (status == "incomplete") {
    const bool filter = answer.stop == Stop::refusal;
    w.object().text("reason", filter ? "content_filter" : "max_output_tokens").end_object();
  } else {
    w.null();
  }
  w.member("instructions", style.instructions).key("max_output_tokens");
  if (style.max_tokens) {
    w.integer(*style.max_tokens);
  } else {
    w.null();
  }
  w.text("model", answer.model).key("output").array();
  for (const std::string& item : output) w.raw(item);
  w.end_array().key("parallel_tool_calls").boolean(style.parallel);
  w.key("previous_response_id").null();
  w.member("reasoning", R"({"effort":null,"summary":null})").key("store").boolean(false);
  w.key("temperature").number(style.temperature.value_or(1.0));
  w.member("text", R"({"format":{"type":"text"}})").member("tool_choice", style.tool_choice);
  w.member("tools", style.tools).key("top_p").number(style.top_p.value_or(1.0));
  w.text("truncation", "disabled").key("usage");
  if (status == "in_progress") {
    w.null();
  } else {
    write_usage(w, answer.usage);
  }
  return w.key("user").null().member("metadata", "{}").end_object().take();
}

Stop stop_of(const Value& response) {
  const std::string reason = response["incomplete_details"]["reason"].string();
  if (reason == "content_filter") return Stop::refusal;
  if (!reason.empty() || response["status"].string_equals("incomplete")) return Stop::max_tokens;
  return response["status"].string_equals("cancelled") ? Stop::cancelled : Stop::end;
}

Result<ReadAnswer> parse_answer(const std::string& body) {
  const Doc doc = TRY(Doc::parse(body, "the answer"));
  const Value root = doc.root();
  if (!root["output"].is_array() || !root["error"].empty()) {
    return tl::unexpected<Error>(to_error(read_error(200, body)));
  }
  ReadAnswer read;
  Answer& answer = read.answer;
  answer.id = root["id"].string();
  answer.model = root["model"].string();
  std::vector<Item> items;
  std::size_t at = 0;
  for (const Value item : root["output"]) {
    const std::string where = "output." + std::to_string(at++);
    TRY(read_item(item, where, answer.model, items, read.losses));
  }
  bool calls = false;
  bool half = false;
  for (Item& item : items) {
    for (Block& block : item.blocks) {
      if (auto* call = std::get_if<ToolCall>(&block)) {
        const bool whole = call->kind == CallKind::custom || whole_arguments(call->arguments);
        call->complete = call->complete && whole;
        (call->complete ? calls : half) = true;
      }
      answer.item.blocks.push_back(std::move(block));
    }
  }
  answer.stop = stop_of(root);
  if (answer.stop == Stop::end && calls) answer.stop = Stop::tool_calls;
  if (answer.stop == Stop::end && half) answer.stop = Stop::max_tokens;
  openai::read_usage(root["usage"], answer.usage);
  return read;
}

std::string write_answer(Answer answer, const Style& style, Losses& losses) {
  drop_half_calls(answer, losses);
  std::vector<std::string> output;
  int index = 0;
  for (const Block& block : answer.item.blocks) {
    const auto* thinking = std::get_if<Thinking>(&block);
    const auto* opaque = std::get_if<Opaque>(&block);
    OutputItem item = output_item(block, answer.id, index);
    if (opaque != nullptr && opaque->dialect != Dialect::responses) {
      losses.push_back({Lost::opaque, "answer", "only its own dialect knows " + opaque->type});
      continue;
    }
    if (thinking != nullptr && thinking->dialect == Dialect::anthropic) {
      if (!item.signature.empty()) {
        losses.push_back({Lost::signature, "answer", "another dialect's signature"});
      }
      item.signature.clear();
      if (thinking->kind == ThinkingKind::redacted) continue;
    }
    output.push_back(item_json(item, true));
    ++index;
  }
  return object_json(answer, style, status_of(answer.stop), output, std::nullopt);
}

}  // namespace keel::msg::responses
