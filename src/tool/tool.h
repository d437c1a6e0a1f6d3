// A tool is a name, a description and a schema for the model, and a handler. Adding one is a file
// pair in this folder and one line in app/tools.cc (docs/guide/adding-a-tool.md).
//
// Threads: run() is called on the turn's thread, one call at a time for a turn; several turns may
// run the same tool at once, so a Tool object holds no mutable state of its own. run() must return
// soon after the stop token fires.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "msg/conversation.h"
#include "policy/policy.h"

namespace keel::memory {
class Memory;
}
namespace keel::net {
class Client;
}

namespace keel::tool {

// What a crash between the start and the recorded end of a call means: pure and idempotent calls
// are made again, an unsafe one is reported as "outcome unknown" and never repeated by itself.
enum class Effect { pure, idempotent, unsafe };
std::string_view effect_name(Effect effect);

// A schema written in the code; a mistake in it is a defect and ends the program.
Json schema_literal(std::string_view json_text);

struct Context {
  const Clock& clock;
  memory::Memory& memory;
  net::Client& net;
  std::vector<std::string> folders;  // that files may be read from, canonical paths
  std::string conversation;
  std::string turn;        // id of the turn that asked
  std::string owner_text;  // what the owner wrote in this turn
  std::vector<std::string>
      known_urls;  // addresses seen verbatim in owner text and tool results of the conversation
  std::vector<std::string> private_tags = {"private"};  // of pages that are the owner's alone
  bool shows_private = true;  // such pages may be shown to the model that asks
  std::stop_token stop;
  policy::Label label = {};  // of the context the call was made in; Registry::invoke sets it
};

struct Outcome {
  std::string text;       // what the model is shown
  bool is_error = false;  // the model is told, and may try differently
  policy::Integrity integrity = policy::Integrity::owner;  // of the text: who could have written it
  policy::Confidentiality confidentiality =
      policy::Confidentiality::open;  // of the text: how private it is
};

class Tool {
 public:
  virtual ~Tool() = default;
  virtual const msg::Tool& spec() const = 0;
  virtual Effect effect() const = 0;
  // What a call does to the world, at the most; for listings.
  virtual policy::Sink sink() const = 0;
  // What this very call does; the policy decides on this. Overridden where it depends on the
  // arguments.
  virtual policy::Sink sink_of(const Json& /*arguments*/, const Context& /*context*/) const {
    return sink();
  }

 private:
  friend class Registry;  // Registry::invoke is the one door: nobody else can call run()
  // `arguments` has been checked against the schema. An Error and an Outcome with is_error are
  // shown to the model alike.
  virtual Result<Outcome> run(const Json& arguments, Context& context) = 0;
};

}  // namespace keel::tool
