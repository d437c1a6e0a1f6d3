#include "app/assembly.h"

#include "account/budget.h"
#include "account/egress.h"
#include "account/schema.h"
#include "account/usage.h"
#include "agent/agent.h"
#include "app/notion_mirror.h"
#include "app/setup.h"
#include "memory/folder/sync_rows.h"
#include "memory/memory.h"
#include "memory/notion/client.h"
#include "memory/notion/ledger.h"
#include "model/route/router.h"
#include "net/client.h"
#include "store/database.h"
#include "store/journal.h"
#include "tool/registry.h"

namespace keel::app {

std::vector<store::Migration> database_migrations() {
  std::vector<store::Migration> all = memory::migrations();
  for (const auto& room : {memory::folder_migrations(), memory::notion::migrations(),
                           store::journal_migrations(), account::migrations()}) {
    all.insert(all.end(), room.begin(), room.end());
  }
  return all;
}

Result<std::unique_ptr<Assembly>> open_memory() {
  return Assembly::open(TRY(load_config()), Assembly::Extent::memory);
}

Assembly::Assembly(config::Config config) : config_(std::move(config)) {}

// The members end in the opposite order of their making: the agent first, the lock last.
Assembly::~Assembly() = default;

Result<std::unique_ptr<Assembly>> Assembly::open(const config::Config& config, Extent extent) {
  std::unique_ptr<Assembly> made(new Assembly(config));
  TRY(open_home(config));
  const bool serves = extent == Extent::daemon;
  if (serves || extent == Extent::agent) made->lock_ = TRY(lock_home(config, serves));
  store::DatabaseOptions options;
  options.path = config.database_path();
  options.migrations = database_migrations();
  made->database_ = TRY(store::Database::open(options));
  made->ledger_ = std::make_unique<account::EgressLedger>(*made->database_, made->clock_);
  made->usage_ = std::make_unique<account::Usage>(*made->database_, made->clock_);
  if (made->lock_) TRY(account::recover(*made->database_, made->clock_));
  made->memory_ = std::make_unique<memory::Memory>(*made->database_, made->clock_);
  // Who the agent is stands in pages from the first start on, where the owner can change it.
  TRY(made->memory_->ensure_identity(config.agent_name));
  if (extent != Extent::memory) TRY(made->open_tools());
  if (made->lock_) TRY(made->open_agent());
  return made;
}

Status Assembly::open_tools() {
  net::ClientOptions options;
  options.user_agent = "keel/" KEEL_VERSION;
  options.allowed_private = config_.allowed_private;
  options.ledger = ledger_.get();
  net_ = std::make_unique<net::Client>(std::move(options));
  if (!config_.notion.token.empty()) notion_ = TRY(open_notion(config_, *net_));
  tools_ = std::make_unique<tool::Registry>();
  if (notion_) TRY(add_notion_tools(*tools_, notion_.get()));
  return add_tools(*tools_);
}

Status Assembly::open_agent() {
  const account::BudgetLimits limits{config_.route.budget_usd_per_day,
                                     config_.route.budget_usd_per_turn};
  budget_ = std::make_unique<account::Budget>(*database_, clock_, limits);
  router_ = std::make_unique<model::Router>(clock_, config_.route, budget_.get());
  TRY(add_models(config_, *router_, *net_));
  agent_ = std::make_unique<agent::Agent>(agent::AgentParts{
      clock_, *database_, *memory_, *router_, *tools_, *net_, config_.agent_name, config_.folders,
      /*compacts=*/true, /*writes=*/true});
  return {};
}

}  // namespace keel::app
