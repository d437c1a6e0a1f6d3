// Brings one model file from a hub onto the shelf: asks what it is, reserves the disk space, reads
// it in pieces over several connections, goes on where an earlier run stopped (a kill included),
// checks size, sha256 and the GGUF head, and gives it its name in one step. A file on the shelf is
// whole and checked or it is not there.
//
// Errors say what is kept: what has arrived stays for the next run unless it is of no use.
// Threads: the caller's, which also gets the progress; workers of its own end before it returns.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "base/limits.h"
#include "base/result.h"
#include "model/shelf/shelf.h"
#include "model/shelf/source.h"
#include "net/client.h"

namespace keel::shelf {

struct Progress {
  enum class Phase { asking, reading, waiting, checking };
  Phase phase = Phase::asking;
  std::uint64_t done_bytes = 0;
  std::uint64_t total_bytes = 0;
  std::string trouble;  // why it waits
};

struct PullOptions {
  std::string folder;  // KEEL_HOME/models
  Source source;
  std::string token;     // for the hub; may be empty
  bool replace = false;  // another file of that name may be replaced
  int connections = limits::shelf_connections;
  // The whole file's own check, after its hash: is it a model that keel can load.
  std::function<Status(const std::string& path)> check;
  // Free bytes for this user in a folder; nothing: unknown.
  std::function<std::optional<std::uint64_t>(const std::string& folder)> free_bytes;
  std::function<void(const Progress&)> progress;
  // Shorter in tests.
  std::uint64_t piece_bytes = limits::shelf_piece_bytes;
  std::chrono::milliseconds retry_wait = limits::shelf_retry_wait;
  std::chrono::milliseconds checkpoint_time = limits::shelf_checkpoint_time;
};

struct Pulled {
  std::string path;
  Record record;
  std::uint64_t kept_bytes = 0;  // that an earlier run had brought
  bool was_there = false;        // nothing had to be read
};

// Code::busy if another keel pulls the same file, Code::already_exists if there is another one of
// that name, Code::disk_full before anything is read, Code::corrupt if what came is not what was
// announced, Code::cancelled after a stop.
Result<Pulled> pull(net::Client& client, const PullOptions& options, std::stop_token stop);

}  // namespace keel::shelf
