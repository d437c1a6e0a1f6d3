// What keel asks of a server that has model files: what is this file, and give me these bytes of
// it. Speaks to a hub of the Hugging Face kind (BASE/OWNER/REPO/resolve/main/FILE, a redirect to a
// CDN, X-Linked-ETag with the sha256 and X-Linked-Size in the hub's own answer) and to any other
// HTTP server, with or without ranges.
//
// Every request goes to the named address and follows its redirect anew, because the addresses that
// a hub redirects to expire, and because its answer says each time which version it is about.
//
// Threads: any; calls block and end soon after the stop token fires.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/shelf/partial.h"
#include "model/shelf/source.h"
#include "net/client.h"

namespace keel::shelf {

struct Facts {
  Version version;
  std::string sha256;     // as the hub announces it; may be empty
  std::string validator;  // for If-Range; empty: the server gave none that is strong
  bool ranges = false;    // the server sends parts
  bool resumable() const { return ranges && !version.identity.empty(); }
};

// How a request ended.
struct End {
  enum class Kind {
    done,
    again,    // trouble on the way: the same request may work a little later
    changed,  // the file is another one now, or was never sent in parts: ask() again
    failed,   // asking again would not help
  };
  Kind kind = Kind::done;
  Error error;                        // of all but done
  std::chrono::milliseconds wait{0};  // that the server wants before the next request
};

class Hub {
 public:
  Hub(net::Client& client, const Source& source, std::string token)
      : client_(client), source_(source), token_(std::move(token)) {}

  // Reads the first bytes, so that a web page or a file of another kind is refused before anything
  // large is sent.
  End ask(Facts& facts, std::stop_token stop) const;

  // Sends the bytes of `span` to `sink` in order; what the sink returns ends the request. Nothing
  // reaches the sink that is not of the version in `facts` and of this span.
  using Sink = std::function<Status(std::uint64_t at, std::string_view bytes)>;
  End read(const Facts& facts, Span span, const Sink& sink, std::stop_token stop) const;

 private:
  net::DownloadRequest request(Span span, const std::string& validator) const;
  End end_of(const net::Download& answer) const;
  End end_of(Error error) const;

  net::Client& client_;
  const Source& source_;
  const std::string token_;
};

}  // namespace keel::shelf
