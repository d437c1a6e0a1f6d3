// What may happen with what is in the context. Two labels (who could have written it, how private
// it is) meet a sink (what a call does to the world) in one table, in code, total and tested cell
// by cell. The model's words never change it.
//
// Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>

namespace keel::policy {

// From most to least trusted. The label of a context is the least trusted of what is in it.
enum class Integrity { owner, agent, paired, web };
// The label of a context is the most private of what is in it.
enum class Confidentiality { open, personal, secret };

struct Label {
  Integrity integrity = Integrity::owner;
  Confidentiality confidentiality = Confidentiality::open;
};
Label join(Label a, Label b);

enum class Sink {
  none,            // computes or reads inside keel: calculator, time, recall
  file_read,       // inside an allowed folder
  memory_write,    // a page of the agent
  fetch_known,     // an address seen verbatim in the owner's words or in a result
  fetch_composed,  // an address the model put together
  notion_read,     // searches or reads what the owner shared with keel in Notion
  notion_write,    // a page in the owner's Notion
};

enum class Verdict { allow, ask, deny };
struct Decision {
  Verdict verdict = Verdict::deny;
  std::string reason;  // for the owner
};

Decision decide(Sink sink, Label label);

std::string_view integrity_name(Integrity integrity);
std::string_view confidentiality_name(Confidentiality confidentiality);
std::string_view sink_name(Sink sink);
std::string_view verdict_name(Verdict verdict);

}  // namespace keel::policy
