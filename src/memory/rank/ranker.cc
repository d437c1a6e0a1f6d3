#include "memory/rank/ranker.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/text.h"
#include "memory/rank/query.h"
#include "memory/rank/relevance.h"
#include "memory/rank/scan.h"
#include "memory/text/sentences.h"
#include "memory/text/words.h"

namespace keel::memory {
namespace {

using store::Connection;
using store::Statement;

constexpr double kSessionBoost = 0.3;      // of the best other page of the same session
constexpr double kNameBoost = 0.1;         // of the best page, for a speaker or a tag that is named
constexpr double kPinnedBoost = 0.1;       // of the sum of the terms
constexpr double kSupersededBoost = -0.5;  // likewise
constexpr double kBestShare = 0.3;         // of the best score, for what is returned by itself
// Pages scored beyond the limit, for those that will be held back.
constexpr std::size_t kSpare = 20;
constexpr std::size_t kSnippetBytes = 240;

struct Candidate {
  Found found;
  PageRow page;
  double session = 0.0;  // the boosts
  double score = 0.0;
};

// A window of the segment's text around the first place where a term stands.
std::string snippet_of(std::string_view text, const std::vector<Term>& terms) {
  if (text.size() <= kSnippetBytes) return std::string(trim(text));
  std::unordered_set<std::string_view> stems;
  for (const Term& term : terms) stems.insert(term.stem);
  std::size_t from = 0;
  for (const Word& word : words_of(text, Use::index)) {
    if (!stems.contains(word.stem)) continue;
    if (word.begin > kSnippetBytes / 3) from = word.begin - kSnippetBytes / 3;
    break;
  }
  if (from > 0) {
    const std::size_t space = text.find(' ', from);
    if (space != std::string_view::npos && space < from + kSnippetBytes / 3) from = space + 1;
    while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0) == 0x80) ++from;
  }
  const std::string rest = shorten(trim(text.substr(from)), kSnippetBytes);
  return from > 0 ? "…" + rest : rest;
}

class Search {
 public:
  Search(Connection& connection, const Query& query, double min_share)
      : connection_(connection), query_(query), min_share_(min_share) {}

  Result<Ranked> run();

 private:
  Result<std::vector<Candidate>> candidates();
  void add_sessions(std::vector<Candidate>& all) const;
  double boosts(const Candidate& one, double own, std::vector<Contribution>* list) const;
  Result<Hit> hit_of(const Candidate& one, WordCounts& words);
  Status fill(std::vector<Candidate>& best, Retrieval& out);
  Result<PageRow> page_row(std::int64_t number);

  Connection& connection_;
  const Query& query_;
  double min_share_;
  double top_ = 0.0;  // the best sum of terms
  Corpus corpus_;
  Terms terms_;
  Scan scan_;
};

Result<PageRow> Search::page_row(std::int64_t number) {
  Statement select =
      TRY(connection_.prepare("SELECT id, title, origin, kind, state, session, valid_to, pinned, "
                              "question, updated_ms, rev FROM page WHERE number = ?1"));
  select.bind(1, number);
  if (!TRY(select.step()))
    return fail(Code::corrupt,
                fmt::format("The memory's index names page {}, which is not there.", number),
                "Run `keel doctor`.");
  return PageRow{select.text(0),    select.text(1),         select.text(2),
                 select.text(3),    select.text(4),         select.text(5),
                 select.text(6),    select.integer(7) != 0, select.integer(8) != 0,
                 select.integer(9), select.integer(10)};
}

// What stands beside the sum of a page's terms. `own` is that sum.
double Search::boosts(const Candidate& one, double own, std::vector<Contribution>* list) const {
  double sum = 0.0;
  const auto boost = [&](const char* name, double value) {
    if (value == 0.0) return;
    sum += value;
    if (list != nullptr) list->push_back({name, "boost", value, 0});
  };
  boost("session", one.session);
  if (one.found.speaker) boost("speaker", kNameBoost * top_);
  if (one.found.tag) boost("tag", kNameBoost * top_);
  if (one.page.pinned) boost("pinned", kPinnedBoost * own);
  if (one.page.state == "superseded") boost("superseded", kSupersededBoost * own);
  return sum;
}

// Each page gets a share of the best other page of its session.
void Search::add_sessions(std::vector<Candidate>& all) const {
  struct Best {
    double first = 0.0, second = 0.0;
    std::int64_t segment = 0;
  };
  // Days of a journal have a session of their own in this: they hold a little of everything.
  std::unordered_map<std::string_view, Best> pages, journals;
  const auto sessions = [&](const Candidate& one) -> std::unordered_map<std::string_view, Best>& {
    return one.page.kind == "journal" ? journals : pages;
  };
  for (const Candidate& one : all) {
    if (one.page.session.empty()) continue;
    Best& best = sessions(one)[one.page.session];
    if (one.found.own > best.first) {
      best.second = best.first;
      best.first = one.found.own;
      best.segment = one.found.segment;
    } else if (one.found.own > best.second) {
      best.second = one.found.own;
    }
  }
  for (Candidate& one : all) {
    if (one.page.session.empty()) continue;
    const Best& best = sessions(one)[one.page.session];
    one.session = kSessionBoost * (best.segment == one.found.segment ? best.second : best.first);
  }
}

bool better(const Candidate& a, const Candidate& b) {
  if (a.score != b.score) return a.score > b.score;
  if (a.page.updated_ms != b.page.updated_ms) return a.page.updated_ms > b.page.updated_ms;
  return a.page.id > b.page.id;
}

