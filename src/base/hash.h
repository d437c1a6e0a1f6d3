// SHA-256 (FIPS 180-4) through OpenSSL's libcrypto; 64 lower-case hex digits.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace keel {

std::string sha256_hex(std::string_view bytes);

// Whether both are equal, in a time that tells nothing about where they differ or how long the
// other one is.
bool same_secret(std::string_view a, std::string_view b);

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void update(std::string_view bytes);
  // Ends the computation; the object is spent.
  std::string finish_hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace keel
