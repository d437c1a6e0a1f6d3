// What the surface tells about itself: its models, its state, its counters. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "model/model.h"
#include "net/http/server.h"

namespace keel::api {

// One list that clients of either provider can read: each entry has the members of both.
Json model_list(const std::vector<model::Info>& models);
Json model_entry(const model::Info& model);

struct Counters {
  std::uint64_t answers = 0;
  std::uint64_t failures = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t joined = 0;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t cached_tokens = 0;
  std::uint64_t completion_tokens = 0;
  std::uint64_t open_streams = 0;
};
// In the text form of Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/).
std::string metrics_text(const http::ServerStats& server, const Counters& counters);

}  // namespace keel::api
