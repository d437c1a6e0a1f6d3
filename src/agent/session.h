// What a front end talks to: the agent in this process, or the daemon's agent over its socket
// (gateway/client.h). The terminal and the command line are written against this alone.
#pragma once

#include <stop_token>
#include <string>

#include "agent/event.h"
#include "base/json.h"
#include "base/result.h"

namespace keel::agent {

struct TurnRequest {
  std::string conversation = "main";
  std::string text;  // at most limits::message_bytes, valid UTF-8
  std::string channel = "terminal";
  std::string
      external_id;  // the channel's id of the message: the same one twice is one turn; may be empty
  std::string model;  // a name of keel.toml; empty: the router decides
};

class Session {
 public:
  virtual ~Session() = default;

  // One whole turn; the result is the object of `keel chat --json`. The message is durable before
  // the first event. A stop request ends the turn within a second; what was written so far is kept
  // and the result says "stopped".
  virtual Result<Json> run(const TurnRequest& request, const EventSink& sink,
                           std::stop_token stop) = 0;

  // The stored retrievals of a turn (empty: the newest turn), as docs/formats/memory.md gives them.
  virtual Result<Json> why(const std::string& turn) = 0;

  // {agent, model, models:[{name, kind, description, current}], daemon: bool}
  virtual Result<Json> status() = 0;

  // The model for the turns to come; Code::not_found names those there are.
  virtual Status use_model(const std::string& name) = 0;

  // Loads the model ahead of the next question in this conversation and lets it read what comes
  // before that, with progress.
  virtual Status prepare(const std::string& conversation, const EventSink& sink,
                         std::stop_token stop) = 0;
};

}  // namespace keel::agent
