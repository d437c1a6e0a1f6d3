#include "model/local/cpu.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "model/kernel/attention.h"
#include "rt/child.h"
#include "rt/file.h"
#include "rt/frame.h"

namespace keel::local {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::string_view kPrefix = "libggml-cpu-";
// The likely fastest first, because the time is bounded. Those after `haswell` are tried only if
// nothing before runs.
constexpr std::array<std::string_view, 16> kOrder = {
    "sapphirerapids", "zen4",       "icelake",    "cooperlake",
    "cascadelake",    "alderlake",  "cannonlake", "skylakex",
    "haswell",        "piledriver", "ivybridge",  "sandybridge",
    "sse42",          "x64",        "",           ""};
constexpr std::string_view kLastFast = "haswell";
constexpr double kReadTokens = 300.0;  // a typical turn, for weighing reading against writing
constexpr double kDecodeTokens = 100.0;
constexpr auto kHardTime =
    std::chrono::seconds(20);  // if nothing has run yet, the choice goes on up to this

std::size_t rank(const std::string& name) {
  const auto it = std::find(kOrder.begin(), kOrder.end(), name);
  return static_cast<std::size_t>(it - kOrder.begin());
}

struct Library {
  std::string path;
  std::string name;
  std::string facts;  // size and time
};

Result<std::vector<Library>> list_libraries(const std::string& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(folder.c_str()), ::closedir);
  if (!dir) {
    return fail(Code::not_found, "the engine's libraries are not at " + folder,
                "install keel and the libraries beside it from one package, or run ./dev build");
  }
  std::vector<Library> found;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string file = entry->d_name;
    const std::size_t dot = file.find('.');
    if (file.rfind("libggml-cpu", 0) != 0 || dot == std::string::npos) continue;
    Library library{folder + "/" + file, "", ""};
    library.name =
        file.rfind(kPrefix, 0) == 0 ? file.substr(kPrefix.size(), dot - kPrefix.size()) : "plain";
    struct stat facts{};
    if (::stat(library.path.c_str(), &facts) != 0) continue;
    library.facts =
        file + ":" + std::to_string(facts.st_size) + ":" + std::to_string(facts.st_mtime);
    found.push_back(std::move(library));
  }
  std::sort(found.begin(), found.end(), [](const Library& a, const Library& b) {
    return std::pair(rank(a.name), a.name) < std::pair(rank(b.name), b.name);
  });
  if (found.empty()) {
    return fail(Code::not_found, "there is no CPU library (libggml-cpu-*) in " + folder,
                "install keel and the libraries beside it from one package, or run ./dev build");
  }
  return found;
}

constexpr std::array<std::string_view, 6> kGpuKinds = {"cuda", "metal",  "hip",
                                                       "musa", "vulkan", "sycl"};

// Those in the folder, the likely fastest first.
std::vector<Library> list_gpu_libraries(const std::string& folder) {
  std::vector<Library> found;
  for (const std::string_view kind : kGpuKinds) {
    for (const std::string_view suffix : {".so", ".dylib"}) {
      Library library{folder + "/libggml-" + std::string(kind) + std::string(suffix),
                      std::string(kind), ""};
      struct stat facts{};
      if (::stat(library.path.c_str(), &facts) != 0) continue;
      library.facts = std::to_string(facts.st_size) + ":" + std::to_string(facts.st_mtime);
      found.push_back(std::move(library));
    }
  }
  return found;
}

