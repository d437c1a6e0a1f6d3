#include "app/assembly.h"

#include "agent/agent.h"
#include "app/notion_mirror.h"
#include "app/setup.h"
#include "memory/folder/sync_rows.h"
#include "memory/memory.h"
#include "memory/notion/client.h"
#include "memory/notion/ledger.h"
#include "model/router.h"
#include "net/client.h"
#include "store/database.h"
#include "store/journal.h"
#include "tool/registry.h"

namespace keel::app {

std::vector<store::Migration> database_migrations() {
  std::vector<store::Migration> all = memory::migrations();
  for (auto* room :
       {&memory::folder_migrations, &memory::notion::migrations, &store::journal_migrations})
    for (store::Migration& migration : (*room)()) all.push_back(std::move(migration));
  return all;
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
  net_ = std::make_unique<net::Client>(std::move(options));
  if (!config_.notion.token.empty()) notion_ = TRY(open_notion(config_, *net_));
  tools_ = std::make_unique<tool::Registry>();
  if (notion_) TRY(add_notion_tools(*tools_, notion_.get()));
  return add_tools(*tools_);
}

Status Assembly::open_agent() {
  router_ = std::make_unique<model::Router>();
  TRY(add_models(config_, *router_, *net_));
  if (!config_.route.default_model.empty()) router_->set_default(config_.route.default_model);
  agent_ = std::make_unique<agent::Agent>(agent::AgentParts{
      clock_, *database_, *memory_, *router_, *tools_, *net_, config_.agent_name, config_.folders,
      /*compacts=*/true});
  return {};
}

}  // namespace keel::app
