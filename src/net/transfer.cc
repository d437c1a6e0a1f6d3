#include "net/transfer.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <utility>

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "net/address.h"

namespace keel::net {
namespace {

constexpr int kPollMs = 100;  // a stop request wakes the poll at once; this is for deadlines

// Why keel itself ended a transfer; kept because curl only reports that a callback failed.
enum class Refusal {
  none,
  address,
  header_size,
  bomb,
  encoding,
  body_full,
  sink_ended,
  no_answer,
  answer_stopped,
};

using Steady = std::chrono::steady_clock;

// What the callbacks of one request see.
struct Request {
  CURL* easy = nullptr;
  const Url* url = nullptr;
  std::size_t body_limit = 0;
  const std::function<bool(const Answer&, std::string_view)>* sink = nullptr;
  const ServiceOptions* service = nullptr;
  bool allow_own_network = false;
  Refusal refusal = Refusal::none;
  std::string refused_address;
  std::string refused_reason;
  std::size_t header_bytes = 0;
  std::size_t sent_bytes = 0;  // head and body of the request
  int encodings = 0;
  Answer answer;
  // Of service() only.
  bool connected = false;
  bool head_whole = false;
  curl_off_t uploaded = 0;
  Steady::time_point last_sign;

  bool permits(const sockaddr* address) {
    const bool is_own = allow_own_network && is_own_network(address);
    const bool only_own = service != nullptr && service->only_own_network;
    if (is_own || (is_public(address) && !only_own)) return true;
    refusal = Refusal::address;
    refused_address = address_text(address);
    refused_reason = why_not_public(address);
    return false;
  }

