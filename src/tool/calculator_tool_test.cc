#include "tool/calculator_tool.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tool/arithmetic.h"
#include "tool/testing.h"

namespace keel::tool {
namespace {

std::string result_of(std::string_view expression) {
  const auto number = evaluate(expression);
  return number ? number->text() : "error: " + number.error().message;
}

TEST(CalculatorTest, EverydayExpressionsHaveTheirExactResults) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"17% of 2,340", "397.8"},
      {"17% of 2340", "397.8"},
      {"2,340 * 0.17", "397.8"},
      {"1,234,567 + 1", "1234568"},
      {"0.1 + 0.2", "0.3"},
      {"1/3*3", "1"},
      {"2^10", "1024"},
      {"2**10", "1024"},
      {"2^3^2", "512"},
      {"-2^2", "-4"},
      {"(-2)^2", "4"},
      {"2^-2", "0.25"},
      {"10 % 3", "1"},
      {"-5 mod 3", "1"},
      {"7.5 % 2", "1.5"},
      {"200 + 10%", "220"},
      {"200 - 10%", "180"},
      {"50% * 50%", "0.25"},
      {"(3 + 4) * 5", "35"},
      {"3 × 4 ÷ 2 − 1", "5"},
      {"3 x 4", "12"},
      {"1e3 + 1", "1001"},
      {"2.5e-3", "0.0025"},
      {"sqrt(2)", "1.4142135623731"},
      {"sqrt(144)", "12"},
      {"sqrt(2,340)", "48.3735464897913"},
      {"round(10/3, 2)", "3.33"},
      {"round(2.5)", "3"},
      {"round(-2.5)", "-3"},
      {"round(1234, -2)", "1200"},
      {"floor(-1.5)", "-2"},
      {"ceil(1.2)", "2"},
      {"abs(-7)", "7"},
      {"min(1,200)", "1"},
      {"max(1, (2,340), 3)", "2340"},
      {"1/3", "0.333333333333333"},
      {"2/3*100", "66.6666666666667"},
      {"1/8", "0.125"},
      {"2+2 =", "4"},
      {"17 percent of 2340", "397.8"},
      {"99999999999999999999 + 1", "100000000000000000000"},
      {"10^30", "1000000000000000000000000000000"},
      {"10^60", "1e+60"},
      {"0.000000000001", "0.000000000001"},
      {"-0", "0"},
      {".5 + 1.", "1.5"},
  };
  for (const auto& [expression, expected] : cases) {
    EXPECT_EQ(result_of(expression), expected) << expression;
  }
}

TEST(CalculatorTest, WhatHasNoResultSaysWhy) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"1/0", "division by zero"},
      {"5 % 0", "division by zero"},
      {"0^-1", "division by zero"},
      {"sqrt(-1)", "square root"},
      {"(-8)^0.5", "negative number"},
      {"10^99999", "too large"},
      {"9^9^9^9^9", "too large"},
      {"", "empty"},
      {"2 +", "ends too early"},
      {"(2", "')' is missing"},
      {"2)", "')' was not expected"},
      {"2 km", "'km' is not understood"},
      {"$2,340", "'$' was not expected"},
      {"sqrt 2", "brackets"},
      {"sqrt(1, 2)", "one argument"},
      {"2 3", "'3' was not expected"},
      {"import os", "'import' is not understood"},
      {"round(1, 1000)", "decimals"},
      {std::string("1\0", 2), "not expected"},
      {"1\xff", "not expected"},
      {std::string(100, '(') + "1" + std::string(100, ')'), "nested deeper"},
      {std::string(900, '-') + "1", "nested deeper"},
      {std::string(2000, '1'), "more than 1000"},
  };
  for (const auto& [expression, expected] : cases) {
    const std::string result = result_of(expression);
    EXPECT_EQ(result.rfind("error: ", 0), 0u) << expression << " gave " << result;
    EXPECT_NE(result.find(expected), std::string::npos) << expression << " gave " << result;
  }
}

TEST(CalculatorTest, OverflowLeavesTheExactPathWithoutWrapping) {
  EXPECT_EQ(result_of("170141183460469231731687303715884105727 + 1").substr(0, 15),
            "1.7014118346046");
  EXPECT_EQ(result_of("-170141183460469231731687303715884105727 - 2").substr(0, 16),
            "-1.7014118346046");
  EXPECT_EQ(result_of("10^20 * 10^20").substr(0, 5), "1e+40");
  EXPECT_EQ(result_of("abs(-170141183460469231731687303715884105727 - 1)").substr(0, 3), "1.7");
}

TEST(CalculatorTest, TheToolShowsExpressionAndResult) {
  Bench bench(make_calculator_tool());
  EXPECT_EQ(bench.text(R"({"expression":" 17% of 2,340 "})"), "17% of 2,340 = 397.8");
  const Outcome wrong = bench.call(R"({"expression":5})");
  EXPECT_TRUE(wrong.is_error);
  EXPECT_EQ(wrong.text, "arguments.expression must be a string, not a number");
  EXPECT_TRUE(bench.call(R"({"expression":"1/0"})").is_error);
}

}  // namespace
}  // namespace keel::tool
