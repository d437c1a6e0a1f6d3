#include "model/kernel/attention_block.h"

#if defined(__x86_64__)

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#define KEEL_TARGET \
  __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512cd,avx2,fma,f16c")))

namespace keel::kernel {
namespace {
namespace avx512 {

using V = __m512;
constexpr int W = 16;
constexpr int kColumns = 4;

KEEL_TARGET inline V load(const float* from) {
  return _mm512_loadu_ps(from);
}
KEEL_TARGET inline void store(float* to, V value) {
  _mm512_storeu_ps(to, value);
}
KEEL_TARGET inline V spread(float value) {
  return _mm512_set1_ps(value);
}
KEEL_TARGET inline V zero() {
  return _mm512_setzero_ps();
}
KEEL_TARGET inline V fma(V a, V b, V c) {
  return _mm512_fmadd_ps(a, b, c);
}
KEEL_TARGET inline V add(V a, V b) {
  return _mm512_add_ps(a, b);
}
KEEL_TARGET inline V mul(V a, V b) {
  return _mm512_mul_ps(a, b);
}
KEEL_TARGET inline V max_of(V a, V b) {
  return _mm512_max_ps(a, b);
}
KEEL_TARGET inline V from_half(const std::uint16_t* from) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
KEEL_TARGET inline float largest(V value) {
  value = max_of(value, _mm512_shuffle_f32x4(value, value, 0x4E));
  value = max_of(value, _mm512_shuffle_f32x4(value, value, 0xB1));
  __m128 rest = _mm512_castps512_ps128(value);
  rest = _mm_max_ps(rest, _mm_movehl_ps(rest, rest));
  return _mm_cvtss_f32(_mm_max_ss(rest, _mm_shuffle_ps(rest, rest, 1)));
}
KEEL_TARGET inline float total_of(V value) {
  value = add(value, _mm512_shuffle_f32x4(value, value, 0x4E));
  value = add(value, _mm512_shuffle_f32x4(value, value, 0xB1));
  __m128 rest = _mm512_castps512_ps128(value);
  rest = _mm_add_ps(rest, _mm_movehl_ps(rest, rest));
  return _mm_cvtss_f32(_mm_add_ss(rest, _mm_shuffle_ps(rest, rest, 1)));
}

// 2^x for x <= 0 with a relative error of about 2e-7; 0 below the smallest normal number.
KEEL_TARGET inline V exp2_of(V x) {
  const __mmask16 seen = _mm512_cmp_ps_mask(x, _mm512_set1_ps(-126.0F), _CMP_GE_OQ);
  const V whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const V rest = _mm512_sub_ps(x, whole);
  V power = _mm512_set1_ps(1.53534e-4F);
  power = fma(power, rest, _mm512_set1_ps(1.33989e-3F));
  power = fma(power, rest, _mm512_set1_ps(9.6184373e-3F));
  power = fma(power, rest, _mm512_set1_ps(5.5503327e-2F));
  power = fma(power, rest, _mm512_set1_ps(2.4022651e-1F));
  power = fma(power, rest, _mm512_set1_ps(6.9314718e-1F));
  power = fma(power, rest, _mm512_set1_ps(1.0F));
  return _mm512_maskz_scalef_ps(seen, power, whole);
}

// W positions of W halves become W rows of W floats, a row of `to` a dimension.
KEEL_TARGET inline void transpose(const std::uint16_t* from, std::size_t stride, float* to) {
  V a[W];
  V b[W];
#pragma GCC unroll 16
  for (int i = 0; i < W; ++i) a[i] = from_half(from + static_cast<std::size_t>(i) * stride);
#pragma GCC unroll 8
  for (int i = 0; i < W; i += 2) {
    b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < W; i += 4) {
    const __m512d low0 = _mm512_castps_pd(b[i]);
    const __m512d low1 = _mm512_castps_pd(b[i + 2]);
    const __m512d high0 = _mm512_castps_pd(b[i + 1]);
    const __m512d high1 = _mm512_castps_pd(b[i + 3]);
    a[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(low0, low1));
    a[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low0, low1));
    a[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high0, high1));
    a[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high0, high1));
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    b[i] = _mm512_shuffle_f32x4(a[i], a[i + 4], 0x88);
    b[i + 4] = _mm512_shuffle_f32x4(a[i], a[i + 4], 0xDD);
    b[i + 8] = _mm512_shuffle_f32x4(a[i + 8], a[i + 12], 0x88);
    b[i + 12] = _mm512_shuffle_f32x4(a[i + 8], a[i + 12], 0xDD);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    store(to + i * kTile, _mm512_shuffle_f32x4(b[i], b[i + 8], 0x88));
    store(to + (i + 8) * kTile, _mm512_shuffle_f32x4(b[i], b[i + 8], 0xDD));
    store(to + (i + 4) * kTile, _mm512_shuffle_f32x4(b[i + 4], b[i + 12], 0x88));
    store(to + (i + 12) * kTile, _mm512_shuffle_f32x4(b[i + 4], b[i + 12], 0xDD));
  }
}

#include "model/kernel/attention_tile.h"

}  // namespace avx512
}  // namespace

void attend_avx512(const Block& block, const Tile& tile) {
  avx512::attend(block, tile);
}

}  // namespace keel::kernel

#undef KEEL_TARGET
#endif
