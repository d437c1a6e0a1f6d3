#include "msg/openai/responses_answer.h"

#include <algorithm>
#include <map>
#include <set>

#include "msg/openai/part.h"
#include "msg/openai/responses_object.h"

namespace keel::msg::responses {
namespace {

constexpr int parts_of_item = 1000;  // keys of blocks: item by item, part by part

class EventReader : public StreamReader {
 protected:
  void event(const std::string& name, const Value& data) override {
    const std::string type = data["type"].is_string() ? data["type"].string() : name;
    item_ = static_cast<int>(data["output_index"].integer().value_or(0) & 0x3fff);
    const int part = static_cast<int>(data["content_index"].integer().value_or(0)) % 500;
    const int key = item_ * parts_of_item + std::max(part, 0);
    if (type == "response.created" || type == "response.in_progress") {
      to_.start(data["response"]["id"].string(), data["response"]["model"].string(), {});
      if (type == "response.in_progress") to_.progress(0, 0);
    } else if (type == "response.output_item.added") {
      added(data["item"]);
    } else if (type == "response.output_text.delta") {
      words(key, BlockKind::text, DeltaKind::text, data["delta"].string());
    } else if (type == "response.output_text.done") {
      rest(key, BlockKind::text, DeltaKind::text, data["text"].string());
    } else if (type == "response.refusal.delta") {
      words(key, BlockKind::refusal, DeltaKind::refusal, data["delta"].string());
    } else if (type == "response.refusal.done") {
      rest(key, BlockKind::refusal, DeltaKind::refusal, data["refusal"].string());
    } else if (type == "response.reasoning_summary_text.delta" ||
               type == "response.reasoning_text.delta") {
      thought(data);
    } else if (type == "response.function_call_arguments.delta" ||
               type == "response.custom_tool_call_input.delta") {
      with_text_.insert(base());
      to_.delta(base(), DeltaKind::arguments, data["delta"].string());
    } else if (type == "response.function_call_arguments.done") {
      arguments(data["arguments"].string());
    } else if (type == "response.custom_tool_call_input.done") {
      arguments(data["input"].string());
    } else if (type == "response.output_item.done") {
      done(data["item"]);
    } else if (type == "response.completed" || type == "response.incomplete" ||
               type == "response.failed" || type == "response.cancelled") {
      finished(data["response"]);
    } else if (type == "keepalive") {
      to_.progress(0, 0);
    }
  }

 private:
  int base() const { return item_ * parts_of_item; }

  void added(const Value& item) {
    const std::string type = item["type"].string();
    ids_[item_] = item["id"].string();
    if (type == "function_call" || type == "custom_tool_call") call(item);
  }

  void call(const Value& item) {
    if (to_.known(base())) return;
    const bool custom = item["type"].string_equals("custom_tool_call");
    BlockOpen open;
    open.kind = custom ? BlockKind::custom_call : BlockKind::call;
    open.id = item["call_id"].string();
    if (open.id.empty()) open.id = item["id"].string();
    open.name = item["name"].string();
    open.space = item["namespace"].string();
    open.dialect = Dialect::responses;
    to_.open(base(), std::move(open));
  }

  void words(int key, BlockKind kind, DeltaKind delta, const std::string& text) {
    if (!to_.known(key)) {
      BlockOpen open;
      open.kind = kind;
      open.id = ids_[item_];
      open.dialect = Dialect::responses;
      to_.open(key, std::move(open));
    }
    if (!text.empty()) with_text_.insert(key);
    to_.delta(key, delta, text);
  }

  // Some servers say in the end what they did not say piece by piece.
  void rest(int key, BlockKind kind, DeltaKind delta, const std::string& text) {
    if (with_text_.count(key) == 0 && !text.empty()) words(key, kind, delta, text);
  }

  void arguments(const std::string& text) {
    if (text.empty() || !with_text_.insert(base()).second) return;
    to_.delta(base(), DeltaKind::arguments, text);
  }

  void thought(const Value& data) {
    const std::int64_t part =
        data["summary_index"].integer().value_or(data["content_index"].integer().value_or(0));
    const auto [last, first] = parts_.try_emplace(item_, part);
    if (!first && last->second != part)
      words(base(), BlockKind::thinking, DeltaKind::thinking, "\n\n");
    last->second = part;
    words(base(), BlockKind::thinking, DeltaKind::thinking, data["delta"].string());
  }

