#include <algorithm>
#include <cmath>
#include <random>

#include "model/kernel/attention.h"

namespace keel::kernel {
namespace {

// A half float of magnitude 2^-4 to 2 and its exact value.
std::uint16_t random_half(std::mt19937& random, std::vector<double>& exact) {
  const auto bits = static_cast<std::uint32_t>(random());
  const std::uint32_t sign = bits & 1U;
  const std::uint32_t exponent = 11 + (bits >> 1U) % 5;
  const std::uint32_t fraction = (bits >> 8U) & 0x3FFU;
  const double value = std::ldexp(1.0 + fraction / 1024.0, static_cast<int>(exponent) - 15);
  exact.push_back(sign != 0 ? -value : value);
  return static_cast<std::uint16_t>(sign << 15U | exponent << 10U | fraction);
}

struct Made {
  AttentionInput input;
  std::vector<float> query;
  std::vector<std::uint16_t> keys, values, mask;
  std::vector<double> exact_keys, exact_values;
  std::vector<float> result;

  // Every row sees all positions before a bound of its own, as in a conversation.
  Made(int rows, int heads, int kv_heads, int head_size, int positions) {
    std::mt19937 random(11);
    std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
    const auto count = [](int a, int b, int c) { return static_cast<std::size_t>(a * b * c); };
    query.resize(count(rows, heads, head_size));
    for (float& value : query) value = uniform(random);
    for (std::size_t i = 0; i < count(positions, kv_heads, head_size); ++i) {
      keys.push_back(random_half(random, exact_keys));
      values.push_back(random_half(random, exact_values));
    }
    for (int row = 0; row < rows; ++row) {
      for (int p = 0; p < positions; ++p)
        mask.push_back(p < seen(row, rows, positions) ? 0 : 0xFC00);
    }
    result.assign(query.size(), -1.0F);
    const auto size = static_cast<std::size_t>(head_size);
    input = {query.data(),
             size * static_cast<std::size_t>(heads),
             size,
             keys.data(),
             size * static_cast<std::size_t>(kv_heads),
             size,
             values.data(),
             size * static_cast<std::size_t>(kv_heads),
             size,
             mask.data(),
             static_cast<std::size_t>(positions),
             result.data(),
             rows,
             heads,
             kv_heads,
             head_size,
             positions,
             1.0F / std::sqrt(static_cast<float>(head_size))};
  }

  static int seen(int row, int rows, int positions) {
    return std::max(1, positions - 7 - (rows - 1 - row));
  }

  double error() const {
    double worst = 0.0;
    double largest = 0.0;
    const auto size = static_cast<std::size_t>(input.head_size);
    for (int row = 0; row < input.rows; ++row) {
      for (int head = 0; head < input.heads; ++head) {
        const auto kv = static_cast<std::size_t>(head / (input.heads / input.kv_heads));
        const auto at = static_cast<std::size_t>(row * input.heads + head) * size;
        std::vector<double> sum(size, 0.0);
        double total = 0.0;
        for (int p = 0; p < seen(row, input.rows, input.positions); ++p) {
          const std::size_t cell =
              (static_cast<std::size_t>(p) * static_cast<std::size_t>(input.kv_heads) + kv) * size;
          double dot = 0.0;
          for (std::size_t d = 0; d < size; ++d)
            dot += double{query[at + d]} * exact_keys[cell + d];
          const double weight = std::exp(dot * double{input.scale});
          total += weight;
          for (std::size_t d = 0; d < size; ++d) sum[d] += weight * exact_values[cell + d];
        }
        for (std::size_t d = 0; d < size; ++d) {
          const double exact = sum[d] / total;
          const double difference = std::abs(exact - double{result[at + d]});
          worst = difference <= worst ? worst : difference;  // not-a-number counts as worse
          largest = std::max(largest, std::abs(exact));
        }
      }
    }
    return worst / largest;
  }
};

}  // namespace

double attention_check(Isa isa) {
  double worst = 0.0;
  for (const int rows : {1, 5, 40}) {
    for (const int positions : {50, 333}) {
      Made made(rows, 6, 2, 64, positions);
      Attention attention(isa, 1);
      attention.prepare(made.input);
      attention.run(made.input, 0, 1);
      const double error = made.error();
      worst = error <= worst ? worst : error;
    }
  }
  return worst;
}

}  // namespace keel::kernel
