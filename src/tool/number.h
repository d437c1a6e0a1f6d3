// A number of the calculator: an exact fraction of 128-bit integers as long as it fits, a long
// double after that. So 17% of 2,340 is 397.8, 0.1 + 0.2 is 0.3 and 1/3*3 is 1, and only what
// cannot be exact is rounded.
//
// Values; no errors but those of the operations: each says in plain words what cannot be computed.
#pragma once

#include <string>

#include "base/result.h"

namespace keel::tool {

__extension__ typedef __int128 Int128;

class Number {
 public:
  Number() = default;
  static Number from_integer(Int128 value) { return Number(value, 1); }
  static Number from_double(long double value);
  // `digits` with `decimals` of them after the point: ("2345", 2) is 23.45.
  static Number from_decimal(const std::string& digits, int decimals);

  bool is_exact() const { return exact_; }
  bool is_integer() const;
  bool is_zero() const;
  bool is_negative() const;
  long double approximate() const;

  Number negated() const;
  Number plus(const Number& other) const;
  Number minus(const Number& other) const { return plus(other.negated()); }
  Number times(const Number& other) const;
  Result<Number> divided_by(const Number& other) const;
  // With the sign of the divisor, as in -5 modulo 3 = 1.
  Result<Number> modulo(const Number& other) const;
  Result<Number> power(const Number& exponent) const;
  Result<Number> square_root() const;
  Number floor() const;
  Number ceil() const;
  // Half away from zero; decimals may be negative.
  Result<Number> rounded(int decimals) const;
  bool less_than(const Number& other) const;

  // Without an exponent for everyday sizes; at most 15 significant digits where rounded.
  std::string text() const;

 private:
  Number(Int128 numerator, Int128 denominator) : numerator_(numerator), denominator_(denominator) {}
  static Number reduced(Int128 numerator, Int128 denominator);
  std::string exact_text() const;

  Int128 numerator_ = 0;
  Int128 denominator_ = 1;  // above 0, no common divisor
  bool exact_ = true;
  long double value_ = 0;  // when not exact
};

}  // namespace keel::tool
