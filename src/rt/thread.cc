#include "rt/thread.h"

#include <pthread.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>

namespace keel::rt {
namespace {

void set_name(const std::string& name) {
#if defined(__APPLE__)
  pthread_setname_np(name.substr(0, 15).c_str());
#else
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
#endif
}

[[noreturn]] void escaped(const std::string& thread, const char* what) {
  std::fprintf(stderr, "keel: thread %s ended by an exception: %s\n", thread.c_str(), what);
  std::abort();
}

}  // namespace

Thread start_thread(std::string name, std::function<void(std::stop_token)> body) {
  return std::jthread([name = std::move(name), body = std::move(body)](std::stop_token stop) {
    set_name(name);
    try {
      body(std::move(stop));
    } catch (const std::exception& e) {
      escaped(name, e.what());
    }
  });
}

void sleep_ms(int ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

}  // namespace keel::rt
