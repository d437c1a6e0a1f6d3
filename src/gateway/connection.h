// One client of the daemon. Frames to it wait in a bounded queue, so that a client which does not
// read can never hold up a turn; when the queue is full the client is dropped.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>

#include "agent/session.h"
#include "base/limits.h"
#include "gateway/protocol.h"
#include "rt/frame.h"
#include "rt/queue.h"
#include "rt/thread.h"

namespace keel::gateway {

class Connection {
 public:
  // `draining` says whether new work is refused.
  Connection(agent::Session& session, rt::Fd socket, const std::atomic<bool>& draining);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The client has gone and nothing is being done for it.
  bool finished() const { return reader_ended_ && !working_; }
  bool working() const { return working_; }
  void stop_work();
  void hang_up();

 private:
  void read_loop();
  void write_loop();
  void handle(std::string_view frame);
  void start_work(Request request);
  void work(const Request& request, std::stop_token stop);
  void send(const Reply& reply);
  bool enqueue(std::string frame);
  void answer(Result<Json> result);

  agent::Session& session_;
  const std::atomic<bool>& draining_;
  rt::FrameSocket socket_;
  rt::Queue<std::string> out_{limits::gateway_client_frames};
  std::atomic<std::size_t> waiting_bytes_{0};  // in out_; only grows after a refusal
  std::atomic<bool> reader_ended_{false};
  std::atomic<bool> working_{false};
  std::atomic<bool> dropped_{false};  // it did not read; nothing is sent to it any more
  std::mutex stop_mutex_;
  std::stop_source stop_;
  rt::Thread worker_;
  rt::Thread writer_;
  rt::Thread reader_;
};

}  // namespace keel::gateway
