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
};
int memory_add_command(const MemoryAddArguments& arguments);
int memory_search_command(const MemorySearchArguments& arguments);
int memory_why_command(const std::string& turn, bool json);
int memory_show_command(const std::string& id, bool json);
int memory_list_command(const std::string& kind, int limit, bool json);
int memory_forget_command(const std::string& id);
int memory_edit_command(const MemoryEditArguments& arguments);

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
