#include "net/client.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/clock.h"
#include "base/text.h"
#include "log/log.h"
#include "net/address.h"
#include "net/service.h"
#include "net/transfer.h"
#include "net/url.h"

namespace keel::net {
namespace {

constexpr std::array<std::uint16_t, 4> kPorts = {80, 443, 8080, 8443};

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

}  // namespace

std::string header(const Headers& headers, std::string_view name) {
  const auto found = std::find_if(headers.rbegin(), headers.rend(),
                                  [&](const auto& line) { return line.first == name; });
  return found == headers.rend() ? std::string() : found->second;
}

struct Client::State {
  ClientOptions options;
  TransferPool downloads;
  TransferPool services;

  // Literally the pair that was configured: no wildcard, no name that merely resolves to the same
  // address.
  bool is_allowed_private(const Url& url) const {
    const std::string pair = url.host_port();
    return std::any_of(
        options.allowed_private.begin(), options.allowed_private.end(),
        [&](const std::string& allowed) { return equals_ignoring_case(allowed, pair); });
  }

  Status check(const Url& url) const {
    if (is_allowed_private(url)) return {};
    if (std::find(kPorts.begin(), kPorts.end(), url.port) == kPorts.end()) {
      return fail(Code::permission,
                  "port " + std::to_string(url.port) + " is not one of the web's ports",
                  "only ports 80, 443, 8080 and 8443 are fetched from");
    }
    const auto address = parse_address(url.host);
    const auto* numeric = address ? reinterpret_cast<const sockaddr*>(&*address) : nullptr;
    if (numeric != nullptr && !is_public(numeric)) {
      return fail(Code::permission,
                  url.host + " is not a public address: " + std::string(why_not_public(numeric)),
                  "only public pages are fetched; the owner can allow one host and port of this "
                  "machine or network in keel.toml ([net] allow_private)");
    }
    return {};
  }

  Result<Url> next_hop(const Url& from, const Answer& answer, std::set<std::string>& seen) const {
    Result<Url> next = resolve_url(from, to_valid_utf8(answer.location));
    if (!next) {
      return fail(
          next.error().code,
          from.host + " sends on to an address that cannot be fetched: " + next.error().message,
          "try another page");
    }
    if (from.secure && !next->secure) {
      return fail(Code::permission,
                  from.host + " sends on from https to plain http at " + next->host,
                  "that is refused because anybody on the way could read and change it");
    }
    if (!seen.insert(next->text()).second) {
      return fail(Code::network, from.host + " sends on in a circle", "try another page");
    }
    return next;
  }
};

Client::Client(ClientOptions options) : state_(std::make_unique<State>()) {
  state_->options = std::move(options);
}

Client::~Client() = default;

Result<Response> Client::fetch(const FetchRequest& request, std::stop_token stop) {
  const auto begin = std::chrono::steady_clock::now();
  TransferOptions options;
  options.user_agent = state_->options.user_agent;
  options.accept = request.accept;
  options.deadline = begin + state_->options.fetch_time;
  options.stall_time = state_->options.stall_time;
  options.body_bytes = limits::fetch_body_bytes;

  Url url = TRY(parse_url(request.url));
  std::set<std::string> seen = {url.text()};
  Transfer transfer;
  for (int hop = 0; hop <= limits::fetch_redirects; ++hop) {
    TRY(state_->check(url));
    if (stop.stop_requested()) return fail(Code::cancelled, "the fetch was stopped");
    Result<Answer> answer = transfer.recorded_call(url, options, state_->is_allowed_private(url),
                                                   stop, state_->options.ledger, request.why);
    const auto ms = static_cast<long>(ms_between(begin, std::chrono::steady_clock::now()));
    if (!answer) {
      log::info("net", "egress host={} failed={} ms={}", url.host_port(),
                code_name(answer.error().code), ms);
      return pass(std::move(answer).error());
    }
    log::info("net", "egress host={} status={} bytes={} ms={} hop={}", url.host_port(),
              answer->status, answer->received_bytes, ms, hop);
    if (!is_redirect(answer->status) || answer->location.empty()) {
      return Response{answer->status,          url.text(),        std::move(answer->content_type),
                      std::move(answer->body), answer->truncated, hop};
    }
    url = TRY(state_->next_hop(url, *answer, seen));
  }
  return fail(
      Code::network,
      url.host + " sends on more than " + std::to_string(limits::fetch_redirects) + " times",
      "try another page");
}

Result<Download> Client::download(const DownloadRequest& request, const DownloadSink& sink,
                                  std::stop_token stop) {
  const auto begin = std::chrono::steady_clock::now();
  Url url = TRY(parse_url(request.url));
  const std::string named = url.host_port();
  std::set<std::string> seen = {url.text()};
  Download download;
  auto take_head = [&](const Answer& answer) {
    download.status = answer.status;
    download.url = url.text();
    download.named = url.host_port() == named;
    download.headers = answer.headers;
  };
  TransferOptions options;
  options.user_agent = state_->options.user_agent;
  options.accept = "*/*";
  options.deadline = std::chrono::steady_clock::time_point::max();
  options.stall_time = state_->options.stall_time;
  options.body_bytes = limits::download_error_bytes;
  bool first = true;
  options.sink = [&](const Answer& answer, std::string_view bytes) {
    if (std::exchange(first, false)) take_head(answer);
    return sink(download, bytes);
  };
  std::unique_ptr<Transfer> transfer = state_->downloads.take();
  for (int hop = 0; hop <= limits::fetch_redirects; ++hop) {
    const bool is_named = url.host_port() == named;
    if (!is_named) TRY(state_->check(url));
    options.headers = request.headers;
    if (is_named && !request.bearer.empty()) {
      options.headers.push_back("Authorization: Bearer " + request.bearer);
    }
    if (stop.stop_requested()) return fail(Code::cancelled, "the download was stopped");
    Result<Answer> answer =
        transfer->recorded_call(url, options, is_named || state_->is_allowed_private(url), stop,
                                state_->options.ledger, request.why);
    const auto ms = static_cast<long>(ms_between(begin, std::chrono::steady_clock::now()));
    log::info("net", "egress host={} status={} bytes={} ms={} hop={}", url.host_port(),
              answer ? answer->status : 0, answer ? answer->received_bytes : 0, ms, hop);
    if (!answer) return pass(std::move(answer).error());
    if (!is_redirect(answer->status) || answer->location.empty()) {
      take_head(*answer);
      download.body = std::move(answer->body);
      download.cut = answer->truncated;
      state_->downloads.give_back(std::move(transfer));
      return download;
    }
    if (is_named) {
      download.before.insert(download.before.end(), answer->headers.begin(), answer->headers.end());
    }
    url = TRY(state_->next_hop(url, *answer, seen));
  }
  return fail(Code::network, url.host + " sends on again and again",
              "try later, or another address");
}

Result<ServiceAnswer> Client::service(const ServiceRequest& request, const ServiceSink& sink,
                                      std::stop_token stop) {
  return run_service(request, sink, state_->options, state_->services, stop);
}

}  // namespace keel::net
