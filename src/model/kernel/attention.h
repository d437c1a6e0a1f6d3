// Attention over the key and value cache, computed by keel itself: softmax(q k^T scale + mask) v.
// llama.cpp's own path reads keys and values again for every query head; this one reads each once
// for all heads that share it, converts a tile to floats once, and splits the cache between
// threads, so that writing deep in a conversation is bound by memory and not by arithmetic. Where
// the cache is short or the heads can be shared evenly, each thread has heads of its own instead.
//
// Keys, values and mask are IEEE half floats as they lie in the cache, queries and results floats.
// The same result as exact arithmetic within rounding: sums are kept in single precision.
//
// Threads: run() is called by all `threads` threads of a pool at once, each with its number; they
// may meet inside. One run at a time for one Attention. Free of llama.cpp.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace keel::kernel {

// Strides are counted in elements. The innermost dimension (head_size) is contiguous everywhere.
struct AttentionInput {
  const float* query = nullptr;
  std::size_t query_row = 0;   // from one row (token) to the next
  std::size_t query_head = 0;  // from one head to the next
  const std::uint16_t* keys = nullptr;
  std::size_t key_position = 0;
  std::size_t key_head = 0;
  const std::uint16_t* values = nullptr;
  std::size_t value_position = 0;
  std::size_t value_head = 0;
  const std::uint16_t* mask = nullptr;  // one row of `positions` for each query row; or none
  std::size_t mask_row = 0;
  float* result = nullptr;  // [rows][heads][head_size], contiguous
  int rows = 0;
  int heads = 0;
  int kv_heads = 0;  // divides heads
  int head_size = 0;
  int positions = 0;
  float scale = 1.0F;
};

// Instruction sets this was written for. Which of them a machine can use is found out by running
// attention_check() in a child process, never by reading processor flags.
enum class Isa { avx512, avx2 };
std::optional<Isa> isa_from_name(std::string_view name);
std::string_view isa_name(Isa isa);
std::vector<Isa> isas_of_this_build();  // the fastest first; empty on other processors

bool attention_fits(const AttentionInput& input);  // sizes this kernel can work on

class Attention {
 public:
  // `threads_max`: the most that will ever call run() together.
  Attention(Isa isa, int threads_max);
  ~Attention();
  Attention(const Attention&) = delete;
  Attention& operator=(const Attention&) = delete;

  // Before the threads are let loose on `input`: makes room for what they share.
  void prepare(const AttentionInput& input);
  void run(const AttentionInput& input, int thread, int threads);

 private:
  struct Span;
  struct Scratch;
  void run_reading(const AttentionInput& input, int thread, int threads);
  void run_heads(const AttentionInput& input, int first, int last, int thread, int threads);
  void run_writing(const AttentionInput& input, int first, int last, int thread, int threads);
  void combine(const AttentionInput& input, int thread, int threads);
  void meet(int threads);

  const Isa isa_;
  std::vector<std::unique_ptr<Scratch>> scratch_;  // one a thread
  // What each thread found in its part of the cache, for each query: maximum, sum, weighted values.
  std::vector<float> partial_;
  std::atomic<int> arrived_{0};
  std::atomic<int> round_{0};
};

// Runs the kernel on made-up data and compares it with exact arithmetic: the largest difference,
// relative to the largest value. Dies of an illegal instruction where the processor has none.
double attention_check(Isa isa);

}  // namespace keel::kernel
