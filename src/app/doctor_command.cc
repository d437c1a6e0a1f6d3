#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "app/assembly.h"
#include "app/commands.h"
#include "app/notion_mirror.h"
#include "app/plan_text.h"
#include "app/report.h"
#include "app/setup.h"
#include "base/limits.h"
#include "base/text.h"
#include "gateway/client.h"
#include "memory/folder/sync_rows.h"
#include "model/local/cpu.h"
#include "model/local/gguf_check.h"
#include "model/route/power.h"
#include "rt/file.h"
#include "store/database.h"
#include "ui/cells.h"
#include "ui/terminal.h"
#ifdef KEEL_WITH_LLAMA
#include "model/engine/engine.h"
#endif

namespace keel::app {
namespace {

enum class Grade { ok, warn, fail };

struct Finding {
  Grade grade = Grade::ok;
  std::string name;  // what was looked at
  std::string text;
  std::string hint;  // what to do; empty when all is well
};

std::string_view grade_name(Grade grade) {
  return grade == Grade::ok ? "ok" : grade == Grade::warn ? "warn" : "fail";
}

class Doctor {
 public:
  std::vector<Finding> run() {
    Result<std::string> home = config::home_folder();
    if (!home) {
      failed("home", home.error());
      return std::move(findings_);
    }
    check_home(*home);
    Result<config::Config> loaded = config::load(*home);
    if (!loaded) {
      failed("keel.toml", loaded.error());
      config_.home = *home;
    } else {
      config_ = std::move(*loaded);
      check_config();
    }
    check_database();
    for (const config::ModelConfig& model : config_.models) check_model(model);
    check_engine();
    check_disk();
    check_power();
    check_daemon();
    return std::move(findings_);
  }

 private:
  void add(Grade grade, std::string name, std::string text, std::string hint = {}) {
    findings_.push_back({grade, std::move(name), std::move(text), std::move(hint)});
  }
  void failed(std::string name, const Error& error) {
    add(Grade::fail, std::move(name), error.message, error.hint);
  }

  // Others on this machine must not read what the owner told keel.
  void check_mode(const std::string& name, const std::string& path, mode_t allowed) {
    struct stat found{};
    if (::stat(path.c_str(), &found) != 0) return;
    mode_t mode = found.st_mode & 07777;
    if (found.st_uid != ::geteuid()) {
      add(Grade::fail, name, path + " belongs to another user",
          "Make it yours: chown $(id -un) " + path);
    } else if ((mode & ~allowed) != 0) {
      add(Grade::warn, name, fmt::format("{} can be used by others (mode {:03o})", path, mode),
          fmt::format("chmod {:o} {}", allowed, path));
    }
  }

  void check_home(const std::string& home) {
    struct stat found{};
    if (::stat(home.c_str(), &found) != 0) {
      add(Grade::warn, "home", home + " is not there yet", "keel init makes it.");
      return;
    }
    if (!S_ISDIR(found.st_mode)) {
      add(Grade::fail, "home", home + " is not a folder",
          "Move it away, or set KEEL_HOME to another folder.");
    } else if (::access(home.c_str(), W_OK | X_OK) != 0) {
      add(Grade::fail, "home", home + " cannot be written to",
          "Give yourself the right: chmod u+rwx " + home);
    } else {
      add(Grade::ok, "home", home);
    }
    check_mode("home", home, 0700);
  }

  void check_config() {
    if (!config_.exists) {
      add(Grade::fail, "keel.toml", "there is no " + config_.path,
          "Run: keel init --model FILE.gguf");
      return;
    }
    add(Grade::ok, "keel.toml",
        fmt::format("{} model(s), agent {}", config_.models.size(), config_.agent_name));
    for (const std::string& note : config_.notes) add(Grade::warn, "keel.toml", note);
    check_mode("keel.toml", config_.path, 0600);
    if (config_.models.empty()) {
      add(Grade::fail, "model", config_.path + " names no model",
          "Add a [[model]] with the path of a GGUF file.");
    }
  }

  void check_database() {
    std::string path = config_.database_path();
    struct stat found{};
    if (::stat(path.c_str(), &found) != 0) {
      add(Grade::ok, "database", "none yet; the first turn makes it");
      return;
    }
    store::DatabaseOptions options;
    options.path = path;
    options.migrations = database_migrations();
    Result<std::unique_ptr<store::Database>> database = store::Database::open(options);
    Status checked = database ? (*database)->check() : Status(tl::unexpected(database.error()));
    if (!checked) {
      failed("database", checked.error());
    } else {
      if (!config_.notion.token.empty()) check_notion(**database);
      if (!config_.memory_folder.empty()) check_folder(**database);
      add(Grade::ok, "database",
          fmt::format("{}, {}, intact", path,
                      bytes_text(static_cast<std::uint64_t>(found.st_size))));
    }
    check_mode("database", path, 0600);
  }

