#include "config/config.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

#include "base/limits.h"
#include "base/text.h"
#include "config/gateway.h"
#include "config/path.h"
#include "config/reader.h"
#include "config/route.h"
#include "log/log.h"

namespace keel::config {
namespace {

const std::vector<Key> agent_keys{{"name", Type::text}};
const std::vector<Key> files_keys{{"allow", Type::texts}};
const std::vector<Key> net_keys{{"allow_private", Type::texts}};
const std::vector<Key> hub_keys{{"base_url", Type::url}, {"token", Type::secret}};
const std::vector<Key> memory_keys{{"folder", Type::text}};
const std::vector<Key> notion_keys{
    {"base_url", Type::url}, {"token", Type::secret}, {"data_source", Type::text},
    {"owner", Type::text},   {"version", Type::text}, {"requests_per_second", Type::number}};
const std::vector<Key> log_keys{{"level", Type::text}};
const std::vector<Key> model_keys{
    {"name", Type::text},        {"kind", Type::text},           {"path", Type::text},
    {"base_url", Type::url},     {"model", Type::text},          {"api_key", Type::secret},
    {"api", Type::text},         {"context", Type::integer},     {"price_in", Type::number},
    {"price_out", Type::number}, {"price_cached", Type::number}, {"threads", Type::integer},
    {"gpu", Type::boolean},      {"temperature", Type::number}};

// Known to the design and not built yet: checked, so that a file written for a later version is
// right today.
struct Later {
  std::string_view name;
  std::vector<Key> keys;
};
const std::vector<Later> later_sections{
    {"telegram", {{"base_url", Type::url}, {"token", Type::secret}, {"allow", Type::names}}},
    {"bluebubbles", {{"base_url", Type::url}, {"password", Type::secret}, {"allow", Type::names}}},
    {"search", {{"provider", Type::text}, {"base_url", Type::url}, {"key", Type::secret}}}};
const std::vector<std::string_view> later_lists{"job", "mcp"};

constexpr std::string_view without_effect = "has no effect in this version of keel";

std::vector<Key> section_keys() {
  std::vector<Key> keys;
  for (std::string_view name :
       {"agent", "gateway", "model", "route", "files", "net", "hub", "memory", "notion", "log"}) {
    keys.push_back({name, Type::anything});
  }
  for (const Later& later : later_sections) keys.push_back({later.name, Type::anything});
  for (std::string_view name : later_lists) keys.push_back({name, Type::anything});
  return keys;
}

// The table [name], checked; nullptr if there is none.
const toml::table* section(Reader& reader, const toml::table& root, std::string_view name,
                           const std::vector<Key>& keys) {
  const toml::node* node = root.get(name);
  if (node == nullptr) return nullptr;
  const toml::table* table = node->as_table();
  if (table == nullptr) {
    reader.problem(Reader::line_of(node), fmt::format("'{0}' must be a section: [{0}]", name));
    return nullptr;
  }
  reader.check(*table, fmt::format("[{}]", name), keys);
  return table;
}

// The tables of [[name]].
std::vector<const toml::table*> tables(Reader& reader, const toml::table& parent,
                                       std::string_view key, std::string_view name) {
  std::vector<const toml::table*> out;
  const toml::node* node = parent.get(key);
  if (node == nullptr) return out;
  const toml::array* list = node->as_array();
  bool right = list != nullptr && std::all_of(list->begin(), list->end(),
                                              [](const toml::node& n) { return n.is_table(); });
  if (!right) {
    reader.problem(Reader::line_of(node),
                   fmt::format("'{0}' must be written with two brackets: [[{0}]]", name));
    return out;
  }
  for (const toml::node& item : *list) out.push_back(item.as_table());
  return out;
}

// What each kind cannot do without, and what it takes no notice of.
void check_kind(Reader& reader, const toml::table& table, const ModelConfig& model) {
  struct Kind {
    std::string_view name, needs;
    std::vector<std::string_view> unused;
  };
  static const std::vector<Kind> kinds{
      {"local",
       "path",
       {"base_url", "api", "model", "api_key", "price_in", "price_out", "price_cached"}},
      {"script", "path", {"base_url", "api", "model", "api_key", "threads", "gpu", "temperature"}},
      {"anthropic", "model", {"path", "api", "threads", "gpu"}},
      {"openai", "model", {"path", "threads", "gpu"}}};
  auto kind =
      std::find_if(kinds.begin(), kinds.end(), [&](const Kind& k) { return k.name == model.kind; });
  if (kind == kinds.end()) {
    std::vector<std::string> names;
    for (const Kind& k : kinds) names.emplace_back(k.name);
    std::string nearest = nearest_name(model.kind, names);
    reader.problem(Reader::line_of(table, "kind"),
                   fmt::format("'{}' is not a kind of model - {}", printable(model.kind),
                               nearest.empty() ? "it can be " + join(names, ", ")
                                               : "did you mean '" + nearest + "'?"));
    return;
  }
  if (table.get(kind->needs) == nullptr) {
    reader.problem(model.line, fmt::format("the model '{}' of kind {} needs '{}'",
                                           printable(model.name), model.kind, kind->needs));
  }
  for (std::string_view key : kind->unused) {
    if (const toml::node* node = table.get(key)) {
      reader.note(Reader::line_of(node),
                  fmt::format("'{}' {} for a model of kind {}", key, "has no effect", model.kind));
    }
  }
}

void read_model(Reader& reader, const toml::table& table, Config& config) {
  reader.check(table, "[[model]]", model_keys);
  ModelConfig model;
  model.line = Reader::line_of(&table);
  model.name = reader.text(table, "name");
  model.kind = reader.text(table, "kind");
  model.path = reader.text(table, "path");
  if (!model.path.empty()) model.path = absolute_path(model.path, config.home);
  model.base_url = reader.url(table, "base_url");
  model.api = reader.text(table, "api", "chat");
  if (model.api != "chat" && model.api != "responses") {
    reader.problem(
        Reader::line_of(table, "api"),
        fmt::format("'api' is '{}', but must be \"chat\" or \"responses\"", printable(model.api)));
  }
  model.model = reader.text(table, "model");
  model.api_key = Secret(reader.secret(table, "api_key"));
  std::int64_t context = reader.integer(table, "context", 0, 0, limits::config_context_max);
  if (context != 0 && context < limits::config_context_min) {
    reader.problem(Reader::line_of(table, "context"),
                   fmt::format("'context' is {}, but must be 0 (chosen for you) or at least {}",
                               context, limits::config_context_min));
  }
  model.context = context;
  model.price_in = reader.dollars(table, "price_in");
  model.price_out = reader.dollars(table, "price_out");
  model.price_cached = reader.dollars(table, "price_cached");
  model.gpu = reader.boolean(table, "gpu", true);
  model.threads =
      static_cast<int>(reader.integer(table, "threads", 0, 0, limits::config_threads_max));
  model.temperature = reader.number(table, "temperature", 0.0, 0.0, 2.0);

  if (table.get("name") == nullptr) reader.problem(model.line, "this [[model]] needs a 'name'");
  if (table.get("kind") == nullptr) reader.problem(model.line, "this [[model]] needs a 'kind'");
  reader.check_name(Reader::line_of(table, "name"), "the name of the model", model.name);
  if (!model.kind.empty()) check_kind(reader, table, model);
  auto same = std::find_if(
      config.models.begin(), config.models.end(),
      [&](const ModelConfig& other) { return !model.name.empty() && other.name == model.name; });
  if (same != config.models.end()) {
    reader.problem(Reader::line_of(table, "name"),
                   fmt::format("there is a model '{}' already, in line {}", printable(model.name),
                               same->line));
  }
  config.models.push_back(std::move(model));
}

void read_notion(Reader& reader, const toml::table& root, Config& config) {
  const toml::table* table = section(reader, root, "notion", notion_keys);
  if (table == nullptr) return;
  NotionConfig& notion = config.notion;
  notion.base_url = reader.url(*table, "base_url", notion.base_url);
  notion.token = Secret(reader.secret(*table, "token"));
  notion.data_source = reader.text(*table, "data_source");
  notion.owner = reader.text(*table, "owner");
  notion.version = reader.text(*table, "version", notion.version);
  if (notion.version != "2026-03-11" && notion.version != "2025-09-03") {
    reader.problem(Reader::line_of(*table, "version"),
                   fmt::format("'version' is \"{}\", but keel speaks \"2026-03-11\" and "
                               "\"2025-09-03\"",
                               printable(notion.version)));
  }
  notion.requests_per_second =
      reader.number(*table, "requests_per_second", notion.requests_per_second,
                    limits::notion_pace_min, limits::notion_pace_max);
  if (notion.token.empty()) {
    reader.problem(Reader::line_of(table),
                   "[notion] needs a 'token': \"env:NAME\" or \"file:PATH\"");
  }
}

void read_sections(Reader& reader, const toml::table& root, Config& config) {
  if (const toml::table* agent = section(reader, root, "agent", agent_keys)) {
    config.agent_name = reader.text(*agent, "name", config.agent_name);
    reader.check_name(Reader::line_of(*agent, "name"), "the name of the agent", config.agent_name);
  }
  if (const toml::table* gateway = section(reader, root, "gateway", gateway_keys())) {
    read_gateway(reader, *gateway, tables(reader, *gateway, "key", "gateway.key"), config);
  }
  if (const toml::table* files = section(reader, root, "files", files_keys);
      files && files->get("allow")) {
    config.folders.clear();
    for (const std::string& folder : reader.texts(*files, "allow")) {
      config.folders.push_back(absolute_path(folder, config.home));
    }
  }
  if (const toml::table* net = section(reader, root, "net", net_keys)) {
    config.allowed_private = reader.texts(*net, "allow_private");
    for (const std::string& pair : config.allowed_private) {
      if (is_host_and_port(pair)) continue;
      reader.problem(
          Reader::line_of(*net, "allow_private"),
          fmt::format("'allow_private' holds '{}', which is not host:port (\"localhost:8080\")",
                      printable(pair)));
    }
  }
  if (const toml::table* hub = section(reader, root, "hub", hub_keys)) {
    config.hub_url = reader.url(*hub, "base_url", config.hub_url);
    config.hub_token = Secret(reader.secret(*hub, "token"));
  }
  if (const toml::table* memory = section(reader, root, "memory", memory_keys)) {
    const std::string folder = reader.text(*memory, "folder", "");
    if (!folder.empty()) config.memory_folder = absolute_path(folder, config.home);
  }
  read_notion(reader, root, config);
  if (const toml::table* log = section(reader, root, "log", log_keys)) {
    config.log_level = reader.text(*log, "level", config.log_level);
    if (Result<log::Level> level = log::level_from_name(config.log_level); !level) {
      reader.problem(Reader::line_of(*log, "level"), level.error().text());
    }
  }
}

void read_later(Reader& reader, const toml::table& root) {
  for (const Later& later : later_sections) {
    if (const toml::table* table = section(reader, root, later.name, later.keys)) {
      reader.note(Reader::line_of(table), fmt::format("[{}] {}", later.name, without_effect));
    }
  }
  for (std::string_view name : later_lists) {
    for (const toml::table* table : tables(reader, root, name, name)) {
      reader.note(Reader::line_of(table), fmt::format("[[{}]] {}", name, without_effect));
    }
  }
}

std::string file_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

std::string correct_hint(const std::string& path) {
  return fmt::format("Correct {}, then run: keel config check", path);
}

Config defaults(const std::string& home, const std::string& path) {
  Config config;
  config.home = home;
  config.path = path;
  config.folders = {home + "/files"};
  return config;
}

tl::unexpected<Error> unreadable(const std::string& path, std::string_view why) {
  return fail(Code::config, fmt::format("{} cannot be read: {}", path, why), correct_hint(path));
}

}  // namespace

Result<Config> parse(std::string_view text, const std::string& home, const std::string& path) {
  if (text.size() > limits::config_bytes) {
    return unreadable(path, fmt::format("it is larger than {} bytes", limits::config_bytes));
  }
  std::string file = file_name(path);
  int line = 0;
  for (std::string_view part : split(text, '\n')) {
    ++line;
    bool is_text = is_valid_utf8(part) && part.find('\0') == std::string_view::npos;
    if (is_text && part.size() <= limits::config_line_bytes) continue;
    std::string why =
        is_text ? fmt::format("longer than {} bytes", limits::config_line_bytes) : "not UTF-8 text";
    return fail(Code::config, fmt::format("{}:{}: this line is {}", file, line, why),
                correct_hint(path));
  }
  toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    return fail(Code::config,
                fmt::format("{}:{}: {}", file, parsed.error().source().begin.line,
                            printable(parsed.error().description(), 300)),
                correct_hint(path));
  }

