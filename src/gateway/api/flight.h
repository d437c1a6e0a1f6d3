// Requests that are the same at the same time share one call of the model: a client that lost its
// patience and sent its request again does not make the machine do everything twice. Who joins gets
// everything from the beginning. The call is stopped when nobody waits for it any more.
//
// Threads: any.
#pragma once

#include <compare>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "model/model.h"

namespace keel::api {

class Flight;

class Flights {
 public:
  // What must be the same. The bytes of `body` stay where they are until answer() returns.
  struct Key {
    std::string asker;  // all that is not the body
    std::string_view body;
    auto operator<=>(const Key&) const = default;
  };

  Flights();
  ~Flights();
  // Makes the call; `told` is to be used in place of the caller's own sink.
  using Call =
      std::function<Result<model::Response>(const model::Sink& told, std::stop_token stop)>;
  // Calls, or joins who is calling with the same key (`joined`), unless there are
  // limits::joined_clients already. Code::cancelled if `stop` fires for one that joined;
  // Code::limit if it could not keep up with the answer. The one that calls returns when its call
  // has ended, even if its own client has left before.
  Result<model::Response> answer(const Key& key, const model::Sink& sink, std::stop_token stop,
                                 const Call& call, bool& joined);

 private:
  Result<model::Response> lead(const Key& key, const std::shared_ptr<Flight>& flight,
                               const model::Sink& sink, std::stop_token stop, const Call& call);

  std::mutex mutex_;
  std::map<Key, std::shared_ptr<Flight>> flights_;  // the key is that of who leads
};

}  // namespace keel::api