// The graphics processors that the system shows: a driver or a card may have come or gone.
std::string gpu_devices() {
  std::vector<std::string> names;
  for (const char* folder : {"/dev/dri", "/dev"}) {
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(folder), ::closedir);
    while (const dirent* entry = dir ? ::readdir(dir.get()) : nullptr) {
      const std::string name = entry->d_name;
      if (name.starts_with("renderD") || name.starts_with("nvidia") || name == "kfd")
        names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return join(names, " ");
}

std::string processor_name() {
  const auto info = rt::read_file("/proc/cpuinfo", 4u << 20);
  if (!info) return "unknown";
  std::string facts;
  for (const std::string_view line : split(*info, '\n')) {
    if (line.empty()) break;  // the first processor's block is enough
    const std::string_view key = trim(line.substr(0, line.find(':')));
    if (key == "model name" || key == "stepping" || key == "microcode" || key == "flags" ||
        key == "Features" || key == "CPU part") {
      facts += std::string(line) + "\n";
    }
  }
  return facts;
}

// What the choice depends on; when any of it changes the choice is made again.
std::string fingerprint(const std::vector<Library>& libraries, const std::vector<Library>& gpus) {
  std::string facts = KEEL_ENGINE_ID "\n";
  for (const Library& gpu : gpus) facts += gpu.path + " " + gpu.facts + "\n";
  if (!gpus.empty()) facts += gpu_devices() + "\n";
  for (const Library& library : libraries) facts += library.path + " " + library.facts + "\n";
  facts += processor_name();
  utsname system{};
  if (::uname(&system) == 0) facts += std::string(system.sysname) + system.release + system.machine;
  return sha256_hex(facts);
}

Json to_json(const CpuPath& path) {
  return {{"library", path.library}, {"name", path.name},      {"usable", path.usable},
          {"why_not", path.why_not}, {"read", path.read_gops}, {"decode", path.decode_gops},
          {"error", path.error}};
}

CpuPath path_from_json(const Json& value) {
  return {json_string_or(value, "library", ""), json_string_or(value, "name", ""),
          json_bool_or(value, "usable", false), json_string_or(value, "why_not", ""),
          json_number_or(value, "read", 0),     json_number_or(value, "decode", 0),
          json_number_or(value, "error", 0)};
}

Json to_json(const GpuPath& path) {
  return {{"library", path.library},   {"name", path.name},           {"usable", path.usable},
          {"why_not", path.why_not},   {"device", path.device},       {"discrete", path.discrete},
          {"read", path.read_gops},    {"memory", path.memory_bytes}, {"error", path.error},
          {"decode", path.decode_gops}};
}

GpuPath gpu_from_json(const Json& value) {
  return {json_string_or(value, "library", ""), json_string_or(value, "name", ""),
          json_bool_or(value, "usable", false), json_string_or(value, "why_not", ""),
          json_string_or(value, "device", ""),  json_bool_or(value, "discrete", false),
          json_int_or(value, "memory", 0),      json_number_or(value, "read", 0),
          json_number_or(value, "decode", 0),   json_number_or(value, "error", 0)};
}

Result<CpuChoice> read_cache(const std::string& path, const std::string& key) {
  const Json value = TRY(parse_json(TRY(rt::read_file(path, 1u << 20)), path));
  if (json_string_or(value, "fingerprint", "") != key)
    return fail(Code::not_found, "the machine has changed");
  CpuChoice choice;
  choice.library = TRY(json_string(value, "library"));
  choice.name = TRY(json_string(value, "name"));
  choice.attention = TRY(json_string(value, "attention"));
  choice.took_ms = json_number_or(value, "took_ms", 0);
  choice.cached = true;
  const auto table = value.find("table");
  if (table == value.end() || !table->is_array())
    return fail(Code::corrupt, path + " has no table");
  for (const Json& row : *table) choice.table.push_back(path_from_json(row));
  choice.gpu = json_string_or(value, "gpu", "");
  const auto gpus = value.find("gpus");
  if (gpus == value.end() || !gpus->is_array()) return choice;
  for (const Json& row : *gpus) choice.gpus.push_back(gpu_from_json(row));
  return choice;
}

void write_cache(const std::string& path, const std::string& key, const CpuChoice& choice) {
  Json table = Json::array();
  for (const CpuPath& row : choice.table) table.push_back(to_json(row));
  Json gpus = Json::array();
  for (const GpuPath& row : choice.gpus) gpus.push_back(to_json(row));
  const Json value = {{"gpu", choice.gpu},         {"gpus", std::move(gpus)},
                      {"fingerprint", key},        {"library", choice.library},
                      {"name", choice.name},       {"attention", choice.attention},
                      {"took_ms", choice.took_ms}, {"table", std::move(table)}};
  // Without the file the choice is made again next time; that is no reason to fail.
  (void)rt::write_file(path, dump_json_pretty(value) + "\n");
}

// What a child found out, or how it ended.
struct Probed {
  Json value;
  std::string why_not;
};

// Runs one probe in a child; whatever becomes of the child is the answer.
Result<Probed> run_probe(const CpuOptions& options, const std::string& kind,
                         const std::string& what,
                         std::chrono::milliseconds time = limits::cpu_probe_time) {
  auto [mine, theirs] = TRY(rt::socket_pair());
  rt::ChildOptions start;
  start.argv = {options.program, "engine", kind, what};
  start.environment = options.environment;
  start.inherit_fd = theirs.get();
  start.quiet = true;
  rt::Child child = TRY(rt::Child::spawn(start));
  theirs.reset();
  rt::FrameSocket socket(std::move(mine));
  const auto frame = socket.receive(static_cast<int>(time.count()));
  if (!frame || !*frame) {
    const bool late = frame.has_value();
    const auto status = late ? std::nullopt : child.wait(1000);
    return Probed{Json(), status ? status->text() : "not done within the time"};
  }
  return Probed{TRY(parse_json(**frame, "the probe's answer")), ""};
}

// The first attention kernel that computes correctly in a child; empty if there is none.
Result<std::string> probe_attention(const CpuOptions& options) {
  for (const kernel::Isa isa : kernel::isas_of_this_build()) {
    std::string name(kernel::isa_name(isa));
    const Probed probed = TRY(run_probe(options, "--probe-attention", name));
    if (!probed.why_not.empty()) continue;
    const double error = json_number_or(probed.value, "error", 1.0);
    if (error <= limits::attention_error) return name;
  }
  return std::string();
}

Result<CpuPath> probe(const CpuOptions& options, const Library& library) {
  CpuPath path{library.path, library.name, false, "", 0, 0, 0};
  const Probed probed = TRY(run_probe(options, "--probe", library.path));
  if (!probed.why_not.empty()) {
    path.why_not = probed.why_not;
    return path;
  }
  const Json& value = probed.value;
  path.usable = json_bool_or(value, "usable", false);
  path.why_not = json_string_or(value, "why_not", "");
  path.read_gops = json_number_or(value, "read", 0);
  path.decode_gops = json_number_or(value, "decode", 0);
  path.error = json_number_or(value, "error", 0);
  if (path.usable && !(path.error <= limits::cpu_probe_error)) {
    path.usable = false;
    path.why_not = "it computes wrongly";
  }
  return path;
}

Result<GpuPath> probe_gpu(const CpuOptions& options, const Library& library) {
  GpuPath path;
  path.library = library.path;
  path.name = library.name;
  const Probed probed = TRY(run_probe(options, "--probe", library.path, limits::gpu_probe_time));
  if (!probed.why_not.empty()) {
    path.why_not = probed.why_not;
    return path;
  }
  path = gpu_from_json(probed.value);
  path.library = library.path;
  path.name = library.name;
  if (path.usable && !(path.error <= limits::cpu_probe_error)) {
    path.usable = false;
    path.why_not = "it computes wrongly";
  }
  return path;
}

double turn_time(const CpuPath& path) {
  return kReadTokens / path.read_gops + kDecodeTokens / path.decode_gops;
}

}  // namespace

