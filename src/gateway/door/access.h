// Who may ask at all, decided on the head of a request before any of its body is read and before
// any route is looked at: the name it came by, the page it came from, the token it shows.
//
// One thread at a time (the server's I/O thread).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"
#include "gateway/door/guesses.h"
#include "gateway/door/token.h"
#include "net/http/message.h"

namespace keel::api {

struct Denial {
  int status = 403;
  std::string why;
  int retry_after_s = 0;
};

// A token beside that of KEEL_HOME/token.
struct NamedToken {
  std::string name;
  std::string token;
};
// Those of [[gateway.key]], read once. Code::config for one that cannot be read, is not a token, or
// stands there twice.
Result<std::vector<NamedToken>> named_tokens(const std::vector<config::GatewayKey>& keys);

class Access {
 public:
  // `hosts`: what the host header may be, "name:port" in lower case.
  Access(std::vector<std::string> hosts, TokenFile token, const Clock& clock,
         std::vector<NamedToken> others = {})
      : hosts_(std::move(hosts)),
        token_(std::move(token)),
        others_(std::move(others)),
        guesses_(clock) {}

  // For every request. A page of another site may have a name that was made to point at this
  // machine (the host tells), or ask from the owner's browser (the origin tells). A token in the
  // address is refused whatever is asked for.
  std::optional<Denial> check_origin(const http::Request& head) const;
  // For all that is not open to everybody. `who` becomes the name of the token's key; empty: that
  // of KEEL_HOME/token.
  std::optional<Denial> check_token(const http::Request& head, std::string& who);

 private:
  std::vector<std::string> hosts_;
  TokenFile token_;
  std::vector<NamedToken> others_;
  Guesses guesses_;
};

// "127.0.0.1:7117" is served under this and the other names of loopback as well.
std::vector<std::string> host_names(const std::string& listen, int port,
                                    const std::vector<std::string>& more);
// Whether only this machine can reach what listens there.
bool is_loopback(const std::string& listen);

}  // namespace keel::api
