#include "model/kernel/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "rt/thread.h"

namespace keel::kernel {
namespace {

constexpr double kRounding = 5e-6;

// Only instruction sets that this machine runs; the tests below run in this very process.
std::vector<Isa> usable() {
  std::vector<Isa> isas;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl"))
    isas.push_back(Isa::avx512);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) isas.push_back(Isa::avx2);
#endif
  return isas;
}

struct Data {
  std::vector<float> query;
  std::vector<std::uint16_t> cache;
  std::vector<std::uint16_t> mask;
  std::vector<float> result;
  AttentionInput input;

  // Keys and values are all 0 and 1 (half float 0x3C00), so each result is exactly 1 where anything
  // is seen.
  Data(int rows, int heads, int kv_heads, int head_size, int positions) {
    const auto size = static_cast<std::size_t>(head_size);
    query.assign(static_cast<std::size_t>(rows * heads) * size, 0.25F);
    cache.assign(static_cast<std::size_t>(positions * kv_heads) * size, 0x3C00);
    mask.assign(static_cast<std::size_t>(rows * positions), 0);
    result.assign(query.size(), -1.0F);
    input.query = query.data();
    input.query_row = static_cast<std::size_t>(heads) * size;
    input.query_head = size;
    input.keys = input.values = cache.data();
    input.key_position = input.value_position = static_cast<std::size_t>(kv_heads) * size;
    input.key_head = input.value_head = size;
    input.mask = mask.data();
    input.mask_row = static_cast<std::size_t>(positions);
    input.result = result.data();
    input.rows = rows;
    input.heads = heads;
    input.kv_heads = kv_heads;
    input.head_size = head_size;
    input.positions = positions;
    input.scale = 0.125F;
  }
};

void run_together(Attention& attention, const AttentionInput& input, int count) {
  attention.prepare(input);
  std::vector<rt::Thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.push_back(
        rt::start_thread("attend", [&, i](std::stop_token) { attention.run(input, i, count); }));
  }
}

TEST(Attention, EqualsExactArithmetic) {
  for (const Isa isa : usable()) EXPECT_LT(attention_check(isa), kRounding) << isa_name(isa);
}

TEST(Attention, EveryShapeGivesEveryResultOnce) {
  for (const Isa isa : usable()) {
    for (const int rows : {1, 2, 3, 4, 7, 31, 32, 65}) {
      for (const auto& [heads, kv_heads] : {std::pair{1, 1}, {9, 3}, {14, 2}, {32, 1}}) {
        for (const auto& [head_size, positions] : {std::pair{16, 1}, {80, 63}, {128, 130}}) {
          Data data(rows, heads, kv_heads, head_size, positions);
          Attention attention(isa, 1);
          attention.prepare(data.input);
          attention.run(data.input, 0, 1);
          for (const float value : data.result) ASSERT_NEAR(value, 1.0F, 1e-5F);
        }
      }
    }
  }
}

TEST(Attention, ThreadsShareTheWorkAndAgree) {
  for (const Isa isa : usable()) {
    for (const int rows : {1, 40}) {
      Data data(rows, 9, 3, 64, 700);
      Attention attention(isa, 3);
      for (int round = 0; round < 50; ++round) {
        data.result.assign(data.result.size(), -1.0F);
        run_together(attention, data.input, 3);
        for (const float value : data.result) ASSERT_NEAR(value, 1.0F, 1e-5F);
      }
    }
  }
}

// However the work is cut: by heads where they can be shared evenly or the cache is short, by
// positions else.
TEST(Attention, ManyThreadsFindWhatOneFinds) {
  std::mt19937 random(5);
  std::uniform_int_distribution<int> half(0x3000, 0x3C00);  // 0.125 to 1
  for (const Isa isa : usable()) {
    for (const int rows : {1, 3, 35}) {
      for (const auto& [heads, kv_heads] : {std::pair{9, 3}, {14, 2}, {3, 1}}) {
        for (const int positions : {1, 17, 50, 64, 65, 200, 700}) {
          Data data(rows, heads, kv_heads, 64, positions);
          for (float& value : data.query) value = static_cast<float>(random() % 64) / 64.0F - 0.5F;
          for (std::uint16_t& value : data.cache) value = static_cast<std::uint16_t>(half(random));
          Attention alone(isa, 1);
          alone.prepare(data.input);
          alone.run(data.input, 0, 1);
          const std::vector<float> expected = data.result;
          for (const int threads : {2, 3, 5}) {
            data.result.assign(data.result.size(), -1.0F);
            Attention attention(isa, threads);
            run_together(attention, data.input, threads);
            for (std::size_t i = 0; i < expected.size(); ++i)
              ASSERT_NEAR(data.result[i], expected[i], 1e-5F) << threads << ", " << positions;
          }
        }
      }
    }
  }
}

