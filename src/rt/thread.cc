#include "rt/thread.h"

#include <pthread.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>

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

bool wait_for(std::chrono::steady_clock::duration time, std::stop_token stop) {
  if (time > time.zero()) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, time, [] { return false; });
  }
  return !stop.stop_requested();
}

}  // namespace keel::rt
