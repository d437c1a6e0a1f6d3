#include "model/shelf/hub.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/limits.h"
#include "base/text.h"
#include "net/url.h"

namespace keel::shelf {
namespace {

constexpr std::string_view kMagic = "GGUF";

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "bytes 0-99/1000".
struct ContentRange {
  Span span;
  std::optional<std::uint64_t> total;  // the server may write *
};
std::optional<ContentRange> content_range(std::string_view text) {
  if (!ascii_lower(text).starts_with("bytes ")) return std::nullopt;
  text = trim(text.substr(6));
  const std::size_t dash = text.find('-');
  const std::size_t slash = text.find('/');
  if (dash == text.npos || slash == text.npos || slash < dash) return std::nullopt;
  const auto first = number(text.substr(0, dash));
  const auto last = number(text.substr(dash + 1, slash - dash - 1));
  if (!first || !last || *last < *first || *last >= limits::shelf_file_bytes) return std::nullopt;
  return ContentRange{{*first, *last + 1}, number(text.substr(slash + 1))};
}

std::string unquoted(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  return std::string(text);
}

// A hub's tag of a large file is its sha256; of a small one it is something else.
std::string linked_sha256(const net::Download& answer) {
  for (const net::Headers* headers : {&answer.headers, &answer.before}) {
    if (headers == &answer.headers && !answer.named) continue;
    const std::string tag = ascii_lower(unquoted(net::header(*headers, "x-linked-etag")));
    const bool hex = std::all_of(tag.begin(), tag.end(), [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    });
    if (tag.size() == 64 && hex) return tag;
  }
  return {};
}

std::optional<std::uint64_t> linked_bytes(const net::Download& answer) {
  if (answer.named) {
    if (const auto own = number(net::header(answer.headers, "x-linked-size"))) return own;
  }
  return number(net::header(answer.before, "x-linked-size"));
}

// A tag that stands for these very bytes, or empty.
std::string strong_tag(const net::Download& answer) {
  const std::string tag = net::header(answer.headers, "etag");
  return tag.size() >= 2 && tag.front() == '"' && tag.back() == '"' ? tag : std::string();
}

// Tags and dates mean something at one address only; a hash does everywhere, so that another mirror
// may go on with what this one began.
std::string identity_of(const net::Download& answer, const std::string& sha256,
                        const std::string& url) {
  if (!sha256.empty()) return "sha256:" + sha256;
  if (const std::string tag = strong_tag(answer); !tag.empty()) return "etag:" + tag + " " + url;
  const std::string date = net::header(answer.headers, "last-modified");
  return date.empty() ? std::string() : "date:" + date + " " + url;
}

// Whether an answer with status 200 or 206 brings what was asked for. Nothing: yes.
std::optional<Error> mismatch(const net::Download& answer, const Facts& facts, Span span) {
  auto other = [](std::string words) {
    return Error{Code::network, std::move(words), "Run the same command again.", {}};
  };
  const std::string sha256 = linked_sha256(answer);
  if (!sha256.empty() && !facts.sha256.empty() && sha256 != facts.sha256) {
    return other("the hub has another version of the file now");
  }
  if (answer.status == 200) {
    const auto length = number(net::header(answer.headers, "content-length"));
    const bool whole = span.begin == 0 && span.end == facts.version.bytes;
    if (!whole) return other("the server sent the whole file instead of a part");
    if (length && *length != facts.version.bytes) return other("the file has another size now");
  } else {
    const auto range = content_range(net::header(answer.headers, "content-range"));
    if (!range || !(range->span == span)) return other("the server sent another part");
    if (range->total && *range->total != facts.version.bytes) {
      return other("the file has another size now");
    }
  }
  const std::string tag = strong_tag(answer);
  const bool tagged = !tag.empty() && facts.validator.starts_with('"');
  if (tagged && tag != facts.validator) return other("the server has another version now");
  return std::nullopt;
}

std::string size_words(const net::Download& answer, std::uint64_t linked, std::uint64_t sent) {
  return fmt::format("the hub says that the file has {} bytes, and {} sends one of {}", linked,
                     net::parse_url(answer.url) ? net::parse_url(answer.url)->host : answer.url,
                     sent);
}

}  // namespace

net::DownloadRequest Hub::request(Span span, const std::string& validator) const {
  net::DownloadRequest request;
  request.url = source_.url;
  request.why.subject = source_.name;
  if (source_.on_hub) request.bearer = token_;
  request.headers.push_back("Accept-Encoding: identity");
  request.headers.push_back(fmt::format("Range: bytes={}-{}", span.begin, span.end - 1));
  if (!validator.empty()) request.headers.push_back("If-Range: " + validator);
  return request;
}

End Hub::end_of(Error error) const {
  const bool again = error.code == Code::network || error.code == Code::timeout;
  return {again ? End::Kind::again : End::Kind::failed, std::move(error), {}};
}

End Hub::end_of(const net::Download& answer) const {
  const Result<net::Url> url = net::parse_url(answer.url);
  const std::string host = url ? url->host : answer.url;
  const int status = answer.status;
  const std::string said = fmt::format("{} answered with status {}", host, status);
  if (status == 416) {
    return {End::Kind::changed, {Code::network, said + ": the file is shorter now", {}, {}}, {}};
  }
  if (status == 408 || status == 425 || status == 429 || status >= 500 ||
      (!answer.named && status >= 400)) {
    // Behind a redirect even 403 and 404 pass: the address that the hub gave has expired.
    End end{End::Kind::again, {Code::network, said, "Try again later.", {}}, {}};
    if (const auto seconds = number(net::header(answer.headers, "retry-after"))) {
      end.wait = std::min<std::chrono::milliseconds>(
          std::chrono::seconds(std::min<std::uint64_t>(*seconds, 3600)), limits::shelf_server_wait);
    }
    return end;
  }
  if (status == 401 || status == 403) {
    std::string hint =
        source_.on_hub
            ? fmt::format(
                  "Check the spelling. A closed model needs its terms accepted at {} and a "
                  "token in keel.toml: [hub] token = \"file:secrets/hub\"",
                  source_.page)
            : std::string("Check the address; keel sends no password there.");
    if (source_.on_hub && !token_.empty()) {
      hint = fmt::format(
          "Check the spelling, that the terms at {} are accepted, and that the "
          "[hub] token is still good.",
          source_.page);
    }
    return {End::Kind::failed,
            {Code::permission,
             said + ": there is no such file, or it is not for everybody",
             std::move(hint),
             {}},
            {}};
  }
  if (status == 404 || status == 410) {
    return {End::Kind::failed,
            {Code::not_found,
             said + ": there is no such file",
             source_.page.empty() ? "Check the address." : "See what there is at " + source_.page,
             {}},
            {}};
  }
  return {End::Kind::failed,
          {Code::network, said + ", which is of no use here", "Check the address.", {}},
          {}};
}

End Hub::ask(Facts& facts, std::stop_token stop) const {
  std::string first;
  const auto answer = client_.download(
      request({0, kMagic.size()}, {}),
      [&](const net::Download&, std::string_view bytes) {
        first.append(bytes.substr(0, kMagic.size() - std::min(first.size(), kMagic.size())));
        return first.size() < kMagic.size();
      },
      stop);
  if (!answer) return end_of(answer.error());
  if (answer->status != 200 && answer->status != 206) return end_of(*answer);
  auto failed = [](Code code, std::string what, std::string hint) {
    return End{End::Kind::failed, {code, std::move(what), std::move(hint), {}}, {}};
  };
  if (first != kMagic) {
    return failed(Code::invalid_argument,
                  fmt::format("{} is not a model file: it begins with \"{}\", not with \"{}\"",
                              source_.url, printable(first), kMagic),
                  "Give the address of the file itself, not of a page about it.");
  }
  const std::string encoding = ascii_lower(net::header(answer->headers, "content-encoding"));
  if (!encoding.empty() && encoding != "identity") {
    return failed(Code::unsupported, "the server packs the file (" + printable(encoding) + ")",
                  "Take it from another address.");
  }
  facts = {};
  facts.sha256 = linked_sha256(*answer);
  facts.validator = strong_tag(*answer);
  if (facts.validator.empty()) facts.validator = net::header(answer->headers, "last-modified");
  facts.version.identity = identity_of(*answer, facts.sha256, source_.url);
  const auto linked = linked_bytes(*answer);
  std::optional<std::uint64_t> bytes;
  if (answer->status == 206) {
    const auto range = content_range(net::header(answer->headers, "content-range"));
    facts.ranges = range && range->span == Span{0, kMagic.size()};
    if (range) bytes = range->total;
  } else {
    bytes = number(net::header(answer->headers, "content-length"));
  }
  if (linked && bytes && *linked != *bytes) {
    return failed(Code::corrupt, size_words(*answer, *linked, *bytes),
                  "Try later, or another address.");
  }
  if (!bytes) bytes = linked;
  if (!bytes) {
    return failed(Code::unsupported, "the server does not say how large the file is",
                  "Fetch it with another program and put it into KEEL_HOME/models.");
  }
  if (*bytes > limits::shelf_file_bytes) {
    return failed(Code::limit, fmt::format("the file has {} bytes", *bytes),
                  fmt::format("keel takes up to {}.", limits::shelf_file_bytes));
  }
  facts.version.bytes = *bytes;
  return {};
}

End Hub::read(const Facts& facts, Span span, const Sink& sink, std::stop_token stop) const {
  std::uint64_t at = span.begin;
  Status stored;
  std::optional<Error> wrong;
  bool checked = false;
  const auto answer = client_.download(
      request(span, facts.validator),
      [&](const net::Download& head, std::string_view bytes) {
        if (!std::exchange(checked, true)) wrong = mismatch(head, facts, span);
        if (wrong) return false;
        if (bytes.size() > span.end - at) {
          wrong = Error{Code::network, "the server sent more than was asked for", {}, {}};
          return false;
        }
        stored = sink(at, bytes);
        at += bytes.size();
        return stored.has_value();
      },
      stop);
  if (!stored) return {End::Kind::failed, stored.error(), {}};
  if (wrong) return {End::Kind::changed, *wrong, {}};
  if (!answer) return end_of(answer.error());
  if (answer->status != 200 && answer->status != 206) return end_of(*answer);
  if (at < span.end) {
    return {End::Kind::again,
            {Code::network, "the connection ended in the middle of the file", {}, {}},
            {}};
  }
  return {};
}

}  // namespace keel::shelf