  void check_notion(store::Database& database) {
    if (Result<std::string> token = config_.notion.token.resolve(); !token)
      return failed("notion", token.error());
    const NotionState state = notion_state(config_, database);
    add(state.well ? Grade::ok : Grade::warn, "notion", state.text, state.hint);
  }

  void check_folder(store::Database& database) {
    const std::string& folder = config_.memory_folder;
    if (::access(folder.c_str(), R_OK | W_OK | X_OK) != 0) {
      const bool none = ::access(folder.c_str(), F_OK) != 0;
      add(none ? Grade::ok : Grade::fail, "folder",
          folder + (none ? " is made at the next sync" : " cannot be read and written"),
          none ? "" : "Change who may use it, or [memory] folder in " + config_.path + ".");
      return;
    }
    const auto open = database.read(
        [](store::Connection& connection) { return memory::open_conflicts(connection); });
    if (!open) return failed("folder", open.error());
    add(open->empty() ? Grade::ok : Grade::warn, "folder",
        folder + (open->empty() ? ", no conflicts"
                                : fmt::format(", {} changed on both sides", open->size())),
        open->empty() ? "" : "keel memory conflicts shows them.");
  }

  void check_cloud(const config::ModelConfig& model) {
    const std::string name = "model " + model.name;
    if (config_.route.local_only)
      return add(Grade::ok, name, "never asked: it runs elsewhere, and route.local_only is on");
    if (!model.api_key.empty()) {
      if (Result<std::string> key = model.api_key.resolve(); !key) return failed(name, key.error());
    }
    add(Grade::ok, name,
        fmt::format("{} at {}, {}", model.model, cloud_address(model),
                    model.api_key.empty() ? "no key" : "its key can be read"));
  }

  void check_model(const config::ModelConfig& model) {
    if (model.kind == "script") {
      bool there = ::access(model.path.c_str(), R_OK) == 0;
      add(there ? Grade::ok : Grade::fail, "model " + model.name,
          "script " + model.path + (there ? "" : " cannot be read"),
          there ? "" : "Correct its path in " + config_.path + ".");
      return;
    }
    if (model.kind == "local")
      check_local(model);
    else
      check_cloud(model);
  }

#ifdef KEEL_WITH_LLAMA
  void check_local(const config::ModelConfig& model) {
    std::string name = "model " + model.name;
    Result<local::GgufInfo> info = local::check_gguf(model.path);
    if (!info) return failed(name, info.error());
    add(Grade::ok, name,
        fmt::format("{} {} {}, {}", info->architecture, info->size_label, info->quantisation,
                    bytes_text(info->file_bytes)));
    if (!info->has_chat_template) {
      add(Grade::warn, name,
          model.path + " has no chat template: it may be a base model, not one to talk to",
          "Choose a file whose name says instruct or chat.");
    }
    check_memory(model);
  }

  // What the model needs, what was decided for it and why, row by row.
  void check_memory(const config::ModelConfig& model) {
    Result<local::Fit> fit = fit_of(config_, model);
    if (!fit) return failed("memory", fit.error());
    const budget::Plan& plan = fit->plan;
    if (plan.refusal) {
      failed("memory", *plan.refusal);
    } else {
      const bool short_of = plan.tight || !plan.shrunk.empty();
      add(short_of ? Grade::warn : Grade::ok, "memory", plan_summary(*fit),
          short_of ? "Close other programs, set a smaller context, or choose a smaller model."
                   : "");
    }
    for (std::string& row : plan_rows(plan)) add(Grade::ok, "memory", std::move(row));
    for (const std::string& advice : plan.advice) add(Grade::ok, "memory", advice);
  }

  void check_engine() {
    if (Status versions = local::check_library_versions(); !versions) {
      failed("engine", versions.error());
    } else {
      add(Grade::ok, "engine",
          fmt::format("llama.cpp {}, ggml {} ({})", KEEL_LLAMA_VERSION, KEEL_GGML_VERSION,
                      KEEL_ENGINE_ROUTE));
    }
    local::CpuOptions options;
    struct stat found{};
    if (::stat(config_.home.c_str(), &found) == 0) options.cache_path = config_.home + "/cpu.json";
    options.environment = config::child_environment();
    Result<local::CpuChoice> choice = local::choose_cpu(options);
    if (!choice) return failed("cpu", choice.error());
    add(Grade::ok, "cpu",
        fmt::format("computing with {}{}", choice->name,
                    choice->cached ? " (measured earlier)" : ""));
    for (const local::CpuPath& path : choice->table) {
      bool tried = !path.why_not.starts_with("not tried");
      std::string text =
          path.usable
              ? fmt::format("{:<16} {:.1f} reading, {:.1f} writing (1e9 multiply-adds a second)",
                            path.name, path.read_gops, path.decode_gops)
              : fmt::format("{:<16} {}{}", path.name, tried ? "not usable here: " : "",
                            path.why_not);
      add(Grade::ok, "cpu", text);
    }
    for (const local::GpuPath& gpu : choice->gpus) add(Grade::ok, "gpu", gpu_row(gpu, choice->gpu));
  }

