#include "model/inference/context.h"

#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <llama.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <set>
#include <utility>

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "model/inference/parameters.h"
#include "rt/file.h"

namespace keel::local {
namespace {

constexpr double kTakenFrom = 0.5;  // of a processor, from which on it counts as taken

bool on_load_progress(float done, void* data) {
  const auto* progress = static_cast<const OnProgress*>(data);
  if (*progress) (*progress)(static_cast<std::int64_t>(done * 1000.0F), 1000);
  return true;
}

bool on_abort(void* data) {
  return static_cast<Context*>(data)->interrupted();
}

}  // namespace

int default_threads() {
  std::set<std::string> cores;
  const long online = ::sysconf(_SC_NPROCESSORS_ONLN);
  for (long cpu = 0; cpu < online; ++cpu) {
    const auto siblings = rt::read_file(
        "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list",
        4096);
    cores.insert(siblings ? std::string(trim(*siblings)) : std::to_string(cpu));
  }
  int count = std::max(1, static_cast<int>(cores.size()));
  // "max 100000" or "200000 100000": microseconds of computing time in each period.
  const auto quota = rt::read_file("/sys/fs/cgroup/cpu.max", 256);
  if (quota && quota->substr(0, 3) != "max") {
    const auto parts = split(trim(*quota), ' ');
    const double period = parts.size() > 1 ? std::atof(std::string(parts[1]).c_str()) : 0.0;
    if (period > 0)
      count = std::min(
          count, std::max(1, static_cast<int>(std::atof(std::string(parts[0]).c_str()) / period)));
  }
  if (count > 4) --count;
  return std::min(count, limits::engine_threads);
}

Result<std::unique_ptr<Context>> Context::load(const LoadRequest& request,
                                               const OnProgress& progress) {
  std::unique_ptr<Context> context(new Context);
  try {
    TRY(start_llama(request.library, request.gpu));
    llama_model_params params = model_parameters(request);
    params.progress_callback = on_load_progress;
    params.progress_callback_user_data = const_cast<OnProgress*>(&progress);
    context->model_ = llama_model_load_from_file(request.path.c_str(), params);
    if (context->model_ == nullptr) return tl::unexpected(load_error(request.path, ""));
    TRY(context->start(request));
  } catch (const std::exception& e) {
    return tl::unexpected(load_error(request.path, e.what()));
  }
  return context;
}

Status Context::start(const LoadRequest& request) {
  if (!llama_model_has_decoder(model_) || llama_model_has_encoder(model_)) {
    return fail(Code::unsupported, "the model " + request.path + " does not write text",
                "choose a model for chatting, not one for embedding or translation");
  }
  threads_ = request.threads > 0 ? request.threads : default_threads();
  cores_ = std::max(1, static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)));
  llama_context_params params =
      context_parameters(model_, request, choose_context(model_, request.context));
  params.n_threads = threads_;
  params.n_threads_batch = threads_;
  // keel's kernel reads 16-bit floats.
  if (!request.attention.empty() && request.attention != "flash" && request.cache.empty()) {
    attention_ = TRY(AttentionNodes::create(request.attention, threads_));
    params.cb_eval = AttentionNodes::on_node;
    params.cb_eval_user_data = attention_.get();
  }
  params.abort_callback = on_abort;
  params.abort_callback_data = this;
  context_ = llama_init_from_model(model_, params);
  if (context_ == nullptr && !request.cache.empty()) {
    return fail(Code::unsupported,
                "no context could be made with keys and values of " + request.path + " kept as " +
                    request.cache,
                "remove this model from profile.json, or run keel model tune again");
  }
  if (context_ == nullptr) {
    return fail(
        Code::limit,
        "there is not enough memory for a context of " + std::to_string(params.n_ctx) + " tokens",
        "set a smaller context for this model in keel.toml; keel model memory shows what it needs");
  }
  n_ctx_ = llama_n_ctx_seq(context_);
  n_batch_ = llama_n_batch(context_);
  use_threads(threads_);
  parked_bytes_ = static_cast<std::size_t>(request.parked_bytes < 0 ? limits::engine_parked_bytes
                                                                    : request.parked_bytes);
  open_files(request);
  return {};
}

