// The commands of the program as functions: command_line.cc turns arguments into these structures,
// one file a group does the work. Each returns the exit status (report.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace keel::app {

struct ChatArguments {
  std::optional<std::string> message;
  bool json = false;
  std::string conversation = "main";
  std::string model;
};
int chat_command(const ChatArguments& arguments);

int serve_command();

struct InitArguments {
  std::string model;  // path of a GGUF; empty: the first of KEEL_HOME/models
  std::string name;
  bool yes = false;
};
int init_command(const InitArguments& arguments);

int doctor_command(bool json);
int config_check_command();

int model_list_command(bool json);
int model_available_command(bool json);
struct ModelPullArguments {
  std::string source;
  std::string name;
  int connections = 0;  // 0: as many as keel uses by itself
  bool use = false;
  bool replace = false;
  bool json = false;
};
int model_pull_command(const ModelPullArguments& arguments);
int model_use_command(const std::string& name);
int model_info_command(const std::string& name, bool json);
int model_tune_command(const std::string& name, bool json);
int model_bench_command(const std::string& name, bool json);
struct ModelMemoryArguments {
  std::string name;  // of a [[model]]; empty: the default
  bool json = false;
  bool launchd = false;  // only the text of a LaunchDaemon that raises a Mac's limit
};
int model_memory_command(const ModelMemoryArguments& arguments);

struct MemoryAddArguments {
  std::string text;
  std::string title;
  std::string kind = "fact";
  std::vector<std::string> tags;
  bool pinned = false;
  bool json = false;
};
struct MemorySearchArguments {
  std::string query;
  int limit = 10;
  bool json = false;
};
struct MemoryEditArguments {
  std::string id;
  std::optional<std::string> title;
  std::optional<std::string> body;
  std::optional<std::string> kind;
  std::optional<std::string> origin;
  std::optional<int> importance;
  std::optional<std::vector<std::string>> tags;     // all of them
  std::optional<std::vector<std::string>> aliases;  // all of them

  bool asks() const { return title || body || kind || origin || importance || tags || aliases; }
};
struct MemoryExportArguments {
  std::string folder;
  bool force = false;
  bool json = false;
};
struct MemoryImportArguments {
  std::string path;
  std::string origin = "import";
  bool dry_run = false;
  bool forgotten = false;
  bool json = false;
};
struct MemoryConflictsArguments {
  std::string settle;  // a number or "all"; empty: only show them
  bool json = false;
};
struct MemoryLogArguments {
  std::string page;  // empty: all of memory
  int limit = 50;
  bool json = false;
};
struct MemoryAliasArguments {
  std::string term, expands_to;
  double weight = 0.3;
  bool remove = false;
};
struct MemoryExtractArguments {
  std::string text;  // "-": every line of standard input is a message
  bool json = false;
};
int memory_extract_command(const MemoryExtractArguments& arguments);
int memory_export_command(const MemoryExportArguments& arguments);
int memory_import_command(const MemoryImportArguments& arguments);
int memory_conflicts_command(const MemoryConflictsArguments& arguments);
int memory_log_command(const MemoryLogArguments& arguments);
int memory_alias_command(const MemoryAliasArguments& arguments);
int memory_pin_command(const std::string& id, bool pinned);
int memory_add_command(const MemoryAddArguments& arguments);
int memory_search_command(const MemorySearchArguments& arguments);
int memory_why_command(const std::string& turn, bool json, bool replay);
int memory_show_command(const std::string& id, bool json);
int memory_list_command(const std::string& kind, int limit, bool json);
int memory_forget_command(const std::string& id);
int memory_edit_command(const MemoryEditArguments& arguments);

struct MemorySyncArguments {
  std::string folder;  // only this one; empty: what keel.toml names
  bool status = false;
  bool full = false;              // compare every text
  bool accept_deletions = false;  // also when many pages are gone there at once
  bool rewrite_deleted = false;   // files that are gone are written again
  bool json = false;
};
int memory_sync_command(const MemorySyncArguments& arguments);

int tool_list_command(bool json);
int tool_show_command(const std::string& name);
int tool_run_command(const std::string& name, const std::string& arguments, bool json);

struct UsageArguments {
  int days = 7;
  bool egress = false;  // the requests themselves
  int limit = 100;      // of those
  bool json = false;
};
int usage_command(const UsageArguments& arguments);

int licenses_command();
int engine_command(const std::vector<std::string>& arguments);

}  // namespace keel::app
