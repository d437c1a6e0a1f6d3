#include "msg/anthropic/answer.h"

#include <array>
#include <map>

#include "msg/anthropic/block.h"

namespace keel::msg::anthropic {
namespace {

constexpr std::array<std::pair<Stop, std::string_view>, 8> stop_words{{
    {Stop::end, "end_turn"},
    {Stop::tool_calls, "tool_use"},
    {Stop::max_tokens, "max_tokens"},
    {Stop::stop_sequence, "stop_sequence"},
    {Stop::refusal, "refusal"},
    {Stop::pause, "pause_turn"},
    {Stop::context_full, "model_context_window_exceeded"},
    {Stop::cancelled, "end_turn"},
}};

std::string_view stop_word(Stop stop) {
  for (const auto& [value, word] : stop_words) {
    if (value == stop) return word;
  }
  return "end_turn";
}

Stop read_stop(std::string_view word) {
  for (const auto& [value, name] : stop_words) {
    if (name == word) return value;
  }
  return Stop::end;
}

void read_usage(const Value& usage, TokenUsage& out) {
  const auto take = [&](std::string_view key, std::int64_t& to) {
    if (const auto n = usage[key].integer()) to = *n;
  };
  take("input_tokens", out.input);
  take("cache_read_input_tokens", out.cache_read);
  take("cache_creation_input_tokens", out.cache_write);
  take("output_tokens", out.output);
  if (const auto hour = usage["cache_creation"]["ephemeral_1h_input_tokens"].integer()) {
    out.cache_write_1h = *hour;
  }
}

void write_usage(Writer& w, const TokenUsage& usage) {
  w.object().count("input_tokens", usage.input);
  w.count("cache_creation_input_tokens", usage.cache_write);
  w.count("cache_read_input_tokens", usage.cache_read);
  w.key("cache_creation").object();
  w.count("ephemeral_5m_input_tokens", usage.cache_write - usage.cache_write_1h);
  w.count("ephemeral_1h_input_tokens", usage.cache_write_1h).end_object();
  w.count("output_tokens", usage.output).end_object();
}

void write_stop(Writer& w, Stop stop, const std::string& sequence) {
  w.text("stop_reason", stop_word(stop)).key("stop_sequence");
  if (stop == Stop::stop_sequence) {
    w.string(sequence);
  } else {
    w.null();
  }
}

class EventReader : public StreamReader {
 protected:
  void event(const std::string& name, const Value& data) override {
    const std::string type = data["type"].is_string() ? data["type"].string() : name;
    const int key = static_cast<int>(data["index"].integer().value_or(0) & 0xffff);
    if (type == "message_start") {
      const Value message = data["message"];
      TokenUsage usage;
      read_usage(message["usage"], usage);
      to_.start(message["id"].string(), message["model"].string(), usage);
    } else if (type == "content_block_start") {
      open(key, data["content_block"]);
    } else if (type == "content_block_delta") {
      delta(key, data["delta"]);
    } else if (type == "content_block_stop") {
      close(key);
    } else if (type == "message_delta") {
      const Value stop = data["delta"]["stop_reason"];
      if (stop.is_string()) {
        stop_ = read_stop(stop.string());
        sequence_ = data["delta"]["stop_sequence"].string();
        stopped_ = true;
      }
      TokenUsage usage = to_.usage();
      read_usage(data["usage"], usage);
      to_.usage(usage);
    } else if (type == "message_stop") {
      to_.end(stop_, sequence_);
    } else if (type == "ping") {
      to_.progress(0, 0);
    }
    // Kinds of event that are not known yet are to be passed over, says the API's own page.
  }

  void at_end(bool) override {
    if (stopped_) to_.end(stop_, sequence_);
  }

 private:
  // A block of a kind that only this dialect knows, until it is whole.
  struct Held {
    std::string json;
    std::string type;
    std::string input;
  };

  void open(int key, const Value& block) {
    const std::string type = block["type"].string();
    BlockOpen open;
    open.dialect = here;
    if (type == "text") {
      to_.open(key, open);
      to_.delta(key, DeltaKind::text, block["text"].string());
    } else if (type == "thinking") {
      open.kind = BlockKind::thinking;
      to_.open(key, open);
      to_.delta(key, DeltaKind::thinking, block["thinking"].string());
      to_.delta(key, DeltaKind::signature, block["signature"].string());
    } else if (type == "redacted_thinking") {
      open.kind = BlockKind::redacted;
      open.data = block["data"].string();
      to_.open(key, open);
    } else if (type == "tool_use") {
      open.kind = BlockKind::call;
      open.id = block["id"].string();
      open.name = block["name"].string();
      to_.open(key, open);
      // Some servers put the arguments here and send no delta.
      if (block["input"].is_object() && block["input"].size() > 0) {
        inputs_[key] = block["input"].raw();
      }
    } else {
      held_[key] = {std::string(block.raw()), type, ""};
    }
  }

