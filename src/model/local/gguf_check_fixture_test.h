// For tests: a small GGUF file whose every number a test can set, and what the check says of it.
#pragma once

#include <cstdint>
#include <string>

#include "model/local/gguf_check.h"

namespace keel::local {

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
inline void put_string(std::string& out, const std::string& text) {
  put<std::uint64_t>(out, text.size());
  out += text;
}

struct Made {
  std::uint32_t version = 3;
  std::uint64_t tensors = 1;
  std::uint64_t keys = 4;
  std::uint32_t alignment = 32;
  std::uint32_t dimensions = 2;
  std::uint64_t row = 256;
  std::uint64_t rows = 2;
  std::uint32_t type = 12;  // q4_K
  std::uint64_t offset = 0;
  std::uint64_t items = 3;
  std::uint32_t item_type = 8;  // string
  std::string second_key = "llama.context_length";

  std::string bytes() const {
    std::string out = "GGUF";
    put(out, version);
    put(out, tensors);
    put(out, keys);
    put_string(out, "general.architecture");
    put<std::uint32_t>(out, 8);
    put_string(out, "llama");
    put_string(out, second_key);
    put<std::uint32_t>(out, 4);
    put<std::uint32_t>(out, 2048);
    put_string(out, "general.alignment");
    put<std::uint32_t>(out, 4);
    put(out, alignment);
    put_string(out, "tokenizer.ggml.tokens");
    put<std::uint32_t>(out, 9);
    put(out, item_type);
    put(out, items);
    for (int i = 0; i < 3; ++i) put_string(out, "t");
    put_string(out, "w");
    put(out, dimensions);
    put(out, row);
    put(out, rows);
    put(out, type);
    put(out, offset);
    while (out.size() % 32 != 0) out += '\0';
    out.append(288, '\1');
    return out;
  }
};

inline Result<GgufInfo> check(const std::string& bytes) {
  return check_gguf_bytes(bytes, bytes.size(), "m.gguf");
}
inline std::string problem(const std::string& bytes) {
  const auto result = check(bytes);
  return result ? "" : result.error().message;
}

}  // namespace keel::local