// A pool for each number of threads, made when it is first wanted and then kept: without one
// llama.cpp starts and joins threads for every graph, and those of a larger pool that have nothing
// to do spin beside those that have. The functions live in the CPU library, which was loaded by
// path.
void Context::use_threads(int count) {
  threads_now_ = count;
  llama_set_n_threads(context_, count, count);
  ggml_backend_reg_t cpu = ggml_backend_reg_by_name("CPU");
  if (cpu == nullptr || threads_ < 2) return;
  auto* make = reinterpret_cast<decltype(&ggml_threadpool_new)>(
      ggml_backend_reg_get_proc_address(cpu, "ggml_threadpool_new"));
  auto* release = reinterpret_cast<decltype(&ggml_threadpool_free)>(
      ggml_backend_reg_get_proc_address(cpu, "ggml_threadpool_free"));
  if (make == nullptr || release == nullptr) return;
  free_pool_ = reinterpret_cast<void (*)(void*)>(release);
  pools_.resize(static_cast<std::size_t>(threads_) + 1);
  void*& pool = pools_[static_cast<std::size_t>(count)];
  ggml_threadpool_params params = ggml_threadpool_params_default(count);
  if (pool == nullptr) pool = make(&params);
  if (pool == nullptr) return llama_detach_threadpool(context_);
  auto* threads = static_cast<ggml_threadpool*>(pool);
  llama_attach_threadpool(context_, threads, threads);
}

Context::~Context() {
  if (context_ != nullptr) {
    llama_detach_threadpool(context_);
    llama_free(context_);
  }
  for (void* pool : pools_) {
    if (pool != nullptr) free_pool_(pool);
  }
  if (model_ != nullptr) llama_model_free(model_);
}

const llama_vocab* Context::vocab() const {
  return llama_model_get_vocab(model_);
}

std::string Context::description() const {
  std::array<char, 256> text{};
  llama_model_desc(model_, text.data(), text.size());
  return text.data();
}

std::int64_t Context::weight_bytes() const {
  return static_cast<std::int64_t>(llama_model_size(model_));
}
std::int64_t Context::cache_bytes() const {
  return cache_bytes_per_token(model_);
}

bool Context::is_end(Token token) const {
  return llama_vocab_is_eog(vocab(), token);
}
const float* Context::logits() const {
  return llama_get_logits_ith(context_, logits_row_);
}

// --- evaluating

// Threads that share their processors with other programs wait for each other at every step: two
// threads on two busy cores decode at a tenth of the speed of one. So the number follows what is
// free.
void Context::fit_threads() {
  if (threads_ < 2) return;
  // A program that shares its processor with one of ours gets two thirds of it.
  const int taken = static_cast<int>(other_use_.processors() + kTakenFrom);
  const int wanted = std::clamp(cores_ - taken, 1, threads_);
  if (wanted != threads_now_) use_threads(wanted);
}

// llama.cpp's own code: 0 where all of the batch was evaluated.
Result<int> Context::compute(const llama_batch& batch) {
  try {
    return llama_decode(context_, batch);
  } catch (const std::exception& e) {
    broken_off({});
    return fail(Code::internal, "llama.cpp failed to evaluate: " + printable(e.what()));
  }
}

// 0: done; 2: interrupted.
Result<int> Context::decode(const Token* tokens, std::size_t count) {
  fit_threads();
  logits_row_ = -1;
  const llama_batch batch =
      llama_batch_get_one(const_cast<Token*>(tokens), static_cast<std::int32_t>(count));
  const int code = TRY(compute(batch));
  return evaluated(code, tokens, count);
}

// The token and what is likely to follow it, each with logits; only the token joins the ledger.
Result<int> Context::decode_drafted(Token token, const std::vector<Token>& drafts) {
  fit_threads();
  constexpr std::size_t rows_max = limits::draft_tokens + 1;
  std::array<Token, rows_max> tokens{};
  std::array<llama_pos, rows_max> positions{};
  std::array<std::int32_t, rows_max> counts{};
  std::array<llama_seq_id, rows_max> ids{};
  std::array<llama_seq_id*, rows_max> sequences{};
  std::array<std::int8_t, rows_max> wanted{};
  const std::size_t rows = drafts.size() + 1;
  for (std::size_t i = 0; i < rows; ++i) {
    tokens[i] = i == 0 ? token : drafts[i - 1];
    positions[i] = static_cast<llama_pos>(ledger_.size() + i);
    counts[i] = 1;
    ids[i] = kWhole;
    sequences[i] = &ids[i];
    wanted[i] = 1;
  }
  const llama_batch batch{static_cast<std::int32_t>(rows),
                          tokens.data(),
                          nullptr,
                          positions.data(),
                          counts.data(),
                          sequences.data(),
                          wanted.data()};
  const int code = TRY(compute(batch));
  if (code == 0) {
    drafts_ = drafts;
    drafts_used_ = 0;
    logits_row_ = 0;
  }
  return evaluated(code, &token, 1);
}

// Cells of guesses that did not come true must not be attended to.
void Context::drop_drafts() {
  if (drafts_.empty()) return;
  drafter_.learn(drafts_used_);
  drafts_.clear();
  llama_memory_seq_rm(llama_get_memory(context_), kWhole, static_cast<llama_pos>(ledger_.size()),
                      -1);
}

