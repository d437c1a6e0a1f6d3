#include "model/local/local_model.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "model/local/protocol.h"
#include "model/local/tune.h"
#include "model/schedule.h"
#include "rt/child.h"
#include "rt/file.h"
#include "rt/frame.h"

namespace keel::local {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr int kPollMs = 50;  // how soon a stop request is seen while the child says nothing
constexpr int kAttempts = 2;
constexpr std::size_t kLastWords = 4096;  // bytes of a dead engine's log that are looked at

bool has_passed(SteadyTime since, std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() - since > time;
}

// Passes deltas on to the sink, leaving out what an earlier child had already told.
class Told {
 public:
  explicit Told(const model::Sink& sink) : sink_(sink) {}

  void begin_attempt() { text_at_ = thinking_at_ = calls_at_ = 0; }
  void pass(const DeltaEvent& event) {
    const std::string thinking = fresh(event.thinking, thinking_, thinking_at_);
    const std::string text = fresh(event.text, text_, text_at_);
    if (!thinking.empty()) sink_(model::ThinkingDelta{thinking});
    if (!text.empty()) sink_(model::TextDelta{text});
    if (!event.tool_name.empty() && ++calls_at_ > calls_) {
      calls_ = calls_at_;
      sink_(model::ToolCallStarted{event.tool_name});
    }
    const auto at =
        std::min(static_cast<std::size_t>(std::max<std::int64_t>(event.at, 0)), tokens_.size());
    tokens_.resize(at);
    tokens_.insert(tokens_.end(), event.tokens.begin(), event.tokens.end());
  }
  const std::vector<std::int32_t>& tokens() const { return tokens_; }

 private:
  // What of `delta`, which stands at `at` of the answer, was not told before.
  static std::string fresh(const std::string& delta, std::string& told, std::size_t& at) {
    const std::size_t known = std::min(delta.size(), told.size() - std::min(told.size(), at));
    at += delta.size();
    std::string rest = delta.substr(known);
    told += rest;
    return rest;
  }

  const model::Sink& sink_;
  std::string text_, thinking_;
  std::size_t text_at_ = 0, thinking_at_ = 0;
  int calls_ = 0, calls_at_ = 0;
  std::vector<std::int32_t> tokens_;
};

}  // namespace

// Prompts that are counted while the child answers somebody. Whoever reads what the child says
// hands their counts on.
class Counts {
 public:
  struct Waiting {
    std::stop_source over;  // then `count` is final: nothing if the child is gone
    std::optional<Result<std::int64_t>> count;
  };
  std::shared_ptr<Waiting> add(std::int64_t id) {
    const std::lock_guard lock(mutex_);
    return waiting_[id] = std::make_shared<Waiting>();
  }
  // Whether the event was about one of them.
  bool take(const EngineEvent& event) {
    const auto* count = std::get_if<CountEvent>(&event);
    const auto* error = std::get_if<ErrorEvent>(&event);
    if (count == nullptr && error == nullptr) return false;
    std::unique_lock lock(mutex_);
    const auto found = waiting_.extract(count != nullptr ? count->id : error->id);
    lock.unlock();
    if (found.empty()) return false;
    Waiting& waiting = *found.mapped();
    if (count != nullptr) waiting.count = count->tokens;
    if (error != nullptr) waiting.count = tl::unexpected(error->error);
    waiting.over.request_stop();
    return true;
  }
  void lose() {
    std::unique_lock lock(mutex_);
    const auto lost = std::exchange(waiting_, {});
    lock.unlock();
    for (const auto& [id, waiting] : lost) waiting->over.request_stop();
  }

 private:
  std::mutex mutex_;
  std::map<std::int64_t, std::shared_ptr<Waiting>> waiting_;
};

namespace {

// What a part of an answer says of its costs, with that of the parts before it. `waited`: ms until
// this part began.
void join_parts(const model::Response& before, model::Response& part, double waited) {
  part.timings.total_ms += waited;
  part.timings.ttft_ms = before.timings.ttft_ms > 0 ? before.timings.ttft_ms
                         : part.timings.ttft_ms > 0 ? part.timings.ttft_ms + waited
                                                    : 0.0;
  part.usage.evaluated_tokens += before.usage.evaluated_tokens;
  if (before.usage.prompt_tokens > 0) part.usage.cached_tokens = before.usage.cached_tokens;
  part.timings.drafted_tokens += before.timings.drafted_tokens;
  part.timings.accepted_tokens += before.timings.accepted_tokens;
}

}  // namespace

