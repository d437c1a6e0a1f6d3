// One answer as a stream of events, the same for every dialect: each parser makes these, each
// emitter writes them. The order is strict, for clients lose text or end the session where it is
// not: one Start, blocks with indices 0, 1, 2 ... one after another, each opened and closed, then
// exactly one End or StreamError. Progress may come at any time.
//
// Sequencer establishes that order, whatever its source does. Pure; one thread at a time.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "msg/conversation.h"
#include "msg/fault.h"
#include "msg/loss.h"

namespace keel::msg {

enum class Stop {
  end,
  tool_calls,
  max_tokens,
  stop_sequence,
  refusal,
  pause,         // the server wants to be asked again to go on
  context_full,  // the context ended before max_tokens did
  cancelled,
};
std::string_view stop_name(Stop stop);

// Tokens. input + cache_read + cache_write is the whole prompt; thinking is part of output.
struct TokenUsage {
  std::int64_t input = 0;
  std::int64_t cache_read = 0;
  std::int64_t cache_write = 0;     // all that was written to a cache
  std::int64_t cache_write_1h = 0;  // of it, to be kept for an hour
  std::int64_t output = 0;
  std::int64_t thinking = 0;
  std::int64_t prompt() const { return input + cache_read + cache_write; }
  bool operator==(const TokenUsage&) const = default;
};

enum class BlockKind { text, thinking, redacted, call, custom_call, refusal, opaque };

struct Start {
  std::string id;
  std::string model;
  TokenUsage usage;
};
struct BlockOpen {
  int index = 0;
  BlockKind kind = BlockKind::text;
  std::string id = {};              // of a call; of the item, where its dialect has such
  std::string name = {};            // of a call
  std::string space = {};           // its namespace
  std::string data = {};            // redacted: the encrypted thought; opaque: its JSON
  Dialect dialect = Dialect::none;  // of data, and of a signature
};
enum class DeltaKind { text, thinking, signature, arguments, refusal };
struct Delta {
  int index = 0;
  DeltaKind kind = DeltaKind::text;
  std::string text;  // whole code points, but for arguments and signatures
};
struct BlockClose {
  int index = 0;
  bool complete = true;  // false: a call that was cut off
};
struct Progress {
  std::int64_t done = 0;
  std::int64_t total = 0;
};
struct End {
  Stop stop = Stop::end;
  std::string stop_sequence = {};
  TokenUsage usage = {};
};
struct StreamError {
  ApiError error;
};
using StreamEvent = std::variant<Start, BlockOpen, Delta, BlockClose, Progress, End, StreamError>;
using StreamEvents = std::vector<StreamEvent>;

class Sequencer {
 public:
  // `key` tells the source's own blocks apart; calls may be written at the same time. A block that
  // begins while a call is unfinished waits until the call is.
  void start(std::string id, std::string model, TokenUsage usage);
  void open(int key, BlockOpen block);
  void delta(int key, DeltaKind kind, std::string_view text);
  void close(int key);
  // A call whose source ended inside it, whatever its arguments look like.
  void abandon(int key);
  // Text, thinking or a refusal without a block of its own: in the open block of its kind, or a new
  // one.
  void write(DeltaKind kind, std::string_view text);
  void progress(std::int64_t done, std::int64_t total);
  void usage(const TokenUsage& usage) { usage_ = usage; }
  const TokenUsage& usage() const { return usage_; }
  void end(Stop stop, std::string stop_sequence = {});
  void error(ApiError error);

  bool started() const { return started_; }
  bool ended() const { return ended_; }
  // Whether the block with this key was begun.
  bool known(int key) const;
  StreamEvents take();
  Losses take_losses();

 private:
  struct Pending {
    int key = 0;
    BlockOpen block;
    std::string arguments;  // all of a call's
    std::vector<Delta> waiting;
    std::string partial;  // the first bytes of a code point whose rest is still to come
    DeltaKind partial_kind = DeltaKind::text;
    bool closed = false;
    bool abandoned = false;
    bool live = false;  // its BlockOpen went out
  };
  bool finished(const Pending& block) const;
  void advance();
  void put(Pending& block, DeltaKind kind, std::string_view text);
  void put_bytes(Pending& block, DeltaKind kind, std::string text);
  void close_front(bool complete);
  bool too_much(std::size_t bytes);

  bool started_ = false;
  bool ended_ = false;
  int next_index_ = 0;
  int free_key_ = -1;  // of blocks that write() opens
  std::size_t bytes_ = 0;
  std::list<Pending> blocks_;  // the first is being written, the others wait
  std::vector<int> done_;      // keys of blocks that are closed
  bool any_call_ = false;
  bool half_call_ = false;
  TokenUsage usage_;
  StreamEvents out_;
  Losses losses_;
};

// Whether these are all of a call's arguments: one JSON object.
bool whole_arguments(std::string_view arguments);

}  // namespace keel::msg
