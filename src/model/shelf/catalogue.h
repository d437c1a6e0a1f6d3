// The short list of models that keel proposes, and what a machine needs for each. The table in
// catalogue.cc is the one place that holds it.
//
// Pure functions; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace keel::shelf {

struct Entry {
  std::string_view name;
  std::string_view repository;  // OWNER/REPO on the hub
  std::string_view file;        // in it
  std::uint64_t bytes;          // exact where there is a hash, else about
  std::string_view sha256;  // of the file, where it was held in hands; else the hub's own counts
  std::string_view licence;
  std::string_view remark;          // one line for the owner
  std::uint32_t cache_token_bytes;  // keys and values of one token, as 16-bit floats
  std::uint32_t state_bytes;        // of the recurrent layers, for one conversation
};

std::span<const Entry> catalogue();

// Memory for the weights, the cache at the context that keel chooses by itself, the recurrent
// states with their checkpoints, and a margin for the rest of the program. An estimate from above:
// weights that are mapped can be smaller in memory than on disk, never larger.
std::uint64_t needed_bytes(const Entry& entry);

// What an owner can do with it.
enum class Fit {
  now,       // there is room at this moment
  if_freed,  // the machine is large enough when other programs leave room
  too_large,
};
// `now_bytes` is what a model may take at this moment, `most_bytes` what it could if other programs
// ended.
Fit fit(const Entry& entry, std::uint64_t now_bytes, std::uint64_t most_bytes);

}  // namespace keel::shelf
