#include "model/engine/engine.h"

#include <llama.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/limits.h"
#include "model/engine/counter.h"
#include "model/engine/need.h"
#include "model/engine/probe.h"
#include "model/inference/context.h"
#include "model/inference/generator.h"
#include "model/inference/template.h"
#include "model/local/gguf_check.h"
#include "model/local/protocol.h"
#include "rt/fd.h"
#include "rt/frame.h"
#include "rt/queue.h"
#include "rt/thread.h"

namespace keel::local {
namespace {

class Engine {
 public:
  explicit Engine(rt::Fd socket) : socket_(std::move(socket)), requests_(limits::engine_queue) {}

  int run() {
    const rt::Thread reader =
        rt::start_thread("keel-eng-read", [this](std::stop_token) { read(); });
    while (std::optional<EngineRequest> request = requests_.pop()) {
      if (std::holds_alternative<QuitRequest>(*request)) break;
      std::visit([this](const auto& r) { handle(r); }, *request);
    }
    counter_.use(nullptr);
    context_.reset();  // what was evaluated is written
    // The reader waits on the socket; leaving through exit would wait for it.
    std::fflush(nullptr);
    ::_exit(0);
  }

 private:
  void emit(const EngineEvent& event) {
    if (!socket_.send(encode(event))) leave();
  }
  // The agent is gone: what runs ends at once, what was evaluated is still kept.
  void leave() {
    gone_ = true;
    Context* running = stop_running_;
    if (running == nullptr) ::_exit(0);  // nothing is loaded, or still loading
    running->interrupt(true);
    if (!requests_.push(QuitRequest{})) ::_exit(0);
  }
  void refuse(std::int64_t id, Error error) { emit(ErrorEvent{id, std::move(error)}); }

  void read() {
    for (;;) {
      Result<std::optional<std::string>> frame = socket_.receive();
      if (!frame || !*frame) return leave();
      Result<EngineRequest> request = decode_request(**frame);
      if (!request) {
        refuse(0, std::move(request).error());
        continue;
      }
      if (const auto* cancel = std::get_if<CancelRequest>(&*request)) {
        cancelled_ = cancel->id;
        if (running_ == cancel->id && stop_running_ != nullptr)
          stop_running_.load()->interrupt(true);
        continue;
      }
      if (auto* count = std::get_if<CountRequest>(&*request)) {
        const std::int64_t id = count->id;
        if (!counter_.push(std::move(*count))) refuse(id, too_many());
        continue;
      }
      if (!requests_.push(std::move(*request))) {
        refuse(0, too_many());
      }
    }
  }

  void handle(const LoadRequest& request) {
    const auto start = std::chrono::steady_clock::now();
    const Result<GgufInfo> info = check_gguf(request.path);
    if (!info) return refuse(0, info.error());
    std::int64_t told = -1;
    const OnProgress progress = [&](std::int64_t done, std::int64_t total) {
      if (done / 10 == told) return;
      told = done / 10;
      emit(ProgressEvent{0, {"loading", done, total}});
    };
    stop_running_ = nullptr;
    counter_.use(nullptr);
    generator_.reset();
    chat_.reset();
    context_.reset();
    Result<std::unique_ptr<Context>> context = Context::load(request, progress);
    if (!context) return refuse(0, context.error());
    Result<std::unique_ptr<ChatTemplate>> chat = ChatTemplate::create((*context)->model());
    if (!chat) return refuse(0, chat.error());
    context_ = std::move(*context);
    chat_ = std::move(*chat);
    generator_.emplace(*context_, *chat_, [this](const EngineEvent& event) { emit(event); });
    stop_running_ = context_.get();
    counter_.use(context_.get());
    emit(LoadedEvent{context_->description(), request.library,
                     static_cast<std::int64_t>(context_->size()), context_->threads(),
                     ms_between(start, std::chrono::steady_clock::now()), context_->weight_bytes(),
                     context_->cache_bytes()});
  }

  void handle(const NeedRequest& request) {
    const Result<GgufInfo> info = check_gguf(request.load.path);
    if (!info) return refuse(0, info.error());
    const Result<budget::Needs> needs = dry_run(request.load);
    if (!needs) return refuse(0, needs.error());
    emit(NeededEvent{*needs});
  }

  void handle(const GenerateRequest& request) {
    if (!context_) return refuse(request.id, not_loaded());
    if (gone_) return;
    context_->interrupt(false);
    running_ = request.id;
    if (cancelled_ == request.id) context_->interrupt(true);
    const Result<model::Response> response = generator_->run(request);
    running_ = 0;
    if (!response) return refuse(request.id, response.error());
    emit(DoneEvent{request.id, *response});
    // What works in the background is not worth the writing: nobody waits when it is read again.
    if (request.request.priority != model::Priority::background) context_->save();
  }

  void handle(const MeasureRequest& request) {
    if (!context_) return refuse(request.id, not_loaded());
    const Result<Speed> measured = context_->measure(request);
    if (!measured) return refuse(request.id, measured.error());
    emit(MeasuredEvent{request.id, measured->read_ms, measured->write_ms});
  }

  void handle(const CountRequest&) {}
  void handle(const CancelRequest&) {}
  void handle(const QuitRequest&) {}

  static Error too_many() {
    return Error{Code::busy, "the engine has too many requests waiting", "", {}};
  }
  static Error not_loaded() {
    return Error{Code::internal, "the engine was asked before a model was loaded", "", {}};
  }

  rt::FrameSocket socket_;
  rt::Queue<EngineRequest> requests_;
  std::unique_ptr<Context> context_;
  std::unique_ptr<ChatTemplate> chat_;
  std::optional<Generator> generator_;  // with both
  std::atomic<Context*> stop_running_{nullptr};
  std::atomic<bool> gone_{false};
  std::atomic<std::int64_t> running_{0};
  std::atomic<std::int64_t> cancelled_{0};
  Counter counter_{[this](const EngineEvent& event) { emit(event); }};
};

std::string release_part(std::string_view version) {
  if (!version.empty() && version[0] == 'v') version.remove_prefix(1);
  return std::string(version.substr(0, version.find('-')));
}

}  // namespace

Status check_library_versions() {
  const std::string built = release_part(KEEL_LLAMA_VERSION);
  const std::string loaded = release_part(llama_version());
  const std::string ggml_built = KEEL_GGML_VERSION;
  const std::string ggml_loaded = ggml_version();
  if (built == loaded && ggml_built == ggml_loaded) return {};
  return fail(Code::unavailable,
              "the engine's libraries do not fit this program: it was built for llama.cpp " +
                  built + " and ggml " + ggml_built + ", but found " + loaded + " and " +
                  ggml_loaded,
              "install keel and the libraries beside it from one package, or run ./dev build");
}

int engine_main(const std::vector<std::string>& arguments, int socket_fd) {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGINT, SIG_IGN);             // Ctrl-C in the terminal is the agent's business
  ::dup2(STDERR_FILENO, STDOUT_FILENO);  // whatever a library prints belongs in the log
  if (!arguments.empty() && arguments[0] == "--probe") return probe_main(arguments);
  if (!arguments.empty() && arguments[0] == "--probe-attention")
    return probe_attention_main(arguments);
  rt::FrameSocket socket;
  const Status versions = check_library_versions();
  if (!versions) {
    rt::FrameSocket early{rt::Fd(socket_fd)};
    (void)early.send(encode(ErrorEvent{0, versions.error()}));
    return 1;
  }
  return Engine(rt::Fd(socket_fd)).run();
}

}  // namespace keel::local
