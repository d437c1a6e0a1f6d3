#include "msg/openai/chat_answer.h"

#include <algorithm>
#include <array>
#include <list>

#include "msg/openai/part.h"

namespace keel::msg::chat {
namespace {

constexpr std::array<std::pair<Stop, std::string_view>, 8> finish_words{{
    {Stop::end, "stop"},
    {Stop::tool_calls, "tool_calls"},
    {Stop::max_tokens, "length"},
    {Stop::refusal, "content_filter"},
    {Stop::stop_sequence, "stop"},
    {Stop::pause, "stop"},
    {Stop::context_full, "length"},
    {Stop::cancelled, "stop"},
}};

std::string_view finish_word(Stop stop) {
  for (const auto& [value, word] : finish_words) {
    if (value == stop) return word;
  }
  return "stop";
}

Stop read_finish(std::string_view word) {
  if (word == "function_call") return Stop::tool_calls;
  if (word == "max_tokens") return Stop::max_tokens;
  for (const auto& [value, name] : finish_words) {
    if (name == word) return value;
  }
  return Stop::end;
}

bool says_less(Stop stop) {
  return stop == Stop::stop_sequence || stop == Stop::pause || stop == Stop::context_full ||
         stop == Stop::cancelled;
}

void write_usage(Writer& w, const TokenUsage& usage) {
  w.object().count("prompt_tokens", usage.prompt());
  w.count("completion_tokens", usage.output).count("total_tokens", usage.prompt() + usage.output);
  w.key("prompt_tokens_details").object().count("cached_tokens", usage.cache_read).end_object();
  w.key("completion_tokens_details").object().count("reasoning_tokens", usage.thinking);
  w.end_object().end_object();
}

std::string thought_of(const Value& delta) {
  for (const std::string_view key : {"reasoning_content", "reasoning"}) {
    if (delta[key].is_string()) return delta[key].string();
  }
  return {};
}

class ChunkReader : public StreamReader {
 protected:
  void event(const std::string&, const Value& data) override {
    if (!to_.started() && (data["id"] || data["choices"])) {
      to_.start(data["id"].string(), data["model"].string(), {});
    }
    if (data["usage"].is_object()) {
      TokenUsage usage;
      openai::read_usage(data["usage"], usage);
      to_.usage(usage);
    }
    for (const Value choice : data["choices"]) {
      if (choice["index"].integer().value_or(0) != 0) {
        lose(Lost::extra, "a second answer was passed over");
        continue;
      }
      const Value delta = choice["delta"];
      to_.write(DeltaKind::thinking, thought_of(delta));
      to_.write(DeltaKind::text, delta["content"].string());
      to_.write(DeltaKind::refusal, delta["refusal"].string());
      for (const Value call : delta["tool_calls"]) piece(call);
      if (!delta["function_call"].empty()) {
        lose(Lost::extra, "a call in the form before tool_calls was passed over");
      }
      if (choice["finish_reason"].is_string()) {
        finished_ = true;
        stop_ = read_finish(choice["finish_reason"].string());
        if (choice["finish_reason"].string_equals("error")) {
          to_.error({Fault::api, "the server ended the answer with an error"});
        }
      }
    }
  }

  // The usage comes after the reason to stop, so the end is the stream's own.
  void at_end(bool marked) override {
    if (!marked && !finished_) return;
    for (Call& call : calls_) {
      if (!call.open) lose(Lost::half_call, "a call without a name was left out");
    }
    to_.end(stop_);
  }

 private:
  struct Call {
    std::int64_t index = -1;
    std::string id;
    std::string name;
    std::string waiting;    // arguments that came before the name
    std::string arguments;  // all of them
    int key = 0;
    bool open = false;
  };

  // Which call a piece belongs to. Some servers leave the index out, some give every call the same.
  Call& call_for(const Value& piece, const std::string& id, const std::string& name) {
    const std::optional<std::int64_t> index = piece["index"].integer();
    Call* found = nullptr;
    for (Call& call : calls_) {
      if (!index || call.index == *index) found = &call;
    }
    const bool other_id = found != nullptr && !id.empty() && !found->id.empty() && id != found->id;
    const bool again = found != nullptr && !name.empty() && found->open &&
                       (id.empty() || found->id.empty()) &&
                       (!index || whole_arguments(found->arguments));
    if (found != nullptr && !other_id && !again) return *found;
    Call call;
    call.index = index.value_or(-1);
    call.key = static_cast<int>(calls_.size());
    calls_.push_back(std::move(call));
    return calls_.back();
  }

