// The HTTP surface of the daemon: the model APIs of three dialects, the list of models, health and
// metrics, behind one door (access.h). docs/guide/api.md describes it for users.
//
// Threads: see net/http/server.h. The router must outlive the surface.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "account/usage.h"
#include "base/clock.h"
#include "base/result.h"
#include "model/route/router.h"

namespace keel::api {

struct SurfaceOptions {
  std::string listen;              // "127.0.0.1:7117"
  std::vector<std::string> hosts;  // further "name:port" that it is reached by
  std::string token_path;          // made if there is none
  bool plain_http = false;         // beyond this machine although nothing is encrypted
  bool any_model = false;          // unknown model names mean the default model
  config::KeyLimits limits;        // of the token in token_path
  std::vector<config::GatewayKey> keys;
  account::Usage* usage = nullptr;  // where answers are recorded; must outlive the surface
  std::function<std::string()> more_metrics;  // of the rest of the program; may be empty
};

class Surface {
 public:
  // Listens at once. Code::busy if the port is taken; Code::config for what the owner must change.
  static Result<std::unique_ptr<Surface>> start(model::Router& router, const Clock& clock,
                                                SurfaceOptions options);
  ~Surface();

  int port() const;
  // As http::Server::drain.
  bool drain(std::chrono::milliseconds grace, std::chrono::milliseconds total);

 private:
  struct State;
  explicit Surface(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace keel::api
