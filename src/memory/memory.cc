#include "memory/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/id.h"
#include "base/limits.h"
#include "base/text.h"
#include "memory/draft.h"
#include "memory/identity.h"
#include "memory/pages.h"
#include "memory/rank/audit.h"
#include "memory/rank/index.h"
#include "memory/rank/ranker.h"
#include "memory/replay.h"
#include "memory/revisions.h"
#include "memory/schema.h"
#include "memory/text/sentences.h"
#include "memory/text/statement.h"
#include "memory/text/words.h"

namespace keel::memory {

using store::Connection;
using store::Statement;

std::vector<store::Migration> migrations() {
  return {{"memory", 1, kSchema1},
          {"memory", 2, kSchema2},
          {"memory", 3, kSchema3},
          {"memory", 4, kSchema4}};
}

bool has_tag(const Page& page, const std::vector<std::string>& tags) {
  return std::any_of(page.tags.begin(), page.tags.end(), [&](const std::string& tag) {
    return std::any_of(tags.begin(), tags.end(),
                       [&](const std::string& one) { return fold_case(tag) == fold_case(one); });
  });
}

std::vector<NewPage> significant(std::string_view owner_text, std::string_view turn) {
  std::vector<NewPage> pages;
  for (const OwnerStatement& statement : statements_of(owner_text)) {
    NewPage page;
    page.kind = statement.kind;
    page.title = shorten(statement.content, limits::memory_title_bytes);
    page.body = said_by_owner(statement.content + ".");
    page.origin = "owner";
    page.source_turn = turn;
    page.source_quote = statement.sentence;
    page.pinned = statement.from_now_on;
    pages.push_back(std::move(page));
  }
  return pages;
}

struct Memory::State {
  store::Database& database;
  const Clock& clock;
  std::atomic<bool> is_ready = false;