  void piece(const Value& value) {
    const bool custom = !value["custom"].empty();
    const Value body = custom ? value["custom"] : value["function"];
    const std::string id = value["id"].string();
    const std::string name = body["name"].string();
    Call& call = call_for(value, id, name);
    if (call.id.empty()) call.id = id;
    if (!call.open) call.name += name;
    const Value raw = body[custom ? "input" : "arguments"];
    // An object in the place of its text, as some servers send it.
    const std::string bytes = raw.is_object() ? std::string(raw.raw()) : raw.string();
    call.arguments += bytes;
    if (!call.open && call.name.empty()) {
      call.waiting += bytes;
      return;
    }
    if (!call.open) {
      call.open = true;
      BlockOpen open;
      open.kind = custom ? BlockKind::custom_call : BlockKind::call;
      open.id = call.id.empty() ? "call_" + std::to_string(call.key) : call.id;
      open.name = call.name;
      to_.open(call.key, std::move(open));
      to_.delta(call.key, DeltaKind::arguments, call.waiting);
    }
    to_.delta(call.key, DeltaKind::arguments, bytes);
  }

  std::list<Call> calls_;
  Stop stop_ = Stop::end;
  bool finished_ = false;
};

class ChunkWriter : public StreamWriter {
 public:
  explicit ChunkWriter(Style style) : style_(std::move(style)) {}

  void event(const StreamEvent& event, std::string& out) override {
    out_ = &out;
    std::visit([this](const auto& e) { on(e); }, event);
  }

 private:
  Writer begin() {
    Writer w;
    w.object().text("id", id_).text("object", "chat.completion.chunk");
    w.count("created", style_.created_s).text("model", model_).key("choices").array();
    return w;
  }
  void send(Writer& w) { append_sse(*out_, "", w.str()); }

  // One chunk with this as its delta.
  void chunk(std::string_view delta, std::string_view finish = {}) {
    Writer w = begin();
    w.object().count("index", 0).member("delta", delta).key("logprobs").null();
    w.key("finish_reason");
    if (finish.empty()) {
      w.null();
    } else {
      w.string(finish);
    }
    w.end_object().end_array();
    if (style_.include_usage) w.key("usage").null();
    w.end_object();
    send(w);
  }
  void text_chunk(std::string_view key, std::string_view text) {
    Writer delta;
    delta.object().text(key, text).end_object();
    chunk(delta.str());
  }

  void on(const Start& e) {
    id_ = e.id;
    model_ = e.model;
    chunk(R"({"role":"assistant","content":"","refusal":null})");
  }
  // A chunk that adds nothing: what is only a comment does not count as a sign of life.
  void on(const Progress&) { chunk("{}"); }

  void on(const BlockOpen& e) {
    kind_ = e.kind;
    if (e.kind == BlockKind::redacted || e.kind == BlockKind::opaque) {
      lose(e.kind == BlockKind::redacted ? Lost::thinking : Lost::opaque,
           "a block that has no form here was left out");
    }
    if (e.kind != BlockKind::call && e.kind != BlockKind::custom_call) return;
    ++call_;
    sent_ = false;
    const bool custom = e.kind == BlockKind::custom_call;
    Writer delta;
    delta.object().key("tool_calls").array().object().count("index", call_);
    delta.text("id", e.id).text("type", custom ? "custom" : "function");
    delta.key(custom ? "custom" : "function").object().text("name", e.name);
    delta.text(custom ? "input" : "arguments", "").end_object();
    delta.end_object().end_array().end_object();
    chunk(delta.str());
  }

  void arguments(std::string_view text) {
    sent_ = true;
    const bool custom = kind_ == BlockKind::custom_call;
    Writer delta;
    delta.object().key("tool_calls").array().object().count("index", call_);
    delta.key(custom ? "custom" : "function").object();
    delta.text(custom ? "input" : "arguments", text).end_object();
    delta.end_object().end_array().end_object();
    chunk(delta.str());
  }

  void on(const Delta& e) {
    switch (e.kind) {
      case DeltaKind::text:
        return text_chunk("content", e.text);
      case DeltaKind::refusal:
        return text_chunk("refusal", e.text);
      case DeltaKind::thinking:
        if (!style_.reasoning_key.empty()) return text_chunk(style_.reasoning_key, e.text);
        return lose(Lost::thinking, "a thought was left out");
      case DeltaKind::signature:
        return lose(Lost::signature, "a thought has no signature here");
      case DeltaKind::arguments:
        return arguments(e.text);
    }
  }

  void on(const BlockClose&) {
    if (kind_ == BlockKind::call && !sent_) arguments("{}");
  }

  void on(const End& e) {
    if (says_less(e.stop)) lose(Lost::stop_reason, std::string(stop_name(e.stop)) + " has no word");
    chunk("{}", finish_word(e.stop));
    if (style_.include_usage) {
      Writer w = begin();
      w.end_array().key("usage");
      write_usage(w, e.usage);
      w.end_object();
      send(w);
    }
    append_sse(*out_, "", "[DONE]");
  }

  void on(const StreamError& e) { append_sse(*out_, "", error_body(e.error, Dialect::chat)); }