  void delta(int key, const Value& delta) {
    const std::string type = delta["type"].string();
    if (const auto it = held_.find(key); it != held_.end()) {
      it->second.input += delta["partial_json"].string();
      if (type != "input_json_delta") lose(Lost::opaque, "a " + type + " was passed over");
    } else if (type == "text_delta") {
      to_.delta(key, DeltaKind::text, delta["text"].string());
    } else if (type == "thinking_delta") {
      to_.delta(key, DeltaKind::thinking, delta["thinking"].string());
    } else if (type == "signature_delta") {
      to_.delta(key, DeltaKind::signature, delta["signature"].string());
    } else if (type == "input_json_delta") {
      const std::string bytes = delta["partial_json"].string();
      if (!bytes.empty()) inputs_.erase(key);
      to_.delta(key, DeltaKind::arguments, bytes);
    } else {
      lose(Lost::extra, "a " + type + " was passed over");
    }
  }

  void close(int key) {
    if (const auto it = held_.find(key); it != held_.end()) {
      if (it->second.type.empty()) {
        lose(Lost::opaque, "a block without a type was passed over");
        held_.erase(it);
        return;
      }
      BlockOpen open;
      open.kind = BlockKind::opaque;
      open.dialect = here;
      open.name = it->second.type;
      open.data = with_input(it->second);
      to_.open(key, open);
      held_.erase(it);
    } else if (const auto input = inputs_.find(key); input != inputs_.end()) {
      to_.delta(key, DeltaKind::arguments, input->second);
      inputs_.erase(input);
    }
    to_.close(key);
  }

  static std::string with_input(const Held& held) {
    if (!whole_arguments(held.input)) return held.json;
    const Result<Doc> doc = Doc::parse(held.json, "a block");
    if (!doc) return held.json;
    Writer w;
    w.object();
    for (const Value member : doc->root()) {
      if (member.key() != "input") w.member(member.key(), member.raw());
    }
    return w.member("input", held.input).end_object().take();
  }

  Stop stop_ = Stop::end;
  std::string sequence_;
  bool stopped_ = false;
  std::map<int, Held> held_;
  std::map<int, std::string> inputs_;
};

class EventWriter : public StreamWriter {
 public:
  void event(const StreamEvent& event, std::string& out) override {
    out_ = &out;
    std::visit([this](const auto& e) { on(e); }, event);
  }

 private:
  void send(std::string_view name, Writer& w) { append_sse(*out_, name, w.end_object().str()); }
  static Writer begin(std::string_view type) {
    Writer w;
    w.object().text("type", type);
    return w;
  }

  void on(const Start& e) {
    Writer w = begin("message_start");
    w.key("message").object().text("id", e.id).text("type", "message").text("role", "assistant");
    w.text("model", e.model).key("content").array().end_array();
    w.key("stop_reason").null().key("stop_sequence").null().key("usage");
    write_usage(w, e.usage);
    w.end_object();
    send("message_start", w);
    on(Progress{});
  }

  void on(const Progress&) {
    Writer w = begin("ping");
    send("ping", w);
  }

  void on(const BlockOpen& e) {
    open_ = e;
    sent_ = false;
    custom_.clear();
    const bool foreign = e.dialect != here;
    skipped_ = foreign && (e.kind == BlockKind::redacted || e.kind == BlockKind::opaque);
    if (skipped_) {
      lose(Lost::opaque, "a block that only its own dialect knows was left out");
      return;
    }
    ++index_;
    Writer w = begin("content_block_start");
    w.count("index", index_).key("content_block");
    switch (e.kind) {
      case BlockKind::thinking:
        w.object().text("type", "thinking").text("thinking", "").text("signature", "");
        w.end_object();
        break;
      case BlockKind::redacted:
        w.object().text("type", "redacted_thinking").text("data", e.data).end_object();
        break;
      case BlockKind::call:
      case BlockKind::custom_call:
        w.object().text("type", "tool_use").text("id", id_alias(e.id, IdForm::anthropic));
        w.text("name", e.name).key("input").object().end_object().end_object();
        break;
      case BlockKind::opaque:
        w.raw(e.data);
        break;
      case BlockKind::refusal:
        lose(Lost::refusal, "a refusal is written as text");
        [[fallthrough]];
      case BlockKind::text:
        w.object().text("type", "text").text("text", "").end_object();
        break;
    }
    send("content_block_start", w);
  }

