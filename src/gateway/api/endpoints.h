// The model calls of the surface: a request of some dialect in, the model's answer in the same
// dialect out, streamed or whole. docs/guide/api.md lists what is offered.
//
// Threads: answer() and count() run on the server's workers, many at once; one thread of their own
// sends signs of life to streams in which nothing happens.
#pragma once

#include <atomic>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "account/usage.h"
#include "gateway/api/answer_stream.h"
#include "gateway/api/flight.h"
#include "gateway/api/listing.h"
#include "gateway/api/request_map.h"
#include "gateway/door/quota.h"
#include "model/route/router.h"
#include "net/http/server.h"
#include "rt/thread.h"

namespace keel::api {

// An error in the dialect's words. `status` 0: the one that goes with the kind of error.
http::Response error_response(msg::Dialect dialect, const msg::ApiError& error, int status = 0);

class Endpoints {
 public:
  struct Options {
    bool any_model = false;           // unknown names mean the default model
    std::string secret;               // of signatures under thoughts
    account::Usage* usage = nullptr;  // where each answer is recorded; may be none
  };
  // `router`, `quotas` and `clock` must outlive this.
  Endpoints(model::Router& router, Quotas& quotas, const Clock& clock, Options options);
  ~Endpoints();

  void answer(msg::Dialect dialect, const http::Request& request, http::Responder& responder);
  // Anthropic's count_tokens.
  void count(const http::Request& request, http::Responder& responder);
  Counters counters() const;

 private:
  struct Place;
  struct Call;
  struct Made;
  Result<Call> prepare(msg::Dialect dialect, const http::Request& request) const;
  // In the form of the model that was chosen.
  void take(Call& call, model::Choice choice) const;
  Made stream(Call& call, http::Responder& responder);
  Made whole(Call& call, http::Responder& responder);
  Made generate(Call& call, const model::Sink& sink, std::stop_token stop);
  Result<model::Response> ask(Call& call, const model::Sink& sink, std::stop_token stop);
  void tally(const Call& call, const Made& made);
  // Nobody waits for this: the answer has gone out.
  void record(const Call& call, const Made& made);
  static void log_made(const Call& call, const Made& made);
  http::Response refused(msg::Dialect dialect, const std::string& key,
                         const Quotas::Refusal& refusal);
  // What stands in the head of every answer.
  http::Headers headers(const Call& call, std::string_view type);
  void ping_all(std::stop_token stop);

  model::Router& router_;
  Quotas& quotas_;
  const Clock& clock_;
  const Options options_;
  std::atomic<std::uint64_t> answers_{0};
  std::atomic<std::uint64_t> failures_{0};
  std::atomic<std::uint64_t> cancelled_{0};
  std::atomic<std::uint64_t> joined_{0};
  std::atomic<std::uint64_t> prompt_tokens_{0};
  std::atomic<std::uint64_t> cached_tokens_{0};
  std::atomic<std::uint64_t> completion_tokens_{0};
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::list<std::shared_ptr<LiveAnswer>> live_;
  Flights flights_;
  rt::Thread pinger_;
};

}  // namespace keel::api