struct LocalModel::State {
  LocalOptions options;
  model::Schedule schedule;  // one request at a time
  std::atomic<bool> to_rest = false;
  mutable std::mutex facts_mutex;
  LocalStats facts;
  model::Info info;

  rt::Child child;
  std::shared_ptr<rt::FrameSocket> socket;  // set while a child runs
  std::shared_ptr<rt::FrameSocket> ready;   // with facts_mutex: the same, once it has the model
  Counts counts;
  std::atomic<std::int64_t> next_id = 1;
  bool ever_ran = false;
  std::string last_death;
  std::uintmax_t log_at = 0;  // where the latest child's lines begin in the log
  std::string gpu_note;       // why the graphics processor is not used, for the description
  std::string memory_note;    // what the plan had to give up, for the description

  Status ensure(const model::Sink& sink, std::stop_token stop);
  Status start(const EngineSettings& settings, const model::Sink& sink, std::stop_token stop);
  Status spawn(const std::string& library);
  Status load(const LoadRequest& request, const model::Sink& sink, std::stop_token stop);
  Result<LoadRequest> planned(const EngineSettings& settings);
  void note_death();
  void drop_child();
  void end_child();
  void rest_if_asked();
  std::uintmax_t log_size() const;
  std::string last_words() const;
  Error died() const;
  Error died_loading() const;
  Result<std::optional<EngineEvent>> next_event(int timeout_ms);
  Result<std::optional<model::Response>> attempt(const GenerateRequest& request, Told& told,
                                                 const model::Sink& sink, std::stop_token stop,
                                                 std::stop_token yield);
  Result<model::Response> answer_in_turns(const model::Request& request, const model::Sink& sink,
                                          std::stop_token stop, model::Schedule::Place& place);
  Result<model::Response> answer(const model::Request& request, const model::Sink& sink,
                                 std::stop_token stop);
  std::shared_ptr<Counts::Waiting> ask_count(const model::Request& request);
  Result<std::int64_t> read_count(const Counts::Waiting& waiting);
};

// --- the child

// How to load so that it fits this machine. A refusal counts only if it comes with figures: where
// nothing can be found out, the model is loaded as it always was.
Result<LoadRequest> LocalModel::State::planned(const EngineSettings& settings) {
  LoadRequest request = load_request(options.path, options.context, settings);
  request.drafts = options.drafts;
  request.kv_folder = options.home.empty() ? "" : options.home + "/kv";
  memory_note.clear();
  const auto fit = fit_model(options, settings);
  if (!fit) return request;
  const budget::Plan& plan = fit->plan;
  if (plan.refusal) return tl::unexpected(*plan.refusal);
  request.context = plan.context;
  request.batch = plan.batch;
  request.cache = plan.cache;
  if (!plan.cache.empty()) request.attention = "flash";
  request.parked_bytes = plan.parked_bytes;
  request.lock = plan.lock;
  if (!plan.shrunk.empty() || plan.tight) {
    memory_note = ", memory is short";
    if (!plan.shrunk.empty()) memory_note += " (" + join(plan.shrunk, ", ") + ")";
  }
  return request;
}

Status LocalModel::State::spawn(const std::string& library) {
  if (options.program.empty()) options.program = TRY(rt::own_program_path());
  rt::ChildOptions start = engine_child(options.program, options.environment);
  if (options.home.empty()) {
    start.stderr_path = "/dev/null";
  } else {
    TRY(rt::make_folder(options.home + "/logs"));
    start.stderr_path = options.home + "/logs/engine.log";
    log_at = log_size();
  }
  auto [mine, theirs] = TRY(rt::socket_pair());
  start.inherit_fd = theirs.get();
  start.outlives_thread = true;  // it ends at the end of its socket
  child = TRY(rt::Child::spawn(start));
  socket = std::make_shared<rt::FrameSocket>(std::move(mine));
  const std::lock_guard lock(facts_mutex);
  facts.pid = child.pid();
  facts.library = library;
  return {};
}

// Nothing if the child said nothing within the time; Code::unavailable if it is gone.
Result<std::optional<EngineEvent>> LocalModel::State::next_event(int timeout_ms) {
  const std::optional<std::string> frame = TRY(socket->receive(timeout_ms));
  if (!frame) return std::optional<EngineEvent>();
  return std::optional<EngineEvent>(TRY(decode_event(*frame)));
}

