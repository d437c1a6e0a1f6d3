// M. F. Porter's stemmer for English ("An algorithm for suffix stripping", Program 14(3), 1980),
// with the two changes of its author's own reference program (bli -> ble in place of abli -> able,
// logi -> log). Pure, any thread.
#pragma once

#include <string>
#include <string_view>

namespace keel::memory {

// `text` is a word in lower case. Those of fewer than three letters and words with anything but a-z
// come back unchanged.
std::string porter_stem(std::string_view text);

}  // namespace keel::memory
