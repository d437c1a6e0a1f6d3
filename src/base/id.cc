#include "base/id.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <mutex>

#include "base/result.h"

namespace keel {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void fill_random(unsigned char* bytes, std::size_t count) {
  KEEL_ASSERT(RAND_bytes(bytes, static_cast<int>(count)) == 1);
}

}  // namespace

std::string make_ulid(WallMs now_ms) {
  static std::mutex mutex;
  static WallMs last_ms = -1;
  static std::array<unsigned char, 10> random{};
  std::lock_guard lock(mutex);
  if (now_ms > last_ms) {
    last_ms = now_ms;
    fill_random(random.data(), random.size());
    random[0] &= 0x7F;  // leaves room for counting up within the millisecond
  } else {
    // The same millisecond, or a clock that went back: count on from the last id, so that order
    // holds.
    for (auto byte = random.rbegin(); byte != random.rend(); ++byte) {
      *byte = static_cast<unsigned char>(*byte + 1);
      if (*byte != 0) break;
    }
  }
  std::string id(26, '0');
  for (std::size_t i = 0; i < 10; ++i) {
    id[9 - i] = kAlphabet[static_cast<std::size_t>(last_ms >> (5 * i)) & 31];
  }
  for (std::size_t bit = 0; bit < 80; bit += 5) {
    const std::size_t byte = bit / 8;
    const unsigned window =
        static_cast<unsigned>(random[byte]) << 8 | (byte + 1 < 10 ? random[byte + 1] : 0u);
    id[10 + bit / 5] = kAlphabet[window >> (11 - bit % 8) & 31];
  }
  return id;
}

bool is_ulid(std::string_view text) {
  return text.size() == 26 && text[0] <= '7' && std::all_of(text.begin(), text.end(), [](char c) {
           return kAlphabet.find(c) != std::string_view::npos;
         });
}

std::string random_hex(std::size_t bytes) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string raw(bytes, '\0');
  fill_random(reinterpret_cast<unsigned char*>(raw.data()), bytes);
  std::string out;
  for (const char c : raw) {
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

}  // namespace keel
