#include "gateway/door/access.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>

#include "base/hash.h"
#include "base/limits.h"
#include "base/text.h"
#include "net/address.h"

namespace keel::api {
namespace {

constexpr std::array<std::string_view, 6> kQueryTokens = {"token",   "access_token", "api_key",
                                                          "api-key", "x-api-key",    "key"};

// "[::1]:80" without brackets and port.
std::string host_part(const std::string& pair) {
  const std::size_t colon = pair.rfind(':');
  std::string host = pair.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return host;
}

bool contains(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

std::vector<std::string> shown_tokens(const http::Headers& headers) {
  std::vector<std::string> tokens;
  for (const auto& [name, value] : headers) {
    if (name == "x-api-key") tokens.emplace_back(trim(value));
    if (name != "authorization") continue;
    const std::size_t blank = value.find(' ');
    if (equals_ignoring_case(value.substr(0, blank), "bearer") && blank != value.npos) {
      tokens.emplace_back(trim(std::string_view(value).substr(blank)));
    }
  }
  std::erase_if(tokens, [](const std::string& token) { return token.empty(); });
  return tokens;
}

}  // namespace

bool is_loopback(const std::string& listen) {
  const std::string host = host_part(listen);
  if (host == "localhost") return true;
  const auto address = net::parse_address(host);
  if (!address) return false;
  if (address->ss_family == AF_INET6) {
    return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6&>(*address).sin6_addr);
  }
  const auto number = ntohl(reinterpret_cast<const sockaddr_in&>(*address).sin_addr.s_addr);
  return number >> 24 == IN_LOOPBACKNET;
}

std::vector<std::string> host_names(const std::string& listen, int port,
                                    const std::vector<std::string>& more) {
  const std::string number = std::to_string(port);
  std::vector<std::string> names = {listen.substr(0, listen.rfind(':')) + ":" + number,
                                    "127.0.0.1:" + number, "localhost:" + number,
                                    "[::1]:" + number};
  names.insert(names.end(), more.begin(), more.end());
  for (std::string& name : names) name = ascii_lower(name);
  return names;
}

std::optional<Denial> Access::check_origin(const http::Request& head) const {
  const std::string host = ascii_lower(http::header(head.headers, "host"));
  if (!contains(hosts_, host)) {
    return Denial{403, "this server does not answer to the name '" + printable(host, 80) +
                           "'; the owner can allow it in keel.toml ([gateway] hosts)"};
  }
  for (const auto& [name, value] : head.headers) {
    if (name != "origin") continue;
    const std::string origin = ascii_lower(value);
    const std::size_t slashes = origin.find("://");
    const bool ours =
        slashes != origin.npos && contains(hosts_, std::string_view(origin).substr(slashes + 3));
    if (!ours) return Denial{403, "pages of other sites may not ask this server"};
  }
  for (const std::string_view part : split(head.query, '&')) {
    const std::string key = ascii_lower(part.substr(0, part.find('=')));
    if (std::find(kQueryTokens.begin(), kQueryTokens.end(), key) != kQueryTokens.end()) {
      return Denial{400,
                    "a token in the address ends up in logs and histories: send it in the header "
                    "authorization: Bearer, or x-api-key"};
    }
  }
  return std::nullopt;
}

Result<std::vector<NamedToken>> named_tokens(const std::vector<config::GatewayKey>& keys) {
  std::vector<NamedToken> tokens;
  for (const config::GatewayKey& key : keys) {
    Result<std::string> token = key.token.resolve();
    if (!token) {
      Error error = std::move(token).error();
      error.message = "the token of [[gateway.key]] " + key.name + ": " + error.message;
      return pass(std::move(error));
    }
    if (!is_token(*token)) {
      return fail(Code::config,
                  "the token of [[gateway.key]] " + key.name + " is not " + token_form(),
                  "Make one: openssl rand -hex 32");
    }
    for (const NamedToken& other : tokens) {
      if (!same_secret(other.token, *token)) continue;
      return fail(Code::config,
                  "[[gateway.key]] " + other.name + " and " + key.name + " have the same token",
                  "Make one for each: openssl rand -hex 32");
    }
    tokens.push_back({key.name, std::move(*token)});
  }
  return tokens;
}

std::optional<Denial> Access::check_token(const http::Request& head, std::string& who) {
  const std::vector<std::string> shown = shown_tokens(head.headers);
  if (shown.empty()) {
    return Denial{401,
                  "no token was sent: put the one of KEEL_HOME/token in the header "
                  "authorization: Bearer, or x-api-key"};
  }
  if (const int wait = guesses_.wait_s(head.peer); wait > 0) {
    return Denial{429, "too many wrong tokens came from this address", wait};
  }
  const std::string& token = token_.current();
  bool right = false;
  for (const std::string& one : shown) right = same_secret(one, token) || right;
  who.clear();
  if (right && !token.empty()) return std::nullopt;
  for (const NamedToken& other : others_) {
    for (const std::string& one : shown) {
      if (same_secret(one, other.token)) who = other.name;
    }
  }
  if (!who.empty()) return std::nullopt;
  for (const std::string& one : shown) guesses_.wrong(head.peer, one);
  return Denial{401, "this is not the token of KEEL_HOME/token"};
}

}  // namespace keel::api
