// Named threads. The only place that makes std::jthread, so that every thread has a name in
// debuggers and an exception that escapes one is logged on stderr and ends the program instead of
// vanishing. The stop_token is the way to end a thread; joining happens in the destructor.
#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <thread>

namespace keel::rt {

using Thread = std::jthread;

// `name` is cut to 15 bytes (the kernel's bound).
Thread start_thread(std::string name, std::function<void(std::stop_token)> body);
void sleep_ms(int ms);
// Sleeps until the time is over; false if the stop token fires before or has fired already.
bool wait_for(std::chrono::steady_clock::duration time, std::stop_token stop);

}  // namespace keel::rt
