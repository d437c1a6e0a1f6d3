// Memory: pages the owner holds, kept in the database, found by keywords with a score that can be
// explained term by term. docs/formats/memory.md documents the tables and the ranker.
//
// Threads: all members may be called from any thread; writes wait for their commit. Limits:
// limits.h, "memory".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "memory/rank/retrieval.h"
#include "store/database.h"

namespace keel::memory {

// The migrations of this room, to be given to Database::open.
std::vector<store::Migration> migrations();

// What a page says, and all that is known of it. Text is UTF-8; bounds are in limits.h.
struct NewPage {
  // A ULID where an importer or a mirror gives one; empty: one is made. An id that is there already
  // is Code::already_exists, one that was forgotten Code::permission.
  std::string id;
  std::string kind = "fact";  // preference, commitment, episode, finding, journal, persona, skill
  std::string title;
  std::string body;              // Markdown
  std::string origin = "owner";  // agent, untrusted, import, system
  std::string source_turn;       // the turn it came from, or empty
  std::string source_quote;      // the owner's words it was taken from, or empty
  std::vector<std::string> tags;
  bool pinned = false;
  std::string session;  // its pages, in order of created_ms, are each other's neighbours
  std::string speaker;  // who said it. A page with a speaker is a record of what was said
  std::string day;  // of what it tells: "2023-05-08", "2023-05" or "2023". Given in another form
                    // that day_of() reads, it is stored in this one
  std::vector<std::string> aliases;  // other titles
  int importance = 1;                // 0 to 3
  std::string valid_from;            // days, as `day`
  std::string valid_to;
  std::string source_uri;
  std::string gist;  // what it says in a line, or empty
  std::string lang;
  std::string author_model;     // the model that wrote it, or empty
  Json extra = Json::object();  // keys of a file's front matter that keel does not know
  WallMs created_ms = 0;        // 0: now
  WallMs updated_ms = 0;        // 0: created_ms

  bool operator==(const NewPage&) const = default;
};

struct Page : NewPage {
  int revision = 1;
  std::string state = "live";  // or superseded: a newer page has another value for the attribute
  std::string supersedes;      // the page it took the place of, or empty
  std::string hash;            // of its newest revision, which chains back to the first
};

struct Added {
  Page page;
  bool merged = false;     // an equal page was there already; it was kept (and its date renewed)
  bool cleaned = false;    // bytes that are not valid UTF-8, or NUL, were replaced
  std::string superseded;  // the page whose place it took, or empty
};

// One form a page had. hash is over all of it but seq, with the hash of the form before.
struct Revision {
  std::string page_id;
  std::int64_t rev = 0;
  std::string title;
  std::string body;
  std::string props;     // everything else the page carried, as JSON text
  std::string by;        // owner, agent, sync, import
  std::string reason;    // "added", "edited", "pinned" ...
  std::int64_t seq = 0;  // of the corpus, after it
  WallMs at_ms = 0;
  std::string prev_hash;
  std::string hash;
};

// A step of the corpus, for whoever keeps a copy of it.
struct Change {
  std::int64_t seq = 0;
  std::string page_id;
  enum class What {
    revision,  // revision `rev` was written
    state,     // live or superseded now, or its date was renewed
    forgotten,
  } what = What::revision;
  std::int64_t rev = 0;
  std::string by;
  WallMs at_ms = 0;
};

// A page with every form it had, as an export keeps it.
struct History {
  std::string state = "live";
  std::string supersedes;
  WallMs created_ms = 0;
  WallMs updated_ms = 0;
  std::vector<Revision> revisions;  // oldest first, all of one page; seq is given anew
};

// A retrieval asked again of the corpus as it was then.
struct Replay {
  Retrieval then;
  Retrieval now;
  bool same = false;               // the same pages in the same order with the same scores
  std::vector<std::string> notes;  // what is known to make a difference
};

class Memory {
 public:
  Memory(store::Database& database, const Clock& clock);
  ~Memory();

  // Text is cleaned, bounds are checked, an equal page is merged (docs/formats/memory.md, "Pages").
  Result<Added> add(const NewPage& page);
  // All in one transaction, in this order; each with its own outcome, and what is wrong with one
  // does not stop the others. The error of the whole is the database's; then none was added.
  Result<std::vector<Result<Added>>> add_all(std::span<const NewPage> pages);
  // Pages of an export with their chains of revisions, ids and hashes as they were. A chain that
  // does not check out is Code::corrupt, a page that is here already Code::already_exists; both
  // leave the others alone.
  Result<std::vector<Result<Page>>> restore_all(std::span<const History> pages);
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
  // Puts `whole` in the page's place, empty fields too; id, and times that are 0, stay. Only the
  // owner changes an origin or a persona page. A page that is the same already stays as it is. With
  // `over`, the revision that `whole` was made from: Code::busy, and no change, if the page has
  // another by now.
  Result<Page> replace(std::string_view id, const NewPage& whole, std::string_view by,
                       std::string_view reason = "edited", int over = 0);
  // A pinned page ranks a little higher; a pinned preference is part of the identity.
  Result<Page> pin(std::string_view id, bool pinned);
  // The owner's word list: a query's `term` also looks for `expands_to`, with `weight` (0 takes it
  // out again).
  Status set_alias(std::string_view term, std::string_view expands_to, double weight = 0.3);
  // Every form of a page, the newest first.
  Result<std::vector<Revision>> revisions(std::string_view id_or_prefix);
  // One of them; Code::not_found if the page never had it.
  Result<Revision> revision(std::string_view id_or_prefix, std::int64_t rev);
  // What changed since the corpus was at `after_seq`, oldest first, at most
  // limits::memory_changes. A mirror remembers the last seq it has seen.
  Result<std::vector<Change>> changes(std::int64_t after_seq, std::size_t limit);
  Result<std::int64_t> latest_seq();
  // Checks every page's chain of revisions; Code::corrupt names the first page that does not check
  // out.
  Status verify();

  // Never a syntax error, whatever the text. The retrieval and every contribution is stored.
  Result<Retrieval> search(const Query& query);
  // The stored retrievals of a turn, or one by its id; oldest first.
  Result<std::vector<Retrieval>> why(std::string_view turn_or_retrieval);
  // Asks a retrieval again of the corpus as it was, built from the revisions.
  Result<Replay> replay(std::string_view retrieval);
  // The newest turn that has a retrieval; empty if none.
  Result<std::string> latest_turn();
  // Marks pages of a retrieval as shown to the model.
  Status mark_injected(std::string_view retrieval, const std::vector<std::string>& page_ids);
  // Marks those of them that the answer made use of: a telling word of the page that was not in the
  // question stands in the answer.
  Status mark_cited(std::string_view retrieval, std::string_view answer);

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
