#include "model/engine/probe.h"

#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <ggml.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>

#include "base/json.h"
#include "model/engine/engine.h"
#include "model/kernel/attention.h"
#include "rt/frame.h"

namespace keel::local {
namespace {

// The shape of a small model's layer. Few distinct rows, so that making the weights and the exact
// result is quick.
constexpr std::int64_t kWidth = 1024;
constexpr std::int64_t kRows = 2048;
constexpr std::int64_t kDistinct = 8;
constexpr std::int64_t kManyTokens = 32;
constexpr double kMeasureMs = 6.0;

constexpr std::array kWeightTypes = {GGML_TYPE_Q4_K, GGML_TYPE_Q6_K, GGML_TYPE_Q4_1, GGML_TYPE_Q8_0,
                                     GGML_TYPE_F16};

using ContextPtr = std::unique_ptr<ggml_context, decltype(&ggml_free)>;
using BufferPtr = std::unique_ptr<ggml_backend_buffer, decltype(&ggml_backend_buffer_free)>;
using BackendPtr = std::unique_ptr<ggml_backend, decltype(&ggml_backend_free)>;

ContextPtr make_context() {
  return {ggml_init({ggml_tensor_overhead() * 16 + ggml_graph_overhead(), nullptr, true}),
          ggml_free};
}

struct Device {
  ggml_backend_dev_t device = nullptr;
  ggml_backend_t backend = nullptr;
  std::vector<ggml_backend_buffer_type_t>
      weight_types;  // the first that takes the weights, as llama.cpp does it
};

struct Measured {
  double read_seconds = 0.0;
  double decode_seconds = 0.0;
  double error = 0.0;
};

struct Weights {
  std::vector<std::uint8_t> data;
  std::vector<float> exact;  // kDistinct rows, as the format can hold them
};

Weights make_weights(ggml_type type) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0.0F, 0.05F);
  std::vector<float> source(kDistinct * kWidth);
  std::generate(source.begin(), source.end(), [&] { return normal(random); });
  const std::size_t row = ggml_row_size(type, kWidth);
  Weights weights{std::vector<std::uint8_t>(row * kRows), std::vector<float>(source.size())};
  ggml_quantize_chunk(type, source.data(), weights.data.data(), 0, kDistinct, kWidth, nullptr);
  for (std::int64_t i = 0; i < kDistinct; ++i) {
    ggml_get_type_traits(type)->to_float(weights.data.data() + static_cast<std::size_t>(i) * row,
                                         weights.exact.data() + i * kWidth, kWidth);
  }
  for (std::int64_t i = kDistinct; i < kRows; ++i) {
    std::copy_n(weights.data.begin() + static_cast<std::ptrdiff_t>(row) * (i % kDistinct), row,
                weights.data.begin() + static_cast<std::ptrdiff_t>(row) * i);
  }
  return weights;
}

// Where a model's weights of this type would be kept: some paths repack them, and AMX works on
// nothing else.
ggml_backend_buffer_type_t weight_buffer_type(const Device& device, ggml_tensor* weights,
                                              ggml_tensor* product) {
  for (const ggml_backend_buffer_type_t type : device.weight_types) {
    BufferPtr empty(ggml_backend_buft_alloc_buffer(type, 0), ggml_backend_buffer_free);
    weights->buffer = empty.get();
    const bool takes = ggml_backend_dev_supports_op(device.device, product);
    weights->buffer = nullptr;
    if (takes) return type;
  }
  return ggml_backend_get_default_buffer_type(device.backend);
}

double run_for(ggml_backend_t backend, ggml_cgraph* graph, double least_ms) {
  using Clock = std::chrono::steady_clock;
  double best = 1e9;
  double total = 0.0;
  do {
    const auto start = Clock::now();
    ggml_backend_graph_compute(backend, graph);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::min(best, seconds);
    total += seconds;
  } while (total * 1000.0 < least_ms);
  return best;
}

