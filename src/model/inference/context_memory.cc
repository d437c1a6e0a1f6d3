#include <llama.h>

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "model/inference/context.h"
#include "model/inference/parameters.h"

// The part of Context that decides what the cache holds: the live conversation, those parked in
// memory and on disk, and the points that models can go back to.

namespace keel::local {
namespace {

constexpr std::size_t kWorthParking = 64;  // tokens; fewer are read again sooner than copied
constexpr std::size_t kWorthRestoring = 32;
constexpr std::size_t kWorthACheckpoint = 32;
constexpr std::size_t kLatestCheckpoints = 3;  // that thinning leaves alone

std::size_t common_prefix(const std::vector<Token>& a, const std::vector<Token>& b) {
  const std::size_t most = std::min(a.size(), b.size());
  return static_cast<std::size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(most), b.begin()).first -
      a.begin());
}

}  // namespace

void Context::open_files(const LoadRequest& request) {
  recurrent_ = has_recurrent_layers(model_);
  // A recurrent model goes back to checkpoints, which hold the windows too.
  window_ =
      Window(recurrent_ ? 0 : static_cast<std::size_t>(std::max(llama_model_n_swa(model_), 0)));
  drafting_ = !recurrent_ && request.drafts;  // a guess must be taken back
  if (request.kv_folder.empty()) return;
  const auto fingerprint = model_fingerprint(
      request.path,
      "kv 1 " + (request.cache.empty() ? "f16" : request.cache) + " " + llama_version() + " " +
          (request.attention.empty() && request.cache.empty() ? "transposed" : "plain"));
  if (!fingerprint) return;
  auto files = KvFiles::open(request.kv_folder, *fingerprint);
  if (files) files_ = std::move(*files);  // without a folder everything works, only slower
}

// After an interrupted or failed evaluation the cache holds less than was asked for: it knows best
// how much.
void Context::sync_ledger() {
  const auto last = llama_memory_seq_pos_max(llama_get_memory(context_), 0);
  const auto held = static_cast<std::size_t>(std::max(last + 1, 0));
  if (held < ledger_.size()) ledger_.resize(held);
  window_.cut(ledger_.size());
  saved_.cut(ledger_.size(), recurrent_);
}

// After an evaluation of these tokens that did not come to its end: what is sure of the cache is
// the ledger. Each layer of a recurrent model may have gone on to another token, and no position
// tells; it goes back to a checkpoint.
void Context::broken_off(const std::vector<Token>& tokens) {
  if (!recurrent_) {
    ledger_.insert(ledger_.end(), tokens.begin(), tokens.end());
    return sync_ledger();
  }
  ledger_.resize(rewind(ledger_.size()));
  drafter_.cut(ledger_.size());
  saved_.cut(ledger_.size(), recurrent_);
}

// Cuts the live sequence to `count` tokens; models that cannot go back to that point go back
// further.
std::size_t Context::keep_prefix(std::size_t count) {
  drop_drafts();
  llama_memory_t memory = llama_get_memory(context_);
  if (count < ledger_.size()) count = window_.back_to(count, ledger_.size());
  if (count == 0) {
    llama_memory_clear(memory, false);
    checkpoints_.clear();
    window_.clear();
  } else if (count < ledger_.size() &&
             !llama_memory_seq_rm(memory, kWhole, static_cast<llama_pos>(count), -1)) {
    count = rewind(count);
  }
  drafter_.cut(count);
  ledger_.resize(std::min(count, ledger_.size()));
  window_.cut(ledger_.size());
  saved_.cut(ledger_.size(), recurrent_);
  std::erase_if(checkpoints_, [&](const Checkpoint& c) { return c.tokens > ledger_.size(); });
  return ledger_.size();
}

bool Context::holds(const std::string& conversation, const std::vector<Token>& tokens) const {
  return live_ == conversation && common_prefix(ledger_, tokens) == tokens.size();
}

// The last token is always evaluated, because its logits are wanted.
std::size_t Context::keep_shared(const std::vector<Token>& tokens) {
  return keep_prefix(std::min(common_prefix(ledger_, tokens), tokens.size() - 1));
}

// Takes a recurrent model back to its newest checkpoint at or before `count` tokens, or to nothing.
std::size_t Context::rewind(std::size_t count) {
  llama_memory_t memory = llama_get_memory(context_);
  while (!checkpoints_.empty()) {
    Checkpoint& last = checkpoints_.back();
    if (last.tokens <= count &&
        llama_state_seq_set_data_ext(context_, last.state.data(), last.state.size(), kWhole,
                                     LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY) > 0 &&
        llama_memory_seq_rm(memory, kWhole, static_cast<llama_pos>(last.tokens), -1))
      return last.tokens;
    checkpoints_.pop_back();
  }
  llama_memory_clear(memory, false);
  return 0;
}

