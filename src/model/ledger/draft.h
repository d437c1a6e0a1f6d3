// Guesses what a model will write next from what the conversation already holds: tool results,
// pages, earlier answers and schemas get quoted, and inside a call the tools' grammar often leaves
// no choice. Several guessed tokens are evaluated in one go and checked against what the model then
// chooses, so the answer is the same and only sooner there.
//
// A guess is made only while it pays: how many tokens of it are usually right (by the length of the
// match it rests on, or if a grammar expects them) against what more rows cost on this machine
// beside one at the same depth, both measured as it goes. A source that does not pay is left alone
// and looked at again now and then.
//
// One conversation at a time; inference thread only; pure. Bounds: limits.h, "model/ledger".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include "base/limits.h"

namespace keel::local {

class Drafter {
 public:
  using Tokens = std::vector<std::int32_t>;
  using Expect = std::function<Tokens()>;

  // The ledger was cut to `size` tokens; 0: it is another one.
  void cut(std::size_t size);
  // What may follow `ledger` and then `next`: nothing, or 3 or 7 tokens. `expect` is asked what a
  // grammar says of that, while that pays; a quote that agrees with it may say more. Reads what was
  // added to the ledger since the last call.
  Tokens propose(const Tokens& ledger, std::int32_t next, const Expect& expect = {});
  // Of the last proposal so many tokens were what the model chose.
  void learn(std::size_t accepted);
  // Evaluating `rows` tokens at once took so long.
  void timed(std::size_t rows, double ms);

  std::size_t proposed() const { return proposed_; }  // tokens, in all
  std::size_t accepted() const { return accepted_; }

 private:
  struct Places {
    std::array<std::uint32_t, limits::draft_places> after{};  // positions behind the group
    std::uint32_t count = 0;
  };
  struct Match {
    std::size_t from = 0;    // where in the ledger the guess begins
    std::size_t length = 0;  // tokens that agree before it
  };
  void index(const Tokens& ledger);
  Match longest_match(const Tokens& ledger, std::int32_t next) const;
  std::size_t worthwhile(std::size_t available, double hit) const;
  Tokens expected(const Expect& expect);

  std::unordered_map<std::uint64_t, Places> groups_;  // of three tokens
  std::size_t indexed_ = 0;
  // Probability of the next token, by length class of a quote; the last: of what is expected.
  std::array<double, 4> hits_ = {0.7, 0.75, 0.85, 0.9};
  double row_ms_ = 0.0;                           // of one row, where the conversation is now
  std::array<double, 3> cost_ = {1.0, 0.0, 0.0};  // of 1, 4 and 8 rows beside one
  std::array<int, 3> times_ = {0, 0, 0};          // how often that was measured
  std::size_t last_class_ = 0;
  std::size_t last_size_ = 0;
  std::size_t proposed_ = 0;
  std::size_t accepted_ = 0;
};

}  // namespace keel::local
