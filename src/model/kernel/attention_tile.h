// tidy: pragma allowed, it is included once for each instruction set
//
// The arithmetic of one tile, written once against vector operations that the including file
// defines for its instruction set: V, W, load, store, spread, fma, add, mul, max_of, zero,
// from_half, transpose, exp2_of, largest, total_of. Not a header of its own: it is included by
// attention_avx512.cc and attention_avx2.cc, each time inside an anonymous namespace.

// scores[m][0..C*W) = queries[m] . keys of C*W positions, for M queries.
template <int M, int C>
KEEL_TARGET void score(const float* queries, int head_size, const float* keys, float* scores) {
  V sum[M][C];
#pragma GCC unroll 4
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) sum[m][c] = zero();
  }
  for (int d = 0; d < head_size; ++d) {
    V key[C];
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) key[c] = load(keys + d * kTile + c * W);
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) {
      const V query = spread(queries[m * head_size + d]);
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) sum[m][c] = fma(query, key[c], sum[m][c]);
    }
  }
#pragma GCC unroll 4
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) store(scores + m * kTile + c * W, sum[m][c]);
  }
}

// sums[m][0..C*W) += weights[m] . values, for M queries, `positions` values and C*W dimensions.
template <int M, int C>
KEEL_TARGET void weigh(const float* weights, const float* values, int positions, int head_size,
                       float* sums) {
  V sum[M][C];
#pragma GCC unroll 4
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) sum[m][c] = load(sums + m * head_size + c * W);
  }
  for (int t = 0; t < positions; ++t) {
    V value[C];
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) value[c] = load(values + t * head_size + c * W);
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) {
      const V weight = spread(weights[m * kTile + t]);
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) sum[m][c] = fma(weight, value[c], sum[m][c]);
    }
  }
#pragma GCC unroll 4
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) store(sums + m * head_size + c * W, sum[m][c]);
  }
}

// A conversation's last tile is short, and a short conversation has no other: whole vectors that
// hold no position are left out.
constexpr int whole_vectors(int positions) {
  return (positions + W - 1) / W * W;
}

template <int M>
KEEL_TARGET void score_all(const Block& block, int from, int positions) {
  const float* queries = block.queries + from * block.head_size;
  float* scores = block.scores + from * kTile;
  int c = 0;
  for (; c + kColumns * W <= whole_vectors(positions); c += kColumns * W)
    score<M, kColumns>(queries, block.head_size, block.keys + c, scores + c);
  for (; c < positions; c += W) score<M, 1>(queries, block.head_size, block.keys + c, scores + c);
}

template <int M>
KEEL_TARGET void weigh_all(const Block& block, int from, int positions) {
  const float* weights = block.scores + from * kTile;
  float* sums = block.sums + from * block.head_size;
  int d = 0;
  for (; d + kColumns * W <= block.head_size; d += kColumns * W)
    weigh<M, kColumns>(weights, block.values + d, positions, block.head_size, sums + d);
  for (; d < block.head_size; d += W)
    weigh<M, 1>(weights, block.values + d, positions, block.head_size, sums + d);
}

enum class Masked { none, all, some };

// Eight bytes of mask at a time: halves of zero, or of minus infinity.
Masked masked(const std::uint16_t* mask, int positions) {
  constexpr std::uint64_t kAllHidden = 0xFC00FC00FC00FC00;
  constexpr int kStep = sizeof(std::uint64_t) / sizeof(std::uint16_t);
  std::uint64_t seen = 0;
  std::uint64_t unlike_hidden = 0;
  int i = 0;
  for (; i + kStep <= positions; i += kStep) {
    std::uint64_t word = 0;
    std::memcpy(&word, mask + i, sizeof word);
    seen |= word;
    unlike_hidden |= word ^ kAllHidden;
  }
  for (; i < positions; ++i) {
    seen |= mask[i];
    unlike_hidden |= mask[i] ^ (kAllHidden & 0xFFFF);
  }
  return seen == 0 ? Masked::none : unlike_hidden == 0 ? Masked::all : Masked::some;
}

// Adds the mask. Scores are logarithms to the base of 2 here.
KEEL_TARGET void apply_mask(float* scores, const std::uint16_t* mask, int positions) {
  constexpr float kLog2E = 1.44269504F;
  alignas(64) std::uint16_t row[kTile] = {};
  std::copy_n(mask, positions, row);
  for (int i = 0; i < positions; i += W)
    store(scores + i, fma(from_half(row + i), spread(kLog2E), load(scores + i)));
}