  void done(const Value& item) {
    const std::string type = item["type"].string();
    if (!ended_.insert(item_).second) return;
    if (ids_[item_].empty()) ids_[item_] = item["id"].string();
    if (type == "message") {
      int part = 0;
      for (const Value content : item["content"]) {
        const int key = base() + part++;
        const bool refusal = content["type"].string_equals("refusal");
        rest(key, refusal ? BlockKind::refusal : BlockKind::text,
             refusal ? DeltaKind::refusal : DeltaKind::text,
             content[refusal ? "refusal" : "text"].string());
        to_.close(key);
      }
    } else if (type == "function_call" || type == "custom_tool_call") {
      call(item);
      arguments(item[type == "custom_tool_call" ? "input" : "arguments"].string());
      if (item["status"].string_equals("incomplete")) {
        to_.abandon(base());
      } else {
        to_.close(base());
      }
    } else if (type == "reasoning") {
      reasoning(item);
    } else if (!type.empty()) {
      BlockOpen open;
      open.kind = BlockKind::opaque;
      open.dialect = Dialect::responses;
      open.name = type;
      open.data = item.raw();
      to_.open(base(), std::move(open));
      to_.close(base());
    }
  }

  void reasoning(const Value& item) {
    const bool full = item["content"].size() > 0;
    std::string text;
    for (const Value part : item[full ? "content" : "summary"]) {
      if (!text.empty()) text += "\n\n";
      text += part["text"].string();
    }
    rest(base(), BlockKind::thinking, DeltaKind::thinking, text);
    // The encrypted thought must come back even where nothing of it was shown.
    words(base(), BlockKind::thinking, DeltaKind::signature, item["encrypted_content"].string());
    to_.close(base());
  }

  void finished(const Value& response) {
    to_.start(response["id"].string(), response["model"].string(), {});
    if (response["usage"].is_object()) {
      TokenUsage usage;
      openai::read_usage(response["usage"], usage);
      to_.usage(usage);
    }
    if (response["status"].string_equals("failed") || !response["error"].empty()) {
      const Value error = response["error"];
      to_.error(read_error(0, error.empty() ? "{}" : std::string(error.raw())));
      return;
    }
    int index = 0;
    for (const Value item : response["output"]) {
      item_ = index++;
      done(item);
    }
    to_.end(stop_of(response));
  }

  int item_ = 0;
  std::map<int, std::string> ids_;
  std::map<int, std::int64_t> parts_;  // of a thought, the one that is being written
  std::set<int> with_text_;
  std::set<int> ended_;
};

class EventWriter : public StreamWriter {
 public:
  explicit EventWriter(Style style) : style_(std::move(style)) {}

  void event(const StreamEvent& event, std::string& out) override {
    out_ = &out;
    std::visit([this](const auto& e) { on(e); }, event);
  }

 private:
  Writer begin(std::string_view type) {
    Writer w;
    w.object().text("type", type).count("sequence_number", sequence_++);
    return w;
  }
  void send(std::string_view type, Writer& w) { append_sse(*out_, type, w.end_object().str()); }

  void whole(std::string_view type, std::string_view status,
             const std::optional<ApiError>& error = {}) {
    Writer w = begin(type);
    w.member("response", object_json(answer_, style_, status, output_, error));
    send(type, w);
  }

  // An event about the item in hand.
  Writer about(std::string_view type) {
    Writer w = begin(type);
    w.text("item_id", item_.id).count("output_index", index_);
    return w;
  }
  void item_event(std::string_view type, bool done) {
    Writer w = begin(type);
    w.count("output_index", index_).member("item", item_json(item_, done));
    send(type, w);
  }

  void on(const Start& e) {
    answer_.id = e.id;
    answer_.model = e.model;
    answer_.usage = e.usage;
    started_ = true;
    whole("response.created", "in_progress");
    whole("response.in_progress", "in_progress");
  }
  // Repeated, for silence makes clients give up.
  void on(const Progress&) {
    if (started_) whole("response.in_progress", "in_progress");
  }

  bool text_like() const {
    return item_.kind == BlockKind::text || item_.kind == BlockKind::refusal;
  }

