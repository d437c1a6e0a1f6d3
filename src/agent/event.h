// The one stream of events of a turn. The terminal, `keel chat --json`, the daemon's socket, logs
// and tests subscribe to it; nothing about a turn is shown that is not an event. Order:
// TurnStarted, Recalled, Routed, then any of Progress, Token, ToolStarted, ToolFinished, Notice
// (and Routed again, where another model goes on), and last Replied with the Finished record, or
// Failed.
#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "model/model.h"

namespace keel::agent {

struct TurnStarted {
  std::string conversation;
  std::string turn;
};
struct RecalledPage {
  std::string id;
  std::string title;
  double score = 0.0;
  Json terms;  // [{term, field, value}]
};
struct Recalled {
  std::string retrieval;
  std::vector<RecalledPage> pages;
};
struct Routed {
  std::string model;
  std::string rule;
  std::string reason;
};
struct Progress {
  std::string phase;  // waiting, loading, reading, writing, tool, restarting
  std::int64_t done = 0;
  std::int64_t total = 0;
};
struct Token {
  std::string text;
};
struct ToolStarted {
  std::string id;
  std::string name;
  std::string arguments;
};
struct ToolFinished {
  std::string id;
  std::string name;
  std::string arguments;
  bool ok = false;
  double ms = 0.0;
  std::string summary;  // the first line or so of the result
};
// Something the owner should know that is not the answer: the history was shortened, the engine was
// restarted.
struct Notice {
  std::string text;
};
struct Replied {
  Json result;  // the object that `keel chat --json` prints (docs/formats/chat-json.md)
};
struct Failed {
  Error error;
};

using Event = std::variant<TurnStarted, Recalled, Routed, Progress, Token, ToolStarted,
                           ToolFinished, Notice, Replied, Failed>;
using EventSink = std::function<void(const Event&)>;

// {"event": "token", ...}: what goes over the daemon's socket.
Json to_json(const Event& event);
Result<Event> event_from_json(const Json& value);
// {id, title, score, terms}: a page in the event, in the result object and in the journal's recall
// step.
Json to_json(const RecalledPage& page);
Result<RecalledPage> page_from_json(const Json& value);

}  // namespace keel::agent
