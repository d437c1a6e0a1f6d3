// What conversations have evaluated, on disk, so that an engine that was killed goes on without
// reading again: for each conversation one file of segments, each the tokens and the cache of what
// one answer added (docs/formats/kv-file.md). A file is a cache and never the truth: what does not
// fit the model, is cut off or damaged is left out from there on, and read again.
//
// Threads: load() and save() are called by the inference thread; a thread of its own writes. Files
// are 0600: they hold private conversations. Bounds: limits.h, "model/ledger".
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace keel::local {

// The cache of tokens [from, from + tokens.size()). What an earlier segment held from `from` on is
// void.
struct KvSegment {
  std::size_t from = 0;
  std::vector<std::int32_t> tokens;
  std::vector<std::uint8_t> state;
};

class KvFiles {
 public:
  // `fingerprint`: of all that a cache depends on; files of another are not read.
  static Result<std::unique_ptr<KvFiles>> open(const std::string& folder,
                                               const std::string& fingerprint);
  // Writes what waits.
  ~KvFiles();
  KvFiles(const KvFiles&) = delete;
  KvFiles& operator=(const KvFiles&) = delete;

  // The conversation's whole segments, oldest first; empty if there are none.
  std::vector<KvSegment> load(const std::string& conversation);
  // The first segment of another conversation that begins like `tokens`, at least `least` of them:
  // conversations share who the agent is and what its tools are. Empty if there is none.
  std::vector<KvSegment> load_like(const std::vector<std::int32_t>& tokens, std::size_t least);
  // Appends a segment, soon; a segment from 0 on replaces the file. False if too much waits: the
  // caller tries again later with all that is not saved.
  bool save(const std::string& conversation, KvSegment segment);
  // Whether a save of this conversation could not be written since this was asked last; the next
  // one must then begin at 0.
  bool lost(const std::string& conversation);
  // Waits until what was saved is written; for tests and before a load.
  void settle();

 private:
  struct State;
  explicit KvFiles(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// All that a cache of this model depends on, but for `more`: size and time of the file, its head,
// its end, and samples of what lies between.
Result<std::string> model_fingerprint(const std::string& path, const std::string& more);

}  // namespace keel::local