// After an evaluation that ended with `code`: the ledger is what the cache holds.
Result<int> Context::evaluated(int code, const Token* tokens, std::size_t count) {
  if (code == 0) {
    ledger_.insert(ledger_.end(), tokens, tokens + count);
    return 0;
  }
  broken_off(std::vector<Token>(tokens, tokens + count));
  if (code == 2) return 2;
  return fail(code == 1 ? Code::limit : Code::internal,
              code == 1 ? "the context of " + std::to_string(n_ctx_) + " tokens is full"
                        : "llama.cpp failed to evaluate (code " + std::to_string(code) + ")");
}

Result<ReadOutcome> Context::read(const std::string& conversation, const std::vector<Token>& tokens,
                                  std::size_t turn_end, const OnProgress& progress,
                                  bool background) {
  if (tokens.empty()) return fail(Code::invalid_argument, "there is nothing to read");
  if (tokens.size() >= n_ctx_) {
    return fail(Code::limit, "the context of " + std::to_string(n_ctx_) + " tokens is full");
  }
  fit_threads();
  drop_drafts();
  switch_to(conversation, tokens);
  background_ = background;
  const std::size_t kept = keep_shared(tokens);
  ReadOutcome outcome{kept, 0, false};
  std::size_t passing = 0;
  const auto checkpoint = [&](std::size_t at) {
    // Between the batches it is for a stop, and only the latest of those is kept.
    std::erase_if(checkpoints_, [&](const Checkpoint& c) { return c.tokens == passing; });
    passing = take_checkpoint() && at != turn_end ? at : 0;
  };
  for (std::size_t at = kept; at < tokens.size();) {
    if (progress) progress(static_cast<std::int64_t>(at), static_cast<std::int64_t>(tokens.size()));
    if (interrupted()) {
      outcome.interrupted = true;
      return outcome;
    }
    std::size_t count = std::min(n_batch_, tokens.size() - at);
    if (recurrent_ && at < turn_end && turn_end < at + count) count = turn_end - at;
    if (recurrent_ && (at > kept || at == turn_end)) checkpoint(at);
    if (TRY(decode(tokens.data() + at, count)) == 2) {
      outcome.interrupted = true;
      return outcome;
    }
    at += count;
    outcome.evaluated += count;
  }
  if (recurrent_ && turn_end == tokens.size()) checkpoint(turn_end);
  return outcome;
}

Result<bool> Context::append(Token token, const Drafter::Expect& expect) {
  if (ledger_.size() + 1 >= n_ctx_) {
    return fail(Code::limit, "the context of " + std::to_string(n_ctx_) + " tokens is full");
  }
  if (drafts_used_ < drafts_.size() && drafts_[drafts_used_] == token) {
    ledger_.push_back(token);
    logits_row_ = static_cast<std::int32_t>(++drafts_used_);
    return !interrupted();
  }
  drop_drafts();
  std::vector<Token> drafts;
  if (drafting_) drafts = drafter_.propose(ledger_, token, expect);
  if (ledger_.size() + 1 + drafts.size() >= n_ctx_) drafts.clear();
  const auto start = std::chrono::steady_clock::now();
  const int code = drafts.empty() ? TRY(decode(&token, 1)) : TRY(decode_drafted(token, drafts));
  if (code == 0)
    drafter_.timed(drafts.size() + 1, ms_between(start, std::chrono::steady_clock::now()));
  return code == 0;
}

Result<Speed> Context::measure(const MeasureRequest& request) {
  const auto count = [](std::int64_t n) {
    return static_cast<std::size_t>(std::max<std::int64_t>(n, 0));
  };
  const std::size_t depth = count(request.depth);
  const std::size_t read = count(request.read);
  const std::size_t write = count(request.write);
  if (depth + read + write >= n_ctx_) {
    return fail(Code::limit, "the context of " + std::to_string(n_ctx_) + " tokens is too small");
  }
  interrupt(false);
  live_.clear();
  keep_prefix(0);
  // Any tokens do; neighbours differ, so that nothing is the same twice.
  std::vector<Token> tokens(depth + read + write);
  const auto vocabulary = static_cast<std::size_t>(llama_vocab_n_tokens(vocab()));
  for (std::size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = static_cast<Token>((i * 7919 + 13) % vocabulary);
  const auto go_on = [&](std::size_t from, std::size_t to, std::size_t step) -> Result<double> {
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t at = from; at < to; at += step)
      TRY(decode(tokens.data() + at, std::min(step, to - at)));
    return ms_between(start, std::chrono::steady_clock::now());
  };
  TRY(go_on(0, depth, n_batch_));
  Speed measured;
  measured.read_ms = TRY(go_on(depth, depth + read, n_batch_));
  measured.write_ms = TRY(go_on(depth + read, tokens.size(), 1));
  keep_prefix(0);
  return measured;
}

}  // namespace keel::local
