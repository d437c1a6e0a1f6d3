// Puts keel's own attention (model/kernel/) into llama.cpp's graphs without changing llama.cpp:
// just before a graph is computed, each flash-attention node that the kernel can do becomes a
// custom node that calls it, on the threads that compute everything else. What it cannot do (other
// cache types, slopes, sinks, soft caps) stays as it was.
//
// Made once for a context and handed to it as evaluation callback; must outlive it. The callback
// runs on the inference thread, the kernel on the threads of the pool.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

struct ggml_tensor;

namespace keel::local {

class AttentionNodes {
 public:
  // `kernel`: a name of kernel::isa_name(). Code::unsupported if this build has no such kernel or
  // ggml's custom nodes are not as they were.
  static Result<std::unique_ptr<AttentionNodes>> create(const std::string& kernel, int threads_max);
  ~AttentionNodes();

  // The callback; `self` is the AttentionNodes.
  static bool on_node(ggml_tensor* node, bool ask, void* self);

 private:
  struct State;
  explicit AttentionNodes(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace keel::local
