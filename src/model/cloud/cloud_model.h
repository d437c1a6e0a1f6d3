// A model that another machine runs, behind Anthropic's or OpenAI's API or a server that speaks one
// of them (llama-server, vLLM and many more): streamed, asked again when it is overloaded, with the
// cost of each answer.
//
// Threads: any number of calls at once; each blocks its caller. A stop request ends one at once,
// with what was written so far.
#pragma once

#include <functional>

#include "config/config.h"
#include "model/cloud/request.h"
#include "model/model.h"
#include "net/service.h"

namespace keel::model {

struct CloudOptions {
  std::string name;  // as in keel.toml
  msg::Dialect dialect = msg::Dialect::chat;
  std::string base_url;
  std::string model;  // the name that the server knows
  config::Secret api_key;
  std::int64_t context = 0;
  double temperature = 0.0;      // 0: the server's own
  std::optional<Prices> prices;  // nothing: unknown
};

class CloudModel : public Model {
 public:
  // Code::config if base_url is no address. `client` must outlive the model.
  static Result<std::unique_ptr<CloudModel>> create(CloudOptions options, net::Client& client);

  Info info() const override;
  // Asked again (limits::cloud_attempts in all) as long as nothing of an answer has come; what has
  // been shown is never shown twice. Errors: what the server said, with Code::limit for a prompt
  // that does not fit, Code::config for a key it does not know, Code::busy where waiting may help.
  Result<Response> generate(const Request& request, const Sink& sink,
                            std::stop_token stop) override;
  // Asks Anthropic's count_tokens, which takes the same prompt and costs nothing. The other API has
  // no such thing that every server of it knows: Code::unsupported.
  Result<std::int64_t> count(const Request& request) override;
  // Nothing to make ready.
  Status prepare(const Request&, const Sink&, std::stop_token) override { return {}; }

 private:
  struct Attempt;
  CloudModel(CloudOptions options, net::Endpoint endpoint, net::Client& client);
  msg::Written written(const Request& request) const;
  Status ask(const net::ServiceRequest& request, Attempt& attempt, std::stop_token stop);
  net::ServiceRequest service_request(const std::string& key, const Request& asked,
                                      std::string_view body) const;
  Result<Response> finish(Attempt& attempt, bool cancelled) const;

  CloudOptions options_;
  net::Endpoint endpoint_;
  net::Client& client_;
};

}  // namespace keel::model
