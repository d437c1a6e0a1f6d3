#include "model/inference/parameters.h"

#include <ggml-backend.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>

#include "base/limits.h"
#include "base/text.h"
#include "model/local/fit.h"

namespace keel::local {
namespace {

std::mutex problems_mutex;
std::string problems;  // what llama.cpp complained of, the latest last

void hear(ggml_log_level level, const char* text, void*) {
  // Standard error is the engine's log file; informational lines of a load run to hundreds.
  if (level != GGML_LOG_LEVEL_WARN && level != GGML_LOG_LEVEL_ERROR) return;
  const std::string_view line(text);
  {
    const std::lock_guard lock(problems_mutex);
    problems += line;
    if (problems.size() > limits::engine_problem_bytes)
      problems.erase(0, problems.size() - limits::engine_problem_bytes);
  }
  if (::write(STDERR_FILENO, line.data(), line.size()) < 0) return;
}

}  // namespace

Status start_llama(const std::string& cpu_library, const std::string& gpu_library) {
  llama_log_set(hear, nullptr);
  {
    const std::lock_guard lock(problems_mutex);
    problems.clear();
  }
  if (!cpu_library.empty() && ggml_backend_reg_by_name("CPU") == nullptr &&
      ggml_backend_load(cpu_library.c_str()) == nullptr) {
    return fail(Code::unsupported,
                "the CPU library " + cpu_library + " cannot be used on this machine",
                "run keel doctor: it chooses the CPU library again");
  }
  static std::string gpu_loaded;  // a second time its processors would be there twice
  const bool load_gpu = !gpu_library.empty() && gpu_library != gpu_loaded;
  if (load_gpu) gpu_loaded = gpu_library;
  if (load_gpu && ggml_backend_load(gpu_library.c_str()) == nullptr) {
    return fail(Code::unsupported,
                "the graphics library " + gpu_library + " cannot be used on this machine",
                "run keel doctor; gpu = false for this model in keel.toml does without it");
  }
  llama_backend_init();
  return {};
}

llama_model_params model_parameters(const LoadRequest& request) {
  llama_model_params params = llama_model_default_params();
  params.load_mode = request.lock ? LLAMA_LOAD_MODE_MMAP_MLOCK : LLAMA_LOAD_MODE_MMAP;
  params.use_extra_bufts = request.repack;
  params.n_gpu_layers = request.gpu.empty() ? 0 : -1;  // all
  return params;
}

bool has_recurrent_layers(const llama_model* model) {
  return llama_model_is_recurrent(model) || llama_model_is_hybrid(model);
}

llama_context_params context_parameters(const llama_model* model, const LoadRequest& request,
                                        int context) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<std::uint32_t>(context);
  const int batch = request.batch > 0 ? request.batch : limits::engine_batch_tokens;
  params.n_batch = static_cast<std::uint32_t>(batch);
  params.n_ubatch = params.n_batch;
  // A second sequence only ever names a part of the first one's cells, to copy it out or in. That
  // works in a cache for one sequence too, but recurrent layers have a state for each. Where there
  // may be several, llama.cpp compares all 256 that could be with each other for every token.
  params.n_seq_max = has_recurrent_layers(model) ? 2 : 1;
  params.kv_unified = params.n_seq_max > 1;
  // The most rows whose logits are ever wanted at once; room for a whole batch of them would be
  // hundreds of megabytes with a large vocabulary.
  params.n_outputs_max = static_cast<std::uint32_t>(limits::draft_tokens + 1);
  // llama.cpp's own flash attention reads faster and writes slower than the plain path; keel's
  // kernel does both faster (docs/decisions/0006).
  params.flash_attn_type =
      request.attention.empty() ? LLAMA_FLASH_ATTN_TYPE_DISABLED : LLAMA_FLASH_ATTN_TYPE_ENABLED;
  if (request.cache == budget::kSmallCache) {
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
    params.type_k = params.type_v = GGML_TYPE_Q8_0;
  }
  params.no_perf = true;
  return params;
}

std::int64_t cache_bytes_per_token(const llama_model* model) {
  const std::int64_t heads = std::max(llama_model_n_head(model), 1);
  const std::int64_t width = llama_model_n_embd(model) / heads * llama_model_n_head_kv(model);
  return std::int64_t{4} * width * llama_model_n_layer(model);
}

int choose_context(const llama_model* model, int wished) {
  const int trained = llama_model_n_ctx_train(model);
  if (wished > 0)
    return std::max(limits::engine_context_min, trained > 0 ? std::min(wished, trained) : wished);
  int context = limits::engine_context_default;
  while (context > limits::engine_context_kept &&
         cache_bytes_per_token(model) * context > limits::engine_cache_bytes)
    context /= 2;
  return trained > 0 ? std::min(context, trained) : context;
}

Error load_error(const std::string& path, std::string_view said) {
  std::string heard(said);
  if (heard.empty()) {
    const std::lock_guard lock(problems_mutex);
    heard = problems;
  }
  if (speaks_of_memory(heard)) {
    return Error{Code::limit,
                 "there is not enough memory to load " + path,
                 "keel model memory shows what it needs and what this machine has",
                 {}};
  }
  const std::string reason = said.empty() ? "" : ": " + printable(said);
  return Error{Code::corrupt,
               "llama.cpp could not load " + path + reason,
               "its reason is in logs/engine.log; fetch the model again if it should work",
               {}};
}

}  // namespace keel::local
