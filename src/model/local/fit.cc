#include "model/local/fit.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "model/local/cpu.h"
#include "model/local/protocol.h"
#include "rt/child.h"
#include "rt/file.h"
#include "rt/frame.h"

namespace keel::local {
namespace {

std::string needs_path(const FitOptions& options) {
  return options.home.empty() ? std::string() : options.home + "/needs.json";
}

// Everything that the answer depends on; empty if the model is not there.
std::string key_of_needs(const LoadRequest& load) {
  struct stat facts{};
  if (::stat(load.path.c_str(), &facts) != 0) return {};
  return sha256_hex(KEEL_ENGINE_ID "\n" + encode(EngineRequest(NeedRequest{load})) + "\n" +
                    std::to_string(facts.st_size) + "\n" + std::to_string(facts.st_mtime));
}

Json kept_needs(const std::string& path) {
  const auto text = rt::read_file(path, limits::needs_bytes);
  if (!text) return Json::object();
  auto all = parse_json(*text, path);
  return all && all->is_object() ? std::move(*all) : Json::object();
}

Result<budget::Needs> ask_engine(const FitOptions& options, const LoadRequest& load) {
  rt::ChildOptions start = engine_child(
      options.program.empty() ? TRY(rt::own_program_path()) : options.program, options.environment);
  if (options.home.empty()) {
    start.quiet = true;
  } else {
    TRY(rt::make_folder(options.home + "/logs"));
    start.stderr_path = options.home + "/logs/engine.log";
  }
  auto [mine, theirs] = TRY(rt::socket_pair());
  start.inherit_fd = theirs.get();
  rt::Child child = TRY(rt::Child::spawn(start));
  theirs.reset();
  rt::FrameSocket socket(std::move(mine));
  TRY(socket.send(encode(EngineRequest(NeedRequest{load}))));
  for (;;) {
    const auto wait = std::chrono::milliseconds(limits::engine_silence).count();
    const auto frame = socket.receive(static_cast<int>(wait));
    if (!frame) {
      const auto status = child.wait(1000);
      return fail(Code::unavailable, "the engine ended while it looked at " + load.path + " (" +
                                         (status ? status->text() : "no reason is known") + ")");
    }
    if (!*frame) return fail(Code::timeout, "the engine said nothing about " + load.path);
    EngineEvent event = TRY(decode_event(**frame));
    if (auto* error = std::get_if<ErrorEvent>(&event)) return tl::unexpected(error->error);
    if (auto* needed = std::get_if<NeededEvent>(&event)) return std::move(needed->needs);
  }
}

Result<budget::Needs> model_needs(const FitOptions& options, const EngineSettings& settings) {
  LoadRequest load = load_request(options.path, options.context, settings);
  load.threads = 0;  // nothing depends on it
  const std::string path = needs_path(options);
  const std::string key = path.empty() ? std::string() : key_of_needs(load);
  Json all = key.empty() ? Json::object() : kept_needs(path);
  if (const auto kept = all.find(key); kept != all.end()) {
    auto needs = budget::needs_from_json(*kept);
    // What a device allows may have changed since.
    if (needs && needs->devices.empty()) return needs;
  }
  budget::Needs needs = TRY(ask_engine(options, load));
  if (!key.empty()) {
    if (all.size() >= limits::needs_kept) all = Json::object();
    all[key] = budget::to_json(needs);
    // Without the file the engine is asked again next time; that is no reason to fail.
    (void)rt::write_file(path, dump_json_pretty(all) + "\n");
  }
  return needs;
}

}  // namespace

Result<EngineSettings> settings_for(const FitOptions& options) {
  EngineSettings settings;
  settings.library = options.library;
  settings.threads = options.threads;
  if (!options.library.empty()) return settings;
  CpuOptions wish;
  wish.program = options.program;
  wish.folder = options.library_folder;
  wish.cache_path = options.home.empty() ? "" : options.home + "/cpu.json";
  wish.environment = options.environment;
  const CpuChoice cpu = TRY(choose_cpu(wish));
  settings = usual_settings(cpu, options.gpu);
  settings.threads = options.threads;
  if (options.home.empty()) return settings;
  auto kept = kept_settings(options.home, options.path, cpu.fingerprint);
  if (!kept) return settings;
  if (options.threads > 0) kept->threads = options.threads;  // the owner's word
  if (!options.gpu && !kept->gpu.empty()) return settings;
  return std::move(*kept);
}

Result<Fit> fit_model(const FitOptions& options, const EngineSettings& settings) {
  Fit fit;
  fit.needs = TRY(model_needs(options, settings));
  fit.machine = TRY(budget::look_at_machine(*budget::system_source()));
  fit.plan = budget::make_plan(fit.needs, fit.machine);
  return fit;
}

bool speaks_of_memory(std::string_view complaint) {
  // The last: ggml could not start a thread, for want of room for its stack.
  constexpr std::array words = {"allocate", "bad_alloc", "out of memory", "not enough memory",
                                "ggml_assert(rc == 0)"};
  const std::string lower = ascii_lower(complaint);
  return std::any_of(words.begin(), words.end(),
                     [&](const char* word) { return lower.find(word) != lower.npos; });
}

}  // namespace keel::local
