// The agent: turns over the journal, memory, policy, tools and a model. A turn is a state machine
// whose every step is a row before it counts (docs/formats/journal.md), so kill -9 at any point
// leaves a turn that the next start finishes or visibly fails, and no tool effect happens twice.
//
// Threads: run() may be called from several threads; turns of one conversation are taken one after
// another, turns of different conversations side by side (the model serialises its own work).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/session.h"
#include "base/clock.h"
#include "base/result.h"

namespace keel::memory {
class Memory;
}
namespace keel::model {
class Router;
}
namespace keel::net {
class Client;
}
namespace keel::store {
class Database;
class Journal;
}  // namespace keel::store
namespace keel::tool {
class Registry;
}

namespace keel::agent {

struct AgentParts {
  const Clock& clock;
  store::Database& database;
  memory::Memory& memory;
  model::Router& router;
  tool::Registry& tools;
  net::Client& net;
  std::string name = "Keel";
  std::vector<std::string> folders;  // for read_file and list_files
  bool compacts = false;             // long conversations, in the background (compaction.h)
  bool writes = false;  // days and what a model finds, in the background (writing/scribe.h)
};

// Who the agent is, for the frozen beginning of a conversation, without what is private.
Result<std::string> identity_of(const AgentParts& parts);

struct Recovered {
  int finished = 0;  // turns that were taken to their end now
  int failed = 0;    // turns that could not be and say so
};

class Agent final : public Session {
 public:
  explicit Agent(AgentParts parts);
  ~Agent() override;

  Result<Json> run(const TurnRequest& request, const EventSink& sink,
                   std::stop_token stop) override;
  Result<Json> why(const std::string& turn) override;
  Result<Json> status() override;
  Status use_model(const std::string& name) override;
  Status prepare(const std::string& conversation, const EventSink& sink,
                 std::stop_token stop) override;

  // Once after start, before the first run(): takes up every turn a crash left open.
  Result<Recovered> recover(const EventSink& sink, std::stop_token stop);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace keel::agent
