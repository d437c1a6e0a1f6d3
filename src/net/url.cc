#include "net/url.h"

#include <sys/socket.h>
#include <uriparser/Uri.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "base/limits.h"
#include "base/text.h"
#include "net/address.h"
#include "net/idn.h"

namespace keel::net {
namespace {

constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;
constexpr std::string_view kHint = "write the whole address, for example https://example.com/page";

struct ParsedUri {
  UriUriA uri{};
  ParsedUri() = default;
  ParsedUri(const ParsedUri&) = delete;
  ParsedUri& operator=(const ParsedUri&) = delete;
  ~ParsedUri() { uriFreeUriMembersA(&uri); }
};

std::string_view view(const UriTextRangeA& range) {
  if (range.first == nullptr) return {};
  return {range.first, static_cast<std::size_t>(range.afterLast - range.first)};
}

bool is_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// What people and pages write after the host is often not a URI by the letter (spaces, umlauts,
// brackets): it is escaped as browsers do, so that the strict parser and the server both take it.
std::string escape_tail(std::string_view tail) {
  static constexpr std::string_view kAllowed = "-._~!$&'()*+,;=:@/?";
  static constexpr char kHexDigits[] = "0123456789ABCDEF";
  std::string out;
  for (std::size_t i = 0; i < tail.size(); ++i) {
    const char c = tail[i];
    if (c == '#') break;  // the fragment never leaves the machine
    const bool escape =
        c == '%' && i + 2 < tail.size() && is_hex(tail[i + 1]) && is_hex(tail[i + 2]);
    if (is_alnum(c) || kAllowed.find(c) != kAllowed.npos || escape) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHexDigits[byte >> 4];
      out += kHexDigits[byte & 15];
    }
  }
  return out;
}

Status check_text(std::string_view text) {
  if (text.empty()) return fail(Code::invalid_argument, "the address is empty", std::string(kHint));
  if (text.size() > limits::url_bytes) {
    return fail(Code::limit, "the address has " + std::to_string(text.size()) +
                                 " bytes, more than " + std::to_string(limits::url_bytes));
  }
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      return fail(Code::invalid_argument, "the address contains a control character",
                  std::string(kHint));
    }
  }
  if (!is_valid_utf8(text)) return fail(Code::invalid_argument, "the address is not valid UTF-8");
  return {};
}

// The last label decides: a name never ends in a label that starts with a digit and is a number in
// C's notation, and only the plain dotted form is taken for an address (2130706433, 0x7f.1 and
// 127.1 are other ways to write 127.0.0.1).
bool ends_in_number(std::string_view host) {
  const std::size_t dot = host.rfind('.');
  const std::string_view last = dot == host.npos ? host : host.substr(dot + 1);
  if (last.empty()) return false;
  if (last.size() >= 2 && last[0] == '0' && (last[1] == 'x' || last[1] == 'X')) return true;
  for (const char c : last) {
    if (!is_digit(c)) return false;
  }
  return true;
}

Status check_name(std::string_view host) {
  const std::string shown = "the host '" + printable(host, 80) + "'";
  if (host.empty())
    return fail(Code::invalid_argument, "the address has no host", std::string(kHint));
  if (host.size() > limits::host_bytes) {
    return fail(Code::invalid_argument, "the address's host is longer than " +
                                            std::to_string(limits::host_bytes) + " bytes");
  }
  if (ends_in_number(host)) {
    return fail(Code::invalid_argument,
                shown + " is a number but not an address of the form a.b.c.d",
                "write the host's name");
  }
  for (const std::string_view label : split(host, '.')) {
    if (label.empty() || label.size() > limits::host_label_bytes || label.front() == '-' ||
        label.back() == '-') {
      return fail(Code::invalid_argument, shown + " is not a valid name", std::string(kHint));
    }
    for (const char c : label) {
      if (!is_alnum(c) && c != '-' && c != '_') {
        return fail(Code::invalid_argument, shown + " holds a character no host name has",
                    std::string(kHint));
      }
    }
  }
  return {};
}

