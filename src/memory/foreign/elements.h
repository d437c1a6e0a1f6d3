// The elements of a JSON file that is one long array, one at a time: exports of conversations are
// larger than what is held in memory at once. Bounds: limits::foreign_file_bytes for the file,
// limits::json_bytes for an element.
#pragma once

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>

#include "base/result.h"

namespace keel::memory {

class Elements {
 public:
  // Code::unsupported for a file that is not an array.
  static Result<Elements> open(const std::string& path);
  // Nothing after the last. Code::corrupt where the file ends too early; an element that is too
  // large is passed over and its text is empty.
  Result<std::optional<std::string>> next();
  std::int64_t line() const { return first_line_; }  // of the element that came last

 private:
  explicit Elements(std::ifstream in) : in_(std::move(in)) {}
  int get();
  int after_space();
  std::ifstream in_;
  std::int64_t line_ = 1, first_line_ = 1;
};

}  // namespace keel::memory
