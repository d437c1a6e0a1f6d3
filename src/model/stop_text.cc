#include "model/stop_text.h"

#include <algorithm>
#include <utility>

namespace keel::model {

StopText::StopText(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase(stops_, std::string());
}

std::string StopText::give(std::size_t count) {
  std::string sure = held_.substr(0, count);
  held_.erase(0, count);
  passed_ += sure.size();
  return sure;
}

std::string StopText::pass(std::string_view text) {
  if (!found_.empty()) return {};
  held_ += text;
  std::size_t first = std::string::npos;
  for (const std::string& stop : stops_) {
    const std::size_t at = held_.find(stop);
    if (at >= first) continue;
    first = at;
    found_ = stop;
  }
  if (first != std::string::npos) {
    std::string sure = give(first);
    held_.clear();
    return sure;
  }
  std::size_t waits = 0;  // bytes at the end that a stop may begin with
  for (const std::string& stop : stops_) {
    const std::string_view held(held_);
    for (std::size_t size = std::min(stop.size() - 1, held.size()); size > waits; --size) {
      if (held.ends_with(std::string_view(stop).substr(0, size))) waits = size;
    }
  }
  return give(held_.size() - waits);
}

std::string StopText::flush() {
  return found_.empty() ? give(held_.size()) : std::string();
}

}  // namespace keel::model