  static std::string gpu_row(const local::GpuPath& gpu, const std::string& chosen) {
    if (!gpu.usable) return fmt::format("{:<16} not usable here: {}", gpu.name, gpu.why_not);
    std::string text = fmt::format("{:<16} {}, {}", gpu.name, printable(gpu.device),
                                   bytes_text(static_cast<std::uint64_t>(gpu.memory_bytes)));
    if (gpu.library == chosen) return text + "; computes the models";
    return text + (gpu.discrete
                       ? "; another is used"
                       : "; keel model tune finds out for each model whether it is faster");
  }
#else
  void check_local(const config::ModelConfig& model) {
    add(Grade::fail, "model " + model.name, "this keel was built without the local engine",
        "Build it with ./dev build.");
  }
  void check_engine() {
    add(Grade::warn, "engine", "this keel was built without the local engine");
  }
#endif

  // Only where there is something to say: most machines that serve have none.
  void check_power() {
    const std::string text = model::power_text(model::PowerMeter(SystemClock()).now());
    const bool asked =
        std::any_of(config_.route.rules.begin(), config_.route.rules.end(),
                    [](const config::RouteRule& rule) { return rule.asks_for_battery(); });
    if (!text.empty()) return add(Grade::ok, "power", text);
    if (!asked) return;
    add(Grade::warn, "power", "a rule looks at the battery, but this system tells of none",
        "Rules with 'battery_below' or 'battery = true' never fit here.");
  }

  void check_disk() {
    std::optional<std::uint64_t> free = rt::free_disk_bytes(config_.home);
    if (!free) return;
    Grade grade = *free < limits::doctor_disk_fail_bytes   ? Grade::fail
                  : *free < limits::doctor_disk_warn_bytes ? Grade::warn
                                                           : Grade::ok;
    add(grade, "disk", bytes_text(*free) + " free for " + config_.home,
        grade == Grade::ok ? "" : "Free some space: without it nothing new can be kept.");
  }

  void check_daemon() {
    Result<std::unique_ptr<gateway::Client>> client =
        gateway::Client::connect(config_.socket_path());
    if (client) {
      add(Grade::ok, "daemon",
          fmt::format("keel serve runs (process {})", (*client)->daemon_process()));
      return;
    }
    struct stat found{};
    if (::stat(config_.socket_path().c_str(), &found) != 0) {
      add(Grade::ok, "daemon", "does not run; keel chat works alone");
    } else if (client.error().code == Code::unsupported ||
               client.error().code == Code::permission || client.error().code == Code::timeout) {
      failed("daemon", client.error());
    } else {
      add(Grade::ok, "daemon", "does not run; the socket is left over from one that was killed");
    }
  }

  config::Config config_;
  std::vector<Finding> findings_;
};

void print_findings(const std::vector<Finding>& findings) {
  ui::Terminal terminal = ui::detect_terminal();
  bool styled = terminal.output && terminal.styled;
  std::string out;
  for (const Finding& finding : findings) {
    unsigned style = finding.grade == Grade::ok     ? ui::dim
                     : finding.grade == Grade::warn ? ui::warn
                                                    : ui::bad;
    out += ui::paint(fmt::format("{:<4}", grade_name(finding.grade)), style, styled);
    out += fmt::format("  {:<10}  {}\n", finding.name, ui::safe_text(finding.text));
    if (!finding.hint.empty()) out += "                  " + ui::safe_text(finding.hint) + "\n";
  }
  ui::write_all(STDOUT_FILENO, out);
}

}  // namespace

int doctor_command(bool json) {
  std::vector<Finding> findings = Doctor().run();
  bool ok = true;
  Json out = Json::array();
  for (const Finding& finding : findings) {
    if (finding.grade == Grade::fail) ok = false;
    out.push_back({{"grade", grade_name(finding.grade)},
                   {"name", finding.name},
                   {"text", finding.text},
                   {"hint", finding.hint}});
  }
  if (json) {
    print_json({{"ok", ok}, {"checks", std::move(out)}});
  } else {
    print_findings(findings);
  }
  return ok ? exit_ok : exit_failed;
}

}  // namespace keel::app
