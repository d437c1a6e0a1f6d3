// The model calls of the surface: a request of some dialect in, the model's answer in the same
// dialect out, streamed or whole. docs/guide/api.md lists what is offered.
//
// Threads: answer() and count() run on the server's workers, many at once; one thread of their own
// sends signs of life to streams in which nothing happens.
#pragma once

#include <atomic>
#include <condition_variable>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "account/usage.h"
#include "gateway/api/answer_stream.h"
#include "gateway/api/flight.h"
#include "gateway/api/listing.h"
#include "gateway/api/request_map.h"
#include "model/route/router.h"
#include "net/http/server.h"
#include "rt/thread.h"

namespace keel::api {

// An error in the dialect's words. `status` 0: the one that goes with the kind of error.
http::Response error_response(msg::Dialect dialect, const msg::ApiError& error, int status = 0);

class Endpoints {
 public:
  struct Options {
    bool any_model = false;            // unknown names mean the default model
    std::string secret;                // of signatures under thoughts
    std::int64_t answers_at_once = 0;  // for one token; 0: no bound
    account::Usage* usage = nullptr;   // where each answer is recorded; may be none
  };
  Endpoints(model::Router& router, Options options);
  ~Endpoints();

  void answer(msg::Dialect dialect, const http::Request& request, http::Responder& responder);
  // Anthropic's count_tokens.
  void count(const http::Request& request, http::Responder& responder);
  Counters counters() const;

 private:
  struct Call;
  Result<Call> prepare(msg::Dialect dialect, const http::Request& request) const;
  // In the form of the model that was chosen.
  void take(Call& call, model::Choice choice) const;
  void stream(Call& call, http::Responder& responder);
  void whole(Call& call, http::Responder& responder);
  Result<model::Response> generate(Call& call, const model::Sink& sink, std::stop_token stop);
  Result<model::Response> ask(Call& call, const model::Sink& sink, std::stop_token stop);
  void record(const Call& call, const Result<model::Response>& response, double ms);
  // Whether one more answer may be made for the token that this request shows.
  bool enter(const std::string& key);
  void leave(const std::string& key);
  void ping_all(std::stop_token stop);

  model::Router& router_;
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
  std::map<std::string, std::int64_t> at_once_;  // by token: answers that are being made
  Flights flights_;
  rt::Thread pinger_;
};

}  // namespace keel::api