// Turns the scores of query `m` into weights under the largest score so far, to which the sums of
// earlier tiles are scaled.
KEEL_TARGET void soften(const Block& block, int m, int positions) {
  float* scores = block.scores + m * kTile;
  const int end = whole_vectors(positions);
  std::fill(scores + positions, scores + end, -std::numeric_limits<float>::infinity());
  V most = load(scores);
  for (int i = W; i < end; i += W) most = max_of(most, load(scores + i));
  const float here = largest(most);
  if (here == -std::numeric_limits<float>::infinity()) {
    for (int i = 0; i < end; i += W) store(scores + i, zero());
    return;
  }
  const float before = block.maximum[m];
  const float now = before > here ? before : here;
  if (now > before) {
    const float factor = std::exp2(before - now);
    float* sums = block.sums + m * block.head_size;
    for (int d = 0; d < block.head_size; d += W)
      store(sums + d, mul(load(sums + d), spread(factor)));
    block.total[m] *= factor;
    block.maximum[m] = now;
  }
  V total = zero();
  for (int i = 0; i < end; i += W) {
    const V weight = exp2_of(add(load(scores + i), spread(-now)));
    store(scores + i, weight);
    total = add(total, weight);
  }
  block.total[m] += total_of(total);
}

KEEL_TARGET void convert(const Block& block, const Tile& tile) {
  const int head_size = block.head_size;
  for (int p = 0; p < tile.positions; p += W) {
    const int here = tile.positions - p;
    if (here >= W) {
      for (int d = 0; d < head_size; d += W) {
        transpose(tile.keys + static_cast<std::size_t>(p) * tile.key_position + d,
                  tile.key_position, block.keys + d * kTile + p);
      }
      continue;
    }
    for (int d = 0; d < head_size; d += W) {
      alignas(64) std::uint16_t rows[W * W] = {};
      for (int i = 0; i < here; ++i) {
        std::memcpy(rows + i * W,
                    tile.keys + static_cast<std::size_t>(p + i) * tile.key_position + d,
                    W * sizeof(std::uint16_t));
      }
      transpose(rows, W, block.keys + d * kTile + p);
    }
  }
  for (int p = 0; p < tile.positions; ++p) {
    float* to = block.values + p * head_size;
    const std::uint16_t* from = tile.values + static_cast<std::size_t>(p) * tile.value_position;
    for (int d = 0; d < head_size; d += W) store(to + d, from_half(from + d));
  }
}

// What the mask does to each row of the block in this tile; false if it hides all of it from all.
bool look_at_mask(const Block& block, const Tile& tile, Masked* rows) {
  bool visible = tile.mask == nullptr;
  for (int row = 0; row * tile.queries_per_row < block.count; ++row) {
    rows[row] =
        tile.mask == nullptr
            ? Masked::none
            : masked(tile.mask + static_cast<std::size_t>(row) * tile.mask_row, tile.positions);
    visible = visible || rows[row] != Masked::all;
  }
  return visible;
}

KEEL_TARGET void mask_and_soften(const Block& block, const Tile& tile, const Masked* rows) {
  int row = 0;
  for (int m = 0; m < block.count; m += tile.queries_per_row, ++row) {
    for (int q = m; q < m + tile.queries_per_row; ++q) {
      if (rows[row] != Masked::none) {
        apply_mask(block.scores + q * kTile,
                   tile.mask + static_cast<std::size_t>(row) * tile.mask_row, tile.positions);
      }
      soften(block, q, tile.positions);
    }
  }
}

KEEL_TARGET void attend(const Block& block, const Tile& tile) {
  Masked rows[kBlockQueries];
  if (!look_at_mask(block, tile, rows)) return;
  convert(block, tile);
  const int positions = tile.positions;
  int m = 0;
  for (; m + 4 <= block.count; m += 4) score_all<4>(block, m, positions);
  if (block.count - m == 3) score_all<3>(block, m, positions);
  if (block.count - m == 2) score_all<2>(block, m, positions);
  if (block.count - m == 1) score_all<1>(block, m, positions);
  mask_and_soften(block, tile, rows);
  for (m = 0; m + 4 <= block.count; m += 4) weigh_all<4>(block, m, positions);
  if (block.count - m == 3) weigh_all<3>(block, m, positions);
  if (block.count - m == 2) weigh_all<2>(block, m, positions);
  if (block.count - m == 1) weigh_all<1>(block, m, positions);
}
