#include "rt/frame.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/limits.h"
#include "rt/file.h"

namespace keel::rt {
namespace {

#ifdef MSG_NOSIGNAL
constexpr int kNoSignal = MSG_NOSIGNAL;
#else
constexpr int kNoSignal = 0;  // macOS: SO_NOSIGPIPE is set on the socket instead
#endif

void quieten([[maybe_unused]] int fd) {
#ifdef SO_NOSIGPIPE
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
}

Error gone() {
  return Error{Code::unavailable, "the other end closed the connection", "", {}};
}

// Both parts with one call: the reader is woken once, and on a machine whose processors all compute
// each waking takes time from them.
Status send_all(int fd, std::string_view header, std::string_view payload) {
  while (!header.empty() || !payload.empty()) {
    std::array<iovec, 2> parts{iovec{const_cast<char*>(header.data()), header.size()},
                               iovec{const_cast<char*>(payload.data()), payload.size()}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t n = ::sendmsg(fd, &message, kNoSignal);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) return tl::unexpected(gone());
    if (n < 0) return tl::unexpected(errno_error(errno, "could not send"));
    const std::size_t of_header = std::min(static_cast<std::size_t>(n), header.size());
    header.remove_prefix(of_header);
    payload.remove_prefix(static_cast<std::size_t>(n) - of_header);
  }
  return {};
}

// Reads exactly `size` bytes; false if the stream ended before the first of them.
Result<bool> receive_all(int fd, char* data, std::size_t size) {
  std::size_t have = 0;
  while (have < size) {
    const ssize_t n = ::recv(fd, data + have, size - have, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno != ECONNRESET) {
      return tl::unexpected(errno_error(errno, "could not receive"));
    }
    if (n <= 0) {
      if (have == 0) return false;
      return fail(Code::corrupt, "the connection ended in the middle of a message");
    }
    have += static_cast<std::size_t>(n);
  }
  return true;
}

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(Code::limit,
                "the socket's path " + path + " has more than " +
                    std::to_string(sizeof address.sun_path - 1) + " bytes",
                "use a shorter KEEL_HOME");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

Result<Fd> unix_socket() {
#ifdef SOCK_CLOEXEC
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
#else
  Fd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
#endif
  if (!fd) return tl::unexpected(errno_error(errno, "could not make a socket"));
  quieten(fd.get());
  return fd;
}

}  // namespace

Status FrameSocket::send(std::string_view payload) {
  if (payload.size() > limits::frame_bytes) {
    return fail(Code::limit, "a message of " + std::to_string(payload.size()) +
                                 " bytes is over the bound of " +
                                 std::to_string(limits::frame_bytes));
  }
  std::array<char, 4> header{};
  for (std::size_t i = 0; i < 4; ++i) header[i] = static_cast<char>(payload.size() >> (8 * i));
  std::lock_guard lock(send_mutex_);
  return send_all(fd_.get(), {header.data(), header.size()}, payload);
}

Result<std::optional<std::string>> FrameSocket::receive(int timeout_ms) {
  if (timeout_ms >= 0) {
    pollfd waiting{fd_.get(), POLLIN, 0};
    const int ready = ::poll(&waiting, 1, timeout_ms);
    if (ready == 0 || (ready < 0 && errno == EINTR)) return std::optional<std::string>{};
    if (ready < 0) return tl::unexpected(errno_error(errno, "could not wait for a message"));
  }
  std::array<char, 4> header{};
  if (!TRY(receive_all(fd_.get(), header.data(), header.size()))) return tl::unexpected(gone());
  std::size_t size = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    size |= static_cast<std::size_t>(static_cast<unsigned char>(header[i])) << (8 * i);
  }
  if (size > limits::frame_bytes) {
    return fail(Code::corrupt, "a message claims " + std::to_string(size) + " bytes");
  }
  std::string payload(size, '\0');
  if (size > 0 && !TRY(receive_all(fd_.get(), payload.data(), size))) {
    return fail(Code::corrupt, "the connection ended in the middle of a message");
  }
  return std::optional<std::string>(std::move(payload));
}

void FrameSocket::shut_down() {
  if (fd_) ::shutdown(fd_.get(), SHUT_RDWR);
}

Result<std::pair<Fd, Fd>> socket_pair() {
  std::array<int, 2> ends{};
#ifdef SOCK_CLOEXEC
  const int type = SOCK_STREAM | SOCK_CLOEXEC;
#else
  const int type = SOCK_STREAM;
#endif
  if (::socketpair(AF_UNIX, type, 0, ends.data()) != 0) {
    return tl::unexpected(errno_error(errno, "could not make a socket pair"));
  }
  quieten(ends[0]);
  quieten(ends[1]);
  return std::pair(Fd(ends[0]), Fd(ends[1]));
}

Result<Fd> listen_unix(const std::string& path) {
  const sockaddr_un address = TRY(unix_address(path));
  Fd fd = TRY(unix_socket());
  ::unlink(path.c_str());
  // The mode is narrowed before anybody can connect: bind makes the file, listen opens the door.
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return tl::unexpected(errno_error(errno, "could not make the socket " + path));
  }
  if (::chmod(path.c_str(), 0600) != 0 || ::listen(fd.get(), 16) != 0) {
    return tl::unexpected(errno_error(errno, "could not listen on " + path));
  }
  return fd;
}

Result<Fd> connect_unix(const std::string& path) {
  const sockaddr_un address = TRY(unix_address(path));
  Fd fd = TRY(unix_socket());
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return tl::unexpected(errno_error(errno, "could not connect to " + path));
  }
  return fd;
}

Result<unsigned> peer_uid(int fd) {
#if defined(__APPLE__)
  uid_t user = 0;
  gid_t group = 0;
  if (::getpeereid(fd, &user, &group) != 0) {
    return tl::unexpected(errno_error(errno, "could not tell who connected"));
  }
  return user;
#else
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return tl::unexpected(errno_error(errno, "could not tell who connected"));
  }
  return credentials.uid;
#endif
}

}  // namespace keel::rt
