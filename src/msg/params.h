// What a client asks for beside the conversation itself, and both together. The three cloud
// dialects are read into this and written from it; the gateway maps it to a model::Request.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "msg/alias.h"
#include "msg/conversation.h"
#include "msg/loss.h"

namespace keel::msg {

struct ToolChoice {
  enum class Kind { unset, automatic, none, any, named };
  Kind kind = Kind::unset;  // unset means automatic where there are tools
  std::string name = {};    // of Kind::named
  CallKind call = CallKind::function;
};

// How much to think. A dialect that leaves it out means off.
struct ThinkingWish {
  enum class Mode { unset, off, adaptive, budget, effort };
  Mode mode = Mode::unset;
  std::int64_t budget = 0;   // tokens
  std::string effort = {};   // "none", "minimal", "low", "medium", "high", "xhigh", "max"
  std::string display = {};  // how thoughts are shown: "summarized", "omitted", "auto", "detailed"
  bool on() const;
  // One number for all forms: tokens to think, nothing if the model may decide, 0 for off.
  std::optional<std::int64_t> tokens() const;
};

struct AnswerFormat {
  enum class Kind { unset, text, json_object, json_schema };
  Kind kind = Kind::unset;
  std::string name = {};
  std::string schema = {};  // JSON as it came
  std::optional<bool> strict = {};
};

struct Params {
  std::string model;
  std::optional<std::int64_t> max_tokens = {};
  std::vector<std::string> stops = {};
  std::optional<double> temperature = {};
  std::optional<double> top_p = {};
  std::optional<std::int64_t> top_k = {};
  std::optional<std::int64_t> seed = {};
  ToolChoice tool_choice = {};
  std::optional<bool> parallel = {};
  ThinkingWish thinking = {};
  AnswerFormat format = {};
  std::string user = {};      // who the request is for, as the client names it
  std::string affinity = {};  // requests with the same key share a beginning
  bool stream = false;
  std::optional<bool> stream_usage = {};  // Chat: the usage as a last chunk
  Extras extras = {};
};

struct Conversation {
  std::vector<Item> items;  // system first
  std::vector<Tool> tools;
  Params params;
  Wire wire = {};  // the whole body
};

struct Parsed {
  Conversation conversation;
  Losses losses;
};

// What is known of the side that will read a request.
struct Target {
  std::string model = {};       // asked for in place of the conversation's
  bool pass_through = true;     // bytes of its own dialect go out as they came
  bool vision = true;           // it can see; otherwise images are described
  bool short_ids = false;       // tool ids of nine letters and digits (Mistral)
  bool plain_content = false;   // Chat: servers that take content as one string only
  bool old_max_tokens = false;  // Chat: servers that know max_tokens only
  // Chat: the member in which thoughts are replayed ("reasoning_content"); none: dropped
  std::string reasoning_key = {};
  bool inline_system = true;  // Anthropic: system notes in the middle may stay system notes
  std::int64_t default_max_tokens = 4096;  // Anthropic: where nobody said
};

// A request in the other side's dialect. `names` gives the tools of its answer their own names
// again.
struct Written {
  std::string body;
  Losses losses;
  ToolNames names;
};

std::uint64_t mark_of(const Conversation& conversation);
std::uint64_t mark_as_read(const Conversation& conversation);

}  // namespace keel::msg
