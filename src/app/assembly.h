// The parts of keel put together: the only place that knows which concrete types stand behind the
// interfaces. What is heavy (the engine) is only named here and starts when a turn needs it.
#pragma once

#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"
#include "rt/fd.h"

namespace keel::account {
class Budget;
class EgressLedger;
class Usage;
}  // namespace keel::account
namespace keel::agent {
class Agent;
}
namespace keel::memory {
class Memory;
}
namespace keel::memory::notion {
class Client;
}
namespace keel::model {
class Router;
}
namespace keel::net {
class Client;
}
namespace keel::store {
class Database;
struct Migration;
}  // namespace keel::store
namespace keel::tool {
class Registry;
}

namespace keel::app {

class Assembly {
 public:
  enum class Extent {
    memory,  // database and memory: may run beside a daemon
    tools,   // and the tools
    agent,   // and models and agent: holds the lock of KEEL_HOME
    daemon,  // the same, for keel serve: others may wait until it is ready
  };
  static Result<std::unique_ptr<Assembly>> open(const config::Config& config, Extent extent);
  ~Assembly();
  Assembly(const Assembly&) = delete;
  Assembly& operator=(const Assembly&) = delete;

  const config::Config& config() const { return config_; }
  const Clock& clock() const { return clock_; }
  store::Database& database() { return *database_; }
  memory::Memory& memory() { return *memory_; }
  account::EgressLedger& ledger() { return *ledger_; }
  account::Usage& usage() { return *usage_; }
  net::Client& net() { return *net_; }
  memory::notion::Client* notion() { return notion_.get(); }  // nullptr without [notion]
  tool::Registry& tools() { return *tools_; }
  model::Router& router() { return *router_; }
  agent::Agent& agent() { return *agent_; }

 private:
  explicit Assembly(config::Config config);
  Status open_tools();
  Status open_agent();

  config::Config config_;
  SystemClock clock_;
  rt::Fd lock_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<memory::Memory> memory_;
  std::unique_ptr<account::EgressLedger> ledger_;
  std::unique_ptr<account::Usage> usage_;
  std::unique_ptr<account::Budget> budget_;
  std::unique_ptr<net::Client> net_;
  std::unique_ptr<memory::notion::Client> notion_;
  std::unique_ptr<tool::Registry> tools_;
  std::unique_ptr<model::Router> router_;
  std::unique_ptr<agent::Agent> agent_;
};

// Database and memory, as keel.toml says.
Result<std::unique_ptr<Assembly>> open_memory();
// The models of keel.toml, also those that it gains later. A kind that this program cannot run is
// an error with its line; with route.local_only, models that run elsewhere are left out.
Status add_models(const config::Config& config, model::Router& router, net::Client& net);
// Where a model of kind anthropic or openai is asked.
std::string cloud_address(const config::ModelConfig& model);
// The tables of all rooms that share keel.db.
std::vector<store::Migration> database_migrations();
// Every tool, one line each.
Status add_tools(tool::Registry& registry);
// Those for Notion, where keel.toml has it; nullptr for listings.
Status add_notion_tools(tool::Registry& registry, memory::notion::Client* client);

}  // namespace keel::app
