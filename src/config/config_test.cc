#include "config/config.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "log/log.h"

namespace keel::config {
namespace {

const std::string home = "/home/owner/.keel";

Result<Config> parsed(std::string_view text) {
  return parse(text, home, home + "/keel.toml");
}

// The error's message; empty, which no test expects, if there was none.
std::string problem(std::string_view text) {
  Result<Config> config = parsed(text);
  if (config) return {};
  EXPECT_EQ(config.error().code, Code::config);
  EXPECT_NE(config.error().hint.find("keel config check"), std::string::npos);
  return config.error().message;
}

class ConfigFiles : public testing::Test {
 protected:
  ConfigFiles() {
    std::string pattern = (std::filesystem::temp_directory_path() / "keel-config-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    folder_ = pattern;
  }
  ~ConfigFiles() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::string put(const std::string& name, std::string_view text, mode_t mode = 0600) {
    std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  std::string folder_;
};

TEST(Config, an_empty_file_gives_the_defaults) {
  for (const char* text : {"", "\n", "# only a comment\n", "\xef\xbb\xbf"}) {
    Config config = MUST(parsed(text));
    EXPECT_EQ(config.agent_name, "Keel");
    EXPECT_EQ(config.listen, "127.0.0.1:7117");
    EXPECT_EQ(config.folders, std::vector<std::string>{home + "/files"});
    EXPECT_TRUE(config.models.empty());
    EXPECT_TRUE(config.exists);
    EXPECT_TRUE(config.notes.empty());
  }
}

TEST(Config, every_key_reaches_its_place) {
  Config config = MUST(parsed(R"(
[agent]
name = "Ada"
[[model]]
name = "small"
kind = "local"
path = "models/small.gguf"
context = 8192
threads = 4
temperature = 0.5
[[model]]
name = "cloud"
kind = "anthropic"
model = "some-model"
base_url = "https://api.example.com/"
api_key = "env:CLOUD_KEY"
price_in = 3
price_out = 15.5
[[model]]
name = "tape"
kind = "script"
path = "/abs/../tape.jsonl"
[route]
default = "small"
fallback = ["cloud", "tape"]
local_only = true
[files]
allow = ["~/notes", "/srv/./data/", "shared"]
[net]
allow_private = ["localhost:8080", "[::1]:9000", "192.168.1.5:80"]
[memory]
folder = "~/keel-notes/"
[log]
level = "debug"
)"));
  EXPECT_EQ(config.agent_name, "Ada");
  ASSERT_EQ(config.models.size(), 3u);
  EXPECT_EQ(config.models[0].path, home + "/models/small.gguf");
  EXPECT_EQ(config.models[0].context, 8192);
  EXPECT_EQ(config.models[0].threads, 4);
  EXPECT_EQ(config.models[0].temperature, 0.5);
  EXPECT_EQ(config.models[0].line, 4);
  EXPECT_EQ(config.models[1].base_url, "https://api.example.com");
  EXPECT_EQ(config.models[1].api_key.reference(), "env:CLOUD_KEY");
  EXPECT_EQ(config.models[1].price_in, 3.0);
  EXPECT_EQ(config.models[1].price_out, 15.5);
  EXPECT_EQ(config.models[2].path, "/tape.jsonl");
  EXPECT_EQ(config.route.default_model, "small");
  EXPECT_EQ(config.route.fallback, (std::vector<std::string>{"cloud", "tape"}));
  EXPECT_TRUE(config.route.local_only);
  ASSERT_EQ(config.folders.size(), 3u);
  EXPECT_EQ(config.folders[0], environment("HOME") + "/notes");
  EXPECT_EQ(config.folders[1], "/srv/data");
  EXPECT_EQ(config.folders[2], home + "/shared");
  EXPECT_EQ(config.allowed_private.size(), 3u);
  EXPECT_EQ(config.memory_folder, environment("HOME") + "/keel-notes");
  EXPECT_EQ(config.log_level, "debug");
  EXPECT_TRUE(config.notes.empty());
}

TEST(Config, a_name_that_cannot_begin_so_is_an_error_and_not_the_end) {
  for (const char* text : {"[$agent]", "[[$model]]", "[agent.$x]", "$a = 1", "a = {$ = 1}"})
    EXPECT_NE(parsed(text).error().message.find("keel.toml:1:"), std::string::npos) << text;
}

TEST(Config, a_misspelt_key_is_named_with_line_and_nearest_name) {
  EXPECT_EQ(problem("[[model]]\nname = \"a\"\nkind = \"local\"\npth = \"x\"\npath = \"x\"\n"),
            "keel.toml:4: unknown key 'pth' in [[model]] - did you mean 'path'?");
  EXPECT_NE(problem("[aggent]\nname = 'x'").find("did you mean 'agent'?"), std::string::npos);
  EXPECT_NE(problem("[log]\nzzzzzzzz = 1").find("known are: level"), std::string::npos);
}

TEST(Config, all_problems_come_at_once_in_the_order_of_the_file) {
  EXPECT_EQ(
      problem(
          "[log]\nlevel = \"loud\"\n[agent]\nname = 7\n[[model]]\nname = \"m\"\nkind = \"locl\"\n"),
      "keel.toml:2: 'loud' is not a log level (It can be debug, info, warn, error or off.)\n"
      "keel.toml:4: 'name' must be a text, not a whole number\n"
      "keel.toml:7: 'locl' is not a kind of model - did you mean 'local'?");
}

TEST(Config, wrong_types_are_named) {
  EXPECT_NE(problem("agent = 1").find("must be a section: [agent]"), std::string::npos);
  EXPECT_NE(problem("[model]\nname='a'").find("two brackets: [[model]]"), std::string::npos);
  EXPECT_NE(problem("model = [1, 2]").find("two brackets"), std::string::npos);
  EXPECT_NE(
      problem("[route]\nlocal_only = 'yes'").find("'local_only' must be true or false, not a text"),
      std::string::npos);
  EXPECT_NE(problem("[route]\nfallback = 'a'").find("a list in [ ]"), std::string::npos);
  EXPECT_NE(problem("[route]\nfallback = [1]").find("a list of texts"), std::string::npos);
  EXPECT_NE(problem("[agent]\nname = 2026-01-01").find("not a date or time"), std::string::npos);
  EXPECT_NE(problem("[agent]\nname = ''").find("is empty"), std::string::npos);
  EXPECT_NE(problem("[agent]\nname = \"a\\u0007b\"").find("control character"), std::string::npos);
  EXPECT_NE(problem("[agent]\nname = '" + std::string(65, 'a') + "'").find("longer than 64"),
            std::string::npos);
}

TEST(Config, a_model_without_what_its_kind_needs_is_refused) {
  auto model = [](const std::string& rest) { return problem("[[model]]\nname = 'm'\n" + rest); };
  EXPECT_NE(model("kind = 'local'").find("keel.toml:1: the model 'm' of kind local needs 'path'"),
            std::string::npos);
  EXPECT_NE(model("kind = 'script'").find("needs 'path'"), std::string::npos);
  EXPECT_NE(model("kind = 'openai'").find("needs 'model'"), std::string::npos);
  EXPECT_NE(model("kind = 'anthropic'").find("needs 'model'"), std::string::npos);
  EXPECT_NE(model("").find("needs a 'kind'"), std::string::npos);
  EXPECT_NE(problem("[[model]]\nkind = 'local'\npath = 'x'").find("needs a 'name'"),
            std::string::npos);
}

TEST(Config, two_models_of_one_name_are_refused) {
  std::string one = "[[model]]\nname = 'm'\nkind = 'local'\npath = 'x'\n";
  EXPECT_EQ(problem(one + one), "keel.toml:6: there is a model 'm' already, in line 1");
}

TEST(Config, numbers_out_of_range_are_refused) {
  auto model = [](const std::string& rest) {
    return problem("[[model]]\nname = 'm'\nkind = 'local'\npath = 'x'\n" + rest);
  };
  for (const char* rest :
       {"context = -1", "context = 5", "context = 99999999", "threads = -1", "threads = 5000",
        "temperature = -0.1", "temperature = 2.1", "temperature = nan", "price_in = -1",
        "price_out = inf", "price_in = 1e9"}) {
    EXPECT_NE(model(rest).find("keel.toml:5: "), std::string::npos) << rest;
    EXPECT_NE(model(rest).find("must be"), std::string::npos) << rest;
  }
  EXPECT_NE(model("context = 99999999999999999999").find("keel.toml:5"), std::string::npos);
}

TEST(Config, a_route_to_no_model_is_refused) {
  std::string text = "[[model]]\nname = 'small'\nkind = 'local'\npath = 'x'\n[route]\n";
  EXPECT_EQ(problem(text + "default = 'smal'"),
            "keel.toml:6: 'default' names the model 'smal', which is not in this file - did you "
            "mean 'small'?");
  EXPECT_NE(problem(text + "fallback = ['small', 'zzzzzzzzz']")
                .find("'zzzzzzzzz', which is not in this file"),
            std::string::npos);
}

TEST(Config, how_many_answers_a_program_gets_at_once_is_bounded) {
  EXPECT_EQ(MUST(parsed("[gateway]\nanswers_at_once = 4\n")).key_limits.answers_at_once, 4);
  EXPECT_EQ(MUST(parsed("")).key_limits.answers_at_once, 0);
  EXPECT_NE(problem("[gateway]\nanswers_at_once = 65\n").find("between"), std::string::npos);
}

TEST(Config, a_rule_may_look_at_the_battery) {
  const std::string text =
      "[[model]]\nname = 'small'\nkind = 'local'\npath = 'x'\n[[route.rule]]\nuse = 'small'\n";
  const config::RouteRule rule = MUST(parsed(text + "battery_below = 30\n")).route.rules.at(0);
  EXPECT_EQ(rule.battery_below, 30);
  EXPECT_TRUE(rule.asks_for_battery());
  EXPECT_EQ(MUST(parsed(text + "battery = false\n")).route.rules.at(0).battery, false);
  EXPECT_FALSE(MUST(parsed(text)).route.rules.at(0).asks_for_battery());
  EXPECT_NE(problem(text + "battery_below = 101\n").find("between"), std::string::npos);
  EXPECT_NE(problem(text + "battery_below = 30\nbattery = false\n").find("never"),
            std::string::npos);
}

TEST(Config, each_program_may_have_a_key_with_its_own_bounds) {
  const Config config = MUST(
      parsed("[gateway]\nrequests_per_minute = 60\ntokens_per_day = 1000\n"
             "[[gateway.key]]\nname = 'editor'\ntoken = 'file:editor'\nrequests_per_minute = 5\n"
             "budget_usd_per_day = 0.5\n"
             "[[gateway.key]]\nname = 'notes-2'\ntoken = 'env:NOTES'\ntokens_per_day = 0\n"));
  EXPECT_EQ(config.key_limits.requests_per_minute, 60);
  EXPECT_EQ(config.key_limits.usd_per_day, std::nullopt);
  ASSERT_EQ(config.keys.size(), 2u);
  EXPECT_EQ(config.keys[0].name, "editor");
  EXPECT_EQ(config.keys[0].limits.requests_per_minute, 5);
  EXPECT_EQ(config.keys[0].limits.tokens_per_day, 1000);
  EXPECT_EQ(config.keys[0].limits.usd_per_day, 0.5);
  EXPECT_EQ(config.keys[1].limits.requests_per_minute, 60);
  EXPECT_EQ(config.keys[1].limits.tokens_per_day, 0);
  const std::string good = "[[gateway.key]]\nname = 'a'\ntoken = 'env:A'\n";
  EXPECT_NE(problem(good + good).find("already, in line 1"), std::string::npos);
  EXPECT_NE(problem("[[gateway.key]]\nname = 'a'\n").find("'token'"), std::string::npos);
  EXPECT_NE(problem("[[gateway.key]]\ntoken = 'env:A'\n").find("'name'"), std::string::npos);
  EXPECT_NE(problem("[[gateway.key]]\nname = 'a b'\ntoken = 'env:A'\n").find("letters"),
            std::string::npos);
  EXPECT_NE(problem("[[gateway.key]]\nname = 'a'\ntoken = 'secret'\n").find("token"),
            std::string::npos);
  EXPECT_NE(problem(good + "tokens_per_dy = 1\n").find("tokens_per_day"), std::string::npos);
}

TEST(Config, rules_budgets_and_private_names_reach_their_place) {
  const std::string models =
      "[[model]]\nname = 'small'\nkind = 'local'\npath = 'x'\n"
      "[[model]]\nname = 'big'\nkind = 'anthropic'\nmodel = 'm'\nprice_in = 0\n";
  Config config = MUST(parsed(models + R"([route]
private = ["health", "family"]
budget_usd_per_day = 1.5
budget_usd_per_turn = 0
[[route.rule]]
name = "programs"
task = "code"
channel = ["api", "terminal"]
longer_than = 3000
use = ["big", "small"]
[[route.rule]]
private = true
tools = false
busy = true
conversation = "diary"
use = "big"
)"));
  EXPECT_EQ(config.models[1].price_in, 0.0);
  EXPECT_FALSE(config.models[1].price_out);
  const RouteConfig& route = config.route;
  EXPECT_EQ(route.private_names, (std::vector<std::string>{"health", "family"}));
  EXPECT_EQ(route.budget_usd_per_day, 1.5);
  EXPECT_EQ(route.budget_usd_per_turn, 0.0);
  ASSERT_EQ(route.rules.size(), 2u);
  EXPECT_EQ(route.rules[0].name, "programs");
  EXPECT_EQ(route.rules[0].use, (std::vector<std::string>{"big", "small"}));
  EXPECT_EQ(route.rules[0].tasks, std::vector<std::string>{"code"});
  EXPECT_EQ(route.rules[0].channels.size(), 2u);
  EXPECT_EQ(route.rules[0].longer_than, 3000);
  EXPECT_FALSE(route.rules[0].is_private);
  EXPECT_FALSE(route.rules[0].shorter_than);
  EXPECT_EQ(route.rules[1].name, "2");
  EXPECT_EQ(route.rules[1].use, std::vector<std::string>{"big"});
  EXPECT_EQ(route.rules[1].is_private, true);
  EXPECT_EQ(route.rules[1].tools, false);
  EXPECT_EQ(route.rules[1].busy, true);
  EXPECT_EQ(route.rules[1].conversations, std::vector<std::string>{"diary"});
  EXPECT_EQ(MUST(parsed("")).route.private_names, std::vector<std::string>{"private"});
  EXPECT_TRUE(MUST(parsed("[route]\nprivate = []\n")).route.private_names.empty());
}

TEST(Config, a_wrong_rule_is_named_with_its_line) {
  const auto rule = [](const std::string& lines) {
    return problem("[[model]]\nname = 'small'\nkind = 'local'\npath = 'x'\n[[route.rule]]\n" +
                   lines);
  };
  EXPECT_EQ(rule("use = 'small'\ntasks = 'code'"),
            "keel.toml:7: unknown key 'tasks' in [[route.rule]] - did you mean 'task'?");
  EXPECT_EQ(rule("task = 'code'"),
            "keel.toml:5: this [[route.rule]] needs 'use', the name of a model or a list");
  EXPECT_EQ(rule("use = []"), "keel.toml:6: 'use' names no model");
  EXPECT_EQ(rule("use = 'smal'"),
            "keel.toml:6: 'use' names the model 'smal', which is not in this file - did you mean "
            "'small'?");
  EXPECT_EQ(rule("use = 'small'\ntask = ['chat', 'cod']"),
            "keel.toml:7: 'task' names the task 'cod', which is not one - did you mean 'code'?");
  EXPECT_NE(rule("use = 'small'\nlonger_than = -1").find("keel.toml:7:"), std::string::npos);
  EXPECT_NE(rule("use = 'small'\nprivate = 'yes'").find("true or false"), std::string::npos);
  EXPECT_NE(rule("use = [1]").find("list of texts"), std::string::npos);
  std::string many;
  for (int i = 0; i < 101; ++i) many += "[[route.rule]]\nuse = 'small'\n";
  EXPECT_NE(rule("use = 'small'\n" + many).find("more than 100"), std::string::npos);
}

TEST(Config, a_secret_in_the_file_is_refused_and_not_repeated) {
  for (const char* value :
       {"sk-canary-123456", "canary", "ENV:CANARY", "env:", "env:canary-x", "file:"}) {
    std::string text = problem("[[model]]\nname='m'\nkind='openai'\nmodel='x'\napi_key='" +
                               std::string(value) + "'");
    EXPECT_NE(text.find("'api_key'"), std::string::npos) << value;
    EXPECT_EQ(text.find("canary"), std::string::npos) << text;
  }
}

TEST(Config, a_relative_secret_file_is_in_the_home_folder) {
  Config config = MUST(parsed("[[model]]\nname='m'\nkind='openai'\nmodel='x'\napi_key='file:key'"));
  EXPECT_EQ(config.models[0].api_key.reference(), "file:" + home + "/key");
}

TEST(Config, an_address_must_be_http_without_user_or_query) {
  for (const char* url :
       {"ftp://x", "api.example.com", "https://", "https://user:pw@x", "https://x?key=1",
        "https://a b", "https://x/#f", "javascript:alert(1)"}) {
    EXPECT_NE(problem("[[model]]\nname='m'\nkind='openai'\nmodel='x'\nbase_url='" +
                      std::string(url) + "'")
                  .find("'base_url'"),
              std::string::npos)
        << url;
  }
}

TEST(Config, host_and_port_pairs_are_checked) {
  for (const char* pair : {"localhost", "localhost:", ":80", "localhost:0", "localhost:65536",
                           "localhost:8a", "a b:80", "[::1]", "::1:80", "http://x:80", "x:+80"}) {
    EXPECT_NE(
        problem("[net]\nallow_private = ['" + std::string(pair) + "']").find("is not host:port"),
        std::string::npos)
        << pair;
    EXPECT_NE(problem("[gateway]\nlisten = '" + std::string(pair) + "'").find("'listen'"),
              std::string::npos)
        << pair;
  }
}

TEST(Config, the_gateway_listens_on_this_machine_alone_unless_told_otherwise) {
  EXPECT_FALSE(MUST(parsed("")).listen_plain);
  const Config config = MUST(parsed(R"(
[gateway]
listen = "0.0.0.0:7000"
hosts = ["keel.home:7000"]
plain_http = true
any_model = true
)"));
  EXPECT_EQ(config.listen, "0.0.0.0:7000");
  EXPECT_EQ(config.listen_names, std::vector<std::string>{"keel.home:7000"});
  EXPECT_TRUE(config.listen_plain);
  EXPECT_TRUE(config.any_model);
  EXPECT_TRUE(config.notes.empty());
  EXPECT_EQ(MUST(parsed("[gateway]\nlisten = 'off'")).listen, "");
  EXPECT_NE(problem("[gateway]\nhosts = ['keel.home']").find("is not host:port"),
            std::string::npos);
}

TEST(Config, sections_of_later_versions_are_checked_and_said_to_have_no_effect) {
  Config config = MUST(parsed(R"(
[telegram]
token = "file:telegram"
allow = [12345, "678"]
[bluebubbles]
password = "env:BB"
allow = ["+49123"]
[search]
provider = "x"
key = "env:S"
[[job]]
anything = "x"
[[mcp]]
anything = true
)"));
  std::vector<std::string> expected = {
      "keel.toml:2: [telegram] has no effect in this version of keel",
      "keel.toml:5: [bluebubbles] has no effect in this version of keel",
      "keel.toml:8: [search] has no effect in this version of keel",
      "keel.toml:11: [[job]] has no effect in this version of keel",
      "keel.toml:13: [[mcp]] has no effect in this version of keel"};
  EXPECT_EQ(config.notes, expected);
  EXPECT_NE(problem("[telegram]\ntoken = 'env:T'\nallow = [1.5]").find("whole numbers"),
            std::string::npos);
  EXPECT_NE(problem("[route]\nbudget_usd_per_day = -1").find("between"), std::string::npos);
  EXPECT_NE(problem("[job]\nx = 1").find("[[job]]"), std::string::npos);
}

TEST(Config, notion) {
  const NotionConfig none = MUST(parsed("")).notion;
  EXPECT_TRUE(none.token.empty());
  EXPECT_EQ(none.base_url, "https://api.notion.com");
  const NotionConfig notion = MUST(parsed(R"(
[notion]
base_url = "http://localhost:9/"
token = "env:NOTION"
data_source = "abc"
owner = "me"
version = "2025-09-03"
requests_per_second = 10
)"))
                                  .notion;
  EXPECT_EQ(notion.base_url, "http://localhost:9");
  EXPECT_EQ(notion.token.reference(), "env:NOTION");
  EXPECT_EQ(notion.data_source, "abc");
  EXPECT_EQ(notion.owner, "me");
  EXPECT_EQ(notion.version, "2025-09-03");
  EXPECT_EQ(notion.requests_per_second, 10.0);
  EXPECT_NE(problem("[notion]\ntokn = 'env:T'").find("did you mean 'token'?"), std::string::npos);
  EXPECT_NE(problem("[notion]\ndata_source = 'x'").find("needs a 'token'"), std::string::npos);
  EXPECT_NE(problem("[notion]\ntoken = 'env:T'\nversion = '2022-06-28'").find("2026-03-11"),
            std::string::npos);
  EXPECT_NE(problem("[notion]\ntoken = 'env:T'\nrequests_per_second = 0").find("between"),
            std::string::npos);
}

TEST(Config, keys_without_effect_for_a_kind_are_noted) {
  Config config = MUST(parsed("[[model]]\nname='m'\nkind='local'\npath='x'\nprice_in = 1\n"));
  EXPECT_EQ(config.notes, std::vector<std::string>{
                              "keel.toml:5: 'price_in' has no effect for a model of kind local"});
}

TEST(Config, broken_toml_is_named_with_its_line) {
  EXPECT_TRUE(problem("[agent]\nname = \"unfinished\n").starts_with("keel.toml:2: "));
  EXPECT_TRUE(problem("[agent]\nname = 'a'\nname = 'b'\n").starts_with("keel.toml:3: "));
  EXPECT_TRUE(problem("[agent]\n\n[agent\n").starts_with("keel.toml:3: "));
}

TEST(Config, bytes_that_are_not_utf8_are_named_with_their_line) {
  EXPECT_EQ(problem("[agent]\nname = '\xff'\n"), "keel.toml:2: this line is not UTF-8 text");
  EXPECT_EQ(problem(std::string_view("[agent]\n\n#\0\n", 12)),
            "keel.toml:3: this line is not UTF-8 text");
  EXPECT_EQ(problem("\xff\xfe[\0a"), "keel.toml:1: this line is not UTF-8 text");
}

TEST(Config, deep_nesting_and_large_files_end_in_an_error) {
  for (std::size_t depth : {3000u, 100000u}) {
    EXPECT_FALSE(problem("a = " + std::string(depth, '[')).empty());
    EXPECT_FALSE(problem("a = " + std::string(depth, '{')).empty());
    std::string dotted = "a";
    for (std::size_t i = 0; i < depth; ++i) dotted += ".a";
    EXPECT_FALSE(problem("[" + dotted + "]\n" + dotted + " = 1").empty());
    EXPECT_FALSE(problem("[[" + dotted + "]]").empty());
  }
  EXPECT_NE(problem(std::string(10u << 20, '#')).find("larger than"), std::string::npos);
}

TEST_F(ConfigFiles, no_file_gives_the_defaults) {
  Config config = MUST(load(folder_));
  EXPECT_FALSE(config.exists);
  EXPECT_EQ(config.home, folder_);
  EXPECT_EQ(config.database_path(), folder_ + "/keel.db");
}

TEST_F(ConfigFiles, a_file_is_read_and_others_rights_are_noted) {
  put("keel.toml", "[agent]\nname = 'Ada'\n", 0622);
  Config config = MUST(load(folder_));
  EXPECT_TRUE(config.exists);
  EXPECT_EQ(config.agent_name, "Ada");
  ASSERT_EQ(config.notes.size(), 1u);
  EXPECT_NE(config.notes[0].find("chmod 600"), std::string::npos);
}

TEST_F(ConfigFiles, what_is_no_readable_file_is_said) {
  std::filesystem::create_directory(folder_ + "/keel.toml");
  EXPECT_NE(load(folder_).error().message.find("it is a folder"), std::string::npos);
  std::filesystem::remove(folder_ + "/keel.toml");
  put("keel.toml", std::string(10u << 20, '#'));
  EXPECT_NE(load(folder_).error().message.find("larger than"), std::string::npos);
  std::filesystem::remove(folder_ + "/keel.toml");
  ASSERT_EQ(::mkfifo((folder_ + "/keel.toml").c_str(), 0600), 0);
  EXPECT_NE(load(folder_).error().message.find("not a regular file"), std::string::npos);
  std::filesystem::remove(folder_ + "/keel.toml");
  std::filesystem::create_symlink("keel.toml", folder_ + "/keel.toml");
  EXPECT_EQ(load(folder_).error().code, Code::config);
}

TEST_F(ConfigFiles, a_file_without_read_permission_is_said) {
  if (::geteuid() == 0) GTEST_SKIP() << "the superuser may read everything";
  put("keel.toml", "", 0000);
  EXPECT_NE(load(folder_).error().message.find("Permission denied"), std::string::npos);
}

TEST_F(ConfigFiles, a_secret_comes_from_its_file_and_is_redacted_from_then_on) {
  std::string path = put("key", "sk-canary-42 \r\n\n");
  EXPECT_EQ(MUST(Secret("file:" + path).resolve()), "sk-canary-42 ");
  EXPECT_EQ(log::redact("key=sk-canary-42 !"), "key=[redacted]!");
}

TEST_F(ConfigFiles, a_secret_file_that_others_can_open_is_refused) {
  for (mode_t mode : {0640, 0604, 0610, 0666}) {
    std::string path = put("key", "sk-canary-43\n", mode);
    Result<std::string> secret = Secret("file:" + path).resolve();
    ASSERT_FALSE(secret);
    EXPECT_EQ(secret.error().code, Code::config);
    EXPECT_NE(secret.error().hint.find("chmod 600"), std::string::npos);
    EXPECT_EQ(secret.error().text().find("canary"), std::string::npos);
  }
}

TEST_F(ConfigFiles, odd_secret_files_are_refused) {
  std::string real = put("real", "sk-canary-44\n");
  std::filesystem::create_symlink(real, folder_ + "/link");
  EXPECT_NE(Secret("file:" + folder_ + "/link").resolve().error().message.find("symbolic link"),
            std::string::npos);
  EXPECT_FALSE(Secret("file:" + folder_).resolve());
  EXPECT_FALSE(Secret("file:" + folder_ + "/missing").resolve());
  ASSERT_EQ(::mkfifo((folder_ + "/pipe").c_str(), 0600), 0);
  EXPECT_FALSE(Secret("file:" + folder_ + "/pipe").resolve());
  EXPECT_FALSE(Secret("file:" + put("big", std::string(100000, 'x'))).resolve());
  EXPECT_FALSE(Secret("file:" + put("empty", "\n")).resolve());
  EXPECT_FALSE(Secret("file:" + put("lines", "one\r\nInjected: two\n")).resolve());
  EXPECT_FALSE(Secret("file:relative").resolve());
  EXPECT_FALSE(Secret("sk-literal").resolve());
  EXPECT_FALSE(Secret().resolve());
}

TEST_F(ConfigFiles, a_secret_of_another_user_is_refused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only the superuser can give a file away";
  std::string path = put("key", "sk-canary-45\n");
  ASSERT_EQ(::chown(path.c_str(), 12345, 12345), 0);
  EXPECT_NE(Secret("file:" + path).resolve().error().message.find("another user"),
            std::string::npos);
}

TEST_F(ConfigFiles, a_secret_comes_from_the_environment) {
  ::setenv("KEEL_TEST_SECRET", "sk-canary-46", 1);
  EXPECT_EQ(MUST(Secret("env:KEEL_TEST_SECRET").resolve()), "sk-canary-46");
  EXPECT_EQ(log::redact("sk-canary-46"), "[redacted]");
  ::unsetenv("KEEL_TEST_SECRET");
  EXPECT_NE(Secret("env:KEEL_TEST_SECRET").resolve().error().message.find("KEEL_TEST_SECRET"),
            std::string::npos);
}

TEST_F(ConfigFiles, the_home_folder_is_absolute) {
  std::string user = environment("HOME");
  ::setenv("KEEL_HOME", "/tmp/some/../keel/", 1);
  EXPECT_EQ(MUST(home_folder()), "/tmp/keel");
  ::setenv("KEEL_HOME", "~/k", 1);
  EXPECT_EQ(MUST(home_folder()), user + "/k");
  ::setenv("KEEL_HOME", "relative", 1);
  EXPECT_EQ(MUST(home_folder()), std::filesystem::current_path().string() + "/relative");
  ::setenv("KEEL_HOME", "\xff", 1);
  EXPECT_FALSE(home_folder());
  ::setenv("KEEL_HOME", "", 1);
  EXPECT_EQ(MUST(home_folder()), user + "/.keel");
  ::unsetenv("KEEL_HOME");
  EXPECT_EQ(MUST(home_folder()), user + "/.keel");
}

TEST_F(ConfigFiles, children_get_no_secret_from_the_environment) {
  ::setenv("SOME_API_KEY", "sk-canary-47", 1);
  bool path = false;
  for (const std::string& entry : child_environment()) {
    std::string name = entry.substr(0, entry.find('='));
    EXPECT_TRUE(name == "PATH" || name == "HOME" || name == "LANG" || name == "TMPDIR") << name;
    path = path || name == "PATH";
  }
  EXPECT_TRUE(path);
  ::unsetenv("SOME_API_KEY");
}

TEST(Config, TheHubCanBeAnother) {
  EXPECT_EQ(MUST(parsed("")).hub_url, "https://huggingface.co");
  const Config config =
      MUST(parsed("[hub]\nbase_url = 'http://192.168.1.4:8080/hub/'\ntoken = 'env:HUB'\n"));
  EXPECT_EQ(config.hub_url, "http://192.168.1.4:8080/hub");
  EXPECT_EQ(config.hub_token.reference(), "env:HUB");
  EXPECT_NE(problem("[hub]\nbase_url = 'hub.example'").find("'base_url'"), std::string::npos);
  EXPECT_NE(problem("[hub]\ntoken = 'hf_1'").find("'token'"), std::string::npos);
}

}  // namespace
}  // namespace keel::config
