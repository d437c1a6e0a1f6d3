#include "msg/stream/event.h"

#include <algorithm>

#include "base/limits.h"
#include "base/text.h"
#include "msg/raw.h"

namespace keel::msg {
namespace {

bool is_call(const BlockOpen& block) {
  return block.kind == BlockKind::call || block.kind == BlockKind::custom_call;
}

BlockKind kind_for(DeltaKind kind) {
  switch (kind) {
    case DeltaKind::thinking:
    case DeltaKind::signature:
      return BlockKind::thinking;
    case DeltaKind::refusal:
      return BlockKind::refusal;
    default:
      return BlockKind::text;
  }
}

}  // namespace

std::string_view stop_name(Stop stop) {
  switch (stop) {
    case Stop::end:
      return "end";
    case Stop::tool_calls:
      return "tool_calls";
    case Stop::max_tokens:
      return "max_tokens";
    case Stop::stop_sequence:
      return "stop_sequence";
    case Stop::refusal:
      return "refusal";
    case Stop::pause:
      return "pause";
    case Stop::context_full:
      return "context_full";
    case Stop::cancelled:
      return "cancelled";
  }
  return "end";
}

bool whole_arguments(std::string_view arguments) {
  // The last byte decides cheaply for nearly every piece of a stream.
  const std::string_view text = trim(arguments);
  if (text.size() < 2 || text.back() != '}') return false;
  const Result<Doc> doc = Doc::parse(std::string(text), "arguments");
  return doc && doc->root().is_object();
}

void Sequencer::start(std::string id, std::string model, TokenUsage usage) {
  if (started_ || ended_) return;
  started_ = true;
  usage_ = usage;
  out_.emplace_back(Start{std::move(id), std::move(model), usage});
}

bool Sequencer::known(int key) const {
  const auto has = [key](const Pending& block) { return block.key == key; };
  return std::any_of(blocks_.begin(), blocks_.end(), has) ||
         std::find(done_.begin(), done_.end(), key) != done_.end();
}

bool Sequencer::finished(const Pending& block) const {
  if (block.closed || !is_call(block.block)) return true;
  return block.block.kind == BlockKind::call && whole_arguments(block.arguments);
}

void Sequencer::open(int key, BlockOpen block) {
  if (ended_) return;
  if (!started_) start("", "", {});
  if (static_cast<std::size_t>(next_index_) + blocks_.size() >= limits::stream_blocks) {
    return error({Fault::api,
                  "the answer has more than " + std::to_string(limits::stream_blocks) + " blocks"});
  }
  if (is_call(block) && block.id.empty()) block.id = "call_" + std::to_string(key);
  Pending pending;
  pending.key = key;
  pending.block = std::move(block);
  blocks_.push_back(std::move(pending));
  advance();
}

// Lets the first block that can be written go out.
void Sequencer::advance() {
  while (!blocks_.empty()) {
    Pending& front = blocks_.front();
    if (!front.live) {
      front.live = true;
      front.block.index = next_index_++;
      any_call_ = any_call_ || is_call(front.block);
      out_.emplace_back(front.block);
      for (Delta& delta : front.waiting) {
        delta.index = front.block.index;
        out_.emplace_back(std::move(delta));
      }
      front.waiting.clear();
    }
    if (!front.closed && (blocks_.size() == 1 || !finished(front))) return;
    close_front(true);
  }
}

void Sequencer::close_front(bool complete) {
  Pending& front = blocks_.front();
  if (!front.partial.empty()) put_bytes(front, front.partial_kind, to_valid_utf8(front.partial));
  if (front.block.kind == BlockKind::call && complete) {
    complete = trim(front.arguments).empty() || whole_arguments(front.arguments);
  }
  // Nobody can run a call without a name.
  complete = complete && !front.abandoned && !(is_call(front.block) && front.block.name.empty());
  half_call_ = half_call_ || !complete;
  out_.emplace_back(BlockClose{front.block.index, complete});
  done_.push_back(front.key);
  blocks_.pop_front();
}

bool Sequencer::too_much(std::size_t bytes) {
  bytes_ += bytes;
  if (bytes_ <= limits::stream_bytes) return false;
  error(
      {Fault::api, "the answer has more than " + std::to_string(limits::stream_bytes) + " bytes"});
  return true;
}

void Sequencer::put(Pending& block, DeltaKind kind, std::string_view text) {
  if (kind == DeltaKind::arguments || kind == DeltaKind::signature) {
    return put_bytes(block, kind, std::string(text));
  }
  std::string bytes = std::move(block.partial) + std::string(text);
  const std::size_t held = utf8_incomplete_suffix(bytes);
  block.partial = bytes.substr(bytes.size() - held);
  block.partial_kind = kind;
  bytes.resize(bytes.size() - held);
  put_bytes(block, kind, std::move(bytes));
}

void Sequencer::put_bytes(Pending& block, DeltaKind kind, std::string text) {
  if (text.empty()) return;
  if (kind == DeltaKind::arguments) block.arguments += text;
  if (block.live) {
    out_.emplace_back(Delta{block.block.index, kind, std::move(text)});
  } else if (!block.waiting.empty() && block.waiting.back().kind == kind) {
    block.waiting.back().text += text;
  } else {
    block.waiting.push_back(Delta{block.block.index, kind, std::move(text)});
  }
}

void Sequencer::delta(int key, DeltaKind kind, std::string_view text) {
  if (ended_ || too_much(text.size())) return;
  const auto it = std::find_if(blocks_.begin(), blocks_.end(),
                               [key](const Pending& block) { return block.key == key; });
  if (it != blocks_.end() && !it->closed) {
    put(*it, kind, text);
    // The call that is being written may be whole now, and others wait for that.
    if (blocks_.size() > 1) advance();
    return;
  }
  const bool words = kind == DeltaKind::text || kind == DeltaKind::thinking;
  if (words) return write(kind, text);
  if (!text.empty()) {
    losses_.push_back({Lost::late_delta, "stream", "a piece came after its block had ended"});
  }
}

void Sequencer::write(DeltaKind kind, std::string_view text) {
  if (ended_ || text.empty() || too_much(text.size())) return;
  const BlockKind wanted = kind_for(kind);
  if (blocks_.empty() || blocks_.back().block.kind != wanted || blocks_.back().closed) {
    BlockOpen block;
    block.kind = wanted;
    open(free_key_--, std::move(block));
    if (ended_) return;
  }
  put(blocks_.back(), kind, text);
}

void Sequencer::close(int key) {
  for (Pending& block : blocks_) {
    if (block.key == key) block.closed = true;
  }
  advance();
}

void Sequencer::abandon(int key) {
  for (Pending& block : blocks_) {
    if (block.key == key) block.abandoned = true;
  }
  close(key);
}

void Sequencer::progress(std::int64_t done, std::int64_t total) {
  if (!ended_) out_.emplace_back(Progress{done, total});
}

void Sequencer::end(Stop stop, std::string stop_sequence) {
  if (ended_) return;
  if (!started_) start("", "", usage_);
  while (!blocks_.empty()) {
    advance();
    if (blocks_.empty()) break;
    const Pending& front = blocks_.front();
    // Without an end of its own a call counts where its arguments are whole, or where the source
    // says that it stopped to have its calls run.
    const bool cut = stop != Stop::tool_calls && stop != Stop::end;
    const bool half = is_call(front.block) && !front.closed && cut &&
                      (front.block.kind == BlockKind::custom_call || front.arguments.empty());
    close_front(!half);
  }
  ended_ = true;
  // A limit wins over calls: a client that reads "tool_use" would run half of one.
  if (half_call_ && (stop == Stop::tool_calls || stop == Stop::end)) stop = Stop::max_tokens;
  if (any_call_ && stop == Stop::end) stop = Stop::tool_calls;
  if (!any_call_ && stop == Stop::tool_calls) stop = Stop::end;
  out_.emplace_back(End{stop, std::move(stop_sequence), usage_});
}

void Sequencer::error(ApiError error) {
  if (ended_) return;
  ended_ = true;
  out_.emplace_back(StreamError{std::move(error)});
}

StreamEvents Sequencer::take() {
  StreamEvents out;
  out.swap(out_);
  return out;
}

Losses Sequencer::take_losses() {
  Losses out;
  out.swap(losses_);
  return out;
}

}  // namespace keel::msg