// At the end of what was read and of what was written: the points a conversation goes back to.
bool Context::take_checkpoint() {
  if (!recurrent_ || ledger_.empty()) return false;
  const std::size_t last = checkpoints_.empty() ? 0 : checkpoints_.back().tokens;
  if (ledger_.size() < last + kWorthACheckpoint) return false;
  Checkpoint checkpoint{ledger_.size(), {}};
  checkpoint.state.resize(
      llama_state_seq_get_size_ext(context_, kWhole, LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY));
  if (llama_state_seq_get_data_ext(context_, checkpoint.state.data(), checkpoint.state.size(),
                                   kWhole,
                                   LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY) != checkpoint.state.size())
    return false;
  checkpoints_.push_back(std::move(checkpoint));
  // Thinned so that the gaps grow with the distance: where the next two lie closest, one goes.
  while (checkpoints_.size() > limits::engine_checkpoints) {
    std::size_t closest = 1;
    for (std::size_t i = 1; i + kLatestCheckpoints < checkpoints_.size(); ++i) {
      const auto gap = [&](std::size_t at) {
        const double behind = static_cast<double>(ledger_.size() - checkpoints_[at].tokens + 1);
        return static_cast<double>(checkpoints_[at + 1].tokens - checkpoints_[at - 1].tokens) /
               behind;
      };
      if (gap(i) < gap(closest)) closest = i;
    }
    checkpoints_.erase(checkpoints_.begin() + static_cast<std::ptrdiff_t>(closest));
  }
  return true;
}

void Context::park_live() {
  if (live_.empty() || ledger_.size() < kWorthParking) return;
  parked_.remove_if([&](const Parked& p) { return p.conversation == live_; });
  const auto with_checkpoints = [](std::size_t state, const std::vector<Checkpoint>& checkpoints) {
    for (const Checkpoint& checkpoint : checkpoints) state += checkpoint.state.size();
    return state;
  };
  const std::size_t size = llama_state_seq_get_size(context_, 0);
  const std::size_t whole = with_checkpoints(size, checkpoints_);
  if (whole > parked_bytes_) return;
  Parked parked{live_, ledger_, {}, saved_, checkpoints_, background_};
  parked.state.resize(size);
  if (llama_state_seq_get_data(context_, parked.state.data(), size, 0) != size) return;
  // Those of the foreground first, and of each kind the latest; they stay as far as there is room.
  const auto place = background_ ? std::find_if(parked_.begin(), parked_.end(),
                                                [](const Parked& p) { return p.background; })
                                 : parked_.begin();
  parked_.insert(place, std::move(parked));
  std::size_t held = 0;
  std::size_t count = 0;
  std::erase_if(parked_, [&](const Parked& p) {
    held += with_checkpoints(p.state.size(), p.checkpoints);
    return ++count > limits::engine_parked || held > parked_bytes_;
  });
}

void Context::restore(Parked parked) {
  llama_memory_clear(llama_get_memory(context_), false);
  ledger_.clear();
  checkpoints_.clear();
  window_.clear();
  if (llama_state_seq_set_data(context_, parked.state.data(), parked.state.size(), 0) == 0) return;
  ledger_ = std::move(parked.ledger);
  saved_ = std::move(parked.saved);
  window_.join(0, ledger_.size());
  checkpoints_ = std::move(parked.checkpoints);
}

// The state of the live conversation's tokens from `from` on. Only the first sequence can be copied
// out of a cache that was made for one, so the second holds meanwhile what shall stay.
std::size_t Context::copy_end(std::size_t from, std::vector<std::uint8_t>& state) {
  llama_memory_t memory = llama_get_memory(context_);
  const auto border = static_cast<llama_pos>(from);
  if (recurrent_) {
    llama_memory_seq_cp(memory, kWhole, kPart, border, static_cast<llama_pos>(ledger_.size()));
  } else if (from > 0) {
    llama_memory_seq_cp(memory, kWhole, kPart, 0, border);
    llama_memory_seq_rm(memory, kWhole, 0, border);
  }
  const llama_seq_id end = recurrent_ ? kPart : kWhole;
  state.resize(llama_state_seq_get_size(context_, end));
  const std::size_t copied = llama_state_seq_get_data(context_, state.data(), state.size(), end);
  if (!recurrent_ && from > 0) llama_memory_seq_cp(memory, kPart, kWhole, 0, border);
  llama_memory_seq_rm(memory, kPart, -1, -1);
  return copied;
}

void Context::Saved::cut(std::size_t length, bool whole) {
  if (tokens() <= length) return;
  while (tokens() > length) ends.pop_back();
  if (!whole && tokens() < length) ends.push_back(length);
}

void Context::Saved::add(std::size_t end) {
  ends.push_back(end);
  ++written;
}