Status LocalModel::State::load(const LoadRequest& request, const model::Sink& sink,
                               std::stop_token stop) {
  TRY(spawn(request.library));
  TRY(socket->send(encode(request)));
  SteadyTime heard = std::chrono::steady_clock::now();
  for (;;) {
    if (stop.stop_requested()) {
      drop_child();
      return fail(Code::cancelled, "loading the model was stopped");
    }
    const std::optional<EngineEvent> event = TRY(next_event(kPollMs));
    if (!event) {
      if (has_passed(heard, limits::engine_silence)) {
        drop_child();
        return fail(Code::timeout, "the engine said nothing while it loaded " + options.path,
                    "the disk may be very slow; try again");
      }
      continue;
    }
    heard = std::chrono::steady_clock::now();
    if (const auto* progress = std::get_if<ProgressEvent>(&*event)) {
      if (sink) sink(progress->progress);
    } else if (const auto* error = std::get_if<ErrorEvent>(&*event)) {
      drop_child();
      return tl::unexpected(error->error);
    } else if (const auto* loaded = std::get_if<LoadedEvent>(&*event)) {
      const std::lock_guard lock(facts_mutex);
      ready = socket;
      facts.load_ms = loaded->load_ms;
      facts.threads = loaded->threads;
      info.context = loaded->context;
      info.description = loaded->description + ", " + std::to_string(loaded->threads) + " threads" +
                         memory_note + gpu_note;
      return {};
    }
  }
}

void LocalModel::State::drop_child() {
  {
    const std::lock_guard lock(facts_mutex);
    ready.reset();
    facts.pid = -1;
  }
  socket.reset();
  child.kill();
  counts.lose();
}

// Lets it store what it still has to.
void LocalModel::State::end_child() {
  if (!socket) return;
  (void)socket->send(encode(QuitRequest{}));
  socket->shut_down();
  child.wait(static_cast<int>(std::chrono::milliseconds(limits::engine_quit_wait).count()));
  drop_child();
}

// A request that is being answered when rest() comes looks itself when it is done.
void LocalModel::State::rest_if_asked() {
  const auto place = schedule.try_enter(model::Priority::owner);
  if (place && to_rest.exchange(false)) end_child();
}

void LocalModel::State::note_death() {
  if (socket) socket->shut_down();
  // It may be hung as well as dead.
  const auto status =
      child.wait(static_cast<int>(std::chrono::milliseconds(limits::engine_quit_wait).count()));
  last_death = status ? status->text() : "no answer";
  drop_child();
}

std::uintmax_t LocalModel::State::log_size() const {
  std::error_code error;
  const auto size = std::filesystem::file_size(options.home + "/logs/engine.log", error);
  return error ? 0 : size;
}

// What the latest child wrote into the log, its end.
std::string LocalModel::State::last_words() const {
  std::ifstream log(options.home + "/logs/engine.log", std::ios::binary);
  const std::uintmax_t size = log_size();
  const std::uintmax_t from =
      std::max(std::min(log_at, size), size - std::min<std::uintmax_t>(size, kLastWords));
  std::string words(static_cast<std::size_t>(size - from), '\0');
  log.seekg(static_cast<std::streamoff>(from));
  log.read(words.data(), static_cast<std::streamsize>(words.size()));
  words.resize(static_cast<std::size_t>(std::max<std::streamsize>(log.gcount(), 0)));
  return words;
}

// Libraries end the process where memory runs out, and so does the system.
Error LocalModel::State::died_loading() const {
  if (last_death.find("signal 9") != 0 && !speaks_of_memory(last_words())) return died();
  return Error{Code::limit,
               "there is not enough memory to load " + options.path +
                   " (the engine ended: " + last_death + ")",
               "keel model memory shows what it needs and what this machine has",
               {}};
}

Error LocalModel::State::died() const {
  std::string hint = "see logs/engine.log in KEEL_HOME";
  if (last_death.find("signal 9") == 0) {
    hint =
        "the system may have run out of memory: keel model memory shows what the model needs; "
        "choose "
        "a smaller one or a smaller context in keel.toml";
  } else if (last_death.find("signal 4") == 0 || last_death.find("signal 11") == 0) {
    hint =
        "keel doctor shows which CPU library runs; removing KEEL_HOME/cpu.json makes keel choose "
        "again; " +
        hint;
  }
  return Error{Code::unavailable,
               "the local engine ended twice while it worked on this (" + last_death + ")",
               std::move(hint),
               {}};
}

