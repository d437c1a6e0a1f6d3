#include "memory/rank/ranker.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/limits.h"
#include "base/text.h"
#include "memory/rank/query.h"
#include "memory/text/words.h"

namespace keel::memory {
namespace {

using store::Connection;
using store::Statement;

constexpr double kFieldWeights[kFields] = {5.0, 4.0, 3.0, 1.5};
constexpr double kK1 = 1.2;
constexpr double kB = 0.75;
constexpr double kPinnedBoost = 0.1;       // of the sum of the terms
constexpr double kSupersededBoost = -0.5;  // likewise
constexpr double kWeakMass = 0.25;
constexpr std::int64_t kSteadyPages = 100;  // keeps the mass of a word steady in a small store
constexpr double kBestShare = 0.3;          // of the best score, for what is returned by itself
constexpr std::size_t kSpare =
    20;  // pages scored beyond the limit, for those that will be held back
constexpr std::size_t kSnippetBytes = 240;

struct PageRow {
  std::string id, title, origin, kind, state;
  bool pinned = false;
  bool question = false;
  WallMs updated_ms = 0;
  std::int64_t rev = 0;
};

struct Candidate {
  std::int64_t segment = 0;
  double bound = 0.0;  // its score is at most this
};

struct Scored {
  std::int64_t page = 0;
  std::int64_t segment = 0;
  double score = 0.0;
  std::vector<Contribution> contributions;
};

double weighted_tf(const Posting& posting) {
  double sum = 0.0;
  for (std::size_t f = 0; f < kFields; ++f) sum += kFieldWeights[f] * posting.tf[f];
  return sum;
}

double saturated(double tf, double length_ratio) {
  return tf * (kK1 + 1.0) / (tf + kK1 * (1.0 - kB + kB * length_ratio));
}

const Posting* posting_of(const Term& term, std::int64_t segment) {
  const auto at = std::lower_bound(term.postings.begin(), term.postings.end(), segment,
                                   [](const Posting& p, std::int64_t s) { return p.segment < s; });
  return at != term.postings.end() && at->segment == segment ? &*at : nullptr;
}

bool is_trusted(std::string_view origin) {
  return origin != "untrusted" && origin != "import";
}

class Search {
 public:
  Search(Connection& connection, const Query& query, double min_share)
      : connection_(connection), query_(query), min_share_(min_share) {}

  Result<Ranked> run();

 private:
  std::vector<Candidate> candidates() const;
  Result<std::vector<Scored>> best_pages(const std::vector<Candidate>& candidates,
                                         std::size_t most);
  Result<std::optional<Scored>> score(std::int64_t segment);
  Result<const PageRow*> page_row(std::int64_t number);
  Result<Hit> hit_of(Scored scored);
  std::string why_held_back(const Scored& scored, const PageRow& page) const;
  bool about(const std::unordered_set<std::size_t>& found, const std::string& title) const;

