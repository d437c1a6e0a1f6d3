// One block of queries against one run of the cache: the inner loops of attention.cc, compiled once
// for each instruction set. Included by attention_avx512.cc and attention_avx2.cc alone, which
// define the vector operations; not a header of its own.
//
// Layout in scratch: queries [count][head_size] already scaled; keys of a tile transposed
// [head_size][kTile]; values of a tile [kTile][head_size]; scores [count][kTile].
#pragma once

#include <cstddef>
#include <cstdint>

// GCC 12 takes the deliberately undefined vectors inside its own header for a mistake of ours.
// Before the header itself, which a room's files share when they are compiled together.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace keel::kernel {

inline constexpr int kTile = 64;          // positions of the cache that are worked on together
inline constexpr int kBlockQueries = 96;  // the most queries in a block
inline constexpr int kHeadSizeMax = 256;

// A block: `count` queries that share one head of keys and values.
struct Block {
  float* queries = nullptr;  // [count][head_size], scaled
  float* sums = nullptr;     // [count][head_size]: values weighted so far
  float* maximum = nullptr;  // [count]
  float* total = nullptr;    // [count]: of the weights so far
  float* scores = nullptr;   // [count][kTile]
  float* keys = nullptr;     // [head_size][kTile]
  float* values = nullptr;   // [kTile][head_size]
  int count = 0;
  int head_size = 0;
};

// One tile of the cache.
struct Tile {
  const std::uint16_t* keys = nullptr;
  std::size_t key_position = 0;
  const std::uint16_t* values = nullptr;
  std::size_t value_position = 0;
  int positions = 0;                    // at most kTile
  const std::uint16_t* mask = nullptr;  // of the block's first row at this tile; or none
  std::size_t mask_row = 0;
  int queries_per_row = 1;  // query i belongs to row i / queries_per_row
};

using TileFunction = void (*)(const Block&, const Tile&);
void attend_avx512(const Block& block, const Tile& tile);
void attend_avx2(const Block& block, const Tile& tile);

}  // namespace keel::kernel
