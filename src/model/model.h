// What every model is to the agent: a thing that continues a conversation, streaming.
// Implementations: the local engine (model/local), a file of scripted turns (tests and
// demonstrations without a model), later cloud clients.
//
// Threads: generate() blocks the calling thread; the sink is called on that thread or one of the
// model's, one call at a time. One generate() at a time for a local model; others wait, the more
// urgent for less (schedule.h). A stop request
// ends it within one token, or 100 ms while the prompt is read, with StopReason::cancelled and what
// was written so far.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "msg/conversation.h"
#include "msg/params.h"

namespace keel::model {

enum class ToolChoice { automatic, none, required };

// Who waits for the answer, the most urgent first: the owner, a program through an API, nobody yet
// (what the next answer begins with is read ahead), a job.
enum class Priority { owner, client, ahead, background };

struct Sampling {
  double temperature = 0.0;  // 0: greedy
  double top_p = 1.0;
  int top_k = 40;
  double min_p = 0.05;
  std::uint32_t seed = 0;
};

// In USD a million tokens.
struct Prices {
  double in = 0.0;
  double out = 0.0;
  double cache_read = 0.0;
  double cache_write = 0.0;
  // Prompts with more tokens than this cost so many times as much, all of it; 0: no such bound.
  std::int64_t long_tokens = 0;
  double long_factor = 1.0;
  bool free() const { return in == 0 && out == 0 && cache_read == 0 && cache_write == 0; }
};

// A program's own request, for models of other machines: they are sent what it sent, where they
// speak its dialect byte for byte, and not what a local model would make of it.
struct Outside {
  msg::Conversation conversation;
  std::vector<std::pair<std::string, std::string>> headers;  // of the dialect, to be passed on
  msg::Dialect dialect = msg::Dialect::none;
  // Takes the bytes of a streamed answer in this dialect, each time before the events that are in
  // them go to the sink. False: no more bytes are wanted, the events are. Empty: only events.
  std::function<bool(std::string_view bytes)> relay;
};

struct Request {
  std::string
      conversation;  // key of what may be reused from earlier requests (the engine's KV cache)
  std::vector<msg::Item> items;  // system first, append-only within a conversation
  std::vector<msg::Tool> tools;  // that may be called, in canonical order
  // Those in the prompt's beginning, the same all through a conversation; empty: `tools`. The items
  // tell of the difference.
  std::vector<msg::Tool> shown_tools;
  ToolChoice tool_choice = ToolChoice::automatic;
  std::string tool;  // with ToolChoice::required: the one tool to call; empty: any
  Priority priority = Priority::owner;
  // The last item's last block is keel's own note: whether a tool is needed is judged without it.
  bool ends_with_note = false;
  int max_tokens = 1024;
  std::vector<std::string> stops;  // the answer's text ends before the first of these
  Sampling sampling;
  std::shared_ptr<const Outside> outside;  // none: the agent's own request
  // For the ledger of what leaves the machine, if this does.
  std::string turn;
  std::vector<std::string> pages;  // ids of memory pages that are in `items`
};

enum class StopReason { end, tool_calls, max_tokens, stop_text, cancelled };
std::string_view stop_reason_name(StopReason reason);

struct Usage {
  std::int64_t prompt_tokens = 0;     // the whole prompt
  std::int64_t cached_tokens = 0;     // of those, found already evaluated
  std::int64_t evaluated_tokens = 0;  // before the answer began, also to judge whether to call
  std::int64_t completion_tokens = 0;
  double cost_usd = 0.0;
  Usage& operator+=(const Usage& other);
};

struct Timings {
  double ttft_ms = 0.0;  // from the request to the first token
  double total_ms = 0.0;
  double decode_tps = 0.0;  // tokens a second after the first; 0 if there were fewer than two
  std::int64_t drafted_tokens = 0;   // guessed and evaluated ahead
  std::int64_t accepted_tokens = 0;  // of those, what the model then chose
};

struct Response {
  msg::Item item;  // role assistant: text, thinking, tool calls in the order they were written
  StopReason stop = StopReason::end;
  std::string stopped_by;  // StopReason::stop_text: the one of Request::stops
  Usage usage;
  Timings timings;
};

struct Progress {
  // "waiting" (for others to be answered), "loading" (per mille), "reading" (tokens), "restarting"
  std::string phase;
  std::int64_t done = 0;
  std::int64_t total = 0;
};
struct TextDelta {
  std::string text;  // whole code points only
};
struct ThinkingDelta {
  std::string text;
};
struct ToolCallStarted {
  std::string name;  // as soon as the name is known
};
using StreamEvent = std::variant<Progress, TextDelta, ThinkingDelta, ToolCallStarted>;
using Sink = std::function<void(const StreamEvent&)>;

struct Info {
  std::string name;          // as in keel.toml
  std::string kind;          // "local", "script"
  std::string description;   // for people: file, size, what runs it
  std::int64_t context = 0;  // tokens; 0 if there is no bound
  bool elsewhere = false;    // another machine runs it: what it is asked leaves this one
  bool sees = false;         // images can be shown to it
  msg::Dialect dialect = msg::Dialect::none;  // in which it is asked, if it is elsewhere
  std::optional<Prices> prices = Prices{};    // nothing: it costs, nobody knows how much
};

// Whether it can begin at once.
struct Readiness {
  bool loaded = true;
  bool busy = false;  // it answers others, one at a time
};

class Model {
 public:
  virtual ~Model() = default;
  virtual Info info() const = 0;
  virtual Readiness readiness() const { return {}; }
  // A prompt that does not fit is Code::limit with "prompt is too long: N tokens > M maximum".
  virtual Result<Response> generate(const Request& request, const Sink& sink,
                                    std::stop_token stop) = 0;
  // Loads what it needs ahead of `request`, and reads what that will begin with (its items may end
  // anywhere), so that the answer can begin sooner. Harmless to call again.
  virtual Status prepare(const Request& request, const Sink& sink, std::stop_token stop) = 0;
  // How many tokens the request's prompt has: what usage would say of it. Code::unsupported where
  // only the service itself can tell.
  virtual Result<std::int64_t> count(const Request& request);
  // Gives back the memory it holds, at once or with the end of the answer it is writing; the next
  // use loads it again. For a model that another one has taken the place of.
  virtual void rest() {}
};

}  // namespace keel::model
