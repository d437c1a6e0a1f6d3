#include "base/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>

#include "base/result.h"

namespace keel {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  KEEL_ASSERT(state_->context != nullptr);
  KEEL_ASSERT(EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1);
}

Sha256::~Sha256() = default;

void Sha256::update(std::string_view bytes) {
  KEEL_ASSERT(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
}

std::string Sha256::finish_hex() {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  KEEL_ASSERT(EVP_DigestFinal_ex(state_->context, bytes.data(), &size) == 1);
  std::string out;
  for (unsigned i = 0; i < size; ++i) {
    out += digits[bytes[i] >> 4];
    out += digits[bytes[i] & 15];
  }
  return out;
}

// The hashes have one length, and guessing at them is not guessing at what they are of.
bool same_secret(std::string_view a, std::string_view b) {
  const std::string left = sha256_hex(a);
  const std::string right = sha256_hex(b);
  return CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish_hex();
}

}  // namespace keel
