// What the tests of the turn share (here, tests/golden, tests/kill): a whole agent in a folder of
// its own, with the real store, memory, policy and tools, a scripted model, and a few tools that
// misbehave on purpose. For tests only.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "account/budget.h"
#include "account/schema.h"
#include "agent/agent.h"
#include "base/clock.h"
#include "memory/memory.h"
#include "model/route/router.h"
#include "model/script.h"
#include "net/client.h"
#include "rt/thread.h"
#include "store/database.h"
#include "store/journal.h"
#include "tool/calculator_tool.h"
#include "tool/recall_tool.h"
#include "tool/registry.h"
#include "tool/remember_tool.h"
#include "tool/time_tool.h"

namespace keel::agent::testing {

// A tool whose body is a function.
class FunctionTool final : public tool::Tool {
 public:
  using Body = std::function<Result<tool::Outcome>(const Json&, tool::Context&)>;
  FunctionTool(std::string name, tool::Effect effect, Body body)
      : spec_{std::move(name), "For tests.", Json{{"type", "object"}}},
        effect_(effect),
        body_(std::move(body)) {}
  const msg::Tool& spec() const override { return spec_; }
  tool::Effect effect() const override { return effect_; }
  policy::Sink sink() const override { return policy::Sink::none; }
  Result<tool::Outcome> run(const Json& arguments, tool::Context& context) override {
    return body_(arguments, context);
  }

 private:
  msg::Tool spec_;
  tool::Effect effect_;
  Body body_;
};

inline std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// A scripted model that stands for one of another machine, with a price.
class Elsewhere final : public model::Model {
 public:
  Elsewhere(std::unique_ptr<model::ScriptModel> script, model::Prices prices)
      : script_(std::move(script)), prices_(prices) {}
  model::ScriptModel& script() { return *script_; }
  model::Info info() const override {
    model::Info info = script_->info();
    info.kind = "anthropic";
    info.elsewhere = true;
    info.prices = prices_;
    return info;
  }
  Result<model::Response> generate(const model::Request& request, const model::Sink& sink,
                                   std::stop_token stop) override {
    Result<model::Response> response = script_->generate(request, sink, std::move(stop));
    if (response) {
      response->usage.cost_usd =
          static_cast<double>(response->usage.prompt_tokens) * prices_.in / 1e6;
    }
    return response;
  }
  Status prepare(const model::Request& request, const model::Sink& sink,
                 std::stop_token stop) override {
    return script_->prepare(request, sink, std::move(stop));
  }

 private:
  std::unique_ptr<model::ScriptModel> script_;
  const model::Prices prices_;
};

struct HouseOptions {
  WallMs start_ms = 1'795'370'700'000;  // Sunday, 22 November 2026, 18:05:00 UTC
  std::string folder;                   // empty: one of its own, removed at the end
  std::string script;
  std::string second;  // the script of a further model "second"; empty: there is none
  std::string cloud;   // and of one "cloud" of another machine
  model::Prices prices{10, 10, 10, 10};  // of that
  config::RouteConfig route = {};
  account::BudgetLimits budget = {};
  std::int64_t context = 0;
  bool compacts = false;
  bool writes = false;
  std::function<void(std::int64_t)> after_commit;
  std::function<void()> after_effect;  // between the effect of append_line and its return
};

class House {
 public:
  explicit House(HouseOptions options) : clock(options.start_ms), options_(std::move(options)) {
    own_folder_ = options_.folder.empty();
    if (own_folder_) {
      options_.folder = (std::filesystem::temp_directory_path() / "keel-agent-XXXXXX").string();
      KEEL_ASSERT(mkdtemp(options_.folder.data()) != nullptr);
    }
    open();
  }
  ~House() {
    close();
    std::error_code ignored;
    if (own_folder_) std::filesystem::remove_all(options_.folder, ignored);
  }
  House(const House&) = delete;
  House& operator=(const House&) = delete;

  // A new process in all but name.
  void restart(const std::string& script_text) {
    close();
    options_.script = script_text;
    open();
  }

  const std::string& folder() const { return options_.folder; }
  std::string effect_file() const { return options_.folder + "/effects.txt"; }

  Result<Json> say(const std::string& text, std::stop_token stop = {}) {
    TurnRequest request;
    request.text = text;
    return run(request, std::move(stop));
  }
  Result<Json> run(const TurnRequest& request, std::stop_token stop = {}) {
    const EventSink sink = [this](const Event& event) {
      const std::lock_guard lock(events_mutex_);
      events.push_back(event);
      if (on_event) on_event(event);
    };
    return agent->run(request, sink, std::move(stop));
  }
  template <class E>
  std::vector<E> events_of() const {
    std::vector<E> found;
    for (const Event& event : events) {
      if (const auto* one = std::get_if<E>(&event)) found.push_back(*one);
    }
    return found;
  }
  std::string notices() const {
    std::string all;
    for (const Notice& notice : events_of<Notice>()) all += notice.text + "\n";
    return all;
  }
  void add_tool(std::unique_ptr<tool::Tool> tool) { MUST(tools->add(std::move(tool))); }

