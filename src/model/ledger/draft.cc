#include "model/ledger/draft.h"

#include <algorithm>

namespace keel::local {
namespace {

constexpr std::size_t kGroup = 3;      // tokens that must agree before a guess is made
constexpr std::size_t kMatchMax = 32;  // looked at before that; more say nothing more
constexpr double kWorth = 1.05;        // expected tokens for the price of one
constexpr double kWeight = 0.1;        // of the newest outcome
// A model writes its calls as a grammar expects them or in a way of its own, and soon shows which.
constexpr double kExpectedWeight = 0.25;
constexpr double kTimeWeight = 0.15;  // of the newest time
constexpr int kFirstTimes = 3;        // measurements before a cost is believed
constexpr double kOutlier = 3.0;      // times as slow as usual: something else was running
constexpr double kForgive = 0.002;    // how fast a source or a size that failed is trusted again
constexpr double kForgiven = 0.6;
constexpr std::size_t kExpected = 3;                   // the class behind those of lengths
constexpr std::array<std::size_t, 2> kSizes = {3, 7};  // with the certain one: 4 and 8 rows
constexpr std::array<double, 3> kGuessedCost = {1.0, 1.9, 2.9};  // until it is measured

std::uint64_t key_of(std::int32_t a, std::int32_t b, std::int32_t c) {
  constexpr std::uint64_t odd = 0x9E3779B97F4A7C15ULL;
  std::uint64_t key = static_cast<std::uint32_t>(a);
  key = key * odd + static_cast<std::uint32_t>(b);
  return key * odd + static_cast<std::uint32_t>(c);
}

std::size_t row_class(std::size_t rows) {
  return rows == 1 ? 0 : rows <= kSizes[0] + 1 ? 1 : 2;
}

std::size_t length_class(std::size_t length) {
  return length <= 4 ? 0 : length <= 8 ? 1 : 2;
}

void forgive(double& hit) {
  hit += kForgive * std::max(0.0, kForgiven - hit);
}

}  // namespace

void Drafter::cut(std::size_t size) {
  indexed_ = std::min(indexed_, size);
  if (size > 0) return;
  groups_.clear();
  times_[0] = 0;  // it may be much longer, or shorter
}

// Entries of what was cut off stay; longest_match() compares before it believes one.
void Drafter::index(const Tokens& ledger) {
  for (std::size_t at = std::max(indexed_, kGroup); at < ledger.size(); ++at) {
    Places& places = groups_[key_of(ledger[at - 3], ledger[at - 2], ledger[at - 1])];
    places.after[places.count++ % places.after.size()] = static_cast<std::uint32_t>(at);
  }
  indexed_ = ledger.size();
}

Drafter::Match Drafter::longest_match(const Tokens& ledger, std::int32_t next) const {
  Match best;
  const std::size_t size = ledger.size();
  if (size < kGroup) return best;
  const auto found = groups_.find(key_of(ledger[size - 2], ledger[size - 1], next));
  if (found == groups_.end()) return best;
  const Places& places = found->second;
  const std::size_t count = std::min<std::size_t>(places.count, places.after.size());
  for (std::size_t i = 0; i < count; ++i) {
    // The newest first: of matches of one length it is the likeliest.
    const std::size_t at = places.after[(places.count - 1 - i) % places.after.size()];
    if (at >= size || ledger[at - 1] != next) continue;
    std::size_t length = 1;
    while (length < kMatchMax && length < at && length <= size &&
           ledger[at - 1 - length] == ledger[size - length])
      ++length;
    if (length >= kGroup && length > best.length) best = {at, length};
  }
  return best;
}

std::size_t Drafter::worthwhile(std::size_t available, double hit) const {
  std::size_t best = 0;
  double gain = kWorth;
  for (const std::size_t size : kSizes) {
    if (size > available) break;
    double tokens = 1.0;
    double chance = 1.0;
    for (std::size_t i = 0; i < size; ++i) tokens += chance *= hit;
    const std::size_t rows = row_class(size + 1);
    const double cost = times_[rows] >= kFirstTimes ? cost_[rows] : kGuessedCost[rows];
    if (tokens / cost <= gain) continue;
    gain = tokens / cost;
    best = size;
  }
  return best;
}

// Asking takes a few percent of a small model's token.
Drafter::Tokens Drafter::expected(const Expect& expect) {
  if (!expect) return {};
  double& hit = hits_[kExpected];
  if (worthwhile(kSizes.front(), hit) > 0) return expect();
  forgive(hit);
  return {};
}

Drafter::Tokens Drafter::propose(const Tokens& ledger, std::int32_t next, const Expect& expect) {
  index(ledger);
  const Match match = longest_match(ledger, next);
  auto from = ledger.begin() + static_cast<std::ptrdiff_t>(match.from);
  auto end = match.length > 0 ? ledger.end() : from;
  last_class_ = length_class(match.length);
  const Tokens sure = expected(expect);
  if (sure.size() >= kSizes.front() &&
      !std::equal(sure.begin(), sure.end(), from, from + std::min(end - from, std::ssize(sure)))) {
    from = sure.begin();
    end = sure.end();
    last_class_ = kExpected;
  }
  if (from == end) return {};
  double& hit = hits_[last_class_];
  const std::size_t size = worthwhile(static_cast<std::size_t>(end - from), hit);
  if (size == 0) {
    forgive(hit);
    for (std::size_t kind = 1; kind < cost_.size(); ++kind)
      cost_[kind] += kForgive * std::min(0.0, kGuessedCost[kind] - cost_[kind]);
    return {};
  }
  last_size_ = size;
  proposed_ += size;
  return {from, from + static_cast<std::ptrdiff_t>(size)};
}

void Drafter::learn(std::size_t accepted) {
  double& hit = hits_[last_class_];
  const double weight = last_class_ == kExpected ? kExpectedWeight : kWeight;
  accepted_ += accepted;
  for (std::size_t i = 0; i < accepted; ++i) hit += weight * (1.0 - hit);
  if (accepted < last_size_) hit -= weight * hit;
  last_size_ = 0;
}

// Costs are kept beside that of one row, because every row costs more the longer the conversation
// is: what four took in a long one says nothing in a short one.
void Drafter::timed(std::size_t rows, double ms) {
  const std::size_t kind = row_class(rows);
  if (kind > 0 && times_[0] < kFirstTimes) return;
  double& usual = kind == 0 ? row_ms_ : cost_[kind];
  const double now = kind == 0 ? ms : ms / row_ms_;
  // The first evaluations of a size prepare what later ones use again.
  if (++times_[kind] <= kFirstTimes)
    usual = times_[kind] == 1 ? now : std::min(usual, now);
  else if (kind == 0 || now < kOutlier * usual)  // one row's may have grown with the conversation
    usual += kTimeWeight * (std::min(now, kOutlier * usual) - usual);
}

}  // namespace keel::local
