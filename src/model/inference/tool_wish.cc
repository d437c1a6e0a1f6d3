#include "model/inference/tool_wish.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace keel::local {
namespace {

// Probabilities of the tokens from their logits.
class Softmax {
 public:
  Softmax(const float* logits, std::int32_t count) : logits_(logits) {
    highest_ = *std::max_element(logits, logits + count);
    for (std::int32_t i = 0; i < count; ++i) sum_ += std::exp(logits[i] - highest_);
  }
  double operator()(Token token) const { return std::exp(logits_[token] - highest_) / sum_; }

 private:
  const float* logits_;
  double highest_ = 0.0;
  double sum_ = 0.0;
};

}  // namespace

ToolWish::ToolWish(const std::vector<std::string>& tool_names, std::int32_t vocabulary, Piece piece)
    : names_(tool_names), vocabulary_(vocabulary), piece_(std::move(piece)) {
  for (const std::string& name : names_) quoted_.push_back(name + '"');
}

bool ToolWish::begins_call(std::string_view piece) {
  piece = trim(piece);
  return !piece.empty() && std::string_view("<{[`").find(piece[0]) != std::string_view::npos;
}

double ToolWish::of_call(const float* logits) const {
  const Softmax probability(logits, vocabulary_);
  double sum = 0.0;
  for (Token token = 0; token < vocabulary_; ++token) {
    if (begins_call(piece_(token))) sum += probability(token);
  }
  return sum;
}

double ToolWish::of_tools(const float* logits) {
  const Softmax probability(logits, vocabulary_);
  std::vector<double> named(names_.size());
  double sum = 0.0;
  for (Token token = 0; token < vocabulary_; ++token) {
    const std::string& piece = piece_(token);
    if (piece.empty()) continue;
    bool any = false;
    for (std::size_t i = 0; i < quoted_.size(); ++i) {
      if (!quoted_[i].starts_with(piece)) continue;
      named[i] += probability(token);
      any = true;
    }
    if (any) sum += probability(token);
  }
  likeliest_.clear();
  if (named.empty()) return sum;
  const auto best = std::max_element(named.begin(), named.end());
  const double highest = *best;
  // Two tools that begin with the same token are told apart only by the next one.
  if (std::count_if(named.begin(), named.end(), [&](double p) { return p > 0.5 * highest; }) == 1) {
    likeliest_ = names_[static_cast<std::size_t>(best - named.begin())];
  }
  return sum;
}

}  // namespace keel::local