TEST(Attention, WhatTheMaskHidesHasNoPart) {
  constexpr std::uint16_t hidden = 0xFC00;  // minus infinity
  constexpr std::uint16_t not_a_number = 0x7E00;
  for (const Isa isa : usable()) {
    for (const int rows : {2, 33}) {
      Data data(rows, 2, 1, 32, 200);
      for (std::size_t p = 100; p < 200; ++p) {
        for (std::size_t d = 0; d < 32; ++d) data.cache[p * 32 + d] = 0x4900;  // 10
        for (int row = 0; row < rows; ++row)
          data.mask[static_cast<std::size_t>(row) * 200 + p] = hidden;
      }
      // Whole tiles that nobody sees are not even looked at.
      for (std::size_t i = 128 * 32; i < data.cache.size(); ++i) data.cache[i] = not_a_number;
      Attention attention(isa, 1);
      attention.prepare(data.input);
      attention.run(data.input, 0, 1);
      for (const float value : data.result) ASSERT_NEAR(value, 1.0F, 1e-5F);
    }
  }
}

// Of a window, and of a cache that was made larger than what is in it: threads share what is seen.
TEST(Attention, WhatIsSeenMayLieAnywhere) {
  for (const Isa isa : usable()) {
    for (const auto& [begin, end] :
         {std::pair<std::size_t, std::size_t>{0, 1}, {140, 150}, {60, 200}, {299, 300}}) {
      Data data(2, 9, 3, 32, 300);
      for (std::size_t p = 0; p < 300; ++p) {
        if (p >= begin && p < end) continue;
        data.mask[p] = data.mask[300 + p] = 0xFC00;  // minus infinity
        if (p < begin / 64 * 64 || p >= (end + 63) / 64 * 64)
          std::fill_n(data.cache.begin() + static_cast<std::ptrdiff_t>(p * 96), 96, 0x7E00);
      }
      data.mask[300 + begin] = 0xFC00;  // the second row sees one less
      Attention attention(isa, 3);
      run_together(attention, data.input, 3);
      for (std::size_t i = 0; i < data.result.size(); ++i) {
        const bool blind = i >= data.result.size() / 2 && end - begin == 1;
        ASSERT_NEAR(data.result[i], blind ? 0.0F : 1.0F, 1e-5F) << begin << " to " << end;
      }
    }
  }
}

TEST(Attention, ARowThatSeesNothingIsZeroAndNotANumber) {
  for (const Isa isa : usable()) {
    for (const int rows : {1, 32}) {
      Data data(rows, 3, 3, 16, 70);
      std::fill_n(data.mask.begin(), 70, std::uint16_t{0xFC00});
      Attention attention(isa, 1);
      attention.prepare(data.input);
      attention.run(data.input, 0, 1);
      EXPECT_EQ(data.result[0], 0.0F);
      if (rows > 1) {
        EXPECT_NEAR(data.result.back(), 1.0F, 1e-5F);
      }
    }
  }
}

TEST(Attention, ScoresFarApartDoNotOverflow) {
  for (const Isa isa : usable()) {
    Data data(1, 1, 1, 16, 65);
    data.query.assign(16, 1000.0F);
    for (std::size_t p = 0; p < 64; ++p) {
      for (std::size_t d = 0; d < 16; ++d) data.cache[p * 16 + d] = p % 2 == 0 ? 0xBC00 : 0x3C00;
    }
    Attention attention(isa, 1);
    attention.prepare(data.input);
    attention.run(data.input, 0, 1);
    for (const float value : data.result) ASSERT_NEAR(value, 1.0F, 1e-5F);
  }
}

TEST(Attention, SizesItCannotWorkOnAreRefused) {
  Data data(1, 4, 2, 64, 8);
  EXPECT_TRUE(attention_fits(data.input));
  for (const auto& change : std::vector<void (*)(AttentionInput&)>{
           [](AttentionInput& i) { i.head_size = 72; },
           [](AttentionInput& i) { i.head_size = 512; }, [](AttentionInput& i) { i.kv_heads = 3; },
           [](AttentionInput& i) { i.kv_heads = 0; }, [](AttentionInput& i) { i.rows = 0; },
           [](AttentionInput& i) { i.positions = 0; }}) {
    AttentionInput input = data.input;
    change(input);
    EXPECT_FALSE(attention_fits(input));
  }
  EXPECT_FALSE(isa_from_name("mmx"));
}

}  // namespace
}  // namespace keel::kernel
