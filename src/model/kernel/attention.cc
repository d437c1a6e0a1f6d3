#include "model/kernel/attention.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <thread>
#include <utility>

#include "base/result.h"
#include "model/kernel/attention_block.h"

namespace keel::kernel {
namespace {

constexpr int kReadingRows = 32;  // from so many rows on, threads share rows and not the cache
constexpr int kShort = kTile;     // up to so many positions seen, threads share heads
constexpr int kVector = 16;       // head sizes are multiples of it
constexpr int kSpins = 4096;      // before a waiting thread lets others run
constexpr float kLog2E = 1.44269504F;

#if defined(__x86_64__)
constexpr std::array<std::pair<Isa, std::string_view>, 2> kIsas = {
    {{Isa::avx512, "avx512"}, {Isa::avx2, "avx2"}}};
TileFunction tile_function(Isa isa) {
  return isa == Isa::avx512 ? attend_avx512 : attend_avx2;
}
#else
constexpr std::array<std::pair<Isa, std::string_view>, 0> kIsas = {};
TileFunction tile_function(Isa) {
  return nullptr;
}
#endif

int ceil_divide(int a, int b) {
  return (a + b - 1) / b;
}

int queries_per_kv_head(const AttentionInput& input) {
  return input.heads / input.kv_heads;
}

}  // namespace

std::optional<Isa> isa_from_name(std::string_view name) {
  for (const auto& [isa, text] : kIsas) {
    if (text == name) return isa;
  }
  return std::nullopt;
}

std::string_view isa_name(Isa isa) {
  return isa == Isa::avx512 ? "avx512" : "avx2";
}

std::vector<Isa> isas_of_this_build() {
  std::vector<Isa> isas;
  for (const auto& [isa, name] : kIsas) isas.push_back(isa);
  return isas;
}

bool attention_fits(const AttentionInput& input) {
  return input.kv_heads > 0 && input.heads % input.kv_heads == 0 &&
         input.heads / input.kv_heads <= kBlockQueries && input.head_size % kVector == 0 &&
         input.head_size <= kHeadSizeMax && input.rows > 0 && input.positions > 0;
}

// Queries that share one head of keys and values: of rows [row, row + rows) and of `heads` query
// heads from `head` on.
struct Attention::Span {
  int row = 0;
  int rows = 0;
  int head = 0;
  int heads = 0;
};

// What one thread works in: a block for each head of keys and values that it walks over together,
// and one tile's worth of converted cache for all of them.
struct Attention::Scratch {
  std::vector<float> own;     // of the blocks
  std::vector<float> shared;  // scores, keys and values of a tile
  std::vector<Block> blocks;

  void fit(int head_size, int kv_heads) {
    if (!blocks.empty() && blocks[0].head_size == head_size &&
        blocks.size() >= static_cast<std::size_t>(kv_heads))
      return;
    const auto size = static_cast<std::size_t>(head_size);
    constexpr std::size_t queries = kBlockQueries;
    const auto count = static_cast<std::size_t>(kv_heads);
    own.assign(count * (2 * queries * size + 2 * queries), 0.0F);
    shared.assign(queries * kTile + 2 * size * kTile, 0.0F);
    blocks.assign(count, Block());
    std::size_t used = 0;
    const auto take = [&](std::size_t floats) {
      used += floats;
      return own.data() + used - floats;
    };
    for (Block& block : blocks) {
      block.queries = take(queries * size);
      block.sums = take(queries * size);
      block.maximum = take(queries);
      block.total = take(queries);
      block.scores = shared.data();
      block.keys = block.scores + queries * kTile;
      block.values = block.keys + size * kTile;
      block.head_size = head_size;
    }
  }

