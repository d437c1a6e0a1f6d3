// What a model needs of memory, as the engine measured it in a dry run: llama.cpp lays everything
// out and allocates nothing (engine-protocol.md, `need`). Bytes throughout.
//
// Plain values; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace keel::budget {

// A cache of half the size: keys and values in blocks of 8-bit numbers.
inline constexpr const char* kSmallCache = "q8_0";

// One way to load the model. Cache: keys, values and recurrent states; compute: what an evaluation
// puts its intermediate results in.
struct Shape {
  int context = 0;  // tokens
  int batch = 0;    // tokens read at once
  std::int64_t cache_bytes = 0;
  std::int64_t compute_bytes = 0;
  std::int64_t device_cache_bytes = 0;
  std::int64_t device_compute_bytes = 0;
  std::string cache;  // what keys and values are kept as: kSmallCache, or empty for 16-bit floats
};

// Something other than the processor that the model is computed on, in its own words.
struct Device {
  std::string name;
  std::string description;
  std::int64_t total_bytes = 0;  // on a Mac: the working set that the system recommends
  std::int64_t free_bytes = 0;
};

struct Needs {
  std::string description;  // "qwen2 1.5B Q4_K - Medium"
  int trained_context = 0;
  int experts = 0;                  // of a layer; 0: every token uses all weights
  std::int64_t base_bytes = 0;      // of the engine itself, with the vocabulary
  std::int64_t mapped_bytes = 0;    // weights used as they lie in the file
  std::int64_t repacked_bytes = 0;  // weights copied and rearranged for the processor
  std::int64_t device_bytes = 0;    // weights on a device
  std::int64_t cache_bytes_per_token = 0;
  std::int64_t checkpoint_bytes = 0;  // of a point to go back to; 0: the model needs none
  std::vector<Shape> shapes;          // the largest context first, then the largest batch,
                                      // then the small cache
  std::vector<Device> devices;
};

Json to_json(const Needs& needs);
// Code::invalid_argument if there is no shape or a number cannot be.
Result<Needs> needs_from_json(const Json& value);

}  // namespace keel::budget
