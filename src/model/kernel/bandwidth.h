// How fast this machine reads memory: the bound that writing tokens runs against, because each one
// needs every weight and every key and value once.
//
// Takes a fraction of a second and limits::bandwidth_bytes of memory. Any thread.
#pragma once

namespace keel::kernel {

// Bytes a second, read by `threads` threads together; the best of several passes.
double memory_bandwidth(int threads);

}  // namespace keel::kernel