Result<std::string> engine_library_folder(const std::string& program) {
  const std::size_t slash = program.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : program.substr(0, slash);
  for (const std::string& candidate :
       {folder + "/lib", folder + "/lib/keel", folder + "/../lib/keel"}) {
    if (list_libraries(candidate)) return candidate;
  }
  return fail(
      Code::not_found,
      "the engine's libraries are neither in " + folder + "/lib nor in " + folder + "/../lib/keel",
      "install keel and the libraries beside it from one package, or run ./dev build");
}

Result<CpuChoice> choose_cpu(const CpuOptions& wish) {
  CpuOptions options = wish;
  if (options.program.empty()) options.program = TRY(rt::own_program_path());
  if (options.folder.empty()) options.folder = TRY(engine_library_folder(options.program));
  const std::vector<Library> libraries = TRY(list_libraries(options.folder));
  const std::vector<Library> gpus = list_gpu_libraries(options.folder);
  const std::string key = fingerprint(libraries, gpus);
  if (!options.again && !options.cache_path.empty()) {
    Result<CpuChoice> kept = read_cache(options.cache_path, key);
    if (kept) {
      kept->fingerprint = key;
      return kept;
    }
  }
  const SteadyTime start = std::chrono::steady_clock::now();
  CpuChoice choice;
  const CpuPath* best = nullptr;
  choice.table.reserve(libraries.size());
  for (const Library& library : libraries) {
    const auto spent = std::chrono::steady_clock::now() - start;
    const bool slow = best != nullptr && rank(library.name) > rank(std::string(kLastFast));
    const bool late =
        spent > (best != nullptr ? std::chrono::nanoseconds(limits::cpu_choice_time -
                                                            limits::cpu_probe_time / 4)
                                 : std::chrono::nanoseconds(kHardTime));
    if (slow || late) {
      choice.table.push_back({library.path, library.name, false,
                              slow ? "not tried: a faster one runs" : "not tried: no time left", 0,
                              0, 0});
      continue;
    }
    choice.table.push_back(TRY(probe(options, library)));
    const CpuPath& path = choice.table.back();
    if (path.usable && (best == nullptr || turn_time(path) < turn_time(*best))) best = &path;
  }
  if (best == nullptr) {
    return fail(Code::unavailable,
                "none of the " + std::to_string(libraries.size()) + " CPU libraries in " +
                    options.folder + " runs on this machine (" + choice.table.back().name + ": " +
                    choice.table.back().why_not + ")",
                "build the engine on this machine: KEEL_ENGINE=source ./dev build");
  }
  choice.library = best->library;
  choice.name = best->name;
  choice.fingerprint = key;
  choice.attention = TRY(probe_attention(options));
  for (const Library& gpu : gpus) {
    choice.gpus.push_back(TRY(probe_gpu(options, gpu)));
    const GpuPath& path = choice.gpus.back();
    // One that shares the memory of the processors may be slower than they: measuring decides.
    if (choice.gpu.empty() && path.usable && path.discrete) choice.gpu = path.library;
  }
  choice.took_ms = ms_between(start, std::chrono::steady_clock::now());
  if (!options.cache_path.empty()) write_cache(options.cache_path, key, choice);
  return choice;
}

}  // namespace keel::local
