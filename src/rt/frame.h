// Messages between keel's own processes over a stream socket: a 4-byte little-endian length, then
// that many bytes (UTF-8 JSON by convention). Used between agent and engine child and between `keel
// chat` and the daemon.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "rt/fd.h"

namespace keel::rt {

class FrameSocket {
 public:
  FrameSocket() = default;
  explicit FrameSocket(Fd fd) : fd_(std::move(fd)) {}

  // Sends one whole frame; safe from several threads. A peer that is gone is Code::unavailable,
  // never a signal. Over limits::frame_bytes is Code::limit.
  Status send(std::string_view payload);

  // Waits for one whole frame; one reader at a time. An end of stream at a frame border is
  // Code::unavailable, inside a frame Code::corrupt. With timeout_ms >= 0, nothing within that time
  // is std::nullopt (a frame that has begun is always read to its end).
  Result<std::optional<std::string>> receive(int timeout_ms = -1);

  int fd() const { return fd_.get(); }
  // Ends both directions; a receive() that waits in another thread returns.
  void shut_down();

 private:
  Fd fd_;
  std::mutex send_mutex_;
};

// A connected pair of stream sockets, close-on-exec.
Result<std::pair<Fd, Fd>> socket_pair();
// A stream socket in the file system, mode 0600; a stale file is replaced. The path's length is
// bounded by the system (107 bytes on Linux): too long is Code::limit.
Result<Fd> listen_unix(const std::string& path);
Result<Fd> connect_unix(const std::string& path);
// The user id of the process at the other end.
Result<unsigned> peer_uid(int fd);

}  // namespace keel::rt