Result<std::string> canonical_host(std::string_view raw, bool bracketed) {
  if (bracketed) {
    const auto address = parse_address(raw);
    if (!address || address->ss_family != AF_INET6) {
      return fail(Code::invalid_argument, "'[" + printable(raw, 80) + "]' is not an IPv6 address");
    }
    return address_text(reinterpret_cast<const sockaddr*>(&*address));
  }
  std::string host = TRY(host_to_ascii(raw));
  if (!host.empty() && host.back() == '.') host.pop_back();
  const auto address = parse_address(host);
  if (address && address->ss_family == AF_INET) {
    return address_text(reinterpret_cast<const sockaddr*>(&*address));
  }
  TRY(check_name(host));
  return host;
}

struct Authority {
  std::string_view host;
  bool bracketed = false;
  std::string_view port;
};

Result<Authority> split_authority(std::string_view text) {
  if (text.find('@') != text.npos) {
    return fail(Code::invalid_argument, "the address holds a user name or a password",
                "leave out everything up to the '@'");
  }
  if (text.find_first_of("\\%\"<>^`{|} ") != text.npos) {
    return fail(Code::invalid_argument,
                "the host '" + printable(text, 80) + "' holds a character no host name has",
                std::string(kHint));
  }
  Authority out;
  std::string_view rest;
  if (!text.empty() && text.front() == '[') {
    const std::size_t end = text.find(']');
    if (end == text.npos) {
      return fail(Code::invalid_argument, "the address has a '[' without its ']'",
                  std::string(kHint));
    }
    out.bracketed = true;
    out.host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') {
      return fail(Code::invalid_argument, "there is text between ']' and the port",
                  std::string(kHint));
    }
  } else {
    const std::size_t colon = text.find(':');
    out.host = text.substr(0, colon);
    rest = colon == text.npos ? std::string_view{} : text.substr(colon);
  }
  out.port = rest.empty() ? rest : rest.substr(1);
  return out;
}

Result<std::uint16_t> read_port(std::string_view text, bool secure) {
  if (text.empty()) return secure ? kHttpsPort : kHttpPort;
  unsigned port = 0;
  bool valid = text.size() <= 5;
  for (const char c : text) {
    valid = valid && is_digit(c);
    if (valid) port = port * 10 + static_cast<unsigned>(c - '0');
  }
  if (!valid || port == 0 || port > 65535) {
    return fail(Code::invalid_argument, "'" + printable(text, 20) + "' is not a port (1 to 65535)",
                std::string(kHint));
  }
  return static_cast<std::uint16_t>(port);
}

tl::unexpected<Error> not_an_address(std::string_view text) {
  return fail(Code::invalid_argument, "'" + printable(text, 120) + "' is not a web address",
              std::string(kHint));
}

// The path and query of `text`, a URI of ASCII characters only, through the strict parser.
Status fill_tail(const std::string& text, Url& url) {
  ParsedUri parsed;
  const char* error_at = nullptr;
  if (uriParseSingleUriExA(&parsed.uri, text.data(), text.data() + text.size(), &error_at) !=
      URI_SUCCESS) {
    return not_an_address(text);
  }
  if (uriNormalizeSyntaxExA(&parsed.uri, URI_NORMALIZE_PATH | URI_NORMALIZE_QUERY) != URI_SUCCESS) {
    return fail(Code::internal, "an address could not be normalised");
  }
  url.path.clear();
  for (const UriPathSegmentA* s = parsed.uri.pathHead; s != nullptr; s = s->next) {
    url.path += '/';
    url.path += view(s->text);
  }
  if (url.path.empty()) url.path = "/";
  url.query = parsed.uri.query.first == nullptr ? "" : "?" + std::string(view(parsed.uri.query));
  return {};
}

std::optional<std::string_view> scheme_of(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == text.npos || colon == 0 || is_digit(text.front())) return {};
  for (const char c : text.substr(0, colon)) {
    if (!is_alnum(c) && c != '+' && c != '-' && c != '.') return {};
  }
  return text.substr(0, colon);
}

// How far an address reaches that stands in prose or in Markdown.
std::string_view address_prefix(std::string_view text) {
  std::size_t end = 0;
  int open_brackets = 0;
  for (; end < text.size() && end <= limits::url_bytes; ++end) {
    const char c = text[end];
    if (static_cast<unsigned char>(c) <= ' ' || c == '<' || c == '>' || c == '"' || c == '`' ||
        c == '|')
      break;
    if (c == '(') ++open_brackets;
    if (c == ')' && --open_brackets < 0) break;
  }
  static constexpr std::string_view kFinal = ".,;:!?'*_]}";
  while (end > 0 && kFinal.find(text[end - 1]) != kFinal.npos) --end;
  return text.substr(0, end);
}

}  // namespace

