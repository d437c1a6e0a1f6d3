// Memory: pages the owner holds, kept in the database, found by keywords with a score that can be
// explained term by term. docs/formats/memory.md documents the tables and the ranker.
//
// Threads: all members may be called from any thread; writes wait for their commit. Limits:
// limits.h, "memory".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "store/database.h"

namespace keel::memory {

// The migrations of this room, to be given to Database::open.
std::vector<store::Migration> migrations();

struct Page {
  std::string id;    // ULID
  std::string kind;  // fact, preference, commitment, episode, finding, journal, persona, skill
  std::string title;
  std::string body;          // Markdown
  std::string origin;        // owner, agent, untrusted, import, system
  std::string source_turn;   // the turn it came from, or empty
  std::string source_quote;  // the owner's words it was taken from, or empty
  std::vector<std::string> tags;
  bool pinned = false;
  int revision = 1;
  WallMs created_ms = 0;
  WallMs updated_ms = 0;
  std::string
      session;  // the conversation it came from, or empty; its pages are each other's neighbours
  std::string state =
      "live";              // or superseded: a newer page has another value for the same attribute
  std::string supersedes;  // the page it took the place of, or empty
  std::string hash;        // of its newest revision, which chains back to the first
};

struct NewPage {
  std::string kind = "fact";
  std::string title;
  std::string body;
  std::string origin = "owner";
  std::string source_turn;
  std::string source_quote;
  std::vector<std::string> tags;
  bool pinned = false;
  std::string session;
};

struct Added {
  Page page;
  bool merged = false;     // an equal page was there already; it was kept (and its date renewed)
  bool cleaned = false;    // bytes that are not valid UTF-8, or NUL, were replaced
  std::string superseded;  // the page whose place it took, or empty
};

// One addend of a hit's score.
struct Contribution {
  std::string term;   // the query's term, or the name of a boost
  std::string field;  // title, body, tags, near; "boost"
  double value = 0.0;
  std::int64_t tf = 0;  // how often the term is in the field; 0 for a boost
};
struct Hit {
  std::string page_id;
  std::string title;
  std::string snippet;
  std::string origin;
  double score = 0.0;  // the sum of the contributions, |difference| < 1e-9
  std::vector<Contribution> contributions;
  int revision = 1;
  std::int64_t segment = 0;  // the piece of the page that was scored
  bool injected = false;     // shown to the model (mark_injected)
  std::string held_back;     // why it was not returned; empty for what was
};
struct QueryTerm {
  std::string term;     // the stem that was looked up
  std::string source;   // literal, form (irregular or alias)
  std::int64_t df = 0;  // pages that hold it
  double idf = 0.0;
  std::string surface;  // the word as it stood in the query, or the form
  double weight = 1.0;  // 1 for a literal, less for a form
};
struct Retrieval {
  std::string id;
  std::string query;
  std::string trigger;  // turn, tool, search
  std::string turn;
  WallMs at_ms = 0;
  std::vector<QueryTerm> terms;
  std::vector<Hit> hits;       // best first
  std::vector<Hit> held_back;  // found, but not relevant enough or not to be injected; at most
                               // limits::memory_held_back
  std::int64_t pages = 0;      // that were searched
  std::vector<std::string> left_out;  // terms beyond limits::memory_query_terms, the first of them
  std::int64_t left_out_count = 0;
};

// What a page must cover of the question to be put before the model by itself
// (docs/formats/memory.md, "Relevant enough").
inline constexpr double kTurnShare = 0.3;

struct Query {
  std::string text;
  std::string trigger = "search";
  std::string turn;
  int limit = 10;
  bool trusted_only = false;  // leave out pages of untrusted origin (what is injected by itself)
  // Above 0 only pages that are relevant enough are returned. Below 0: kTurnShare for the trigger
  // "turn", else 0.
  double min_share = -1.0;
  std::string session;  // the conversation that asks
};

class Memory {
 public:
  Memory(store::Database& database, const Clock& clock);
  ~Memory();

  // Text is cleaned, bounds are checked, an equal page is merged (docs/formats/memory.md, "Pages").
  Result<Added> add(const NewPage& page);
  // An id, its first characters or its last, four at least; whichever names one page.
  Result<Page> get(std::string_view id_or_prefix);
  // Newest first, superseded pages among them; an empty kind is all kinds.
  Result<std::vector<Page>> list(std::string_view kind, int limit);
  // Purges the page, its revisions, its index rows and the text stored of it in retrievals; a
  // tombstone with the hash remains. Returns the receipt's text.
  Result<std::string> forget(std::string_view id_or_prefix);
  // Changes title, body or tags, those that are not empty in `changed`; the old form stays as a
  // revision. `by` is owner, agent, sync or import.
  Result<Page> edit(std::string_view id, const NewPage& changed, std::string_view by);
  // A pinned page ranks a little higher; a pinned preference is part of the identity.
  Result<Page> pin(std::string_view id, bool pinned);
  // The owner's word list: a query's `term` also looks for `expands_to`, with `weight` (0 takes it
  // out again).
  Status set_alias(std::string_view term, std::string_view expands_to, double weight = 0.3);
  // Checks every page's chain of revisions; Code::corrupt names the first page that does not check
  // out.
  Status verify();

  // Never a syntax error, whatever the text. The retrieval and every contribution is stored.
  Result<Retrieval> search(const Query& query);
  // The stored retrievals of a turn, or one by its id; oldest first.
  Result<std::vector<Retrieval>> why(std::string_view turn_or_retrieval);
  // The newest turn that has a retrieval; empty if none.
  Result<std::string> latest_turn();
  // Marks pages of a retrieval as shown to the model.
  Status mark_injected(std::string_view retrieval, const std::vector<std::string>& page_ids);

  // The text of identity for the frozen prefix: name, character and standing wishes from the
  // persona pages, in the same bytes for the same pages, whatever the model. Pages with one of the
  // tags are left out: it stands before every model.
  Result<std::string> identity_text(std::string_view agent_name,
                                    const std::vector<std::string>& without_tags = {});
  // Makes the persona pages of a new agent; does nothing where there are some.
  Status ensure_identity(std::string_view agent_name);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Whether the page has one of the tags, in upper or lower case. Pure.
bool has_tag(const Page& page, const std::vector<std::string>& tags);

// What of a finished turn is worth a page, by rules alone: the owner's statements about himself,
// wishes and commitments, each with the sentence as its quote; never a question, never recalled or
// fetched text. Pure.
std::vector<NewPage> significant(std::string_view owner_text, std::string_view turn);

}  // namespace keel::memory
