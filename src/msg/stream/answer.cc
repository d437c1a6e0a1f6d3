#include "msg/stream/answer.h"

#include <algorithm>

namespace keel::msg {
namespace {

Block block_for(const BlockOpen& open, const std::string& model) {
  switch (open.kind) {
    case BlockKind::thinking:
    case BlockKind::redacted: {
      Thinking thinking{"", model};
      thinking.dialect = open.dialect;
      thinking.id = open.id;
      if (open.kind == BlockKind::redacted) {
        thinking.kind = ThinkingKind::redacted;
        thinking.signature = open.data;
      } else if (open.dialect == Dialect::responses) {
        thinking.kind = ThinkingKind::summary;
      }
      return thinking;
    }
    case BlockKind::call:
    case BlockKind::custom_call: {
      ToolCall call{open.id, open.name, "", false};
      call.space = open.space;
      if (open.kind == BlockKind::custom_call) call.kind = CallKind::custom;
      return call;
    }
    case BlockKind::refusal:
      return Refusal{"", open.id};
    case BlockKind::opaque:
      return Opaque{open.dialect, open.name, open.data};
    case BlockKind::text:
      break;
  }
  return Text{"", open.id};
}

struct AddDelta {
  const Delta& delta;
  void operator()(Text& b) const { b.text += delta.text; }
  void operator()(Refusal& b) const { b.text += delta.text; }
  void operator()(Thinking& b) const {
    (delta.kind == DeltaKind::signature ? b.signature : b.text) += delta.text;
  }
  void operator()(ToolCall& b) const { b.arguments += delta.text; }
  template <class Other>
  void operator()(Other&) const {}
};

}  // namespace

void Collector::event(const StreamEvent& event) {
  std::vector<Block>& blocks = answer_.item.blocks;
  if (const auto* start = std::get_if<Start>(&event)) {
    answer_.id = start->id;
    answer_.model = start->model;
    answer_.usage = start->usage;
  } else if (const auto* open = std::get_if<BlockOpen>(&event)) {
    blocks.push_back(block_for(*open, answer_.model));
  } else if (const auto* delta = std::get_if<Delta>(&event)) {
    if (!blocks.empty()) std::visit(AddDelta{*delta}, blocks.back());
  } else if (const auto* close = std::get_if<BlockClose>(&event)) {
    auto* call = blocks.empty() ? nullptr : std::get_if<ToolCall>(&blocks.back());
    if (call == nullptr) return;
    call->complete = close->complete;
    const bool none = call->arguments.empty() && call->kind == CallKind::function;
    if (none && close->complete) call->arguments = "{}";
  } else if (const auto* end = std::get_if<End>(&event)) {
    ended_ = true;
    answer_.stop = end->stop;
    answer_.stop_sequence = end->stop_sequence;
    answer_.usage = end->usage;
  } else if (const auto* error = std::get_if<StreamError>(&event)) {
    ended_ = true;
    error_ = error->error;
  }
}

void CallGate::event(const StreamEvent& event, StreamEvents& out) {
  if (const auto* open = std::get_if<BlockOpen>(&event)) {
    holding_ = open->kind == BlockKind::call || open->kind == BlockKind::custom_call;
    BlockOpen copy = *open;
    copy.index = next_index_++;
    (holding_ ? held_ : out).emplace_back(std::move(copy));
  } else if (const auto* delta = std::get_if<Delta>(&event)) {
    Delta copy = *delta;
    copy.index = next_index_ - 1;
    (holding_ ? held_ : out).emplace_back(std::move(copy));
  } else if (const auto* close = std::get_if<BlockClose>(&event)) {
    if (holding_ && !close->complete) {
      --next_index_;
      losses_.push_back({Lost::half_call, "stream", "a call that was cut off was left out"});
    } else {
      passed_call_ = passed_call_ || holding_;
      out.insert(out.end(), held_.begin(), held_.end());
      out.emplace_back(BlockClose{next_index_ - 1, true});
    }
    held_.clear();
    holding_ = false;
  } else if (const auto* end = std::get_if<End>(&event)) {
    End copy = *end;
    if (copy.stop == Stop::tool_calls && !passed_call_) copy.stop = Stop::max_tokens;
    out.emplace_back(std::move(copy));
  } else {
    out.push_back(event);
  }
}

Losses CallGate::take_losses() {
  Losses out;
  out.swap(losses_);
  return out;
}

void restore_names(const ToolNames& names, StreamEvent& event) {
  auto* open = std::get_if<BlockOpen>(&event);
  if (open == nullptr || open->name.empty() || !open->space.empty()) return;
  if (open->kind != BlockKind::call && open->kind != BlockKind::custom_call) return;
  const ToolName original = names.original(open->name);
  open->name = original.name;
  open->space = original.space;
}

void restore_names(const ToolNames& names, Item& item) {
  for (Block& block : item.blocks) {
    auto* call = std::get_if<ToolCall>(&block);
    if (call == nullptr || !call->space.empty()) continue;
    const ToolName original = names.original(call->name);
    call->name = original.name;
    call->space = original.space;
  }
}

void drop_half_calls(Answer& answer, Losses& losses) {
  std::vector<Block>& blocks = answer.item.blocks;
  bool whole = false;
  const auto half = [&](const Block& block) {
    const auto* call = std::get_if<ToolCall>(&block);
    whole = whole || (call != nullptr && call->complete);
    return call != nullptr && !call->complete;
  };
  const auto end = std::remove_if(blocks.begin(), blocks.end(), half);
  if (end == blocks.end()) return;
  blocks.erase(end, blocks.end());
  losses.push_back({Lost::half_call, "answer", "a call that was cut off was left out"});
  if (answer.stop == Stop::tool_calls && !whole) answer.stop = Stop::max_tokens;
}

namespace {

struct AddBlock {
  Sequencer& to;
  int key;
  void operator()(const Text& b) const { block(BlockKind::text, b.id, DeltaKind::text, b.text); }
  void operator()(const Refusal& b) const {
    block(BlockKind::refusal, b.id, DeltaKind::refusal, b.text);
  }
  void operator()(const Thinking& b) const {
    BlockOpen open;
    open.kind = b.kind == ThinkingKind::redacted ? BlockKind::redacted : BlockKind::thinking;
    open.id = b.id;
    open.dialect = b.dialect;
    if (open.kind == BlockKind::redacted) open.data = b.signature;
    to.open(key, open);
    if (open.kind == BlockKind::redacted) return;
    to.delta(key, DeltaKind::thinking, b.text);
    to.delta(key, DeltaKind::signature, b.signature);
  }
  void operator()(const ToolCall& b) const {
    BlockOpen open;
    open.kind = b.kind == CallKind::custom ? BlockKind::custom_call : BlockKind::call;
    open.id = b.id;
    open.name = b.name;
    open.space = b.space;
    to.open(key, open);
    to.delta(key, DeltaKind::arguments, b.arguments);
  }
  void operator()(const Opaque& b) const {
    BlockOpen open;
    open.kind = BlockKind::opaque;
    open.name = b.type;
    open.data = b.json;
    open.dialect = b.dialect;
    to.open(key, open);
  }
  template <class Other>
  void operator()(const Other&) const {}

 private:
  void block(BlockKind kind, const std::string& id, DeltaKind delta,
             const std::string& text) const {
    BlockOpen open;
    open.kind = kind;
    open.id = id;
    to.open(key, open);
    to.delta(key, delta, text);
  }
};

}  // namespace

StreamEvents events_of(const Answer& answer) {
  Sequencer sequencer;
  sequencer.start(answer.id, answer.model, answer.usage);
  int key = 0;
  for (const Block& block : answer.item.blocks) {
    std::visit(AddBlock{sequencer, key}, block);
    const auto* call = std::get_if<ToolCall>(&block);
    if (call == nullptr || call->complete) {
      sequencer.close(key);
    } else {
      sequencer.abandon(key);
    }
    ++key;
  }
  sequencer.usage(answer.usage);
  sequencer.end(answer.stop, answer.stop_sequence);
  return sequencer.take();
}

}  // namespace keel::msg
