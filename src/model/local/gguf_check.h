// A first look at a model file in plain C++: is it a GGUF, is it whole, and is every number in its
// head one that can be true. llama.cpp sees a file only after this. Also what `keel model info`
// shows.
//
// Reads the head only (never the weights), at most limits::gguf_head_bytes. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace keel::local {

struct GgufInfo {
  std::string architecture;  // "qwen2"
  std::string name;          // general.name, may be empty
  std::string size_label;    // "1.5B", from the file or from the parameters
  std::string quantisation;  // "Q4_K - Medium"
  std::uint64_t parameters = 0;
  std::uint64_t context_length = 0;  // trained; 0 if not stated
  std::uint64_t tensors = 0;
  std::uint64_t file_bytes = 0;
  bool has_chat_template = false;
};

Result<GgufInfo> check_gguf(const std::string& path);

// The same on bytes: `head` is the beginning of a file of file_bytes bytes, all of it or as much as
// the head needs. For tests and fuzzing. `name` is used in errors.
Result<GgufInfo> check_gguf_bytes(std::string_view head, std::uint64_t file_bytes,
                                  const std::string& name);

}  // namespace keel::local
