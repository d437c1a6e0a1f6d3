#include "model/kernel/attention_block.h"

#if defined(__x86_64__)

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#define KEEL_TARGET __attribute__((target("avx2,fma,f16c")))

namespace keel::kernel {
namespace {
namespace avx2 {

using V = __m256;
constexpr int W = 8;
constexpr int kColumns = 2;  // of 16 registers: 4 queries by 2 columns, and what they are made of

KEEL_TARGET inline V load(const float* from) {
  return _mm256_loadu_ps(from);
}
KEEL_TARGET inline void store(float* to, V value) {
  _mm256_storeu_ps(to, value);
}
KEEL_TARGET inline V spread(float value) {
  return _mm256_set1_ps(value);
}
KEEL_TARGET inline V zero() {
  return _mm256_setzero_ps();
}
KEEL_TARGET inline V fma(V a, V b, V c) {
  return _mm256_fmadd_ps(a, b, c);
}
KEEL_TARGET inline V add(V a, V b) {
  return _mm256_add_ps(a, b);
}
KEEL_TARGET inline V mul(V a, V b) {
  return _mm256_mul_ps(a, b);
}
KEEL_TARGET inline V max_of(V a, V b) {
  return _mm256_max_ps(a, b);
}
KEEL_TARGET inline V from_half(const std::uint16_t* from) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
KEEL_TARGET inline float largest(V value) {
  __m128 half = _mm_max_ps(_mm256_castps256_ps128(value), _mm256_extractf128_ps(value, 1));
  half = _mm_max_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_max_ss(half, _mm_shuffle_ps(half, half, 1)));
}
KEEL_TARGET inline float total_of(V value) {
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(value), _mm256_extractf128_ps(value, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(half, _mm_shuffle_ps(half, half, 1)));
}

// 2^x for x <= 0 with a relative error of about 2e-7; 0 below the smallest normal number.
KEEL_TARGET inline V exp2_of(V x) {
  const V seen = _mm256_cmp_ps(x, _mm256_set1_ps(-126.0F), _CMP_GE_OQ);
  const V bound = max_of(x, _mm256_set1_ps(-126.0F));
  const V whole = _mm256_round_ps(bound, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const V rest = _mm256_sub_ps(bound, whole);
  V power = _mm256_set1_ps(1.53534e-4F);
  power = fma(power, rest, _mm256_set1_ps(1.33989e-3F));
  power = fma(power, rest, _mm256_set1_ps(9.6184373e-3F));
  power = fma(power, rest, _mm256_set1_ps(5.5503327e-2F));
  power = fma(power, rest, _mm256_set1_ps(2.4022651e-1F));
  power = fma(power, rest, _mm256_set1_ps(6.9314718e-1F));
  power = fma(power, rest, _mm256_set1_ps(1.0F));
  const __m256i exponent = _mm256_slli_epi32(_mm256_cvtps_epi32(whole), 23);
  power = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(power), exponent));
  return _mm256_and_ps(power, seen);
}

// W positions of W halves become W rows of W floats, a row of `to` a dimension.
KEEL_TARGET inline void transpose(const std::uint16_t* from, std::size_t stride, float* to) {
  V a[W];
  V b[W];
#pragma GCC unroll 8
  for (int i = 0; i < W; ++i) a[i] = from_half(from + static_cast<std::size_t>(i) * stride);
#pragma GCC unroll 4
  for (int i = 0; i < W; i += 2) {
    b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < W; i += 4) {
    a[i] = _mm256_shuffle_ps(b[i], b[i + 2], 0x44);
    a[i + 1] = _mm256_shuffle_ps(b[i], b[i + 2], 0xEE);
    a[i + 2] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0x44);
    a[i + 3] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0xEE);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    store(to + i * kTile, _mm256_permute2f128_ps(a[i], a[i + 4], 0x20));
    store(to + (i + 4) * kTile, _mm256_permute2f128_ps(a[i], a[i + 4], 0x31));
  }
}

#include "model/kernel/attention_tile.h"

}  // namespace avx2
}  // namespace

void attend_avx2(const Block& block, const Tile& tile) {
  avx2::attend(block, tile);
}

}  // namespace keel::kernel

#undef KEEL_TARGET
#endif
