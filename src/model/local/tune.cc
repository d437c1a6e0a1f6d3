#include "model/local/tune.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "model/kernel/bandwidth.h"
#include "model/local/protocol.h"
#include "rt/child.h"
#include "rt/file.h"
#include "rt/frame.h"

namespace keel::local {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr int kTrialsMax = 13;
constexpr std::size_t kOtherLibraries = 3;
constexpr double kClearly =
    1.02;  // a setting must be so much faster to be taken over the usual one
constexpr std::size_t kProfileBytes = 1u << 20;
constexpr std::int64_t kFirstTokens = 96;  // timed first, to see how much fits into a trial's time

struct Amounts {
  std::int64_t depth = 0;
  std::int64_t read = 0;
  std::int64_t write = 0;
};

// An engine child with a model loaded, for measuring.
class MeasuringEngine {
 public:
  Status start(const TuneOptions& options, const EngineSettings& settings, std::int64_t context) {
    rt::ChildOptions start = engine_child(options.program, options.environment);
    start.quiet = true;
    auto [mine, theirs] = TRY(rt::socket_pair());
    start.inherit_fd = theirs.get();
    child_ = TRY(rt::Child::spawn(start));
    theirs.reset();
    socket_.emplace(std::move(mine));
    LoadRequest load = load_request(options.model_path, static_cast<int>(context), settings);
    load.drafts = false;
    TRY(socket_->send(encode(EngineRequest(load))));
    for (;;) {
      const EngineEvent event = TRY(next());
      if (const auto* loaded = std::get_if<LoadedEvent>(&event)) {
        loaded_ = *loaded;
        return {};
      }
    }
  }

  Result<MeasuredEvent> measure(const Amounts& amounts) {
    TRY(socket_->send(
        encode(EngineRequest(MeasureRequest{1, amounts.depth, amounts.read, amounts.write}))));
    for (;;) {
      const EngineEvent event = TRY(next());
      if (const auto* measured = std::get_if<MeasuredEvent>(&event)) return *measured;
    }
  }

  const LoadedEvent& loaded() const { return loaded_; }

 private:
  Result<EngineEvent> next() {
    const auto wait = std::chrono::milliseconds(limits::engine_silence).count();
    const auto frame = socket_->receive(static_cast<int>(wait));
    if (!frame) {
      const auto status = child_.wait(1000);
      return fail(Code::unavailable, status ? status->text() : "the engine ended");
    }
    if (!*frame) return fail(Code::timeout, "not done within the time");
    EngineEvent event = TRY(decode_event(**frame));
    if (const auto* error = std::get_if<ErrorEvent>(&event)) return tl::unexpected(error->error);
    return event;
  }