void Context::save() {
  drop_drafts();
  take_checkpoint();
  if (!files_ || live_.empty()) return;
  // Each segment of a recurrent model holds a whole state: too many are made one.
  if (files_->lost(live_) || (recurrent_ && saved_.written >= limits::kv_states)) saved_ = {};
  const std::size_t size = ledger_.size();
  if (size < kWorthParking || size <= saved_.tokens()) return;
  KvSegment segment;
  segment.from = saved_.tokens();
  segment.tokens.assign(ledger_.begin() + static_cast<std::ptrdiff_t>(segment.from), ledger_.end());
  const std::size_t copied = copy_end(segment.from, segment.state);
  if (copied != segment.state.size()) return;
  if (files_->save(live_, std::move(segment))) saved_.add(size);
}

// What layers with a sliding window hold once these parts are in the cache.
Window Context::window_after(const std::vector<KvSegment>& segments) const {
  Window window = window_;
  window.clear();
  for (const KvSegment& segment : segments) {
    window.cut(segment.from);
    window.join(segment.from, segment.from + segment.tokens.size());
  }
  return window;
}

// Takes the conversation back from the disk if more of that can be used for `tokens` than of what
// is in memory.
bool Context::load_saved(const std::string& conversation, const std::vector<Token>& tokens) {
  const std::size_t here = window_.back_to(common_prefix(ledger_, tokens), ledger_.size());
  std::vector<KvSegment> segments = files_->load(conversation);
  const bool own = !segments.empty();
  if (!own) segments = files_->load_like(tokens, kWorthRestoring + here);
  std::vector<Token> ledger;
  for (const KvSegment& segment : segments) {
    ledger.resize(std::min(segment.from, ledger.size()));
    ledger.insert(ledger.end(), segment.tokens.begin(), segment.tokens.end());
  }
  const std::size_t there =
      window_after(segments).back_to(common_prefix(ledger, tokens), ledger.size());
  if (ledger.size() >= n_ctx_ || there < here + kWorthRestoring) return false;
  llama_memory_t memory = llama_get_memory(context_);
  llama_memory_clear(memory, false);
  ledger_.clear();
  saved_ = {};
  checkpoints_.clear();
  window_.clear();
  for (const KvSegment& segment : segments) {
    if (window_.back_to(segment.from, ledger_.size()) != segment.from) break;
    if (segment.from < ledger_.size() &&
        !llama_memory_seq_rm(memory, kWhole, static_cast<llama_pos>(segment.from), -1))
      break;
    if (llama_state_seq_set_data(context_, segment.state.data(), segment.state.size(), kPart) == 0)
      break;
    llama_memory_seq_cp(memory, kPart, kWhole, -1, -1);
    llama_memory_seq_rm(memory, kPart, -1, -1);
    ledger_.resize(segment.from);
    ledger_.insert(ledger_.end(), segment.tokens.begin(), segment.tokens.end());
    window_.cut(segment.from);
    window_.join(segment.from, ledger_.size());
    take_checkpoint();
    if (own) saved_.add(ledger_.size());
  }
  sync_ledger();
  return true;
}

// Makes the cache of which most can be used for `tokens` the live one; the other is parked, never
// a reason to fail.
void Context::switch_to(const std::string& conversation, const std::vector<Token>& tokens) {
  const std::size_t shared_here = common_prefix(ledger_, tokens);
  // It goes on, as nearly always; only one that was made shorter begins elsewhere.
  if (live_ == conversation && shared_here + kWorthRestoring >= ledger_.size()) return;
  const std::size_t here = window_.back_to(shared_here, ledger_.size());
  std::size_t best = here + kWorthRestoring;
  auto chosen = parked_.end();
  for (auto it = parked_.begin(); it != parked_.end(); ++it) {
    Window window = window_;
    window.clear();
    window.join(0, it->ledger.size());
    const std::size_t shared = window.back_to(common_prefix(it->ledger, tokens), it->ledger.size());
    if (shared > best) {
      best = shared;
      chosen = it;
    }
  }
  if (live_ == conversation && chosen == parked_.end()) {
    // Back to before the window of what was copied: the ends of earlier answers are on the disk.
    if (files_ && here < shared_here && load_saved(conversation, tokens)) drafter_.cut(0);
    return;
  }
  drafter_.cut(0);
  Parked found;
  if (chosen != parked_.end()) {
    if (chosen->conversation == conversation) {
      found = std::move(*chosen);
      parked_.erase(chosen);
    } else {
      found = *chosen;  // another conversation with the same beginning keeps its own
    }
  }
  if (live_ != conversation) {
    park_live();
    parked_.remove_if([&](const Parked& p) { return p.conversation == conversation; });
  }
  live_ = conversation;
  saved_ = {};
  if (!found.state.empty()) {
    if (found.conversation != conversation) found.saved = {};
    restore(std::move(found));
  } else if (files_) {
    load_saved(conversation, tokens);
  }
}

}  // namespace keel::local
