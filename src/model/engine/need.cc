#include "model/engine/need.h"

#include <ggml-backend.h>
#include <llama.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

// What each buffer would take stands only in this header, which llama.cpp calls unfinished.
#include <../src/llama-ext.h>

#include "base/limits.h"
#include "base/text.h"
#include "model/inference/parameters.h"
#include "rt/file.h"

namespace keel::local {
namespace {

using DryModel = std::unique_ptr<llama_model, decltype(&llama_model_free)>;
using DryContext = std::unique_ptr<llama_context, decltype(&llama_free)>;

enum class Place { as_in_file, rearranged, device };

// Where a buffer lies: plain memory of the processor, one of its own layouts, or a device.
Place place_of(ggml_backend_buffer_type_t type) {
  if (ggml_backend_buft_is_host(type)) return Place::as_in_file;
  ggml_backend_dev_t device = ggml_backend_buft_get_device(type);
  return device == nullptr || ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_CPU
             ? Place::rearranged
             : Place::device;
}

// This process as it is now: the program, its libraries, the vocabulary.
std::int64_t own_bytes() {
  if (const auto status = rt::read_file("/proc/self/status", limits::machine_file_bytes)) {
    for (const std::string_view line : split(*status, '\n')) {
      if (line.starts_with("VmRSS:"))
        return std::int64_t{1024} * std::atoll(std::string(line.substr(6)).c_str());
    }
  }
  rusage used{};
  if (::getrusage(RUSAGE_SELF, &used) != 0) return 0;
  return used.ru_maxrss;  // bytes, on a Mac
}

Result<budget::Shape> lay_out(llama_model* model, LoadRequest request, int context, int batch,
                              budget::Needs* weights) {
  request.batch = batch;
  const DryContext laid(llama_init_from_model(model, context_parameters(model, request, context)),
                        llama_free);
  if (!laid) {
    return fail(Code::unsupported, "llama.cpp cannot lay out a context of " +
                                       std::to_string(context) + " tokens for " + request.path);
  }
  budget::Shape shape;
  shape.context = context;
  shape.batch = batch;
  shape.cache = request.cache;
  for (const auto& [type, bytes] : llama_get_memory_breakdown(laid.get())) {
    const Place place = place_of(type);
    const bool on_device = place == Place::device;
    (on_device ? shape.device_cache_bytes : shape.cache_bytes) += bytes.context;
    (on_device ? shape.device_compute_bytes : shape.compute_bytes) += bytes.compute;
    if (weights == nullptr) continue;
    (on_device                    ? weights->device_bytes
     : place == Place::rearranged ? weights->repacked_bytes
                                  : weights->mapped_bytes) += bytes.model;
  }
  return shape;
}

// Down by halves, from `most` to `least`; `most` itself in any case.
std::vector<int> halves(int most, int least) {
  std::vector<int> all = {most};
  while (all.back() / 2 >= least) all.push_back(all.back() / 2);
  return all;
}

// What a context costs by the token, and what it costs at any size: states of recurrent layers and
// windows. The second is split over the sequences of the context.
Status split_cache(llama_model* model, const LoadRequest& request, budget::Needs& needs) {
  const budget::Shape& whole = needs.shapes.front();
  const budget::Shape half = TRY(lay_out(model, request, std::max(whole.context / 2, 256),
                                         needs.shapes.back().batch, nullptr));
  const auto cache = [](const budget::Shape& shape) {
    return shape.cache_bytes + shape.device_cache_bytes;
  };
  if (half.context >= whole.context) return {};
  needs.cache_bytes_per_token = (cache(whole) - cache(half)) / (whole.context - half.context);
  if (has_recurrent_layers(model)) {
    const std::int64_t fixed = cache(whole) - needs.cache_bytes_per_token * whole.context;
    const auto sequences = context_parameters(model, request, whole.context).n_seq_max;
    needs.checkpoint_bytes = std::max<std::int64_t>(fixed, 0) / std::max(sequences, 1U);
  }
  return {};
}

void list_devices(budget::Needs& needs) {
  for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    const auto kind = ggml_backend_dev_type(device);
    if (kind != GGML_BACKEND_DEVICE_TYPE_GPU && kind != GGML_BACKEND_DEVICE_TYPE_IGPU) continue;
    std::size_t free = 0;
    std::size_t total = 0;
    ggml_backend_dev_memory(device, &free, &total);
    needs.devices.push_back({ggml_backend_dev_name(device), ggml_backend_dev_description(device),
                             static_cast<std::int64_t>(total), static_cast<std::int64_t>(free)});
  }
}

Result<budget::Needs> measure(const LoadRequest& request) {
  TRY(start_llama(request.library, request.gpu));
  llama_model_params params = model_parameters(request);
  params.no_alloc = true;
  params.load_mode = LLAMA_LOAD_MODE_NONE;  // llama.cpp maps nothing in a dry run
  const DryModel model(llama_model_load_from_file(request.path.c_str(), params), llama_model_free);
  if (!model) return tl::unexpected(load_error(request.path, ""));
  budget::Needs needs;
  std::array<char, 256> text{};
  llama_model_desc(model.get(), text.data(), text.size());
  needs.description = text.data();
  needs.trained_context = llama_model_n_ctx_train(model.get());
  needs.experts = llama_model_n_expert(model.get());
  const int batch = request.batch > 0 ? request.batch : limits::engine_batch_tokens;
  for (const int context :
       halves(choose_context(model.get(), request.context), limits::budget_context_least)) {
    for (const int rows : halves(batch, limits::budget_batch_least)) {
      needs.shapes.push_back(TRY(
          lay_out(model.get(), request, context, rows, needs.shapes.empty() ? &needs : nullptr)));
    }
    if (context > limits::budget_context_whole || !request.cache.empty()) continue;
    LoadRequest small = request;
    small.cache = budget::kSmallCache;
    // A model whose heads cannot be cut into blocks has none.
    if (auto shape = lay_out(model.get(), small, context, needs.shapes.back().batch, nullptr))
      needs.shapes.push_back(std::move(*shape));
  }
  TRY(split_cache(model.get(), request, needs));
  list_devices(needs);
  needs.base_bytes = own_bytes();
  return needs;
}

}  // namespace

Result<budget::Needs> dry_run(const LoadRequest& request) {
  try {
    return measure(request);
  } catch (const std::exception& e) {
    return tl::unexpected(load_error(request.path, e.what()));
  }
}

}  // namespace keel::local
