#include "gateway/door/guesses.h"

#include <algorithm>

#include "base/hash.h"
#include "base/limits.h"

namespace keel::api {

std::deque<Guesses::Guess>& Guesses::recent(const std::string& address) {
  std::deque<Guess>& guesses = addresses_[address];
  const Steady since = clock_.steady() - limits::token_guess_time;
  while (!guesses.empty() && guesses.front().when <= since) guesses.pop_front();
  return guesses;
}

int Guesses::wait_s(const std::string& address) {
  if (addresses_.find(address) == addresses_.end()) return 0;
  const std::deque<Guess>& guesses = recent(address);
  if (guesses.size() < limits::token_guesses) {
    if (guesses.empty()) addresses_.erase(address);
    return 0;
  }
  const auto left = guesses.front().when + limits::token_guess_time - clock_.steady();
  return static_cast<int>(std::chrono::ceil<std::chrono::seconds>(left).count());
}

void Guesses::wrong(const std::string& address, std::string_view token) {
  if (addresses_.size() >= limits::token_guess_addresses && addresses_.count(address) == 0) {
    // The one that has been quiet for longest gives way.
    const auto oldest =
        std::min_element(addresses_.begin(), addresses_.end(), [](const auto& a, const auto& b) {
          const auto last = [](const auto& entry) {
            return entry.second.empty() ? Steady() : entry.second.back().when;
          };
          return last(a) < last(b);
        });
    addresses_.erase(oldest);
  }
  std::deque<Guess>& guesses = recent(address);
  const std::string hash = sha256_hex(token);
  const auto same = [&](const Guess& guess) { return guess.hash == hash; };
  if (std::any_of(guesses.begin(), guesses.end(), same)) return;
  guesses.push_back({clock_.steady(), hash});
}

}  // namespace keel::api
