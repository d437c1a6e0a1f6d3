#include "policy/policy.h"

#include <algorithm>

namespace keel::policy {
namespace {

constexpr std::string_view kNoEffect = "it only computes or reads inside keel";
constexpr std::string_view kFileRead = "it reads inside a folder the owner has opened";
constexpr std::string_view kOwnMemory = "it is the agent's own memory";
constexpr std::string_view kMarkedMemory =
    "it is the agent's own memory; what others may have written is kept as untrusted";
constexpr std::string_view kFetchKnown = "the owner or a result named this very address";
constexpr std::string_view kFetchOpen =
    "the model put the address together, but nothing personal is in the conversation that it could "
    "carry";
constexpr std::string_view kFetchPersonal =
    "the model put the address together, and it could carry something personal out of this "
    "conversation";
constexpr std::string_view kFetchSecret =
    "the model put the address together, and it could carry a secret out of this conversation";

constexpr std::string_view kNotionRead = "the owner shared it with keel in Notion";
constexpr std::string_view kNotionWrite = "the page is the owner's, in the owner's own Notion";
constexpr std::string_view kNotionForeign =
    "others may have written what is in this conversation, and it would go into the owner's Notion";

constexpr Integrity worse(Integrity a, Integrity b) {
  return std::max(a, b);
}
constexpr Confidentiality more_private(Confidentiality a, Confidentiality b) {
  return std::max(a, b);
}

Decision allow(std::string_view reason) {
  return {Verdict::allow, std::string(reason)};
}

Decision decide_composed_fetch(Confidentiality confidentiality) {
  switch (confidentiality) {
    case Confidentiality::open:
      return allow(kFetchOpen);
    case Confidentiality::personal:
      return {Verdict::ask, std::string(kFetchPersonal)};
    case Confidentiality::secret:
      return {Verdict::ask, std::string(kFetchSecret)};
  }
  return {Verdict::deny, "the label is not known"};
}

}  // namespace

Label join(Label a, Label b) {
  return {worse(a.integrity, b.integrity), more_private(a.confidentiality, b.confidentiality)};
}

Decision decide(Sink sink, Label label) {
  switch (sink) {
    case Sink::none:
      return allow(kNoEffect);
    case Sink::file_read:
      return allow(kFileRead);
    case Sink::memory_write:
      return allow(label.integrity >= Integrity::paired ? kMarkedMemory : kOwnMemory);
    case Sink::fetch_known:
      return allow(kFetchKnown);
    case Sink::fetch_composed:
      return decide_composed_fetch(label.confidentiality);
    case Sink::notion_read:
      return allow(kNotionRead);
    case Sink::notion_write:
      if (label.integrity < Integrity::paired) return allow(kNotionWrite);
      return {Verdict::ask, std::string(kNotionForeign)};
  }
  return {Verdict::deny, "the effect is not known"};
}

std::string_view integrity_name(Integrity integrity) {
  switch (integrity) {
    case Integrity::owner:
      return "owner";
    case Integrity::agent:
      return "agent";
    case Integrity::paired:
      return "paired";
    case Integrity::web:
      return "web";
  }
  return "web";
}

std::string_view confidentiality_name(Confidentiality confidentiality) {
  switch (confidentiality) {
    case Confidentiality::open:
      return "open";
    case Confidentiality::personal:
      return "personal";
    case Confidentiality::secret:
      return "secret";
  }
  return "secret";
}

std::string_view sink_name(Sink sink) {
  switch (sink) {
    case Sink::none:
      return "none";
    case Sink::file_read:
      return "file_read";
    case Sink::memory_write:
      return "memory_write";
    case Sink::fetch_known:
      return "fetch_known";
    case Sink::fetch_composed:
      return "fetch_composed";
    case Sink::notion_read:
      return "notion_read";
    case Sink::notion_write:
      return "notion_write";
  }
  return "unknown";
}

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::allow:
      return "allow";
    case Verdict::ask:
      return "ask";
    case Verdict::deny:
      return "deny";
  }
  return "deny";
}

}  // namespace keel::policy
