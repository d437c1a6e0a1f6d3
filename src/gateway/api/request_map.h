// What a client of some dialect asked, as the request that keel's own models take. Pure functions.
#pragma once

#include <set>
#include <string>

#include "model/model.h"
#include "msg/params.h"

namespace keel::api {

struct MapOptions {
  std::string model;    // the name of the one that will answer
  std::string session;  // what the client calls its session, if it does
  std::string secret;   // of signatures (sign_thinking)
  bool vision = false;  // images can stay
};

struct Mapped {
  model::Request request;
  msg::Losses losses;
  msg::ToolNames names;          // to give the tools of the answer their own names again
  std::set<std::string> custom;  // tools that take free text: here an object with "input"
};

// msg/dialect/local.h says what becomes of what keel's models cannot take.
Mapped map_request(msg::Conversation conversation, const MapOptions& options);

// How long the answer may be.
int answer_tokens(const msg::Params& params);

// The mark on thoughts of `model` that a client sends back: those that carry it are shown to that
// model again, others to none.
std::string sign_thinking(const std::string& secret, const std::string& model,
                          const std::string& text);

}  // namespace keel::api
