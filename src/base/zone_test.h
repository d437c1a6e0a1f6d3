// The machine's zone, for tests of the owner's days.
#pragma once

#include <cstdlib>
#include <ctime>
#include <string>

namespace keel {

// For as long as it lives.
class Zone {
 public:
  explicit Zone(const char* name) {
    if (const char* before = std::getenv("TZ")) before_ = before;
    set(name);
  }
  ~Zone() {
    before_.empty() ? (void)unsetenv("TZ") : set(before_.c_str());
    tzset();
  }
  Zone(const Zone&) = delete;
  Zone& operator=(const Zone&) = delete;

 private:
  static void set(const char* name) {
    setenv("TZ", name, 1);
    tzset();
  }
  std::string before_;
};

}  // namespace keel
