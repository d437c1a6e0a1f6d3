#include "tool/number.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace keel::tool {
namespace {

constexpr int kMaxDecimals = 18;  // of an exact fraction that ends; longer ones are rounded
constexpr int kSignificant = 15;
constexpr long double kPlainMax = 1e21L;
constexpr long double kPlainMin = 1e-9L;

Int128 absolute(Int128 v) {
  return v < 0 ? -v : v;
}

Int128 common_divisor(Int128 a, Int128 b) {
  while (b != 0) {
    const Int128 rest = a % b;
    a = b;
    b = rest;
  }
  return absolute(a);
}

// The smallest value has no positive counterpart, so it is never taken as exact.
bool fits(Int128 v) {
  return v != (static_cast<Int128>(1) << 126) * -2;
}

bool multiply(Int128 a, Int128 b, Int128& out) {
  return !__builtin_mul_overflow(a, b, &out) && fits(out);
}
bool add(Int128 a, Int128 b, Int128& out) {
  return !__builtin_add_overflow(a, b, &out) && fits(out);
}

std::string integer_text(Int128 value) {
  std::string out;
  for (Int128 rest = absolute(value); rest != 0; rest /= 10) {
    out += static_cast<char>('0' + static_cast<int>(rest % 10));
  }
  if (out.empty()) out = "0";
  if (value < 0) out += '-';
  std::reverse(out.begin(), out.end());
  return out;
}

Int128 floor_divide(Int128 a, Int128 b) {
  const Int128 quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

std::string decimal_text(long double value) {
  std::array<char, 128> buffer{};
  const long double size = std::fabs(value);
  if (size != 0 && (size >= kPlainMax || size < kPlainMin)) {
    std::snprintf(buffer.data(), buffer.size(), "%.*Lg", kSignificant, value);
    return buffer.data();
  }
  const int whole = size < 1 ? 0 : static_cast<int>(std::floor(std::log10(size))) + 1;
  std::snprintf(buffer.data(), buffer.size(), "%.*Lf", std::max(kSignificant - whole, 0), value);
  std::string out = buffer.data();
  if (out.find('.') != out.npos) {
    out.erase(out.find_last_not_of('0') + 1);
    if (out.back() == '.') out.pop_back();
  }
  return out == "-0" ? "0" : out;
}

Result<Number> finite(long double value) {
  if (std::isnan(value)) return fail(Code::invalid_argument, "the result is not a real number");
  if (std::isinf(value)) return fail(Code::limit, "the result is too large");
  return Number::from_double(value);
}

}  // namespace

Number Number::reduced(Int128 numerator, Int128 denominator) {
  if (denominator < 0) {
    numerator = -numerator;
    denominator = -denominator;
  }
  const Int128 divisor = common_divisor(numerator, denominator);
  return Number(numerator / divisor, denominator / divisor);
}

Number Number::from_double(long double value) {
  Number out;
  out.exact_ = false;
  out.value_ = value;
  return out;
}

Number Number::from_decimal(const std::string& digits, int decimals) {
  Int128 numerator = 0;
  Int128 denominator = 1;
  long double value = 0;
  bool exact = true;
  for (const char c : digits) {
    value = value * 10 + (c - '0');
    exact = exact && multiply(numerator, 10, numerator) && add(numerator, c - '0', numerator);
  }
  for (int i = 0; i < decimals; ++i) exact = exact && multiply(denominator, 10, denominator);
  if (exact) return reduced(numerator, denominator);
  return from_double(value / std::pow(10.0L, decimals));
}

bool Number::is_integer() const {
  return exact_ ? denominator_ == 1 : std::trunc(value_) == value_;
}
bool Number::is_zero() const {
  return exact_ ? numerator_ == 0 : value_ == 0;
}
bool Number::is_negative() const {
  return exact_ ? numerator_ < 0 : value_ < 0;
}

long double Number::approximate() const {
  if (!exact_) return value_;
  return static_cast<long double>(numerator_) / static_cast<long double>(denominator_);
}

Number Number::negated() const {
  return exact_ ? Number(-numerator_, denominator_) : from_double(-value_);
}

Number Number::plus(const Number& other) const {
  Int128 left = 0;
  Int128 right = 0;
  Int128 sum = 0;
  Int128 denominator = 0;
  if (exact_ && other.exact_ && multiply(numerator_, other.denominator_, left) &&
      multiply(other.numerator_, denominator_, right) && add(left, right, sum) &&
      multiply(denominator_, other.denominator_, denominator)) {
    return reduced(sum, denominator);
  }
  return from_double(approximate() + other.approximate());
}

Number Number::times(const Number& other) const {
  Int128 numerator = 0;
  Int128 denominator = 0;
  if (exact_ && other.exact_ && multiply(numerator_, other.numerator_, numerator) &&
      multiply(denominator_, other.denominator_, denominator)) {
    return reduced(numerator, denominator);
  }
  return from_double(approximate() * other.approximate());
}

Result<Number> Number::divided_by(const Number& other) const {
  if (other.is_zero()) return fail(Code::invalid_argument, "division by zero has no result");
  Int128 numerator = 0;
  Int128 denominator = 0;
  if (exact_ && other.exact_ && multiply(numerator_, other.denominator_, numerator) &&
      multiply(denominator_, other.numerator_, denominator)) {
    return reduced(numerator, denominator);
  }
  return finite(approximate() / other.approximate());
}

Result<Number> Number::modulo(const Number& other) const {
  if (other.is_zero()) return fail(Code::invalid_argument, "division by zero has no remainder");
  const Number quotient = TRY(divided_by(other)).floor();
  return minus(quotient.times(other));
}

Result<Number> Number::power(const Number& exponent) const {
  if (is_zero() && exponent.is_negative()) {
    return fail(Code::invalid_argument, "zero to a negative power is a division by zero");
  }
  constexpr Int128 kExactExponent = 1024;
  if (exact_ && exponent.exact_ && exponent.denominator_ == 1 &&
      absolute(exponent.numerator_) <= kExactExponent) {
    Number result = from_integer(1);
    Number square = *this;
    for (Int128 rest = absolute(exponent.numerator_); rest != 0; rest /= 2) {
      if (rest % 2 != 0) result = result.times(square);
      if (rest > 1) square = square.times(square);
    }
    if (exponent.is_negative()) return from_integer(1).divided_by(result);
    if (result.exact_) return result;
  }
  if (is_negative() && !exponent.is_integer()) {
    return fail(Code::invalid_argument,
                "a negative number has no real power with a fraction as exponent");
  }
  return finite(std::pow(approximate(), exponent.approximate()));
}

Result<Number> Number::square_root() const {
  if (is_negative()) {
    return fail(Code::invalid_argument, "a negative number has no real square root");
  }
  if (exact_) {
    const auto root = [](Int128 v) {
      return static_cast<Int128>(std::llround(std::sqrt(static_cast<long double>(v))));
    };
    // Beyond 2^62 the rounded root is not reliable; then the double below is as good as it gets.
    constexpr Int128 kReliable = static_cast<Int128>(1) << 62;
    if (numerator_ < kReliable && denominator_ < kReliable) {
      const Int128 n = root(numerator_);
      const Int128 d = root(denominator_);
      if (n * n == numerator_ && d * d == denominator_) return reduced(n, d);
    }
  }
  return finite(std::sqrt(approximate()));
}

Number Number::floor() const {
  if (!exact_) return from_double(std::floor(value_));
  return from_integer(floor_divide(numerator_, denominator_));
}

Number Number::ceil() const {
  return negated().floor().negated();
}

Result<Number> Number::rounded(int decimals) const {
  constexpr int kMost = 30;
  if (decimals > kMost || decimals < -kMost) {
    return fail(Code::invalid_argument, "round takes -30 to 30 decimals");
  }
  const Number scale = TRY(from_integer(10).power(from_integer(decimals)));
  const Number half = from_decimal("5", 1);
  const Number scaled = times(scale);
  const Number whole = scaled.is_negative() ? scaled.minus(half).ceil() : scaled.plus(half).floor();
  return whole.divided_by(scale);
}

bool Number::less_than(const Number& other) const {
  const Number difference = minus(other);
  return difference.is_negative();
}

std::string Number::exact_text() const {
  if (denominator_ == 1) return integer_text(numerator_);
  // A fraction ends if its denominator divides a power of ten.
  Int128 scale = 1;
  for (int decimals = 1; decimals <= kMaxDecimals; ++decimals) {
    scale *= 10;
    if (scale % denominator_ != 0) continue;
    Int128 digits = 0;
    if (!multiply(absolute(numerator_), scale / denominator_, digits)) return {};
    std::string out = integer_text(digits);
    const auto places = static_cast<std::size_t>(decimals);
    if (out.size() <= places) out.insert(0, places + 1 - out.size(), '0');
    out.insert(out.size() - places, ".");
    return numerator_ < 0 ? "-" + out : out;
  }
  return {};
}

std::string Number::text() const {
  std::string out = exact_ ? exact_text() : std::string();
  return out.empty() ? decimal_text(approximate()) : out;
}

}  // namespace keel::tool