  rt::Child child_;
  std::optional<rt::FrameSocket> socket_;
  LoadedEvent loaded_;
};

double per_second(std::int64_t tokens, double ms) {
  return ms > 0.0 ? static_cast<double>(tokens) / ms * 1000.0 : 0.0;
}

Trial run_trial(const TuneOptions& options, const EngineSettings& settings,
                const Amounts& amounts) {
  Trial trial;
  trial.settings = settings;
  MeasuringEngine engine;
  const std::int64_t context = amounts.depth + amounts.read + amounts.write + 64;
  const Status started = engine.start(options, settings, context);
  const auto measured =
      started ? engine.measure(amounts) : Result<MeasuredEvent>(tl::unexpected(started.error()));
  if (!measured) {
    trial.failed = measured.error().message;
    return trial;
  }
  trial.settings.threads = engine.loaded().threads;
  trial.read_tps = per_second(amounts.read, measured->read_ms);
  trial.write_tps = per_second(amounts.write, measured->write_ms);
  if (trial.read_tps <= 0.0 || trial.write_tps <= 0.0) {
    trial.failed = "nothing was measured";
    return trial;
  }
  trial.turn_seconds =
      limits::tune_turn_read / trial.read_tps + limits::tune_turn_write / trial.write_tps;
  return trial;
}

// As much as fits into the time of a trial on this machine: half for what stands before.
Amounts amounts_for(const Trial& first, double seconds) {
  const auto within = [](double tps, double time, std::int64_t least, std::int64_t most) {
    return std::clamp(static_cast<std::int64_t>(tps * time), least, most);
  };
  return {within(first.read_tps, seconds / 2, 64, 2048),
          within(first.read_tps, seconds / 4, 64, 512),
          within(first.write_tps, seconds / 4, 8, 64)};
}

std::string profile_path(const std::string& home) {
  return home + "/profile.json";
}

Json to_json(const Trial& trial) {
  const EngineSettings& s = trial.settings;
  return {{"gpu", s.gpu},
          {"library", s.library},
          {"attention", s.attention},
          {"threads", s.threads},
          {"batch", s.batch},
          {"repack", s.repack},
          {"cache", s.cache},
          {"failed", trial.failed},
          {"read_tps", trial.read_tps},
          {"write_tps", trial.write_tps}};
}

Result<EngineSettings> settings_from_json(const Json& value) {
  const std::int64_t threads = json_int_or(value, "threads", 0);
  const std::int64_t batch = json_int_or(value, "batch", 0);
  const std::string cache = json_string_or(value, "cache", "");
  if (threads < 0 || threads > limits::config_threads_max || batch < 0 ||
      batch > limits::engine_batch_max || (!cache.empty() && cache != budget::kSmallCache)) {
    return fail(Code::corrupt, "the kept measurement of this model is damaged",
                "Run keel model tune again.");
  }
  return EngineSettings{json_string_or(value, "library", ""),
                        json_string_or(value, "gpu", ""),
                        json_string_or(value, "attention", ""),
                        cache,
                        static_cast<int>(threads),
                        static_cast<int>(batch),
                        json_bool_or(value, "repack", true)};
}

Status keep(const TuneOptions& options, const std::string& machine, const Profile& profile) {
  const std::string path = profile_path(options.home);
  Json all = Json::object();
  if (const auto text = rt::read_file(path, kProfileBytes)) {
    auto parsed = parse_json(*text, path);
    if (parsed && parsed->is_object()) all = std::move(*parsed);
  }
  Json trials = Json::array();
  for (const Trial& trial : profile.trials) trials.push_back(to_json(trial));
  Trial best;
  best.settings = profile.best;
  all[profile_key(options.model_path, machine)] = {{"model", options.model_path},
                                                   {"depth", profile.depth},
                                                   {"took_seconds", profile.took_seconds},
                                                   {"best", to_json(best)},
                                                   {"trials", std::move(trials)}};
  return rt::write_file(path, dump_json_pretty(all) + "\n");
}

// One setting after the other, each with the best of those before.
class Tuner {
 public:
  Tuner(const TuneOptions& options, const CpuChoice& cpu, const OnTrial& on_trial,
        std::stop_token stop)
      : options_(options), cpu_(cpu), on_trial_(on_trial), stop_(std::move(stop)) {}

  Result<Profile> run() {
    const SteadyTime start = std::chrono::steady_clock::now();
    EngineSettings usual{cpu_.library, cpu_.gpu, "flash", "", 0, 0, true};
    amounts_ = {0, kFirstTokens, 8};
    tell("a first look");
    const Trial first = run_trial(options_, usual, amounts_);
    if (!first.failed.empty()) {
      return fail(Code::unavailable, "the model cannot be measured: " + first.failed,
                  "keel doctor looks at the model and the machine");
    }
    amounts_ = amounts_for(first, options_.trial_seconds);
    TRY(attempt(usual));
    best_ = profile_.trials.front();
    for (const std::string& attention : {std::string(cpu_.attention), std::string()}) {
      if (attention.empty() && cpu_.attention.empty()) continue;
      if (!attention.empty() && !usual.gpu.empty()) continue;  // the kernel is for processors
      TRY(vary([&](EngineSettings& s) { s.attention = attention; }));
    }
    if (!usual.gpu.empty()) {
      TRY(vary([&](EngineSettings& s) {
        s.gpu.clear();
        s.attention = cpu_.attention;
      }));
    }
    for (const GpuPath& gpu : cpu_.gpus) {
      if (!gpu.usable || gpu.library == usual.gpu) continue;
      TRY(vary([&](EngineSettings& s) {
        s.gpu = gpu.library;
        s.attention = "flash";
      }));
    }
    for (const std::string& library : other_libraries())
      TRY(vary([&](EngineSettings& s) { s.library = library; }));
    const int threads = best_.settings.threads;
    const int processors = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
    std::vector<int> tried = {threads};
    for (const int other : {threads - 1, threads / 2, threads + 1, processors}) {
      if (other < 1 || other > std::min(processors, limits::engine_threads)) continue;
      if (std::count(tried.begin(), tried.end(), other) > 0) continue;
      tried.push_back(other);
      TRY(vary([&](EngineSettings& s) { s.threads = other; }));
    }
    TRY(vary([](EngineSettings& s) { s.repack = false; }));
    TRY(vary([](EngineSettings& s) { s.batch = 128; }));
    TRY(vary([](EngineSettings& s) {
      s.cache = budget::kSmallCache;
      s.attention = "flash";
    }));
    profile_.best = best_.settings;
    profile_.depth = amounts_.depth;
    profile_.took_seconds = ms_between(start, std::chrono::steady_clock::now()) / 1000.0;
    return profile_;
  }