// A child that runs, with the model loaded.
Status LocalModel::State::ensure(const model::Sink& sink, std::stop_token stop) {
  if (socket && child.running()) return {};
  if (socket) note_death();  // it died while nobody asked it anything
  const EngineSettings chosen = TRY(settings_for(options));
  Status started = start(chosen, sink, stop);
  if (started || chosen.gpu.empty() || stop.stop_requested()) return started;
  // The graphics processor has too little memory for it, or its driver fails: the others can do it.
  options.gpu = false;
  gpu_note = ", without the graphics processor (" + started.error().message + ")";
  return start(TRY(settings_for(options)), sink, stop);
}

Status LocalModel::State::start(const EngineSettings& settings, const model::Sink& sink,
                                std::stop_token stop) {
  const LoadRequest request = TRY(planned(settings));
  for (int attempt = 1;; ++attempt) {
    Status loaded = load(request, sink, stop);
    if (loaded || loaded.error().code != Code::unavailable || !socket) return loaded;
    note_death();
    const std::lock_guard lock(facts_mutex);
    ++facts.restarts;
    if (attempt == kAttempts) return tl::unexpected(died_loading());
    if (sink) sink(model::Progress{"restarting", 0, 0});
  }
}

// --- requests

// The response; nothing if the child died.
Result<std::optional<model::Response>> LocalModel::State::attempt(const GenerateRequest& request,
                                                                  Told& told,
                                                                  const model::Sink& sink,
                                                                  std::stop_token stop,
                                                                  std::stop_token yield) {
  told.begin_attempt();
  if (!socket->send(encode(request))) return std::optional<model::Response>();
  const auto end = [&] { (void)socket->send(encode(CancelRequest{request.id})); };
  const std::stop_callback on_stop(stop, end);
  const std::stop_callback on_yield(std::move(yield), end);
  SteadyTime heard = std::chrono::steady_clock::now();
  std::optional<SteadyTime> stopped;
  for (;;) {
    auto event = next_event(kPollMs);
    if (!event) return std::optional<model::Response>();
    if (stop.stop_requested() && !stopped) stopped = std::chrono::steady_clock::now();
    if (!*event) {
      if (stopped && has_passed(*stopped, limits::engine_cancel_wait)) {
        drop_child();
        model::Response response;
        response.item.role = msg::Role::assistant;
        response.stop = model::StopReason::cancelled;
        return std::optional(response);
      }
      if (has_passed(heard, limits::engine_silence)) return std::optional<model::Response>();
      continue;
    }
    heard = std::chrono::steady_clock::now();
    if (counts.take(**event)) continue;
    if (auto* done = std::get_if<DoneEvent>(&**event); done && done->id == request.id) {
      return std::optional(std::move(done->response));
    }
    if (auto* error = std::get_if<ErrorEvent>(&**event);
        error && (error->id == request.id || error->id == 0)) {
      return tl::unexpected(std::move(error->error));
    }
    if (auto* progress = std::get_if<ProgressEvent>(&**event);
        progress && progress->id == request.id) {
      sink(progress->progress);
    }
    if (auto* delta = std::get_if<DeltaEvent>(&**event); delta && delta->id == request.id)
      told.pass(*delta);
  }
}

LocalModel::LocalModel(std::unique_ptr<State> state) : state_(std::move(state)) {}

std::unique_ptr<LocalModel> LocalModel::create(LocalOptions options) {
  auto state = std::make_unique<State>();
  state->options = std::move(options);
  state->info.name = state->options.name;
  state->info.kind = "local";
  state->info.description = state->options.path;
  state->info.context = state->options.context;
  return std::unique_ptr<LocalModel>(new LocalModel(std::move(state)));
}

LocalModel::~LocalModel() {
  state_->end_child();
}

void LocalModel::rest() {
  state_->to_rest = true;
  state_->rest_if_asked();
}

model::Readiness LocalModel::readiness() const {
  return {stats().pid > 0, state_->schedule.in_use()};
}

model::Info LocalModel::info() const {
  const std::lock_guard lock(state_->facts_mutex);
  return state_->info;
}

LocalStats LocalModel::stats() const {
  const std::lock_guard lock(state_->facts_mutex);
  return state_->facts;
}

Status LocalModel::prepare(const model::Request& request, const model::Sink& sink,
                           std::stop_token stop) {
  if (request.items.empty()) {
    const auto place = TRY(state_->schedule.enter(model::Priority::ahead, stop));
    return state_->ensure(sink, stop);
  }
  model::Request reading = request;
  reading.max_tokens = 0;
  reading.priority = std::max(reading.priority, model::Priority::ahead);
  TRY(generate(reading, sink, stop));
  return {};
}