  void delta(std::string_view type, std::string_view key, std::string_view text) {
    Writer w = begin("content_block_delta");
    w.count("index", index_).key("delta").object().text("type", type).text(key, text);
    w.end_object();
    send("content_block_delta", w);
  }

  void on(const Delta& e) {
    if (skipped_) return;
    switch (e.kind) {
      case DeltaKind::text:
      case DeltaKind::refusal:
        return delta("text_delta", "text", e.text);
      case DeltaKind::thinking:
        return delta("thinking_delta", "thinking", e.text);
      case DeltaKind::signature:
        if (open_.dialect == here || open_.dialect == Dialect::none) {
          return delta("signature_delta", "signature", e.text);
        }
        return lose(Lost::signature, "another dialect's signature was left out");
      case DeltaKind::arguments:
        if (open_.kind == BlockKind::custom_call) {
          custom_ += e.text;
        } else {
          sent_ = true;
          delta("input_json_delta", "partial_json", e.text);
        }
    }
  }

  void on(const BlockClose&) {
    if (skipped_) return;
    if (open_.kind == BlockKind::custom_call) {
      lose(Lost::call_kind, "a freeform call is a function call with one text");
      delta("input_json_delta", "partial_json", "{\"input\":" + json_quoted(custom_) + "}");
    } else if (open_.kind == BlockKind::call && !sent_) {
      // Without a delta some clients make a block that has no input at all.
      delta("input_json_delta", "partial_json", "{}");
    }
    Writer w = begin("content_block_stop");
    w.count("index", index_);
    send("content_block_stop", w);
  }

  void on(const End& e) {
    if (e.stop == Stop::cancelled) lose(Lost::stop_reason, "cancelled is said as end_turn");
    Writer w = begin("message_delta");
    w.key("delta").object();
    write_stop(w, e.stop, e.stop_sequence);
    w.end_object().key("usage");
    write_usage(w, e.usage);
    send("message_delta", w);
    Writer stop = begin("message_stop");
    send("message_stop", stop);
  }

  void on(const StreamError& e) { append_sse(*out_, "error", error_body(e.error, here)); }

  std::string* out_ = nullptr;
  int index_ = -1;
  BlockOpen open_;
  bool sent_ = false;
  bool skipped_ = false;
  std::string custom_;
};

}  // namespace

Result<ReadAnswer> parse_answer(const std::string& body) {
  const Doc doc = TRY(Doc::parse(body, "the answer"));
  const Value root = doc.root();
  if (root["type"].string_equals("error") || !root["content"].is_array()) {
    return tl::unexpected<Error>(to_error(read_error(200, body)));
  }
  ReadAnswer read;
  Answer& answer = read.answer;
  answer.id = root["id"].string();
  answer.model = root["model"].string();
  std::size_t at = 0;
  for (const Value block : root["content"]) {
    const std::string where = "content." + std::to_string(at++);
    answer.item.blocks.push_back(TRY(read_block(block, where, answer.model, read.losses)));
  }
  answer.stop = read_stop(root["stop_reason"].string());
  answer.stop_sequence = root["stop_sequence"].string();
  read_usage(root["usage"], answer.usage);
  return read;
}

std::string write_answer(Answer answer, Losses& losses) {
  drop_half_calls(answer, losses);
  std::vector<Item> items{std::move(answer.item)};
  settle_opaque(items, here, losses);
  alias_ids(items, IdForm::anthropic);
  Writer w;
  w.object().text("id", answer.id).text("type", "message").text("role", "assistant");
  w.text("model", answer.model).key("content").array();
  const Target target;
  for (std::size_t b = 0; b < items[0].blocks.size(); ++b) {
    Block block = items[0].blocks[b];
    if (auto* thinking = std::get_if<Thinking>(&block);
        thinking != nullptr && thinking->dialect != here && thinking->dialect != Dialect::none) {
      losses.push_back({Lost::signature, block_path(0, b), "another dialect's signature"});
      if (thinking->kind == ThinkingKind::redacted) continue;
      thinking->signature.clear();
    }
    write_block(w, block, target, block_path(0, b), losses);
  }
  w.end_array();
  write_stop(w, answer.stop, answer.stop_sequence);
  w.key("usage");
  write_usage(w, answer.usage);
  return w.end_object().take();
}

std::unique_ptr<StreamReader> make_reader() {
  return std::make_unique<EventReader>();
}
std::unique_ptr<StreamWriter> make_writer() {
  return std::make_unique<EventWriter>();
}

}  // namespace keel::msg::anthropic
