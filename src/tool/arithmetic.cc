#include "tool/arithmetic.h"

#include <algorithm>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/text.h"

namespace keel::tool {
namespace {

constexpr std::string_view kHint =
    "write for example 17% of 2340, (3 + 4) * 5, 2^10, sqrt(2), round(10 / 3, 2)";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// A value, and whether it was written as a bare percentage, which + and - read as a share of their
// left side.
struct Term {
  Number value;
  bool percent = false;
};

class Parser {
 public:
  explicit Parser(std::string text) : text_(std::move(text)) {}

  Result<Number> parse() {
    const Term result = TRY(sum(0));
    accept("=");
    skip_space();
    if (at_ < text_.size()) return unexpected();
    return result.value;
  }

 private:
  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
      ++at_;
    }
  }
  bool accept(std::string_view token) {
    skip_space();
    if (!std::string_view(text_).substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  // The word that stands here, in lower case; nothing is consumed.
  std::string peek_word() {
    skip_space();
    std::size_t end = at_;
    while (end < text_.size() && is_letter(text_[end])) ++end;
    return ascii_lower(std::string_view(text_).substr(at_, end - at_));
  }
  bool accept_word(std::string_view word) {
    if (peek_word() != word) return false;
    at_ += word.size();
    return true;
  }

  tl::unexpected<Error> unexpected() {
    skip_space();
    if (at_ >= text_.size()) {
      return fail(Code::invalid_argument, "the expression ends too early", std::string(kHint));
    }
    const std::string word = peek_word();
    if (!word.empty()) {
      return fail(Code::invalid_argument,
                  "'" + printable(word, 40) + "' is not understood; leave out units and words",
                  std::string(kHint));
    }
    std::size_t end = at_;
    next_code_point(text_, end);
    return fail(Code::invalid_argument,
                "'" + printable(std::string_view(text_).substr(at_, end - at_)) +
                    "' was not expected at position " + std::to_string(at_ + 1),
                std::string(kHint));
  }

  static Result<Term> too_deep(int depth) {
    if (depth <= limits::calculator_depth) return Term{};
    return fail(Code::limit, "the expression is nested deeper than " +
                                 std::to_string(limits::calculator_depth) + " levels");
  }

  Result<Term> sum(int depth) {
    TRY(too_deep(depth));
    Term left = TRY(product(depth + 1));
    for (;;) {
      const bool plus = accept("+");
      if (!plus && !accept("-")) return left;
      const Term right = TRY(product(depth + 1));
      const Number share = right.percent ? left.value.times(right.value) : right.value;
      left = {plus ? left.value.plus(share) : left.value.minus(share), false};
    }
  }

  // "%" is a remainder when a value follows, and a percentage otherwise.
  bool value_follows() {
    skip_space();
    if (at_ >= text_.size()) return false;
    const char c = text_[at_];
    const std::string word = peek_word();
    return is_digit(c) || c == '.' || c == '(' || (!word.empty() && word != "of" && word != "x");
  }

  bool accept_times() {
    const std::size_t before = at_;
    if (accept("**")) {
      at_ = before;
      return false;
    }
    return accept("*") || accept_word("of") || accept_word("x") || accept_word("times");
  }

  Result<Term> product(int depth) {
    TRY(too_deep(depth));
    Term left = TRY(signed_value(depth + 1));
    for (;;) {
      if (accept_times()) {
        const Term right = TRY(signed_value(depth + 1));
        left = {left.value.times(right.value), false};
      } else if (accept("/")) {
        const Term right = TRY(signed_value(depth + 1));
        left = {TRY(left.value.divided_by(right.value)), false};
      } else if (accept("%") || accept_word("mod")) {
        const Term right = TRY(signed_value(depth + 1));
        left = {TRY(left.value.modulo(right.value)), false};
      } else {
        return left;
      }
    }
  }

  Result<Term> signed_value(int depth) {
    TRY(too_deep(depth));
    if (accept("-")) {
      const Term term = TRY(signed_value(depth + 1));
      return Term{term.value.negated(), term.percent};
    }
    if (accept("+")) return signed_value(depth + 1);
    return power(depth + 1);
  }

  Result<Term> power(int depth) {
    TRY(too_deep(depth));
    Term base = TRY(percentage(depth + 1));
    if (!accept("^") && !accept("**")) return base;
    const Term exponent = TRY(signed_value(depth + 1));  // right to left: 2^3^2 is 2^9
    return Term{TRY(base.value.power(exponent.value)), false};
  }

  Result<Term> percentage(int depth) {
    Term term = TRY(value(depth + 1));
    const std::size_t before = at_;
    if (accept_word("percent") || (accept("%") && !value_follows())) {
      return Term{term.value.times(Number::from_decimal("1", 2)), true};
    }
    at_ = before;
    return term;
  }

  Result<Term> value(int depth) {
    TRY(too_deep(depth));
    if (accept("(")) {
      const bool outer = std::exchange(in_list_, false);
      const Term inner = TRY(sum(depth + 1));
      in_list_ = outer;
      if (!accept(")")) return missing_bracket();
      return Term{inner.value, false};
    }
    skip_space();
    if (at_ < text_.size() && (is_digit(text_[at_]) || text_[at_] == '.')) return number();
    const std::string word = peek_word();
    if (word == "pi" || word == "e") {
      at_ += word.size();
      return Term{Number::from_double(word == "pi" ? std::numbers::pi_v<long double>
                                                   : std::numbers::e_v<long double>)};
    }
    static const std::vector<std::string> kFunctions = {"sqrt", "abs", "round", "floor",
                                                        "ceil", "min", "max"};
    if (std::find(kFunctions.begin(), kFunctions.end(), word) != kFunctions.end()) {
      at_ += word.size();
      return call(word, depth + 1);
    }
    return unexpected();
  }

  tl::unexpected<Error> missing_bracket() {
    skip_space();
    if (at_ < text_.size()) return unexpected();
    return fail(Code::invalid_argument, "a ')' is missing", std::string(kHint));
  }

  // Digits, groups of three, a fraction, an exponent. Inside min() and max() a comma always
  // separates.
  Result<Term> number() {
    std::string digits;
    const auto take_digits = [&] {
      while (at_ < text_.size() && is_digit(text_[at_])) digits += text_[at_++];
    };
    const auto group_follows = [&] {
      const auto digit = [&](std::size_t i) {
        return at_ + i < text_.size() && is_digit(text_[at_ + i]);
      };
      return at_ < text_.size() && text_[at_] == ',' && digit(1) && digit(2) && digit(3) &&
             !digit(4);
    };
    take_digits();
    if (!in_list_ && !digits.empty() && digits.size() <= 3) {
      while (group_follows()) {
        ++at_;
        take_digits();
      }
    }
    int decimals = 0;
    if (at_ < text_.size() && text_[at_] == '.') {
      ++at_;
      const std::size_t whole = digits.size();
      take_digits();
      decimals = static_cast<int>(digits.size() - whole);
    }
    if (digits.empty()) return unexpected();
    return Term{TRY(with_exponent(Number::from_decimal(digits, decimals)))};
  }

  // "2e3"; an "e" that no digit follows is the constant and not part of the number.
  Result<Number> with_exponent(const Number& mantissa) {
    if (at_ >= text_.size() || (text_[at_] != 'e' && text_[at_] != 'E')) return mantissa;
    std::size_t end = at_ + 1;
    const bool negative = end < text_.size() && text_[end] == '-';
    if (end < text_.size() && (text_[end] == '-' || text_[end] == '+')) ++end;
    const std::size_t first = end;
    int exponent = 0;
    while (end < text_.size() && is_digit(text_[end])) {
      exponent = std::min(exponent * 10 + (text_[end++] - '0'), 99'999);
    }
    if (end == first) return mantissa;
    at_ = end;
    const Number scale =
        TRY(Number::from_integer(10).power(Number::from_integer(negative ? -exponent : exponent)));
    return mantissa.times(scale);
  }

  Result<Term> call(const std::string& name, int depth) {
    if (!accept("(")) {
      return fail(Code::invalid_argument, name + " needs its argument in brackets",
                  std::string(kHint));
    }
    const bool outer = std::exchange(in_list_, name == "min" || name == "max");
    std::vector<Number> list;
    do {
      list.push_back(TRY(sum(depth + 1)).value);
    } while (accept(",") || accept(";"));
    in_list_ = outer;
    if (!accept(")")) return missing_bracket();
    return Term{TRY(apply(name, list))};
  }

  static Result<Number> apply(const std::string& name, const std::vector<Number>& list) {
    const Number& first = list.front();
    if (name == "min" || name == "max") {
      const auto less = [](const Number& a, const Number& b) { return a.less_than(b); };
      return name == "min" ? *std::min_element(list.begin(), list.end(), less)
                           : *std::max_element(list.begin(), list.end(), less);
    }
    if (name == "round" && list.size() == 2) {
      const Number& decimals = list.back();
      if (!decimals.is_integer() || decimals.approximate() > 99 || decimals.approximate() < -99) {
        return fail(Code::invalid_argument, "round takes -30 to 30 decimals");
      }
      return first.rounded(static_cast<int>(decimals.approximate()));
    }
    if (list.size() != 1) {
      return fail(Code::invalid_argument,
                  name + " takes one argument, not " + std::to_string(list.size()),
                  std::string(kHint));
    }
    if (name == "sqrt") return first.square_root();
    if (name == "abs") return first.is_negative() ? first.negated() : first;
    if (name == "floor") return first.floor();
    if (name == "ceil") return first.ceil();
    return first.rounded(0);
  }

  std::string text_;
  std::size_t at_ = 0;
  bool in_list_ = false;
};

// The signs that look alike become the ones the parser knows.
std::string plain_signs(std::string_view text) {
  static constexpr std::pair<char32_t, std::string_view> kSigns[] = {
      {0xD7, "*"},   {0xF7, "/"},   {0x2212, "-"}, {0x2013, "-"}, {0xB7, "*"},
      {0x22C5, "*"}, {0x2215, "/"}, {0xA0, " "},   {0x202F, " "}, {0x2009, " "}};
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const char32_t c = next_code_point(text, at);
    const auto* sign = std::find_if(std::begin(kSigns), std::end(kSigns),
                                    [&](const auto& pair) { return pair.first == c; });
    out += sign == std::end(kSigns) ? text.substr(begin, at - begin) : sign->second;
  }
  return out;
}

}  // namespace

Result<Number> evaluate(std::string_view expression) {
  if (expression.size() > limits::calculator_bytes) {
    return fail(Code::limit, "the expression has " + std::to_string(expression.size()) +
                                 " bytes, more than " + std::to_string(limits::calculator_bytes));
  }
  if (trim(expression).empty()) {
    return fail(Code::invalid_argument, "the expression is empty", std::string(kHint));
  }
  const Number result = TRY(Parser(plain_signs(expression)).parse());
  const long double value = result.approximate();
  if (value != value) return fail(Code::invalid_argument, "the result is not a real number");
  if (value - value != 0) return fail(Code::limit, "the result is too large");
  return result;
}

}  // namespace keel::tool