Result<model::Response> LocalModel::generate(const model::Request& request, const model::Sink& sink,
                                             std::stop_token stop) {
  Result<model::Response> response = state_->answer(request, sink, stop);
  state_->rest_if_asked();
  return response;
}

Result<model::Response> LocalModel::State::answer(const model::Request& request,
                                                  const model::Sink& sink, std::stop_token stop) {
  const model::Sink quiet = [](const model::StreamEvent&) {};
  const model::Sink& out = sink ? sink : quiet;
  std::optional<model::Schedule::Place> place = schedule.try_enter(request.priority);
  if (!place) {
    out(model::Progress{"waiting", 0, 0});
    place.emplace(TRY(schedule.enter(request.priority, stop)));
  }
  return answer_in_turns(request, out, std::move(stop), *place);
}

// Yields to what is more urgent, and goes on from the tokens it has. Reading ahead for somebody
// does not go on: what it reads for may have come meanwhile.
Result<model::Response> LocalModel::State::answer_in_turns(const model::Request& request,
                                                           const model::Sink& sink,
                                                           std::stop_token stop,
                                                           model::Schedule::Place& place) {
  const SteadyTime start = std::chrono::steady_clock::now();
  Told told(sink);
  model::Response before;  // of the parts that yielded
  for (int tries = 1;;) {
    TRY(ensure(sink, stop));
    const SteadyTime begun = std::chrono::steady_clock::now();
    GenerateRequest message{next_id++, request, told.tokens()};
    std::optional<model::Response> response =
        TRY(attempt(message, told, sink, stop, place.yield()));
    if (!response) {
      note_death();
      {
        const std::lock_guard facts_lock(facts_mutex);
        ++facts.restarts;
      }
      if (++tries > kAttempts) return tl::unexpected(died());
      sink(model::Progress{"restarting", 0, 0});
      continue;
    }
    join_parts(before, *response, ms_between(start, begun));
    const bool yields = response->stop == model::StopReason::cancelled &&
                        place.yield().stop_requested() && !stop.stop_requested();
    if (!yields || request.priority == model::Priority::ahead) return std::move(*response);
    before = std::move(*response);
    sink(model::Progress{"waiting", 0, 0});
    if (!place.rejoin(stop)) return before;
  }
}

// Nothing if no child with a loaded model hears it.
std::shared_ptr<Counts::Waiting> LocalModel::State::ask_count(const model::Request& request) {
  const std::int64_t id = next_id++;
  std::shared_ptr<rt::FrameSocket> to;
  std::shared_ptr<Counts::Waiting> waiting;
  {
    // As one step: a child that goes after this loses the count, one that went before is not asked.
    const std::lock_guard lock(facts_mutex);
    to = ready;
    if (to) waiting = counts.add(id);
  }
  if (!to || to->send(encode(CountRequest{id, request}))) return waiting;
  counts.take(ErrorEvent{id, {}});
  return nullptr;
}

// Reads the child's events until it is counted; for who has the child.
Result<std::int64_t> LocalModel::State::read_count(const Counts::Waiting& waiting) {
  while (!waiting.over.stop_requested()) {
    const auto event = next_event(-1);
    if (!event) note_death();
    if (event && *event) counts.take(**event);
  }
  if (waiting.count) return *waiting.count;
  return fail(Code::unavailable, "the local engine ended while it counted (" + last_death + ")");
}

Result<std::int64_t> LocalModel::count(const model::Request& request) {
  State& state = *state_;
  std::optional<model::Schedule::Place> place = state.schedule.try_enter(request.priority);
  if (!place) {
    // The child counts while it answers somebody, who then reads the count. It is read here only if
    // that answer ends first; nobody is interrupted for it.
    if (const auto waiting = state.ask_count(request)) {
      const Result<model::Schedule::Place> own =
          state.schedule.enter(model::Priority::background, waiting->over.get_token());
      if (own && !waiting->over.stop_requested()) return state.read_count(*waiting);
      if (waiting->over.stop_requested() && waiting->count) return *waiting->count;
      if (!own && own.error().code != Code::cancelled) return pass(own.error());
    }
    place.emplace(TRY(state.schedule.enter(request.priority, {})));
  }
  TRY(state.ensure({}, {}));
  const auto waiting = state.ask_count(request);
  if (!waiting) return fail(Code::unavailable, "the local engine ended before it could count");
  return state.read_count(*waiting);
}

}  // namespace keel::local