  Style style_;
  std::string* out_ = nullptr;
  std::string id_;
  std::string model_;
  BlockKind kind_ = BlockKind::text;
  int call_ = -1;
  bool sent_ = false;
};

}  // namespace

Result<ReadAnswer> parse_answer(const std::string& body) {
  const Doc doc = TRY(Doc::parse(body, "the answer"));
  const Value root = doc.root();
  Value choice;
  for (const Value one : root["choices"]) {
    choice = one;
    break;
  }
  const Value message = choice["message"];
  if (!message.is_object()) return tl::unexpected<Error>(to_error(read_error(200, body)));
  Sequencer to;
  TokenUsage usage;
  openai::read_usage(root["usage"], usage);
  to.start(root["id"].string(), root["model"].string(), usage);
  to.write(DeltaKind::thinking, thought_of(message));
  to.write(DeltaKind::text, message["content"].string());
  for (const Value part : message["content"]) {
    to.write(DeltaKind::text, part["text"].string());
  }
  to.write(DeltaKind::refusal, message["refusal"].string());
  int key = 0;
  for (const Value call : message["tool_calls"]) {
    const bool custom = !call["custom"].empty();
    const Value inner = custom ? call["custom"] : call["function"];
    BlockOpen open;
    open.kind = custom ? BlockKind::custom_call : BlockKind::call;
    open.id = call["id"].string();
    if (open.id.empty()) open.id = "call_" + std::to_string(key);
    open.name = inner["name"].string();
    const Value raw = inner[custom ? "input" : "arguments"];
    to.open(key, std::move(open));
    to.delta(key, DeltaKind::arguments, raw.is_object() ? std::string(raw.raw()) : raw.string());
    ++key;
  }
  to.end(read_finish(choice["finish_reason"].string()));
  Collector collector;
  for (const StreamEvent& event : to.take()) collector.event(event);
  if (collector.error()) return tl::unexpected<Error>(to_error(*collector.error()));
  ReadAnswer read{collector.answer(), to.take_losses()};
  if (root["choices"].size() > 1) {
    read.losses.push_back({Lost::extra, "answer", "a second answer was passed over"});
  }
  return read;
}

namespace {

// An answer's blocks, sorted into the members that a message has here.
struct Message {
  std::string text;
  std::string refusal;
  std::string thoughts;
  Writer calls;
  bool any_call = false;
};

void add_call(Message& message, const ToolCall& call) {
  const bool custom = call.kind == CallKind::custom;
  message.any_call = true;
  Writer& w = message.calls;
  w.object().text("id", call.id).text("type", custom ? "custom" : "function");
  w.key(custom ? "custom" : "function").object().text("name", call.name);
  w.text(custom ? "input" : "arguments", call.arguments.empty() && !custom ? "{}" : call.arguments);
  w.end_object().end_object();
}

void sort_into(Message& message, const Item& item, Losses& losses) {
  message.calls.array();
  for (std::size_t b = 0; b < item.blocks.size(); ++b) {
    const std::string where = block_path(0, b);
    const Block& block = item.blocks[b];
    if (const auto* text = std::get_if<Text>(&block)) {
      if (message.any_call) losses.push_back({Lost::order, where, "text comes before calls here"});
      message.text += text->text;
    } else if (const auto* refusal = std::get_if<Refusal>(&block)) {
      message.refusal += refusal->text;
    } else if (const auto* thinking = std::get_if<Thinking>(&block)) {
      if (!thinking->signature.empty()) {
        losses.push_back({Lost::signature, where, "a thought has no signature here"});
      }
      message.thoughts += thinking->text;
    } else if (const auto* call = std::get_if<ToolCall>(&block)) {
      add_call(message, *call);
    } else {
      losses.push_back({Lost::opaque, where, "a block that has no form here"});
    }
  }
  message.calls.end_array();
}

}  // namespace

std::string write_answer(Answer answer, const Style& style, Losses& losses) {
  drop_half_calls(answer, losses);
  Message message;
  sort_into(message, answer.item, losses);
  Writer w;
  w.object().text("id", answer.id).text("object", "chat.completion");
  w.count("created", style.created_s).text("model", answer.model).key("choices").array().object();
  w.count("index", 0).key("message").object().text("role", "assistant");
  const auto text_or_null = [&](std::string_view key, const std::string& text, bool null) {
    w.key(key);
    if (null) {
      w.null();
    } else {
      w.string(text);
    }
  };
  text_or_null("content", message.text,
               message.text.empty() && (message.any_call || !message.refusal.empty()));
  text_or_null("refusal", message.refusal, message.refusal.empty());
  if (!message.thoughts.empty() && style.reasoning_key.empty()) {
    losses.push_back({Lost::thinking, "answer", "a thought was left out"});
  } else if (!message.thoughts.empty()) {
    w.text(style.reasoning_key, message.thoughts);
  }
  if (message.any_call) w.member("tool_calls", message.calls.str());
  if (says_less(answer.stop)) {
    losses.push_back({Lost::stop_reason, "answer", std::string(stop_name(answer.stop))});
  }
  w.end_object().key("logprobs").null().text("finish_reason", finish_word(answer.stop));
  w.end_object().end_array().key("usage");
  write_usage(w, answer.usage);
  return w.end_object().take();
}

std::unique_ptr<StreamReader> make_reader() {
  return std::make_unique<ChunkReader>();
}
std::unique_ptr<StreamWriter> make_writer(Style style) {
  return std::make_unique<ChunkWriter>(std::move(style));
}

}  // namespace keel::msg::chat