  // Whether the server has been silent for too long. Until a connection stands, curl's own limit
  // holds.
  bool is_overdue() {
    if (service == nullptr || !connected) return false;
    const auto silence = Steady::now() - last_sign;
    if (silence <= (head_whole ? service->idle_time : service->first_byte_time)) return false;
    refusal = head_whole ? Refusal::answer_stopped : Refusal::no_answer;
    return true;
  }
};

void init_curl_once() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

curl_socket_t open_socket(void* user, curlsocktype purpose, curl_sockaddr* address) {
  auto& request = *static_cast<Request*>(user);
  if (purpose != CURLSOCKTYPE_IPCXN) return CURL_SOCKET_BAD;
  // One refused address refuses the host: the next attempt could only be another answer of the same
  // hostile name.
  if (request.refusal == Refusal::address || !request.permits(&address->addr)) {
    return CURL_SOCKET_BAD;
  }
  const int fd = socket(address->family, address->socktype, address->protocol);
  if (fd < 0) return CURL_SOCKET_BAD;
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  return fd;
}

int before_request(void* user, char* peer, char* /*local*/, int /*peer_port*/, int /*local_port*/) {
  auto& request = *static_cast<Request*>(user);
  const auto address = parse_address(peer);
  if (request.refusal == Refusal::address || !address ||
      !request.permits(reinterpret_cast<const sockaddr*>(&*address))) {
    return CURL_PREREQFUNC_ABORT;
  }
  request.connected = true;
  request.last_sign = Steady::now();
  if (request.service != nullptr) request.service->on_connected();
  return CURL_PREREQFUNC_OK;
}

// A large body on its way up is a sign of life too.
int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t uploaded) {
  auto& request = *static_cast<Request*>(user);
  if (std::exchange(request.uploaded, uploaded) != uploaded) request.last_sign = Steady::now();
  return 0;
}

// The blank line after the header lines of the last answer; 1xx answers come before it.
bool end_head(Request& request) {
  long status = 0;
  curl_easy_getinfo(request.easy, CURLINFO_RESPONSE_CODE, &status);
  if (status < 200) return true;
  request.head_whole = true;
  request.answer.status = static_cast<int>(status);
  if (request.service->on_head(request.answer)) return true;
  request.refusal = Refusal::sink_ended;
  request.answer.truncated = true;
  return false;
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
  auto& request = *static_cast<Request*>(user);
  const std::string_view line(data, size * count);
  request.last_sign = Steady::now();
  request.header_bytes += line.size();
  if (request.header_bytes > limits::fetch_header_bytes) {
    request.refusal = Refusal::header_size;
    return 0;
  }
  if (request.head_whole) return line.size();                     // a trailer
  if (line.starts_with("HTTP/")) request.answer.headers.clear();  // what came before was a 1xx
  if (request.service != nullptr && trim(line).empty()) return end_head(request) ? line.size() : 0;
  const std::size_t colon = line.find(':');
  if (colon == line.npos) return line.size();
  const std::string name = ascii_lower(trim(line.substr(0, colon)));
  const std::string_view value = trim(line.substr(colon + 1));
  request.answer.headers.emplace_back(name, value);
  if (name == "content-type") request.answer.content_type = to_valid_utf8(value);
  if (name == "location") request.answer.location = std::string(value);
  if (name == "content-encoding") {
    // Bombs nest encodings: a small body becomes a large one that becomes a huge one.
    request.encodings += static_cast<int>(split(value, ',').size());
    // service() asks for none.
    if (request.encodings > 1 || (request.service != nullptr && value != "identity")) {
      request.refusal = Refusal::encoding;
      return 0;
    }
  }
  return line.size();
}

bool goes_to_sink(Request& request) {
  if (!*request.sink) return false;
  long status = 0;
  curl_easy_getinfo(request.easy, CURLINFO_RESPONSE_CODE, &status);
  request.answer.status = static_cast<int>(status);
  return status >= 200 && status < 300;
}

int on_debug(CURL*, curl_infotype kind, char*, std::size_t size, void* user) {
  if (kind == CURLINFO_HEADER_OUT || kind == CURLINFO_DATA_OUT) {
    static_cast<Request*>(user)->sent_bytes += size;
  }
  return 0;
}

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& request = *static_cast<Request*>(user);
  const std::size_t bytes = size * count;
  request.last_sign = Steady::now();
  if (goes_to_sink(request)) {
    if ((*request.sink)(request.answer, {data, bytes})) return bytes;
    request.refusal = Refusal::sink_ended;
    request.answer.truncated = true;
    return 0;
  }
  curl_off_t received = 0;
  curl_easy_getinfo(request.easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
  request.answer.received_bytes = static_cast<std::size_t>(std::max<curl_off_t>(received, 0));
  std::string& body = request.answer.body;
  const std::size_t decoded = body.size() + bytes;
  if (decoded > limits::fetch_ratio_free_bytes &&
      decoded / std::max<std::size_t>(request.answer.received_bytes, 1) > limits::fetch_ratio) {
    request.refusal = Refusal::bomb;
    return 0;
  }
  const std::size_t room = request.body_limit - body.size();
  body.append(data, std::min(room, bytes));
  if (bytes > room) {
    request.refusal = Refusal::body_full;
    request.answer.truncated = true;
    return 0;
  }
  return bytes;
}

tl::unexpected<Error> refused(const Request& request) {
  const std::string host = request.url->host;
  switch (request.refusal) {
    case Refusal::no_answer:
      return fail(Code::timeout, host + " took the request and did not answer", "try later");
    case Refusal::answer_stopped:
      return fail(Code::timeout, host + " stopped in the middle of its answer", "try later");
    case Refusal::address:
      return fail(Code::permission,
                  host + " is at " + request.refused_address +
                      ", which is not a public address: " + request.refused_reason,
                  "only public pages are fetched; the owner can allow one host and port of this "
                  "machine or network in keel.toml ([net] allow_private)");
    case Refusal::header_size:
      return fail(Code::limit,
                  host + " sent more than " + std::to_string(limits::fetch_header_bytes) +
                      " bytes of headers",
                  "try another page");
    case Refusal::bomb:
      return fail(Code::limit,
                  host + " sent a body that unpacks to more than " +
                      std::to_string(limits::fetch_ratio) + " times its size",
                  "try another page");
    case Refusal::encoding:
      return fail(Code::limit, host + " sent a body that is packed more than once",
                  "try another page");
    case Refusal::none:
    case Refusal::body_full:
    case Refusal::sink_ended:
      break;
  }
  return fail(Code::internal, "a fetch was ended without a reason");
}

tl::unexpected<Error> curl_failed(CURLcode code, const Request& request, const char* detail) {
  const std::string host = request.url->host;
  const std::string why = detail[0] != '\0' ? detail : curl_easy_strerror(code);
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return fail(Code::network, "the name " + host + " has no address",
                  "check the spelling and the network connection");
    case CURLE_COULDNT_CONNECT:
      return fail(Code::network, host + " could not be reached: " + why,
                  "check the network connection, or try later");
    case CURLE_OPERATION_TIMEDOUT:
      return fail(Code::timeout, host + " was too slow: " + why, "try later, or another page");
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
      return fail(Code::network, "no safe connection to " + host + ": " + why,
                  "its certificate is not accepted here; try another page");
    default:
      return fail(Code::network, "fetching from " + host + " failed: " + why,
                  "try later, or another page");
  }
}

