// A file that is still arriving: KEEL_HOME/models/.shelf/FILE.part of the full size, and beside it
// FILE.state, which says which version of the file it is and which spans are missing
// (docs/formats/shelf.md). The state only ever claims bytes that were synced before it was written,
// so neither kill -9 nor a power cut makes it lie.
//
// Threads: any, after begin(); the caller holds the lock of the file.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "rt/fd.h"

namespace keel::shelf {

struct Span {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;  // behind the last byte
  std::uint64_t bytes() const { return end - begin; }
  bool operator==(const Span&) const = default;
};

// What tells one version of a remote file from another.
struct Version {
  std::uint64_t bytes = 0;
  std::string identity;  // "sha256:…", "etag:…" or "date:…"; empty: cannot be told apart
  bool operator==(const Version&) const = default;
};

class Partial {
 public:
  // `base` is the path without ".part" and ".state".
  explicit Partial(std::string base) : base_(std::move(base)) {}

  // How much of this version is there from an earlier run; 0 if nothing or another version.
  std::uint64_t kept(const Version& version) const;
  // Goes on with what is there of this version, or begins anew with the disk space reserved.
  // Code::disk_full if there is none.
  Status begin(const Version& version);

  // A piece of at most max_bytes that nobody has in hand; nothing if there is none.
  std::optional<Span> take(std::uint64_t max_bytes);
  // Stores bytes at the beginning of a taken span; `at` is where that now begins.
  Status store(std::uint64_t at, std::string_view bytes);
  // Ends a taken piece: what was not stored of it is missing again. `end` is its end.
  void give_back(std::uint64_t end);
  // Everything is missing again.
  void forget();

  std::uint64_t arrived_bytes() const;
  bool complete() const;
  // Syncs what has arrived and writes the state.
  Status checkpoint();

  std::string part_path() const { return base_ + ".part"; }
  std::string state_path() const { return base_ + ".state"; }
  // Both files go.
  void remove();

 private:
  struct State {
    Version version;
    std::vector<Span> missing;
  };
  Result<State> read_state() const;
  Status start_over(const Version& version);

  const std::string base_;
  Version version_;
  rt::Fd fd_;
  mutable std::mutex mutex_;
  std::vector<Span> missing_;                    // sorted
  std::map<std::uint64_t, std::uint64_t> hand_;  // end of a taken span: its beginning now
};

}  // namespace keel::shelf
