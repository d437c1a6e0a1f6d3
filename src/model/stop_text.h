// Ends an answer's text before the first of some given texts, while it streams. What could be the
// beginning of one is held back until it is sure.
//
// One owner, one thread; pure computation.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace keel::model {

class StopText {
 public:
  // Empty ones are never found.
  explicit StopText(std::vector<std::string> stops);
  // Takes more of the text and gives what of it is sure to belong to the answer.
  std::string pass(std::string_view text);
  // The text is over: what was held back.
  std::string flush();
  // Which was found; empty if none was. From then on nothing passes.
  const std::string& found() const { return found_; }
  std::size_t passed() const { return passed_; }  // bytes

 private:
  std::string give(std::size_t count);
  std::vector<std::string> stops_;
  std::string held_;
  std::string found_;
  std::size_t passed_ = 0;
};

}  // namespace keel::model