// Multiplies weights of this type with `tokens` columns: seconds for one product, and the error of
// the first.
double multiply(const Device& device, ggml_type type, const Weights& weights, std::int64_t tokens,
                double& error) {
  ContextPtr weight_context = make_context();
  ContextPtr context = make_context();
  ggml_tensor* w = ggml_new_tensor_2d(weight_context.get(), type, kWidth, kRows);
  ggml_tensor* x = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, kWidth, tokens);
  ggml_tensor* y = ggml_mul_mat(context.get(), w, x);
  const ggml_backend_buffer_type_t buffer_type = weight_buffer_type(device, w, y);
  BufferPtr weight_buffer(
      ggml_backend_alloc_ctx_tensors_from_buft(weight_context.get(), buffer_type),
      ggml_backend_buffer_free);
  BufferPtr buffer(ggml_backend_alloc_ctx_tensors(context.get(), device.backend),
                   ggml_backend_buffer_free);
  ggml_backend_tensor_set(w, weights.data.data(), 0, weights.data.size());

  std::mt19937 random(11);
  std::normal_distribution<float> normal(0.0F, 1.0F);
  std::vector<float> input(static_cast<std::size_t>(kWidth * tokens));
  std::generate(input.begin(), input.end(), [&] { return normal(random); });
  ggml_backend_tensor_set(x, input.data(), 0, input.size() * sizeof(float));

  ggml_cgraph* graph = ggml_new_graph(context.get());
  ggml_build_forward_expand(graph, y);
  ggml_backend_graph_compute(device.backend, graph);
  std::vector<float> output(static_cast<std::size_t>(kRows * tokens));
  ggml_backend_tensor_get(y, output.data(), 0, output.size() * sizeof(float));

  double squared_error = 0.0;
  double squared = 0.0;
  for (std::int64_t token = 0; token < tokens; ++token) {
    std::array<double, kDistinct> exact{};
    for (std::int64_t row = 0; row < kDistinct; ++row) {
      for (std::int64_t i = 0; i < kWidth; ++i) {
        exact[static_cast<std::size_t>(row)] +=
            static_cast<double>(weights.exact[static_cast<std::size_t>(row * kWidth + i)]) *
            input[static_cast<std::size_t>(token * kWidth + i)];
      }
    }
    for (std::int64_t row = 0; row < kRows; ++row) {
      const double wanted = exact[static_cast<std::size_t>(row % kDistinct)];
      const double got = output[static_cast<std::size_t>(token * kRows + row)];
      squared_error += (got - wanted) * (got - wanted);
      squared += wanted * wanted;
    }
  }
  const double relative = squared_error / squared;
  error = std::max(error, std::isfinite(relative) ? relative : 1e9);
  return run_for(device.backend, graph, kMeasureMs);
}

Measured measure(const Device& device) {
  Measured measured;
  for (const ggml_type type : kWeightTypes) {
    const Weights weights = make_weights(type);
    measured.read_seconds += multiply(device, type, weights, kManyTokens, measured.error);
    measured.decode_seconds += multiply(device, type, weights, 1, measured.error);
  }
  return measured;
}

bool open_device(const std::string& library, Device& device) {
  ggml_backend_reg_t registry = ggml_backend_load(library.c_str());
  if (registry == nullptr || ggml_backend_reg_dev_count(registry) == 0) return false;
  device.device = ggml_backend_reg_dev_get(registry, 0);
  device.backend = ggml_backend_dev_init(device.device, nullptr);
  if (device.backend == nullptr) return false;
  auto* set_threads = reinterpret_cast<ggml_backend_set_n_threads_t>(
      ggml_backend_reg_get_proc_address(registry, "ggml_backend_set_n_threads"));
  if (set_threads != nullptr) set_threads(device.backend, 1);
  auto* extra = reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(
      ggml_backend_reg_get_proc_address(registry, "ggml_backend_dev_get_extra_bufts"));
  ggml_backend_buffer_type_t* types = extra != nullptr ? extra(device.device) : nullptr;
  while (types != nullptr && *types != nullptr) device.weight_types.push_back(*types++);
  return true;
}

std::int64_t memory_of(ggml_backend_dev_t device) {
  std::size_t free = 0;
  std::size_t total = 0;
  ggml_backend_dev_memory(device, &free, &total);
  return static_cast<std::int64_t>(total);
}

void quiet(ggml_log_level, const char*, void*) {}

}  // namespace

int probe_main(const std::vector<std::string>& arguments) {
  if (arguments.size() < 2) return 2;
  rt::FrameSocket socket{rt::Fd(kEngineFd)};
  ggml_log_set(quiet, nullptr);
  Device device;
  if (!open_device(arguments[1], device)) {
    (void)socket.send(
        R"({"usable":false,"why_not":"the library finds nothing on this machine that it can use"})");
    return 0;
  }
  const BackendPtr backend(device.backend, ggml_backend_free);
  const Measured measured = measure(device);
  const double products =
      static_cast<double>(kWidth * kRows * static_cast<std::int64_t>(kWeightTypes.size())) / 1e9;
  const Json result = {
      {"usable", true},
      {"read", products * static_cast<double>(kManyTokens) / measured.read_seconds},
      {"decode", products / measured.decode_seconds},
      {"error", measured.error},
      {"device", ggml_backend_dev_description(device.device)},
      {"discrete", ggml_backend_dev_type(device.device) == GGML_BACKEND_DEVICE_TYPE_GPU},
      {"memory", memory_of(device.device)}};
  (void)socket.send(dump_json(result));
  return 0;
}

int probe_attention_main(const std::vector<std::string>& arguments) {
  const auto isa = arguments.size() < 2 ? std::nullopt : kernel::isa_from_name(arguments[1]);
  if (!isa) return 2;
  rt::FrameSocket socket{rt::Fd(kEngineFd)};
  (void)socket.send(dump_json(Json{{"error", kernel::attention_check(*isa)}}));
  return 0;
}

}  // namespace keel::local