// At least 1: curl takes 0 for "as long as it likes".
long ms_until(std::chrono::steady_clock::time_point when) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      when - std::chrono::steady_clock::now());
  return static_cast<long>(std::max<std::int64_t>(left.count(), 1));
}

// With no string options left to fail but for lack of memory, the return values carry nothing.
void set_network_options(CURL* easy, const TransferOptions& options) {
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");  // no proxy from the environment
  curl_easy_setopt(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // a stop does not wait for a slow name server
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  // What goes to a sink is kept as it is on the server.
  if (!options.sink && options.service == nullptr)
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
  if (options.sink) curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, limits::download_buffer_bytes);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, options.user_agent.c_str());
  auto connect_ms =
      static_cast<long>(std::chrono::milliseconds(limits::fetch_connect_time).count());
  if (options.deadline != std::chrono::steady_clock::time_point::max()) {
    const long left_ms = ms_until(options.deadline);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, left_ms);
    connect_ms = std::min(left_ms, connect_ms);
  }
  if (options.service != nullptr) {
    connect_ms = std::min(connect_ms, static_cast<long>(options.service->connect_time.count()));
  }
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, std::max(connect_ms, 1L));
  if (options.service != nullptr) return;  // is_overdue() watches the rest
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, limits::fetch_stall_bytes);
  const auto stall_s = std::chrono::ceil<std::chrono::seconds>(options.stall_time).count();
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>(stall_s));
}

void set_callbacks(CURL* easy, Request& request, char* error_text) {
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &request);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, before_request);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, &request);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &request);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &request);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_text);
  // The only way to learn exactly what went out: curl's sums count some bodies twice.
  curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_debug);
  curl_easy_setopt(easy, CURLOPT_DEBUGDATA, &request);
  curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
}

void set_service_options(CURL* easy, const ServiceOptions& service, Request& request) {
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(easy, CURLOPT_XFERINFODATA, &request);
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, service.fresh_connection ? 1L : 0L);
  if (service.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (service.method != "GET") {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, service.method.c_str());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(service.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, service.body.empty() ? "" : service.body.data());
  }
}

}  // namespace

struct Transfer::State {
  CURLM* multi = nullptr;

  // Runs the one handle to its end. The multi interface is used because it can be woken from
  // another thread: a stop request ends the wait at once, whatever the server does.
  CURLcode perform(CURL* easy, Request& request, std::stop_token stop) {
    const std::stop_callback wake(stop, [this] { curl_multi_wakeup(multi); });
    if (curl_multi_add_handle(multi, easy) != CURLM_OK) return CURLE_FAILED_INIT;
    CURLcode code = CURLE_FAILED_INIT;
    for (bool done = false; !done;) {
      if (stop.stop_requested()) {
        code = CURLE_ABORTED_BY_CALLBACK;
        break;
      }
      if (request.is_overdue()) break;
      int running = 0;
      if (curl_multi_perform(multi, &running) != CURLM_OK) break;
      int queued = 0;
      while (const CURLMsg* message = curl_multi_info_read(multi, &queued)) {
        if (message->msg != CURLMSG_DONE) continue;
        code = message->data.result;
        done = true;
      }
      if (!done && running == 0) break;
      if (!done) curl_multi_poll(multi, nullptr, 0, kPollMs, nullptr);
    }
    curl_multi_remove_handle(multi, easy);
    return code;
  }
};

