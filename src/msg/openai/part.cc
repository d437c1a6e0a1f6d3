#include "msg/openai/part.h"

#include <algorithm>

#include "base/limits.h"
#include "msg/repair.h"

namespace keel::msg::openai {
namespace {

// Files are known to the provider they were sent to, by one id in both dialects.
bool own_file(const Wire& wire) {
  return wire.dialect == Dialect::chat || wire.dialect == Dialect::responses;
}

// Why it cannot be a part of its own; "" if it can.
std::string obstacle(const Image& image, Dialect dialect) {
  switch (image.source.from) {
    case Media::From::text:
      return "text is no image";
    case Media::From::file_id:
      if (dialect == Dialect::chat) return "an image cannot be named by a file id here";
      return own_file(image.wire) ? "" : "another provider's file is unknown here";
    default:
      return "";
  }
}

std::string obstacle(const Document& document, Dialect dialect) {
  switch (document.source.from) {
    case Media::From::text:
      return "a text document is written as quoted text";
    case Media::From::file_id:
      return own_file(document.wire) ? "" : "another provider's file is unknown here";
    case Media::From::url:
      return dialect == Dialect::chat ? "a document cannot be named by its address here" : "";
    case Media::From::base64:
      break;
  }
  return "";
}

template <class T>
void settle(T& block, Dialect dialect, bool in_answer, const std::string& where, Losses& losses) {
  if (const auto* image = std::get_if<Image>(&block)) {
    std::string why = obstacle(*image, dialect);
    if (in_answer) why = "an answer holds no images here";
    if (why.empty()) return;
    losses.push_back({Lost::image, where, std::move(why)});
    block = Text{described(*image)};
  } else if (const auto* document = std::get_if<Document>(&block)) {
    std::string why = obstacle(*document, dialect);
    if (in_answer) why = "an answer holds no documents here";
    if (!document->context.empty() && why.empty()) {
      losses.push_back({Lost::document, where + ".context", "a document has no context here"});
    }
    if (why.empty()) return;
    losses.push_back({Lost::document, where, std::move(why)});
    block = Text{described(*document)};
  }
}

}  // namespace

std::string data_url(const Media& media) {
  if (media.from != Media::From::base64) return media.data;
  return "data:" + media.mime + ";base64," + media.data;
}

Media media_of(std::string url) {
  constexpr std::string_view scheme = "data:";
  constexpr std::string_view base64 = ";base64,";
  const std::size_t at = url.find(base64);
  if (url.rfind(scheme, 0) != 0 || at == std::string::npos) {
    return {Media::From::url, std::move(url), ""};
  }
  std::string mime = url.substr(scheme.size(), at - scheme.size());
  return {Media::From::base64, url.substr(at + base64.size()), std::move(mime)};
}

void settle_media(std::vector<Item>& items, Dialect dialect, Losses& losses) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    for (std::size_t b = 0; b < items[i].blocks.size(); ++b) {
      Block& block = items[i].blocks[b];
      const bool in_answer = items[i].role == Role::assistant;
      settle(block, dialect, in_answer, block_path(i, b), losses);
      auto* result = std::get_if<ToolResult>(&block);
      if (result == nullptr) continue;
      for (auto& part : result->parts) settle(part, dialect, false, block_path(i, b), losses);
    }
  }
}

bool prepare(Conversation& c, const Target& target, Dialect dialect, IdForm ids, const Judge& judge,
             Written& written) {
  const std::uint64_t before = mark_of(c);
  Losses& losses = written.losses;
  // A thought that names no model is taken for that of the one the client named.
  const std::string client_model = c.params.model;
  if (!target.model.empty()) c.params.model = target.model;
  settle_opaque(c.items, dialect, losses);
  drop_thinking(c.items, losses, [&](const Thinking& thinking) {
    const std::string& origin = thinking.origin.empty() ? client_model : thinking.origin;
    return judge(thinking, origin == c.params.model);
  });
  if (!target.vision) describe_images(c.items, losses);
  settle_media(c.items, dialect, losses);
  repair(c.items, losses);
  alias_ids(c.items, ids);
  alias_names(c, written.names);
  return mark_of(c) == before;
}

std::string effort_word(const ThinkingWish& wish, Losses& losses) {
  using Mode = ThinkingWish::Mode;
  if (wish.mode == Mode::off) return "none";
  if (wish.mode == Mode::budget) {
    losses.push_back({Lost::parameter, "params.thinking.budget", "a budget is a word here"});
    if (wish.budget <= limits::think_low_tokens) return "low";
    return wish.budget <= limits::think_medium_tokens ? "medium" : "high";
  }
  if (wish.mode == Mode::unset) return "";
  if (wish.effort != "max") return wish.effort;
  losses.push_back({Lost::parameter, "params.thinking.effort", "max is xhigh here"});
  return "xhigh";
}

Result<Tool> function_tool(const Value& function, const std::string& where, Losses& losses) {
  Tool tool;
  tool.name = function["name"].string();
  tool.description = function["description"].string();
  if (tool.name.empty()) return wrong(where + ".name", "is missing");
  const Value parameters = function["parameters"];
  if (parameters.is_object()) {
    tool.schema = Schema::from_text(std::string(parameters.raw()));
  } else if (!parameters.empty()) {
    // One broken tool must not cost the others.
    losses.push_back({Lost::tool, where, "its parameters are no object"});
    tool.name.clear();
  }
  return tool;
}

void read_usage(const Value& usage, TokenUsage& out) {
  const auto number = [&](const Value& from, std::string_view chat, std::string_view responses) {
    const auto n = from[chat].integer();
    return n ? *n : from[responses].integer().value_or(0);
  };
  const Value in = usage["prompt_tokens_details"].empty() ? usage["input_tokens_details"]
                                                          : usage["prompt_tokens_details"];
  const Value made = usage["completion_tokens_details"].empty()
                         ? usage["output_tokens_details"]
                         : usage["completion_tokens_details"];
  const std::int64_t prompt = number(usage, "prompt_tokens", "input_tokens");
  out = {};
  out.cache_read = std::min(prompt, number(in, "cached_tokens", "cached_tokens"));
  out.cache_write =
      std::min(prompt - out.cache_read, number(in, "cache_write_tokens", "cache_creation_tokens"));
  out.input = prompt - out.cache_read - out.cache_write;
  out.output = number(usage, "completion_tokens", "output_tokens");
  out.thinking = number(made, "reasoning_tokens", "reasoning_tokens");
}

}  // namespace keel::msg::openai