std::string Url::host_text() const {
  return ipv6 ? "[" + host + "]" : host;
}

std::string Url::host_port() const {
  return host_text() + ":" + std::to_string(port);
}

std::string Url::origin() const {
  std::string out = (secure ? "https://" : "http://") + host_text();
  if (port != (secure ? kHttpsPort : kHttpPort)) out += ":" + std::to_string(port);
  return out;
}

std::string Url::text() const {
  return origin() + path + query;
}

Result<Url> parse_url(std::string_view text) {
  text = trim(text);
  TRY(check_text(text));
  const auto scheme = scheme_of(text);
  if (!scheme) return not_an_address(text);
  const std::string name = ascii_lower(*scheme);
  std::string_view rest = text.substr(scheme->size() + 1);
  if (name != "http" && name != "https") {
    // "example.com:8080/x" reads as a scheme as well; the hint covers both.
    return fail(Code::unsupported, "'" + printable(name, 40) + ":' addresses cannot be fetched",
                std::string(kHint));
  }
  if (!rest.starts_with("//")) return not_an_address(text);
  rest.remove_prefix(2);

  Url url;
  url.secure = name == "https";
  const std::size_t end = rest.find_first_of("/?#");
  const Authority authority = TRY(split_authority(rest.substr(0, end)));
  url.host = TRY(canonical_host(authority.host, authority.bracketed));
  url.ipv6 = authority.bracketed;
  url.port = TRY(read_port(authority.port, url.secure));
  const std::string tail = end == rest.npos ? "" : escape_tail(rest.substr(end));
  TRY(fill_tail(url.origin() + tail, url));
  if (url.text().size() > limits::url_bytes) {
    return fail(Code::limit, "the address has more than " + std::to_string(limits::url_bytes) +
                                 " bytes once its characters are escaped");
  }
  return url;
}

Result<Url> resolve_url(const Url& base, std::string_view reference) {
  reference = trim(reference);
  if (reference.empty()) return base;
  TRY(check_text(reference));
  if (scheme_of(reference)) return parse_url(reference);
  if (reference.starts_with("//")) {
    return parse_url((base.secure ? "https:" : "http:") + std::string(reference));
  }
  const std::string base_text = base.text();
  const std::string relative = escape_tail(reference);
  ParsedUri parsed_base;
  ParsedUri parsed_relative;
  ParsedUri joined;
  const char* error_at = nullptr;
  if (uriParseSingleUriExA(&parsed_base.uri, base_text.data(), base_text.data() + base_text.size(),
                           &error_at) != URI_SUCCESS ||
      uriParseSingleUriExA(&parsed_relative.uri, relative.data(), relative.data() + relative.size(),
                           &error_at) != URI_SUCCESS ||
      uriAddBaseUriExA(&joined.uri, &parsed_relative.uri, &parsed_base.uri, URI_RESOLVE_STRICTLY) !=
          URI_SUCCESS) {
    return not_an_address(reference);
  }
  int length = 0;
  if (uriToStringCharsRequiredA(&joined.uri, &length) != URI_SUCCESS) {
    return not_an_address(reference);
  }
  std::string out(static_cast<std::size_t>(length) + 1, '\0');
  if (uriToStringA(out.data(), &joined.uri, length + 1, nullptr) != URI_SUCCESS) {
    return not_an_address(reference);
  }
  out.resize(static_cast<std::size_t>(length));
  return parse_url(out);
}

std::vector<Url> urls_in(std::string_view text) {
  std::vector<Url> found;
  const std::string lower = ascii_lower(text);
  std::size_t at = 0;
  while (found.size() < limits::urls_in_text && (at = lower.find("http", at)) != lower.npos) {
    const std::string_view rest = std::string_view(lower).substr(at);
    if (!rest.starts_with("http://") && !rest.starts_with("https://")) {
      ++at;
      continue;
    }
    const std::string_view candidate = address_prefix(text.substr(at));
    at += candidate.size();
    const Result<Url> url = parse_url(candidate);
    if (!url) continue;
    const bool repeated = std::any_of(
        found.begin(), found.end(), [&](const Url& other) { return other.text() == url->text(); });
    if (!repeated) found.push_back(*url);
  }
  return found;
}

}  // namespace keel::net
