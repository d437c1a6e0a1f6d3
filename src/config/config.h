// keel.toml as a typed value. Unknown keys and wrong types are errors with file, line and the
// nearest known name; what is left out has the default written here. Secrets never stand in the
// file: "env:NAME" or "file:PATH" references are resolved by Secret::resolve, and a resolved secret
// is registered with the log's redaction.
//
// Only this room reads the environment.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/result.h"

namespace keel::config {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string reference) : reference_(std::move(reference)) {}
  bool empty() const { return reference_.empty(); }
  const std::string& reference() const { return reference_; }
  // Reads the secret now, each time anew, and registers it with the log's redaction. A file must be
  // a regular file (not a symbolic link) of the user keel runs as, that nobody else can read; a
  // newline at its end is not part of it. Code::config, with what to do; the error never holds a
  // part of the secret.
  Result<std::string> resolve() const;

 private:
  std::string reference_;
};

struct ModelConfig {
  std::string name;
  std::string kind;  // local, anthropic, openai, script
  std::string path;  // of the GGUF or the script file; relative to KEEL_HOME
  std::string base_url;
  std::string api;  // of kind openai: chat, responses
  std::string model;
  Secret api_key;
  std::int64_t context = 0;  // 0: chosen by what the model and the machine allow
  // USD a million tokens; nothing: the known price of the model, if there is one (0 is a price).
  std::optional<double> price_in;
  std::optional<double> price_out;
  std::optional<double> price_cached;  // of input that the service had in its cache
  int threads = 0;                     // 0: chosen by the machine
  bool gpu = true;                     // a graphics processor may be used
  double temperature = 0.0;
  int line = 0;  // in keel.toml, for errors
};

// [[route.rule]]: where all that is set holds, `use` says who may answer, in order.
struct RouteRule {
  std::string name;  // its number, counted from 1, where it has none
  std::vector<std::string> use;
  std::vector<std::string> tasks;  // chat, code; empty: any
  std::vector<std::string> channels;
  std::vector<std::string> conversations;
  std::optional<bool> tools;
  std::optional<bool> vision;
  std::optional<bool> is_private;
  std::optional<bool> busy;     // the model that would answer without this rule is answering others
  std::optional<bool> battery;  // the machine runs on its battery
  std::optional<std::int64_t> battery_below;  // percent: it does, and less than so much is left
  std::optional<std::int64_t> longer_than;    // tokens of the prompt, about
  std::optional<std::int64_t> shorter_than;
  int line = 0;
  bool asks_for_battery() const { return battery || battery_below; }
};

struct RouteConfig {
  std::string default_model;  // empty: the first [[model]]
  std::vector<std::string> fallback;
  bool local_only = false;
  // Tags of pages, and names of conversations, that do not leave the machine without a rule.
  std::vector<std::string> private_names = {"private"};
  std::optional<double> budget_usd_per_day;
  std::optional<double> budget_usd_per_turn;
  std::vector<RouteRule> rules;
};

// [notion]: the mirror of memory, and the tools for the owner's pages there.
struct NotionConfig {
  std::string base_url = "https://api.notion.com";
  Secret token;             // empty: no Notion
  std::string data_source;  // an id or an address; empty: no mirror
  std::string owner;        // the owner's user id; empty: whoever may edit is the owner
  std::string version = "2026-03-11";
  double requests_per_second = limits::notion_requests_per_second;
};

// What programs with one key may ask of the HTTP surface; 0 and nothing: no bound.
struct KeyLimits {
  std::int64_t answers_at_once = 0;
  std::int64_t requests_per_minute = 0;
  std::int64_t tokens_per_day = 0;    // read anew or written
  std::optional<double> usd_per_day;  // budget_usd_per_day
};

// [[gateway.key]]: a token beside KEEL_HOME/token, for one program.
struct GatewayKey {
  std::string name;
  Secret token;
  KeyLimits limits;
  int line = 0;
};

struct Config {
  std::string home;     // KEEL_HOME, absolute
  std::string path;     // of keel.toml
  bool exists = false;  // there is a keel.toml
  std::string agent_name = "Keel";
  // [gateway]: the HTTP surface
  std::string listen = "127.0.0.1:7117";  // empty: none
  std::vector<std::string> listen_names;  // hosts: other host:port pairs it is reached by
  bool listen_plain = false;              // plain_http: beyond this machine, without TLS
  bool any_model = false;                 // models nobody has heard of mean the default one
  KeyLimits key_limits;                   // of KEEL_HOME/token, and where a key says nothing else
  std::vector<GatewayKey> keys;
  std::vector<ModelConfig> models;
  RouteConfig route;
  std::vector<std::string>
      folders;  // [files] allow: read_file and list_files stay inside; absolute
  std::vector<std::string>
      allowed_private;  // [net] allow_private: host:port pairs of this machine or network
  std::string hub_url = "https://huggingface.co";  // [hub] base_url, without a slash at its end
  Secret hub_token;
  std::string memory_folder;  // [memory] folder: kept in step with memory; absolute, empty: none
  NotionConfig notion;
  std::string log_level = "info";
  std::vector<std::string>
      notes;  // for the owner: "keel.toml:9: [telegram] has no effect in this version"

  std::string database_path() const { return home + "/keel.db"; }
  std::string models_path() const { return home + "/models"; }
  std::string socket_path() const { return home + "/keel.sock"; }
  std::string token_path() const { return home + "/token"; }
  std::string lock_path() const { return home + "/keel.lock"; }
  std::string notion_lock_path() const { return home + "/notion.lock"; }
};

// $KEEL_HOME or ~/.keel, absolute.
Result<std::string> home_folder();
// All problems of the file at once, one a line, in the error's message; Code::config. No file gives
// the defaults. Bounds: limits::config_bytes.
Result<Config> load(const std::string& home);
Result<Config> parse(std::string_view text, const std::string& home, const std::string& path);
// An environment variable; empty if unset. `name` only in upper case.
std::string environment(const std::string& name);
// The environment for child processes: PATH, HOME, LANG, TMPDIR and nothing secret.
std::vector<std::string> child_environment();

}  // namespace keel::config