  ManualClock clock;
  std::unique_ptr<store::Database> database;
  std::unique_ptr<memory::Memory> memory;
  std::unique_ptr<net::Client> net;
  std::unique_ptr<account::Budget> budget;
  std::unique_ptr<model::Router> router;
  std::unique_ptr<tool::Registry> tools;
  std::unique_ptr<store::Journal> journal;
  std::unique_ptr<Agent> agent;
  model::ScriptModel* script = nullptr;
  model::ScriptModel* second = nullptr;
  model::ScriptModel* cloud = nullptr;
  std::vector<Event> events;
  std::function<void(const Event&)> on_event;

 private:
  void open() {
    store::DatabaseOptions options;
    options.path = options_.folder + "/keel.db";
    options.migrations = memory::migrations();
    for (store::Migration& migration : store::journal_migrations()) {
      options.migrations.push_back(migration);
    }
    for (store::Migration& migration : account::migrations()) {
      options.migrations.push_back(migration);
    }
    options.after_commit = options_.after_commit;
    database = MUST(store::Database::open(options));
    memory = std::make_unique<memory::Memory>(*database, clock);
    net = std::make_unique<net::Client>(net::ClientOptions{});
    budget = std::make_unique<account::Budget>(*database, clock, options_.budget);
    router = std::make_unique<model::Router>(clock, options_.route, budget.get());
    auto model =
        MUST(model::ScriptModel::from_text({"script", "", options_.context}, options_.script));
    script = model.get();
    router->add(std::move(model));
    add_more_models();
    tools = std::make_unique<tool::Registry>();
    add_tools();
    journal = std::make_unique<store::Journal>(*database, clock);
    agent = std::make_unique<Agent>(AgentParts{.clock = clock,
                                               .database = *database,
                                               .memory = *memory,
                                               .router = *router,
                                               .tools = *tools,
                                               .net = *net,
                                               .name = "Keel",
                                               .folders = {},
                                               .compacts = options_.compacts,
                                               .writes = options_.writes});
  }
  void close() {
    agent.reset();
    journal.reset();
    tools.reset();
    router.reset();
    budget.reset();
    net.reset();
    memory.reset();
    database.reset();
  }

  void add_more_models() {
    if (!options_.second.empty()) {
      auto model = MUST(model::ScriptModel::from_text({"second", "", 0}, options_.second));
      second = model.get();
      router->add(std::move(model));
    }
    if (!options_.cloud.empty()) {
      auto model = std::make_unique<Elsewhere>(
          MUST(model::ScriptModel::from_text({"cloud", "", 0}, options_.cloud)), options_.prices);
      cloud = &model->script();
      router->add(std::move(model));
    }
  }

  void add_tools() {
    MUST(tools->add(tool::make_remember_tool()));
    MUST(tools->add(tool::make_recall_tool()));
    MUST(tools->add(tool::make_time_tool()));
    MUST(tools->add(tool::make_calculator_tool()));
    using tool::Effect;
    using tool::Outcome;
    add_tool(std::make_unique<FunctionTool>(
        "append_line", Effect::unsafe, [this](const Json& arguments, tool::Context&) {
          std::ofstream(effect_file(), std::ios::app)
              << json_string_or(arguments, "line", "line") << std::endl;
          if (options_.after_effect) options_.after_effect();
          return Result<Outcome>(Outcome{"appended"});
        }));
    add_tool(std::make_unique<FunctionTool>(
        "broken", Effect::idempotent, [](const Json&, tool::Context&) -> Result<Outcome> {
          return fail(Code::network, "the service did not answer", "try later");
        }));
    add_tool(std::make_unique<FunctionTool>(
        "wait", Effect::idempotent, [](const Json&, tool::Context& context) -> Result<Outcome> {
          for (int i = 0; i < 1000 && !context.stop.stop_requested(); ++i) rt::sleep_ms(10);
          return Outcome{"waited"};
        }));
    add_tool(std::make_unique<FunctionTool>(
        "page", Effect::pure, [](const Json& arguments, tool::Context&) -> Result<Outcome> {
          return Outcome{json_string_or(arguments, "text", "A page."), false,
                         policy::Integrity::web};
        }));
  }

  HouseOptions options_;
  bool own_folder_ = false;
  std::mutex events_mutex_;
};

}  // namespace keel::agent::testing