  void on(const BlockOpen& e) {
    const bool foreign = e.dialect != Dialect::responses;
    const bool sealed = e.kind == BlockKind::redacted || e.kind == BlockKind::opaque;
    skipped_ = sealed && foreign;
    dialect_ = e.dialect;
    if (skipped_) return lose(Lost::opaque, "a block that only its own dialect knows");
    ++index_;
    item_ = {};
    item_.kind = e.kind;
    const bool call = e.kind == BlockKind::call || e.kind == BlockKind::custom_call;
    if (!call && !foreign) item_.id = e.id;
    if (item_.id.empty()) item_.id = item_id(e.kind, answer_.id, index_);
    item_.call_id = e.id;
    item_.name = e.name;
    item_.space = e.space;
    item_.signature = e.kind == BlockKind::redacted ? e.data : "";
    item_.data = e.data;
    item_event("response.output_item.added", false);
    if (text_like()) part("response.content_part.added", "");
    if (e.kind == BlockKind::thinking) part("response.reasoning_summary_part.added", "");
  }

  void part(std::string_view type, const std::string& text) {
    Writer w = about(type);
    w.count(text_like() ? "content_index" : "summary_index", 0).key("part").object();
    if (item_.kind == BlockKind::thinking) {
      w.text("type", "summary_text").text("text", text);
    } else if (item_.kind == BlockKind::refusal) {
      w.text("type", "refusal").text("refusal", text);
    } else {
      w.text("type", "output_text").key("annotations").array().end_array().text("text", text);
    }
    w.end_object();
    send(type, w);
  }

  // A delta or the text as a whole, for any kind of item.
  void piece(bool done, const std::string& text) {
    std::string_view type = done ? "response.output_text.done" : "response.output_text.delta";
    std::string_view key = "text";
    switch (item_.kind) {
      case BlockKind::refusal:
        type = done ? "response.refusal.done" : "response.refusal.delta";
        key = "refusal";
        break;
      case BlockKind::thinking:
        type =
            done ? "response.reasoning_summary_text.done" : "response.reasoning_summary_text.delta";
        break;
      case BlockKind::call:
        type = done ? "response.function_call_arguments.done"
                    : "response.function_call_arguments.delta";
        key = "arguments";
        break;
      case BlockKind::custom_call:
        type =
            done ? "response.custom_tool_call_input.done" : "response.custom_tool_call_input.delta";
        key = "input";
        break;
      default:
        break;
    }
    Writer w = about(type);
    if (text_like()) w.count("content_index", 0);
    if (item_.kind == BlockKind::thinking) w.count("summary_index", 0);
    w.text(done ? key : "delta", text);
    if (item_.kind == BlockKind::text) w.key("logprobs").array().end_array();
    if (done && item_.kind == BlockKind::call) w.text("name", item_.name);
    send(type, w);
  }

  void on(const Delta& e) {
    if (skipped_) return;
    if (e.kind == DeltaKind::signature) {
      if (dialect_ == Dialect::anthropic) {
        return lose(Lost::signature, "another dialect's signature was left out");
      }
      item_.signature += e.text;
      return;
    }
    item_.text += e.text;
    piece(false, e.text);
  }

  void on(const BlockClose&) {
    if (skipped_) return;
    if (item_.kind == BlockKind::call && item_.text.empty()) item_.text = "{}";
    if (item_.kind != BlockKind::redacted && item_.kind != BlockKind::opaque) {
      piece(true, item_.text);
    }
    if (text_like()) part("response.content_part.done", item_.text);
    if (item_.kind == BlockKind::thinking) {
      part("response.reasoning_summary_part.done", item_.text);
    }
    item_event("response.output_item.done", true);
    output_.push_back(item_json(item_, true));
  }

  void on(const End& e) {
    answer_.stop = e.stop;
    answer_.usage = e.usage;
    if (e.stop == Stop::stop_sequence || e.stop == Stop::pause || e.stop == Stop::cancelled ||
        e.stop == Stop::context_full) {
      lose(Lost::stop_reason, std::string(stop_name(e.stop)) + " has no word here");
    }
    const std::string_view status = status_of(e.stop);
    whole(status == "completed" ? "response.completed" : "response.incomplete", status);
  }

  void on(const StreamError& e) { whole("response.failed", "failed", e.error); }

  Style style_;
  std::string* out_ = nullptr;
  Answer answer_;
  std::int64_t sequence_ = 0;
  int index_ = -1;
  bool started_ = false;
  bool skipped_ = false;
  Dialect dialect_ = Dialect::none;
  OutputItem item_;
  std::vector<std::string> output_;
};

}  // namespace

std::unique_ptr<StreamReader> make_reader() {
  return std::make_unique<EventReader>();
}
std::unique_ptr<StreamWriter> make_writer(Style style) {
  return std::make_unique<EventWriter>(std::move(style));
}

}  // namespace keel::msg::responses