 private:
  // Those that came out fastest when the CPU library was chosen, but for the one in use.
  std::vector<std::string> other_libraries() const {
    std::vector<CpuPath> usable;
    for (const CpuPath& path : cpu_.table) {
      if (path.usable && path.library != cpu_.library) usable.push_back(path);
    }
    std::sort(usable.begin(), usable.end(), [](const CpuPath& a, const CpuPath& b) {
      return a.read_gops + a.decode_gops > b.read_gops + b.decode_gops;
    });
    if (usable.size() > kOtherLibraries) usable.resize(kOtherLibraries);
    std::vector<std::string> libraries;
    for (const CpuPath& path : usable) libraries.push_back(path.library);
    return libraries;
  }
  void tell(const std::string& what) {
    if (on_trial_) on_trial_(static_cast<int>(profile_.trials.size()), kTrialsMax, what);
  }
  Status attempt(const EngineSettings& settings) {
    if (stop_.stop_requested()) return fail(Code::cancelled, "measuring was stopped");
    tell(settings_text(settings));
    profile_.trials.push_back(run_trial(options_, settings, amounts_));
    return {};
  }
  template <class Change>
  Status vary(Change change) {
    if (profile_.trials.size() >= kTrialsMax) return {};
    EngineSettings settings = best_.settings;
    change(settings);
    TRY(attempt(settings));
    const Trial& trial = profile_.trials.back();
    if (trial.failed.empty() && trial.turn_seconds * kClearly < best_.turn_seconds) best_ = trial;
    return {};
  }

  const TuneOptions& options_;
  const CpuChoice& cpu_;
  const OnTrial& on_trial_;
  const std::stop_token stop_;
  Amounts amounts_;
  Profile profile_;
  Trial best_;
};

struct Ready {
  TuneOptions options;
  CpuChoice cpu;
};

Result<Ready> make_ready(const TuneOptions& wish) {
  Ready ready{wish, {}};
  if (ready.options.program.empty()) ready.options.program = TRY(rt::own_program_path());
  CpuOptions cpu;
  cpu.program = ready.options.program;
  cpu.folder = ready.options.library_folder;
  cpu.cache_path = ready.options.home + "/cpu.json";
  cpu.environment = ready.options.environment;
  ready.cpu = TRY(choose_cpu(cpu));
  return ready;
}

}  // namespace

EngineSettings usual_settings(const CpuChoice& cpu, bool gpu) {
  EngineSettings settings;
  settings.library = cpu.library;
  if (gpu) settings.gpu = cpu.gpu;
  // keel's own kernel is for processors.
  settings.attention = settings.gpu.empty() ? cpu.attention : "flash";
  return settings;
}