  Connection& connection_;
  const Query& query_;
  double min_share_;
  Corpus corpus_;
  Terms terms_;
  std::unordered_map<std::int64_t, PageRow> pages_;
  std::set<std::int64_t> untrusted_;  // pages passed over because of their origin
};

std::vector<Candidate> Search::candidates() const {
  std::unordered_map<std::int64_t, double> bounds;
  for (const Term& term : terms_.terms) {
    for (const Posting& posting : term.postings)
      bounds[posting.segment] += term.weight * term.idf * saturated(weighted_tf(posting), 0.0);
  }
  std::vector<Candidate> found;
  found.reserve(bounds.size());
  for (const auto& [segment, bound] : bounds)
    found.push_back({segment, bound * (1.0 + kPinnedBoost)});
  std::sort(found.begin(), found.end(), [](const Candidate& a, const Candidate& b) {
    return a.bound != b.bound ? a.bound > b.bound : a.segment < b.segment;
  });
  return found;
}

Result<const PageRow*> Search::page_row(std::int64_t number) {
  if (const auto known = pages_.find(number); known != pages_.end()) return &known->second;
  Statement select =
      TRY(connection_.prepare("SELECT id, title, origin, kind, state, pinned, question, "
                              "updated_ms, rev FROM page WHERE number = ?1"));
  select.bind(1, number);
  if (!TRY(select.step()))
    return fail(Code::corrupt,
                fmt::format("The memory's index names page {}, which is not there.", number),
                "Run `keel doctor`.");
  PageRow row{select.text(0),         select.text(1),    select.text(2),
              select.text(3),         select.text(4),    select.integer(5) != 0,
              select.integer(6) != 0, select.integer(7), select.integer(8)};
  return &pages_.emplace(number, std::move(row)).first->second;
}

// Nothing for a page that may not be looked at.
Result<std::optional<Scored>> Search::score(std::int64_t segment) {
  Scored scored{segment / kSegmentsPerPage, segment, 0.0, {}};
  const PageRow& page = *TRY(page_row(scored.page));
  if (query_.trusted_only && !is_trusted(page.origin)) {
    untrusted_.insert(scored.page);
    return std::nullopt;
  }
  std::int64_t tokens = 0;
  {
    Statement select = TRY(connection_.prepare("SELECT tokens FROM segment WHERE id = ?1"));
    select.bind(1, segment);
    if (TRY(select.step())) tokens = select.integer(0);
  }
  const double average = static_cast<double>(std::max<std::int64_t>(corpus_.tokens, 1)) /
                         static_cast<double>(std::max<std::int64_t>(corpus_.segments, 1));
  const double ratio = static_cast<double>(tokens) / average;
  for (const Term& term : terms_.terms) {
    const Posting* posting = posting_of(term, segment);
    if (posting == nullptr) continue;
    const double all = weighted_tf(*posting);
    const double value = term.weight * term.idf * saturated(all, ratio);
    for (std::size_t f = 0; f < kFields; ++f) {
      if (posting->tf[f] == 0) continue;
      const double share = kFieldWeights[f] * posting->tf[f] / all;
      scored.contributions.push_back(
          {term.stem, std::string(kFieldNames[f]), value * share, posting->tf[f]});
    }
  }
  double sum = 0.0;
  for (const Contribution& one : scored.contributions) sum += one.value;
  const auto boost = [&](const char* name, double part) {
    scored.contributions.push_back({name, "boost", sum * part, 0});
  };
  if (page.pinned) boost("pinned", kPinnedBoost);
  if (page.state == "superseded") boost("superseded", kSupersededBoost);
  for (const Contribution& one : scored.contributions) scored.score += one.value;
  return scored;
}

// The `most` best pages, exactly: candidates are scored in order of their upper bound until none
// can still get in.
Result<std::vector<Scored>> Search::best_pages(const std::vector<Candidate>& candidates,
                                               std::size_t most) {
  std::unordered_map<std::int64_t, Scored> best;
  double threshold = -1.0;  // the score of the page in the last place
  std::size_t since = 0;
  for (const Candidate& candidate : candidates) {
    if (candidate.bound < threshold) break;
    std::optional<Scored> scored = TRY(score(candidate.segment));
    if (!scored) continue;
    const auto [at, added] = best.try_emplace(scored->page, *scored);
    if (!added && scored->score > at->second.score) at->second = std::move(*scored);
    if (++since >= most && best.size() >= most) {
      since = 0;
      std::vector<double> scores;
      for (const auto& [page, one] : best) scores.push_back(one.score);
      std::nth_element(scores.begin(), scores.begin() + static_cast<std::ptrdiff_t>(most) - 1,
                       scores.end(), std::greater<>());
      threshold = scores[most - 1];
    }
  }
  std::vector<Scored> sorted;
  for (auto& [page, one] : best) sorted.push_back(std::move(one));
  std::sort(sorted.begin(), sorted.end(), [this](const Scored& a, const Scored& b) {
    if (a.score != b.score) return a.score > b.score;
    const PageRow& x = pages_.at(a.page);
    const PageRow& y = pages_.at(b.page);
    if (x.updated_ms != y.updated_ms) return x.updated_ms > y.updated_ms;
    return a.page > b.page;
  });
  if (sorted.size() > most) sorted.resize(most);
  return sorted;
}

// Whether the weak words found are what the page is about: at least half of its title, all of it
// with clock words.
bool Search::about(const std::unordered_set<std::size_t>& found, const std::string& title) const {
  std::unordered_set<std::string> stems;
  for (const Word& word : words_of(title, Use::query)) {
    if (class_of(word) != WordClass::stop) stems.insert(word.stem);
  }
  std::size_t weak = 0, clock = 0;
  std::unordered_set<std::string_view> counted;
  for (const Term& term : terms_.terms) {
    if (!found.contains(term.parent) || !stems.contains(term.stem) ||
        !counted.insert(term.stem).second)
      continue;
    if (term.word_class == WordClass::clock)
      ++clock;
    else
      ++weak;
  }
  return weak + clock > 0 && (2 * weak >= stems.size() || weak + clock == stems.size());
}

std::string Search::why_held_back(const Scored& scored, const PageRow& page) const {
  if (page.state == "superseded") return "a newer page has another value";
  if (page.question) return "it is a question, not evidence";
  if (page.kind == "persona" || (page.kind == "preference" && page.pinned))
    return "it is part of the identity already";
  std::unordered_set<std::size_t>
      found;  // literals that are in title, body or tags, themselves or by a form
  for (const Term& term : terms_.terms) {
    const Posting* posting = posting_of(term, scored.segment);
    if (posting != nullptr && (posting->tf[0] | posting->tf[1] | posting->tf[2]) != 0)
      found.insert(term.parent);
  }
  double all = 0.0, covered = 0.0;
  std::size_t strong_in_query = 0, strong_found = 0;
  for (std::size_t i = 0; i < terms_.terms.size(); ++i) {
    const Term& term = terms_.terms[i];
    if (!term.literal) continue;
    const bool strong = term.word_class == WordClass::strong;
    const double mass = idf_of(corpus_.pages + kSteadyPages, std::max<std::int64_t>(term.df, 1)) *
                        (strong ? 1.0 : kWeakMass);
    all += mass;
    strong_in_query += strong;
    if (!found.contains(i)) continue;
    covered += mass;
    strong_found += strong;
  }
  const double share = all > 0.0 ? covered / all : 0.0;
  if (strong_found >= 1 && share >= min_share_) return {};
  if (strong_found >= 2 && share >= min_share_ / 2) return {};
  if (strong_in_query == 0 && share >= min_share_ && about(found, page.title)) return {};
  if (strong_found == 0) return "no telling word of the question is in it";
  return fmt::format("it covers {:.0f}% of the question's weight", share * 100.0);
}

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

Result<Hit> Search::hit_of(Scored scored) {
  const PageRow& page = *TRY(page_row(scored.page));
  Hit hit;
  hit.page_id = page.id;
  hit.title = page.title;
  hit.origin = page.origin;
  hit.revision = static_cast<int>(page.rev);
  hit.segment = scored.segment;
  hit.score = scored.score;
  hit.contributions = std::move(scored.contributions);
  Statement select = TRY(connection_.prepare("SELECT text FROM segment WHERE id = ?1"));
  select.bind(1, scored.segment);
  if (TRY(select.step())) hit.snippet = snippet_of(select.text(0), terms_.terms);
  return hit;
}

Result<Ranked> Search::run() {
  corpus_ = TRY(corpus_of(connection_));
  terms_ = TRY(terms_of(connection_, query_.text, min_share_ > 0.0, corpus_));
  const auto limit = static_cast<std::size_t>(std::clamp(query_.limit, 1, limits::memory_hits));
  const std::vector<Candidate> found = candidates();
  std::vector<Scored> best = TRY(best_pages(found, limit + (min_share_ > 0.0 ? kSpare : 0)));

  Ranked ranked;
  ranked.corpus = corpus_;
  ranked.candidates = static_cast<std::int64_t>(found.size());
  Retrieval& out = ranked.retrieval;
  for (Scored& scored : best) {
    std::string reason;
    if (min_share_ > 0.0) {
      reason = why_held_back(scored, *TRY(page_row(scored.page)));
      if (reason.empty() && !out.hits.empty() && scored.score < kBestShare * out.hits.front().score)
        reason = "its score is far below the best page's";
      if (reason.empty() && out.hits.size() == limit) break;
    }
    if (!reason.empty() && out.held_back.size() == limits::memory_held_back) continue;
    Hit hit = TRY(hit_of(std::move(scored)));
    hit.held_back = reason;
    (reason.empty() ? out.hits : out.held_back).push_back(std::move(hit));
  }
  for (const std::int64_t number : untrusted_) {
    if (out.held_back.size() == limits::memory_held_back) break;
    const PageRow& page = *TRY(page_row(number));
    Hit hit;
    hit.page_id = page.id;
    hit.title = page.title;
    hit.origin = page.origin;
    hit.revision = static_cast<int>(page.rev);
    hit.held_back = fmt::format("its origin is {}", page.origin);
    out.held_back.push_back(std::move(hit));
  }
  out.pages = corpus_.pages;
  out.left_out = std::move(terms_.left_out);
  out.left_out_count = terms_.left_out_count;
  for (const Term& term : terms_.terms)
    out.terms.push_back({term.stem, term.literal ? "literal" : "form", term.df, term.idf,
                         term.surface, term.weight});
  return ranked;
}

}  // namespace

std::string_view ranker_parameters() {
  return "keel-lex 1; title 5, body 4, tags 3, near 1.5; k1 1.2, b .75; form .3; pinned +.1, "
         "superseded -.5; "
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
  return ranked;
}

}  // namespace keel::memory