// The best pages by their terms, in the order of their whole score.
Result<std::vector<Candidate>> Search::candidates() {
  std::vector<Candidate> all;
  all.reserve(scan_.pages.size());
  for (const Found& found : scan_.pages) {
    all.push_back({found, TRY(page_row(found.segment / kSegmentsPerPage))});
    top_ = std::max(top_, found.own);
  }
  add_sessions(all);
  for (Candidate& one : all) one.score = one.found.own + boosts(one, one.found.own, nullptr);
  std::sort(all.begin(), all.end(), better);
  return all;
}

// Reads the segment again and adds up exactly what is stored. `words` are the segment's.
Result<Hit> Search::hit_of(const Candidate& one, WordCounts& words) {
  Hit hit;
  hit.page_id = one.page.id;
  hit.title = one.page.title;
  hit.origin = one.page.origin;
  hit.revision = static_cast<int>(one.page.rev);
  hit.segment = one.found.segment;
  Statement select =
      TRY(connection_.prepare("SELECT text, tokens, words FROM segment WHERE id = ?1"));
  select.bind(1, one.found.segment);
  if (!TRY(select.step()))
    return fail(Code::corrupt,
                fmt::format("Segment {} of the memory's index is missing.", one.found.segment),
                "Run `keel doctor`.");
  hit.snippet = snippet_of(select.text(0), terms_.terms);
  words = TRY(unpack_words(select.text(2)));
  const Saturation saturation(corpus_);
  double own = 0.0;
  for (const Term& term : terms_.terms) {
    const Counts* tf = counts_of(words, term.stem);
    if (tf == nullptr) continue;
    const double all = weighted_tf(*tf);
    const double value = term.weight * term.idf * saturation.value(all, select.integer(1));
    for (std::size_t f = 0; f < kFields; ++f) {
      if ((*tf)[f] == 0) continue;
      const double part = value * (kFieldWeights[f] * (*tf)[f] / all);
      hit.contributions.push_back({term.stem, std::string(kFieldNames[f]), part, (*tf)[f]});
      own += part;
    }
  }
  boosts(one, own, &hit.contributions);
  for (const Contribution& addend : hit.contributions) hit.score += addend.value;
  return hit;
}

// The best of them into `out`, those that may not be used beside them.
Status Search::fill(std::vector<Candidate>& best, Retrieval& out) {
  const auto limit = static_cast<std::size_t>(std::clamp(query_.limit, 1, limits::memory_hits));
  const std::size_t most = limit + (min_share_ > 0.0 ? kSpare : 0);
  if (best.size() > most) best.resize(most);
  const std::string today = query_.now_ms > 0 ? iso_day(query_.local_ms()) : std::string();
  const Relevance relevance(terms_.terms, corpus_.pages, min_share_, today,
                            asks_what_was_said(query_.text));
  for (const Candidate& one : best) {
    WordCounts words;
    Hit hit = TRY(hit_of(one, words));
    if (min_share_ > 0.0) {
      hit.held_back = relevance.why_not(one.page, words);
      if (hit.held_back.empty() && !out.hits.empty() &&
          hit.score < kBestShare * out.hits.front().score)
        hit.held_back = "its score is far below the best page's";
      if (hit.held_back.empty() && out.hits.size() == limit) break;
      if (!hit.held_back.empty() && out.held_back.size() == limits::memory_held_back) continue;
    }
    (hit.held_back.empty() ? out.hits : out.held_back).push_back(std::move(hit));
  }
  for (const Found& refused : scan_.refused) {
    if (out.held_back.size() == limits::memory_held_back) break;
    const PageRow page = TRY(page_row(refused.segment / kSegmentsPerPage));
    Hit hit;
    hit.page_id = page.id;
    hit.title = page.title;
    hit.origin = page.origin;
    hit.revision = static_cast<int>(page.rev);
    hit.held_back = fmt::format("its origin is {}", page.origin);
    out.held_back.push_back(std::move(hit));
  }
  return {};
}

Result<Ranked> Search::run() {
  corpus_ = TRY(corpus_of(connection_));
  terms_ = TRY(terms_of(connection_, query_.text, min_share_ > 0.0, query_.local_ms()));
  scan_ = TRY(scan(connection_, terms_.terms, corpus_, query_.trusted_only));
  std::vector<Candidate> best = TRY(candidates());

  Ranked ranked;
  ranked.candidates = scan_.candidates;
  Retrieval& out = ranked.retrieval;
  TRY(fill(best, out));
  out.pages = corpus_.pages;
  out.corpus_seq = corpus_.seq;
  out.left_out = std::move(terms_.left_out);
  out.left_out_count = terms_.left_out_count;
  for (const Term& term : terms_.terms)
    out.terms.push_back({term.stem, std::string(source_name(term.source)), term.df, term.idf,
                         term.surface, term.weight});
  return ranked;
}

}  // namespace

std::string_view ranker_parameters() {
  return "keel-lex 1; body 4, title 5, tags 3, gist 3, near 1, far .5, speaker 1, day 2; k1 1.2, b "
         ".75; form .3, when .3; session +.3, speaker +.1, tag +.1, pinned +.1, superseded -.5; "
         "weak .25, steady 100, best .3; porter 1980";
}

Result<Ranked> rank(Connection& connection, const Query& query) {
  double min_share = query.min_share;
  if (min_share < 0.0) min_share = query.trigger == "turn" ? kTurnShare : 0.0;
  Ranked ranked = TRY(Search(connection, query, min_share).run());
  // A few bytes more, so that a character cut here is cut off again.
  const std::string kept = to_valid_utf8(query.text.substr(0, limits::memory_query_kept_bytes + 4));
  ranked.retrieval.query = shorten(kept, limits::memory_query_kept_bytes);
  ranked.retrieval.trigger = query.trigger;
  ranked.retrieval.turn = query.turn;
  ranked.query = query;
  ranked.query.min_share = min_share;
  return ranked;
}

}  // namespace keel::memory