  // An index of an older keel, or none yet, is made before anything asks it or adds to it.
  Status ready() {
    if (is_ready) return {};
    const bool current =
        TRY(database.read([](Connection& connection) { return is_current(connection); }));
    if (!current) {
      TRY(database.write([](Connection& connection) -> Status {
        return TRY(is_current(connection)) ? Status{} : index_everything(connection);
      }));
    }
    is_ready = true;
    return {};
  }
};

Memory::Memory(store::Database& database, const Clock& clock)
    : state_(std::unique_ptr<State>(new State{database, clock})) {}
Memory::~Memory() = default;

Result<Added> Memory::add(const NewPage& page) {
  TRY(state_->ready());
  const Draft draft = TRY(make_draft(page));
  const WallMs now = state_->clock.wall_ms();
  return state_->database.write([&](Connection& connection) -> Result<Added> {
    std::vector<std::int64_t> to_index;
    Added added = TRY(insert_page(connection, draft, now, to_index));
    TRY(index_pages(connection, to_index));
    return added;
  });
}

namespace {

// What is wrong with a page, not with the database.
bool is_of_the_page(Code code) {
  return code == Code::already_exists || code == Code::permission || code == Code::limit ||
         code == Code::invalid_argument || code == Code::corrupt;
}

}  // namespace

Result<std::vector<Result<Added>>> Memory::add_all(std::span<const NewPage> pages) {
  TRY(state_->ready());
  std::vector<Result<Draft>> drafts;
  drafts.reserve(pages.size());
  for (const NewPage& page : pages) drafts.push_back(make_draft(page));
  const WallMs now = state_->clock.wall_ms();
  using Outcomes = std::vector<Result<Added>>;
  return state_->database.write([&](Connection& connection) -> Result<Outcomes> {
    Outcomes outcomes;
    outcomes.reserve(drafts.size());
    std::vector<std::int64_t> to_index;
    for (const Result<Draft>& draft : drafts) {
      if (!draft) {
        outcomes.emplace_back(tl::unexpected<Error>(draft.error()));
        continue;
      }
      Result<Added> added = insert_page(connection, *draft, now, to_index);
      if (!added && !is_of_the_page(added.error().code))
        return tl::unexpected<Error>(added.error());
      outcomes.push_back(std::move(added));
    }
    TRY(index_pages(connection, to_index));
    return outcomes;
  });
}

Result<std::vector<Result<Page>>> Memory::restore_all(std::span<const History> pages) {
  TRY(state_->ready());
  using Outcomes = std::vector<Result<Page>>;
  return state_->database.write([&](Connection& connection) -> Result<Outcomes> {
    Outcomes outcomes;
    std::vector<std::int64_t> to_index;
    for (const History& history : pages) {
      Result<Page> restored = restore_page(connection, history, to_index);
      if (!restored && !is_of_the_page(restored.error().code))
        return tl::unexpected<Error>(restored.error());
      outcomes.push_back(std::move(restored));
    }
    TRY(index_pages(connection, to_index));
    return outcomes;
  });
}

Result<Page> Memory::get(std::string_view id_or_prefix) {
  return state_->database.read([&](Connection& connection) -> Result<Page> {
    return TRY(find_page(connection, id_or_prefix)).page;
  });
}

Result<std::vector<Page>> Memory::list(std::string_view kind, int limit) {
  return state_->database.read([&](Connection& connection) -> Result<std::vector<Page>> {
    return list_pages(connection, kind, limit);
  });
}

Result<std::string> Memory::forget(std::string_view id_or_prefix) {
  TRY(state_->ready());
  const WallMs now = state_->clock.wall_ms();
  const Forgotten gone =
      TRY(state_->database.write([&](Connection& connection) -> Result<Forgotten> {
        return forget_page(connection, id_or_prefix, now);
      }));
  state_->database.checkpoint();
  std::string receipt = fmt::format(
      "Forgotten: page {} with {} revision(s) and {} index row(s); its text was taken out of {} "
      "retrieval record(s). "
      "What remains is its id, the time and the hash {}. Conversations in which it was said are "
      "kept by the journal.",
      gone.page.id, gone.revisions, gone.segments, gone.audit_rows, gone.page.hash);
  if (!gone.revived.empty())
    receipt += fmt::format(" The page it had taken the place of, {}, counts again.", gone.revived);
  if (!gone.quoted.empty())
    receipt += fmt::format(
        " The page of that day, {}, quotes the words too: change it with `keel memory edit`, or "
        "forget it.",
        gone.quoted);
  return receipt;
}

namespace {

Status check_by(std::string_view by) {
  constexpr std::string_view kBy[] = {"owner", "agent", "sync", "import"};
  if (std::find(std::begin(kBy), std::end(kBy), by) != std::end(kBy)) return {};
  return fail(Code::invalid_argument, fmt::format("'{}' cannot edit a page.", printable(by, 40)));
}

Status check_persona(const NewPage& page, std::string_view by) {
  if (page.kind != "persona" || by == "owner") return {};
  return fail(Code::permission, "A persona page can only be changed by the owner.",
              "Use `keel memory edit` on the page.");
}

// The times of a page whose content is to change by itself.
NewPage content_of(const Page& page) {
  NewPage content = page;
  content.updated_ms = 0;
  return content;
}

}  // namespace

Result<Page> Memory::edit(std::string_view id, const NewPage& changed, std::string_view by) {
  TRY(check_by(by));
  TRY(state_->ready());
  const WallMs now = state_->clock.wall_ms();
  return state_->database.write([&](Connection& connection) -> Result<Page> {
    const Stored stored = TRY(find_page(connection, id));
    TRY(check_persona(stored.page, by));
    NewPage whole = content_of(stored.page);
    if (!changed.title.empty()) whole.title = changed.title;
    if (!changed.body.empty()) whole.body = changed.body;
    if (!changed.tags.empty()) whole.tags = changed.tags;
    Draft draft = TRY(make_draft(whole));
    draft.page.pinned = stored.page.pinned;
    return revise_page(connection, stored.number, draft, by,
                       draft.cleaned ? "invalid bytes were replaced" : "edited", now);
  });
}

Result<Page> Memory::replace(std::string_view id, const NewPage& whole, std::string_view by,
                             std::string_view reason, int over) {
  TRY(check_by(by));
  TRY(state_->ready());
  const WallMs now = state_->clock.wall_ms();
  return state_->database.write([&](Connection& connection) -> Result<Page> {
    const Stored stored = TRY(find_page(connection, id));
    TRY(check_persona(stored.page, by));
    if (over > 0 && stored.page.revision != over)
      return fail(Code::busy, "the page was changed in this moment", "try again");
    Draft draft = TRY(make_draft(whole));
    NewPage& page = draft.page;
    const bool by_owner = by == "owner";
    TRY(check_persona(page, by));
    page.pinned = by_owner ? whole.pinned : stored.page.pinned;
    if (!by_owner) page.origin = stored.page.origin;
    page.id = stored.page.id;
    if (page.created_ms == 0) page.created_ms = stored.page.created_ms;
    NewPage same = stored.page;
    if (page.updated_ms == 0) same.updated_ms = 0;
    if (page == same) return stored.page;
    return revise_page(connection, stored.number, draft, by, reason, now);
  });
}

Result<Page> Memory::pin(std::string_view id, bool pinned) {
  TRY(state_->ready());
  const WallMs now = state_->clock.wall_ms();
  return state_->database.write([&](Connection& connection) -> Result<Page> {
    const Stored stored = TRY(find_page(connection, id));
    if (stored.page.pinned == pinned) return stored.page;
    Draft draft{content_of(stored.page), false};
    draft.page.pinned = pinned;
    return revise_page(connection, stored.number, draft, "owner", pinned ? "pinned" : "unpinned",
                       now);
  });
}

Result<std::vector<Revision>> Memory::revisions(std::string_view id_or_prefix) {
  return state_->database.read([&](Connection& connection) -> Result<std::vector<Revision>> {
    return read_revisions(connection, TRY(find_page(connection, id_or_prefix)).number);
  });
}

Result<Revision> Memory::revision(std::string_view id_or_prefix, std::int64_t rev) {
  return state_->database.read([&](Connection& connection) -> Result<Revision> {
    return read_revision(connection, TRY(find_page(connection, id_or_prefix)).number, rev);
  });
}

Result<std::vector<Change>> Memory::changes(std::int64_t after_seq, std::size_t limit) {
  return state_->database.read([&](Connection& connection) -> Result<std::vector<Change>> {
    return read_changes(connection, after_seq, limit);
  });
}

Result<std::int64_t> Memory::latest_seq() {
  return state_->database.read([](Connection& connection) -> Result<std::int64_t> {
    return TRY(corpus_of(connection)).seq;
  });
}

Status Memory::set_alias(std::string_view term, std::string_view expands_to, double weight) {
  const std::vector<Word> from = words_of(term, Use::query);
  const std::vector<Word> to = words_of(expands_to, Use::query);
  if (from.size() != 1 || to.empty() || to.size() > limits::memory_term_forms)
    return fail(
        Code::invalid_argument,
        fmt::format("'{}' cannot stand for '{}'.", printable(term, 40), printable(expands_to, 40)),
        fmt::format("An alias is one word that also looks for one to {} others.",
                    limits::memory_term_forms));
  if (!(weight >= 0.0 && weight <= 1.0))
    return fail(Code::invalid_argument, "The weight of an alias is a number from 0 to 1.");
  return state_->database.write([&](Connection& connection) -> Status {
    // First, so that the change is recorded with the number of the corpus it makes.
    TRY(change_corpus(connection, {1, 0, 0, 0}));
    Statement put = TRY(connection.prepare(
        "INSERT INTO alias(term, expands_to, weight, source, enabled) VALUES(?1, ?2, ?3, 'owner', "
        "?3 > 0) "
        "ON CONFLICT(term, expands_to) DO UPDATE SET weight = ?3, enabled = ?3 > 0"));
    for (const Word& word : to)
      TRY(put.bind(1, from[0].stem).bind(2, word.stem).bind(3, weight).run());
    return {};
  });
}

Status Memory::verify() {
  return state_->database.read([](Connection& connection) -> Status {
    TRY(verify_revisions(connection));
    return TRY(is_current(connection)) ? check_index(connection) : Status{};
  });
}

Result<Retrieval> Memory::search(const Query& query) {
  const auto started = state_->clock.steady();
  const WallMs now = state_->clock.wall_ms();
  Query whole = query;
  if (whole.now_ms == 0) whole.now_ms = now;
  if (!whole.zone_s) whole.zone_s = local_offset_s(whole.now_ms);
  TRY(state_->ready());
  Ranked ranked = TRY(state_->database.read(
      [&](Connection& connection) -> Result<Ranked> { return rank(connection, whole); }));
  const double took_ms = ms_between(started, state_->clock.steady());
  ranked.retrieval.id = make_ulid(now);
  ranked.retrieval.at_ms = now;
  TRY(state_->database.write([&](Connection& connection) -> Status {
    return write_retrieval(connection, ranked, query.session,
                           static_cast<std::int64_t>(took_ms * 1000.0));
  }));
  return std::move(ranked.retrieval);
}

Result<std::vector<Retrieval>> Memory::why(std::string_view turn_or_retrieval) {
  return state_->database.read([&](Connection& connection) -> Result<std::vector<Retrieval>> {
    return read_retrievals(connection, turn_or_retrieval);
  });
}

Result<Replay> Memory::replay(std::string_view retrieval) {
  return state_->database.read([&](Connection& connection) -> Result<Replay> {
    return replay_retrieval(connection, migrations(), retrieval);
  });
}

Result<std::string> Memory::latest_turn() {
  return state_->database.read([](Connection& connection) -> Result<std::string> {
    Statement select = TRY(connection.prepare(
        "SELECT turn FROM retrieval WHERE turn <> '' ORDER BY number DESC LIMIT 1"));
    return TRY(select.step()) ? select.text(0) : std::string();
  });
}

Status Memory::mark_injected(std::string_view retrieval, const std::vector<std::string>& page_ids) {
  if (page_ids.empty()) return {};
  return state_->database.write([&](Connection& connection) -> Status {
    return write_injected(connection, retrieval, page_ids);
  });
}

Status Memory::mark_cited(std::string_view retrieval, std::string_view answer) {
  const Cited cited = TRY(state_->database.read(
      [&](Connection& connection) { return find_cited(connection, retrieval, answer); }));
  if (cited.hits.empty()) return {};
  return state_->database.write(
      [&](Connection& connection) { return write_cited(connection, cited); });
}

Result<std::string> Memory::identity_text(std::string_view agent_name,
                                          const std::vector<std::string>& without_tags) {
  return state_->database.read([&](Connection& connection) -> Result<std::string> {
    return render_identity(connection, agent_name, without_tags);
  });
}

Status Memory::ensure_identity(std::string_view agent_name) {
  // Every start asks; none but the first has to wait for the writer.
  if (!TRY(list("persona", 1)).empty()) return {};
  TRY(state_->ready());
  const WallMs now = state_->clock.wall_ms();
  return state_->database.write([&](Connection& connection) -> Status {
    if (!TRY(list_pages(connection, "persona", 1)).empty()) return {};
    std::vector<std::int64_t> to_index;
    for (const NewPage& page : first_identity(agent_name))
      TRY(insert_page(connection, TRY(make_draft(page)), now, to_index));
    return index_pages(connection, to_index);
  });
}

}  // namespace keel::memory