std::string settings_text(const EngineSettings& settings) {
  std::string name = settings.library.substr(settings.library.rfind('/') + 1);
  constexpr std::string_view prefix = "libggml-cpu-";
  if (name.starts_with(prefix)) name = name.substr(prefix.size());
  name = name.substr(0, name.find('.'));
  const std::string attention = settings.attention.empty() ? "plain attention"
                                : settings.attention == "flash"
                                    ? "flash attention"
                                    : "own attention (" + settings.attention + ")";
  std::string text = name + ", " + attention;
  if (!settings.gpu.empty()) {
    const std::string file = settings.gpu.substr(settings.gpu.rfind('/') + 1);
    constexpr std::string_view gpu_prefix = "libggml-";
    text = file.substr(file.starts_with(gpu_prefix) ? gpu_prefix.size() : 0);
    text = text.substr(0, text.find('.')) + " with " + name + ", " + attention;
  }
  if (settings.threads > 0)
    text +=
        ", " + std::to_string(settings.threads) + (settings.threads == 1 ? " thread" : " threads");
  if (settings.batch > 0) text += ", " + std::to_string(settings.batch) + " at once";
  if (!settings.cache.empty()) text += ", cache in 8 bits";
  if (!settings.repack) text += ", weights as they are";
  return text;
}

Result<Profile> tune(const TuneOptions& wish, const OnTrial& on_trial, std::stop_token stop) {
  const Ready ready = TRY(make_ready(wish));
  Profile profile = TRY(Tuner(ready.options, ready.cpu, on_trial, std::move(stop)).run());
  TRY(keep(ready.options, ready.cpu.fingerprint, profile));
  return profile;
}

LoadRequest load_request(const std::string& model_path, int context,
                         const EngineSettings& settings) {
  LoadRequest load;
  load.path = model_path;
  load.library = settings.library;
  load.gpu = settings.gpu;
  load.context = context;
  load.threads = settings.threads;
  load.attention = settings.attention;
  load.cache = settings.cache;
  load.batch = settings.batch;
  load.repack = settings.repack;
  return load;
}

std::string profile_key(const std::string& model_path, const std::string& machine) {
  struct stat facts{};
  if (::stat(model_path.c_str(), &facts) != 0) return {};
  return sha256_hex(machine + "\n" + model_path + "\n" + std::to_string(facts.st_size) + "\n" +
                    std::to_string(facts.st_mtime));
}

Result<EngineSettings> kept_settings(const std::string& home, const std::string& model_path,
                                     const std::string& machine) {
  const std::string path = profile_path(home);
  const Json all = TRY(parse_json(TRY(rt::read_file(path, kProfileBytes)), path));
  const auto entry = all.find(profile_key(model_path, machine));
  if (entry == all.end() || !entry->is_object() || !entry->contains("best"))
    return fail(Code::not_found, "this model was not measured on this machine");
  return settings_from_json((*entry)["best"]);
}

Result<Bench> bench(const TuneOptions& wish, const OnTrial& on_trial, std::stop_token stop) {
  const Ready ready = TRY(make_ready(wish));
  Bench result;
  result.settings = usual_settings(ready.cpu, true);
  if (auto kept = kept_settings(wish.home, wish.model_path, ready.cpu.fingerprint))
    result.settings = std::move(*kept);
  MeasuringEngine engine;
  TRY(engine.start(ready.options, result.settings, 0));
  const LoadedEvent& loaded = engine.loaded();
  result.settings.threads = loaded.threads;
  // What a graphics processor reads its own memory at is not measured.
  if (result.settings.gpu.empty())
    result.memory_bytes_per_second = kernel::memory_bandwidth(loaded.threads);
  int done = 0;
  for (const std::int64_t depth : limits::bench_depths) {
    const Amounts amounts{depth, limits::bench_read, limits::bench_write};
    if (depth + amounts.read + amounts.write >= loaded.context) break;
    if (stop.stop_requested()) return fail(Code::cancelled, "measuring was stopped");
    if (on_trial)
      on_trial(done++, static_cast<int>(limits::bench_depths.size()),
               "at " + std::to_string(depth) + " tokens");
    const MeasuredEvent measured = TRY(engine.measure(amounts));
    const double bytes = static_cast<double>(loaded.weight_bytes +
                                             loaded.cache_bytes_per_token * (depth + amounts.read));
    result.rows.push_back({depth, per_second(amounts.read, measured.read_ms),
                           per_second(amounts.write, measured.write_ms),
                           bytes > 0 ? result.memory_bytes_per_second / bytes : 0.0});
  }
  return result;
}

}  // namespace keel::local