  const toml::table& root = parsed.table();
  Config config = defaults(home, path);
  config.exists = true;
  Reader reader(file, home);
  reader.check(root, "the file", section_keys());
  for (const toml::table* table : tables(reader, root, "model", "model"))
    read_model(reader, *table, config);
  if (const toml::table* route = section(reader, root, "route", route_keys())) {
    read_route(reader, *route, tables(reader, *route, "rule", "route.rule"), config);
  }
  read_sections(reader, root, config);
  read_later(reader, root);
  if (reader.failed()) return fail(Code::config, reader.problems(), correct_hint(path));
  config.notes = reader.notes();
  return config;
}

Result<Config> load(const std::string& home) {
  std::string path = home + "/keel.toml";
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0 && errno == ENOENT) return defaults(home, path);
  if (fd < 0) return unreadable(path, std::strerror(errno));
  struct stat info{};
  bool regular = ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  Result<std::string> text = regular ? read_bytes(fd, limits::config_bytes) : Result<std::string>();
  ::close(fd);
  if (!regular)
    return unreadable(path, S_ISDIR(info.st_mode) ? "it is a folder" : "it is not a regular file");
  if (!text) return unreadable(path, text.error().message);
  Config config = TRY(parse(*text, home, path));
  // Whoever can write the file chooses where keys are sent.
  if ((info.st_mode & 0022) != 0) {
    config.notes.push_back(
        fmt::format("other users can change {0}; to close it: chmod 600 {0}", path));
  }
  return config;
}

}  // namespace keel::config