Transfer::Transfer() : state_(std::make_unique<State>()) {
  init_curl_once();
  state_->multi = curl_multi_init();
}

Transfer::~Transfer() {
  curl_multi_cleanup(state_->multi);
}

Result<Answer> Transfer::call(const Url& url, const TransferOptions& options,
                              bool allow_own_network, std::stop_token stop) {
  const std::unique_ptr<CURL, void (*)(CURL*)> easy(curl_easy_init(), curl_easy_cleanup);
  if (easy == nullptr || state_->multi == nullptr) {
    return fail(Code::internal, "the HTTP library could not be started");
  }
  Request request;
  request.easy = easy.get();
  request.url = &url;
  request.body_limit = options.body_bytes;
  request.sink = &options.sink;
  request.service = options.service;
  request.allow_own_network = allow_own_network;

  std::string error_text(CURL_ERROR_SIZE, '\0');
  const std::string address = url.text();
  const std::string accept = "Accept: " + options.accept;
  curl_slist* list = curl_slist_append(nullptr, accept.c_str());
  for (const std::string& line : options.headers) list = curl_slist_append(list, line.c_str());
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(list, curl_slist_free_all);
  set_network_options(easy.get(), options);
  set_callbacks(easy.get(), request, error_text.data());
  if (options.service != nullptr) set_service_options(easy.get(), *options.service, request);
  curl_easy_setopt(easy.get(), CURLOPT_URL, address.c_str());
  curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, headers.get());

  const CURLcode code = state_->perform(easy.get(), request, stop);
  long status = 0;
  curl_off_t received = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(easy.get(), CURLINFO_SIZE_DOWNLOAD_T, &received);
  request.answer.status = static_cast<int>(status);
  request.answer.received_bytes = static_cast<std::size_t>(std::max<curl_off_t>(received, 0));
  moved_ = {};
  moved_.status = request.answer.status;
  moved_.bytes_out = request.sent_bytes;
  moved_.bytes_in = request.answer.received_bytes;

  if (stop.stop_requested()) return fail(Code::cancelled, "the fetch was stopped");
  const bool enough =
      request.refusal == Refusal::body_full || request.refusal == Refusal::sink_ended;
  if (request.refusal != Refusal::none && !enough) return refused(request);
  // A body that ends before its announced length is a page cut short, not a page that is not there.
  const bool arrived = !request.answer.body.empty() || (options.sink && received > 0);
  if (code == CURLE_PARTIAL_FILE && arrived) request.answer.truncated = true;
  if (code != CURLE_OK && !request.answer.truncated) {
    return curl_failed(code, request, error_text.c_str());
  }
  return std::move(request.answer);
}

Result<Answer> Transfer::recorded_call(const Url& url, const TransferOptions& options,
                                       bool allow_own_network, std::stop_token stop,
                                       EgressLedger* ledger, const Why& why) {
  if (ledger == nullptr) return call(url, options, allow_own_network, std::move(stop));
  const std::int64_t entry = TRY(ledger->begin(url.host_port(), why));
  const auto begin = std::chrono::steady_clock::now();
  Result<Answer> answer = call(url, options, allow_own_network, std::move(stop));
  moved_.ms = ms_between(begin, std::chrono::steady_clock::now());
  if (!answer) moved_.error = answer.error().message;
  ledger->end(entry, moved_);
  return answer;
}

std::unique_ptr<Transfer> TransferPool::take() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::make_unique<Transfer>();
  std::unique_ptr<Transfer> taken = std::move(idle_.back());
  idle_.pop_back();
  return taken;
}

void TransferPool::give_back(std::unique_ptr<Transfer> transfer) {
  const std::lock_guard lock(mutex_);
  if (idle_.size() < limits::net_idle_transfers) idle_.push_back(std::move(transfer));
}

}  // namespace keel::net
