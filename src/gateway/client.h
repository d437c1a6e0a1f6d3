// The daemon's agent seen from another process: every call opens a connection of its own to
// KEEL_HOME/keel.sock, so that calls need not wait for each other and a call that ends leaves
// nothing behind.
//
// Threads: any. A daemon that goes away in the middle of a call is Code::unavailable; its turn is
// in the journal and is taken up at the next start.
#pragma once

#include <memory>
#include <string>

#include "agent/session.h"
#include "gateway/protocol.h"
#include "rt/frame.h"

namespace keel::gateway {

class Client final : public agent::Session {
 public:
  // Code::unavailable if no daemon answers there, Code::unsupported if it speaks another version of
  // the protocol.
  static Result<std::unique_ptr<Client>> connect(const std::string& socket_path);

  Result<Json> run(const agent::TurnRequest& request, const agent::EventSink& sink,
                   std::stop_token stop) override;
  Result<Json> why(const std::string& turn) override;
  Result<Json> status() override;
  Status use_model(const std::string& name) override;
  Status prepare(const std::string& conversation, const agent::EventSink& sink,
                 std::stop_token stop) override;

  std::int64_t daemon_process() const { return process_; }

 private:
  explicit Client(std::string socket_path) : path_(std::move(socket_path)) {}
  Result<Greeting> greet(rt::FrameSocket& socket) const;
  Result<Json> call(const Request& request, const agent::EventSink& sink, std::stop_token stop);

  const std::string path_;
  std::int64_t process_ = 0;
};

}  // namespace keel::gateway
