// The model in memory and the tokens it has evaluated: loading, the ledger of the current
// conversation, conversations that are parked in memory, reading and choosing the next token.
//
// One sequence is live in the cache at a time, so that nothing a conversation does not need slows
// its attention; the state of others is copied out and back (docs/decisions/0003). A ledger is the
// exact list of tokens the cache holds. Each prompt is rendered and tokenised whole and compared
// with it, since templates may write earlier turns anew: 12 ms for 8,500 tokens and 24 ms for
// 15,000, where a model call takes SmolLM2 1.6 s. A mark of what was tokenised before would save
// less than 1%.
//
// Used by the inference thread only, but for interrupt(). No exception of llama.cpp's leaves this
// file.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/inference/attention_node.h"
#include "model/inference/template.h"
#include "model/ledger/draft.h"
#include "model/ledger/kv_file.h"
#include "model/ledger/window.h"
#include "model/local/protocol.h"
#include "rt/cpu_use.h"

struct llama_batch;
struct llama_context;
struct llama_model;
struct llama_vocab;

namespace keel::local {

// Called while loading (per mille) or reading (tokens).
using OnProgress = std::function<void(std::int64_t done, std::int64_t total)>;

struct Speed {
  double read_ms = 0.0;
  double write_ms = 0.0;
};

struct ReadOutcome {
  std::size_t cached = 0;
  std::size_t evaluated = 0;
  bool interrupted = false;
};

class Context {
 public:
  static Result<std::unique_ptr<Context>> load(const LoadRequest& request,
                                               const OnProgress& progress);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const llama_model* model() const { return model_; }
  const llama_vocab* vocab() const;
  std::size_t size() const { return n_ctx_; }
  int threads() const { return threads_; }
  std::string description() const;
  std::int64_t weight_bytes() const;
  std::int64_t cache_bytes() const;  // of one token, an upper bound

  // Afterwards the cache holds exactly `tokens` as `conversation`, with logits for the last one.
  // Tokens that were evaluated before are kept; `turn_end` is Prompt's, where a model that cannot
  // go back to any point shall be able to go back to. A conversation in the background never takes
  // the room in memory that one in the foreground needs to come back.
  Result<ReadOutcome> read(const std::string& conversation, const std::vector<Token>& tokens,
                           std::size_t turn_end, const OnProgress& progress,
                           bool background = false);
  // Whether the live conversation is that one and begins with these tokens.
  bool holds(const std::string& conversation, const std::vector<Token>& tokens) const;
  // One more token of the live conversation; false if interrupted. Tokens that are likely to come
  // after it may be evaluated with it, `expect` being asked for some; those that then do come cost
  // nothing.
  Result<bool> append(Token token, const Drafter::Expect& expect = {});
  // Times made-up tokens, one by one where they are written; the live conversation is given up.
  Result<Speed> measure(const MeasureRequest& request);
  // Ends guessing for now: the cells of guesses that did not come true go.
  void drop_drafts();
  // At the end of an answer: what the live conversation has evaluated goes to the disk, so that an
  // engine that is killed need not read it again. Returns at once.
  void save();
  // Whether going back to an earlier token costs nothing but that token.
  bool can_rewind() const { return !recurrent_; }
  const float* logits() const;  // for what follows the last token
  const Drafter& drafter() const { return drafter_; }
  bool is_end(Token token) const;

  // Thread-safe: a read() or append() that runs ends soon, and the next ones do too until it is
  // taken back.
  void interrupt(bool on) { interrupted_.store(on, std::memory_order_relaxed); }
  bool interrupted() const { return interrupted_.load(std::memory_order_relaxed); }

 private:
  // Sequences of the cache: the live conversation, and a part of it while that is copied.
  static constexpr std::int32_t kWhole = 0;
  static constexpr std::int32_t kPart = 1;
  // What a recurrent model needs beside the cells of attention to go on behind `tokens` tokens.
  struct Checkpoint {
    std::size_t tokens = 0;
    std::vector<std::uint8_t> state;
  };
  // What of a ledger is on the disk: segments with these ends. What a recurrent model holds of a
  // segment cannot be cut, so for it only whole ones count.
  struct Saved {
    std::vector<std::size_t> ends;
    std::size_t written = 0;  // segments, those that are void included

    std::size_t tokens() const { return ends.empty() ? 0 : ends.back(); }
    void cut(std::size_t length, bool whole);
    void add(std::size_t end);
  };
  struct Parked {
    std::string conversation;
    std::vector<Token> ledger;
    std::vector<std::uint8_t> state;
    Saved saved;
    std::vector<Checkpoint> checkpoints;
    bool background = false;
  };
  Context() = default;
  Status start(const LoadRequest& request);
  void use_threads(int count);
  void switch_to(const std::string& conversation, const std::vector<Token>& tokens);
  void park_live();
  void restore(Parked parked);
  void open_files(const LoadRequest& request);
  bool load_saved(const std::string& conversation, const std::vector<Token>& tokens);
  std::size_t keep_prefix(std::size_t count);
  std::size_t keep_shared(const std::vector<Token>& tokens);
  Window window_after(const std::vector<KvSegment>& segments) const;
  std::size_t rewind(std::size_t count);
  bool take_checkpoint();
  std::size_t copy_end(std::size_t from, std::vector<std::uint8_t>& state);
  void sync_ledger();
  void broken_off(const std::vector<Token>& tokens);
  void fit_threads();
  Result<int> compute(const llama_batch& batch);
  Result<int> decode(const Token* tokens, std::size_t count);
  Result<int> decode_drafted(Token token, const std::vector<Token>& drafts);
  Result<int> evaluated(int code, const Token* tokens, std::size_t count);

  std::unique_ptr<AttentionNodes> attention_;
  llama_model* model_ = nullptr;
  llama_context* context_ = nullptr;
  std::vector<void*> pools_;  // llama.cpp's threads, by their number; null: not wanted yet
  void (*free_pool_)(void*) = nullptr;
  std::size_t n_ctx_ = 0;
  std::size_t n_batch_ = 0;
  int threads_ = 0;
  int cores_ = 1;
  int threads_now_ = 0;
  rt::OtherCpuUse other_use_;
  std::atomic<bool> interrupted_{false};
  std::string live_;
  bool background_ = false;  // the live conversation is
  std::vector<Token> ledger_;
  std::unique_ptr<KvFiles> files_;  // none: this model's state cannot be kept in parts
  Drafter drafter_;
  bool drafting_ = false;
  std::vector<Token> drafts_;  // evaluated behind the ledger, not yet chosen
  std::size_t drafts_used_ = 0;
  std::int32_t logits_row_ = -1;         // of the last evaluation
  bool recurrent_ = false;               // it cannot go back to any point
  Window window_;                        // what layers with a sliding window hold
  std::vector<Checkpoint> checkpoints_;  // of the live conversation, the earliest first
  Saved saved_;                          // of the live ledger
  std::list<Parked> parked_;             // the latest first
  std::size_t parked_bytes_ = 0;         // that they may take
};

// How many threads to compute with when nobody says: the physical cores this process may use, less
// one on larger machines.
int default_threads();

}  // namespace keel::local