  static void begin(const AttentionInput& input, Block& block, const Span& span) {
    block.count = span.rows * span.heads;
    float* to = block.queries;
    for (int r = 0; r < span.rows; ++r) {
      for (int h = 0; h < span.heads; ++h) {
        const float* from = input.query + static_cast<std::size_t>(span.row + r) * input.query_row +
                            static_cast<std::size_t>(span.head + h) * input.query_head;
        for (int d = 0; d < input.head_size; ++d) *to++ = from[d] * input.scale * kLog2E;
      }
    }
    std::fill_n(block.sums, block.count * input.head_size, 0.0F);
    std::fill_n(block.maximum, block.count, -std::numeric_limits<float>::infinity());
    std::fill_n(block.total, block.count, 0.0F);
  }

  // When the block has seen all that its queries see.
  static void finish(const AttentionInput& input, const Block& block, const Span& span) {
    for (int m = 0; m < block.count; ++m) {
      const float inverse = block.total[m] > 0 ? 1.0F / block.total[m] : 0.0F;
      const int query = (span.row + m / span.heads) * input.heads + span.head + m % span.heads;
      float* to = input.result +
                  static_cast<std::size_t>(query) * static_cast<std::size_t>(input.head_size);
      const float* from = block.sums + m * input.head_size;
      for (int d = 0; d < input.head_size; ++d) to[d] = from[d] * inverse;
    }
  }
};

namespace {

Tile tile_of(const AttentionInput& input, int kv_head, int row, int queries_per_row, int at,
             int to) {
  const auto position = static_cast<std::size_t>(at);
  const auto head = static_cast<std::size_t>(kv_head);
  Tile tile;
  tile.keys = input.keys + position * input.key_position + head * input.key_head;
  tile.key_position = input.key_position;
  tile.values = input.values + position * input.value_position + head * input.value_head;
  tile.value_position = input.value_position;
  tile.positions = std::min(kTile, to - at);
  tile.mask_row = input.mask_row;
  if (input.mask != nullptr)
    tile.mask = input.mask + static_cast<std::size_t>(row) * input.mask_row + position;
  tile.queries_per_row = queries_per_row;
  return tile;
}

// Where what any row sees begins, at the border of a tile, and ends. llama.cpp rounds the cache up,
// and what lies before a window is hidden: looking for that costs little beside reading it.
std::pair<int, int> visible(const AttentionInput& input) {
  if (input.mask == nullptr) return {0, input.positions};
  constexpr std::uint16_t hidden = 0xFC00;  // minus infinity
  int first = input.positions;
  int last = 0;
  for (int row = 0; row < input.rows; ++row) {
    const std::uint16_t* mask = input.mask + static_cast<std::size_t>(row) * input.mask_row;
    int end = input.positions;
    while (end > last && mask[end - 1] == hidden) --end;
    last = end;
    int begin = 0;
    while (begin < first && mask[begin] == hidden) ++begin;
    first = begin;
  }
  return {first / kTile * kTile, last};
}

void touch(const std::uint16_t* cells, std::size_t position, std::size_t head, int heads,
           int head_size, int positions) {
  constexpr std::size_t line = 64 / sizeof(std::uint16_t);
  const auto size = static_cast<std::size_t>(head_size);
  for (int p = 0; p < positions; ++p) {
    for (int h = 0; h < heads; ++h) {
      const std::uint16_t* from =
          cells + static_cast<std::size_t>(p) * position + static_cast<std::size_t>(h) * head;
      for (std::size_t d = 0; d < size; d += line) {
        const std::uint16_t cell = from[d];
        asm volatile("" : : "r"(cell));  // the load must happen
      }
    }
  }
}

// Reads a tile's cells of heads [begin, end) once from one end to the other. The work on them jumps
// from position to position, which the processor cannot foresee: without this it waits for each
// line by itself, and a token deep in a conversation takes twice as long. Prefetch instructions did
// not help.
void touch(const AttentionInput& input, int begin, int end, int at, int to) {
  const Tile tile = tile_of(input, begin, 0, 1, at, to);
  touch(tile.keys, input.key_position, input.key_head, end - begin, input.head_size,
        tile.positions);
  touch(tile.values, input.value_position, input.value_head, end - begin, input.head_size,
        tile.positions);
}

}  // namespace

Attention::Attention(Isa isa, int threads_max) : isa_(isa) {
  for (int i = 0; i < threads_max; ++i) scratch_.push_back(std::make_unique<Scratch>());
}
Attention::~Attention() = default;

void Attention::prepare(const AttentionInput& input) {
  if (input.rows >= kReadingRows) return;
  const std::size_t wanted = scratch_.size() * static_cast<std::size_t>(input.rows) *
                             static_cast<std::size_t>(input.heads) *
                             static_cast<std::size_t>(input.head_size + 2);
  if (partial_.size() < wanted) partial_.resize(wanted);
}

void Attention::run(const AttentionInput& input, int thread, int threads) {
  KEEL_ASSERT(threads <= static_cast<int>(scratch_.size()));
  scratch_[static_cast<std::size_t>(thread)]->fit(input.head_size, input.kv_heads);
  if (input.rows >= kReadingRows) {
    run_reading(input, thread, threads);
    return;
  }
  const auto [first, last] = visible(input);
  if (last - first <= kShort || input.kv_heads % threads == 0) {
    run_heads(input, first, last, thread, threads);
  } else {
    run_writing(input, first, last, thread, threads);
  }
}

// Many rows: a thread takes a few rows of one head, all of the cache, and is done with them.
void Attention::run_reading(const AttentionInput& input, int thread, int threads) {
  Scratch& own = *scratch_[static_cast<std::size_t>(thread)];
  const TileFunction attend = tile_function(isa_);
  const int group = queries_per_kv_head(input);
  const int rows_each = std::max(1, kBlockQueries / group);
  const int blocks = ceil_divide(input.rows, rows_each);
  for (int task = thread; task < blocks * input.kv_heads; task += threads) {
    const int row = task / input.kv_heads * rows_each;
    const int kv_head = task % input.kv_heads;
    const int rows = std::min(rows_each, input.rows - row);
    Block& block = own.blocks[0];
    const Span span{row, rows, kv_head * group, group};
    Scratch::begin(input, block, span);
    for (int at = 0; at < input.positions; at += kTile)
      attend(block, tile_of(input, kv_head, row, group, at, input.positions));
    Scratch::finish(input, block, span);
  }
}

// Few rows where the heads can be shared: a thread has all of the cache for its query heads, and
// nobody waits for anybody.
void Attention::run_heads(const AttentionInput& input, int first, int last, int thread,
                          int threads) {
  Scratch& own = *scratch_[static_cast<std::size_t>(thread)];
  const TileFunction attend = tile_function(isa_);
  const int group = queries_per_kv_head(input);
  const int rows_each = std::max(1, kBlockQueries / group);
  const int begin = input.heads * thread / threads;
  const int end = input.heads * (thread + 1) / threads;
  if (begin == end) return;
  const int kv_begin = begin / group;
  const int kv_end = ceil_divide(end, group);
  for (int row = 0; row < input.rows; row += rows_each) {
    const auto span = [&](int kv_head) {
      const int head = std::max(begin, kv_head * group);
      return Span{row, std::min(rows_each, input.rows - row), head,
                  std::min(end, (kv_head + 1) * group) - head};
    };
    const auto block = [&](int kv_head) -> Block& {
      return own.blocks[static_cast<std::size_t>(kv_head)];
    };
    for (int h = kv_begin; h < kv_end; ++h) Scratch::begin(input, block(h), span(h));
    for (int at = first; at < last; at += kTile) {
      touch(input, kv_begin, kv_end, at, last);
      for (int h = kv_begin; h < kv_end; ++h)
        attend(block(h), tile_of(input, h, row, span(h).heads, at, last));
    }
    for (int h = kv_begin; h < kv_end; ++h) Scratch::finish(input, block(h), span(h));
  }
}

// Few rows: each thread takes a part of the cache for all of them, down to one head of one tile;
// the parts are put together at the end.
void Attention::run_writing(const AttentionInput& input, int first, int last, int thread,
                            int threads) {
  Scratch& own = *scratch_[static_cast<std::size_t>(thread)];
  const TileFunction attend = tile_function(isa_);
  const int group = queries_per_kv_head(input);
  const int rows_each = std::max(1, kBlockQueries / group);
  const int tasks = ceil_divide(std::max(last - first, 0), kTile) * input.kv_heads;
  const int begin = tasks * thread / threads;
  const int end = tasks * (thread + 1) / threads;
  const auto stride = static_cast<std::size_t>(input.head_size + 2);
  const std::size_t part = static_cast<std::size_t>(thread) *
                           static_cast<std::size_t>(input.rows * input.heads) * stride;
  for (int row = 0; row < input.rows; row += rows_each) {
    const int rows = std::min(rows_each, input.rows - row);
    for (int h = 0; h < input.kv_heads; ++h)
      Scratch::begin(input, own.blocks[static_cast<std::size_t>(h)], {row, rows, h * group, group});
    // All heads at each tile, so that the cache is read from one end to the other, once.
    for (int task = begin; task < end;) {
      const int at = first + task / input.kv_heads * kTile;
      const int head = task % input.kv_heads;
      const int heads = std::min(input.kv_heads - head, end - task);
      touch(input, head, head + heads, at, last);
      for (int h = head; h < head + heads; ++h)
        attend(own.blocks[static_cast<std::size_t>(h)], tile_of(input, h, row, group, at, last));
      task += heads;
    }
    for (int h = 0; h < input.kv_heads; ++h) {
      const Block& block = own.blocks[static_cast<std::size_t>(h)];
      for (int m = 0; m < block.count; ++m) {
        const int query = (row + m / group) * input.heads + h * group + m % group;
        float* out = partial_.data() + part + static_cast<std::size_t>(query) * stride;
        out[0] = block.maximum[m];
        out[1] = block.total[m];
        std::copy_n(block.sums + m * input.head_size, input.head_size, out + 2);
      }
    }
  }
  meet(threads);
  combine(input, thread, threads);
}

void Attention::combine(const AttentionInput& input, int thread, int threads) {
  const auto stride = static_cast<std::size_t>(input.head_size + 2);
  const int queries = input.rows * input.heads;
  for (int query = thread; query < queries; query += threads) {
    float* to =
        input.result + static_cast<std::size_t>(query) * static_cast<std::size_t>(input.head_size);
    std::fill_n(to, input.head_size, 0.0F);
    float most = -std::numeric_limits<float>::infinity();
    const auto part = [&](int of) {
      return partial_.data() + static_cast<std::size_t>(of * queries + query) * stride;
    };
    for (int of = 0; of < threads; ++of) most = std::max(most, part(of)[0]);
    float total = 0.0F;
    for (int of = 0; of < threads; ++of) {
      const float* from = part(of);
      if (from[1] <= 0.0F) continue;
      const float factor = std::exp2(from[0] - most);
      total += from[1] * factor;
      for (int d = 0; d < input.head_size; ++d) to[d] += from[d + 2] * factor;
    }
    const float inverse = total > 0 ? 1.0F / total : 0.0F;
    for (int d = 0; d < input.head_size; ++d) to[d] *= inverse;
  }
}

// Every thread waits until all have come. They run on processors of their own as a rule, so they
// spin; on a loaded machine they give way.
void Attention::meet(int threads) {
  if (threads == 1) return;
  const int round = round_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads) {
    arrived_.store(0, std::memory_order_relaxed);
    round_.store(round + 1, std::memory_order_release);
    return;
  }
  for (int spins = 0; round_.load(std::memory_order_acquire) == round; ++spins) {
    if (spins > kSpins) std::this_thread::yield();
  }
}

}  // namespace keel::kernel
