// The daemon's local socket: an agent::Session served to the owner's other processes. Only
// processes of the same user (or root) are answered. A turn whose client goes away is finished and
// kept: the owner finds the answer in the conversation. A client that reads too slowly is dropped,
// the turn goes on.
//
// Threads: one that accepts; for each client one that reads, one that writes, and one while it has
// a turn or a model load going. Limits: limits.h, "gateway".
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "agent/session.h"
#include "base/result.h"

namespace keel::gateway {

class Server {
 public:
  // Listens at once. The session must outlive the server.
  static Result<std::unique_ptr<Server>> start(agent::Session& session,
                                               const std::string& socket_path);
  ~Server();  // without grace; call drain() first

  // Takes no new clients and no new turns, lets turns end by themselves for `grace`, stops them
  // then, and waits until `total` is over. True if every turn has ended.
  bool drain(std::chrono::milliseconds grace, std::chrono::milliseconds total);

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace keel::gateway
