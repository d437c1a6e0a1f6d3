#include "memory/rank/scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/limits.h"

namespace keel::memory {
namespace {

using store::Connection;
using store::Statement;

constexpr double kK1 = 1.2;
constexpr double kB = 0.75;

// One segment's sum. Ordered by key, which is the segment's id.
struct Sum {
  std::int64_t key = 0;
  double own = 0.0;
  bool distrusted = false;
  bool speaker = false;
  bool tag = false;
};

// A term with its lists: the packed one, and what of it still waits.
struct Listed {
  std::size_t term = 0;
  PackedList packed;
  std::vector<Posting> waiting;
  std::size_t bytes = 0;
};

Status read_waiting(Connection& connection, const std::vector<Term>& terms,
                    std::vector<Listed>& lists) {
  std::unordered_map<std::string_view, std::size_t> places;
  for (std::size_t i = 0; i < terms.size(); ++i) places.emplace(terms[i].stem, i);
  Statement select =
      TRY(connection.prepare("SELECT s.id, s.tokens, p.origin IN ('untrusted', 'import'), s.words "
                             "FROM segment s JOIN page "
                             "p ON p.number = s.page WHERE s.packed = 0 ORDER BY s.id"));
  while (TRY(select.step())) {
    const std::int64_t id = select.integer(0);
    const std::string packed = select.text(3);
    WordReader reader(packed);
    std::string_view word;
    Counts tf;
    while (reader.next(word, tf)) {
      const auto place = places.find(word);
      if (place == places.end()) continue;
      lists[place->second].waiting.push_back(
          {id / kSegmentsPerPage, static_cast<std::uint32_t>(id % kSegmentsPerPage),
           static_cast<std::uint32_t>(select.integer(1)), select.integer(2) != 0, tf});
    }
    if (reader.broken()) return broken_segment(id);
  }
  return {};
}

Result<std::vector<Listed>> read_lists(Connection& connection, std::vector<Term>& terms,
                                       const Corpus& corpus) {
  std::vector<Listed> lists(terms.size());
  TRY(read_waiting(connection, terms, lists));
  for (std::size_t i = 0; i < terms.size(); ++i) {
    Listed& list = lists[i];
    list.term = i;
    list.packed = TRY(read_packed(connection, terms[i].stem));
    terms[i].df = list.packed.pages;
    std::int64_t last = -1;
    for (const Posting& posting : list.waiting) {
      terms[i].df += posting.page != last ? 1 : 0;
      last = posting.page;
    }
    for (const PackedList::Piece& piece : list.packed.pieces) list.bytes += piece.data.size();
    terms[i].idf = idf_of(corpus.pages, terms[i].df);
  }
  return lists;
}

tl::unexpected<Error> damaged(const Term& term) {
  return fail(Code::corrupt,
              fmt::format("The memory's index of the word '{}' is damaged.", term.stem),
              "Run `keel doctor`.");
}

std::int64_t key_of(const Posting& posting) {
  return posting.page * kSegmentsPerPage + posting.seq;
}

// Adds sorted lists to sorted sums.
class Sums {
 public:
  explicit Sums(const Saturation& saturation) : saturation_(saturation) {}

  Status add(const Term& term, const Listed& list) {
    fresh_.clear();
    const auto take = [&](const Posting& posting) {
      fresh_.push_back({key_of(posting), value(term, posting), posting.distrusted,
                        is_speaker(term, posting), is_tag(term, posting)});
    };
    for (const PackedList::Piece& piece : list.packed.pieces) {
      PostingReader reader(piece.data, piece.first);
      Posting posting;
      while (reader.next(posting)) take(posting);
      if (reader.broken()) return damaged(term);
    }
    const auto packed = static_cast<std::ptrdiff_t>(fresh_.size());
    for (const Posting& posting : list.waiting) take(posting);
    std::inplace_merge(fresh_.begin(), fresh_.begin() + packed, fresh_.end(),
                       [](const Sum& a, const Sum& b) { return a.key < b.key; });
    merge();
    return {};
  }

  // Only to segments that have a sum already; pieces of the list without any are not read.
  Status add_to_known(const Term& term, const Listed& list) {
    auto at = sums_.begin();
    const std::vector<PackedList::Piece>& pieces = list.packed.pieces;
    for (std::size_t i = 0; i < pieces.size() && at != sums_.end(); ++i) {
      const std::int64_t from = pieces[i].first * kSegmentsPerPage;
      at = std::lower_bound(at, sums_.end(), from,
                            [](const Sum& sum, std::int64_t key) { return sum.key < key; });
      if (at == sums_.end()) break;
      if (i + 1 < pieces.size() && at->key >= pieces[i + 1].first * kSegmentsPerPage) continue;
      PostingReader reader(pieces[i].data, pieces[i].first);
      Posting posting;
      while (at != sums_.end() && reader.next(posting)) raise(term, posting, at);
      if (reader.broken()) return damaged(term);
    }
    at = sums_.begin();
    for (const Posting& posting : list.waiting) raise(term, posting, at);
    return {};
  }

  // Takes out what has less than `least`, but for what is not trusted and named for that.
  void drop_below(double least, bool keep_distrusted) {
    std::erase_if(sums_, [&](const Sum& sum) {
      return sum.own < least && !(keep_distrusted && sum.distrusted);
    });
  }
  const std::vector<Sum>& sums() const { return sums_; }

 private:
  double value(const Term& term, const Posting& posting) const {
    return term.weight * term.idf * saturation_.value(weighted_tf(posting.tf), posting.tokens);
  }
  static bool is_speaker(const Term& term, const Posting& posting) {
    return posting.tf[kSpeaker] > 0 && term.source == Term::Source::literal;
  }
  static bool is_tag(const Term& term, const Posting& posting) {
    return posting.tf[kTags] > 0 && term.source == Term::Source::literal;
  }

  void raise(const Term& term, const Posting& posting, std::vector<Sum>::iterator& at) {
    const std::int64_t key = key_of(posting);
    while (at != sums_.end() && at->key < key) ++at;
    if (at == sums_.end() || at->key != key) return;
    at->own += value(term, posting);
    at->speaker = at->speaker || is_speaker(term, posting);
    at->tag = at->tag || is_tag(term, posting);
  }

  void merge() {
    merged_.clear();
    merged_.reserve(sums_.size() + fresh_.size());
    auto a = sums_.begin();
    auto b = fresh_.begin();
    while (a != sums_.end() && b != fresh_.end()) {
      if (a->key < b->key) {
        merged_.push_back(*a++);
      } else if (b->key < a->key) {
        merged_.push_back(*b++);
      } else {
        merged_.push_back(
            {a->key, a->own + b->own, a->distrusted, a->speaker || b->speaker, a->tag || b->tag});
        ++a;
        ++b;
      }
    }
    merged_.insert(merged_.end(), a, sums_.end());
    merged_.insert(merged_.end(), b, fresh_.end());
    sums_.swap(merged_);
  }

  const Saturation& saturation_;
  std::vector<Sum> sums_, fresh_, merged_;
};

// The best segment of each page; the sums are by segment, so a page's stand together.
void best_of_pages(const std::vector<Sum>& sums, bool trusted_only, Scan& out) {
  std::vector<Found>* last = nullptr;
  for (const Sum& sum : sums) {
    std::vector<Found>& list = sum.distrusted && trusted_only ? out.refused : out.pages;
    const Found found{sum.key, sum.own, sum.distrusted, sum.speaker, sum.tag};
    const bool same = last == &list && !list.empty() &&
                      list.back().segment / kSegmentsPerPage == sum.key / kSegmentsPerPage;
    if (!same)
      list.push_back(found);
    else if (found.own > list.back().own)
      list.back() = found;
    last = &list;
  }
}

// The sum of the last page that would be kept if this were all; 0 if there are not so many.
double sum_to_beat(const std::vector<Sum>& sums, bool trusted_only) {
  Scan so_far;
  best_of_pages(sums, trusted_only, so_far);
  if (so_far.pages.size() <= limits::memory_candidates) return 0.0;
  const auto last =
      so_far.pages.begin() + static_cast<std::ptrdiff_t>(limits::memory_candidates) - 1;
  std::nth_element(so_far.pages.begin(), last, so_far.pages.end(),
                   [](const Found& a, const Found& b) { return a.own > b.own; });
  return last->own;
}

void keep_best(std::vector<Found>& list, std::size_t most) {
  const auto better = [](const Found& a, const Found& b) {
    return a.own != b.own ? a.own > b.own : a.segment > b.segment;
  };
  if (list.size() > most) {
    const auto end = list.begin() + static_cast<std::ptrdiff_t>(most);
    std::nth_element(list.begin(), end, list.end(), better);
    list.resize(most);
  }
  std::sort(list.begin(), list.end(), better);
}

}  // namespace

double weighted_tf(const Counts& tf) {
  double sum = 0.0;
  for (std::size_t f = 0; f < kFields; ++f) sum += kFieldWeights[f] * tf[f];
  return sum;
}

Saturation::Saturation(const Corpus& corpus)
    : average_(static_cast<double>(std::max<std::int64_t>(corpus.tokens, 1)) /
               static_cast<double>(std::max<std::int64_t>(corpus.segments, 1))) {
  for (std::size_t i = 0; i < lengths_.size(); ++i)
    lengths_[i] = length(static_cast<std::int64_t>(i));
}

double Saturation::length(std::int64_t tokens) const {
  return kK1 * (1.0 - kB + kB * static_cast<double>(tokens) / average_);
}

double Saturation::value(double weighted, std::int64_t tokens) const {
  const double of_length = tokens >= 0 && tokens < std::ssize(lengths_)
                               ? lengths_[static_cast<std::size_t>(tokens)]
                               : length(tokens);
  return weighted * (kK1 + 1.0) / (weighted + of_length);
}

Result<Scan> scan(Connection& connection, std::vector<Term>& terms, const Corpus& corpus,
                  bool trusted_only, std::size_t long_list) {
  std::vector<Listed> lists = TRY(read_lists(connection, terms, corpus));
  const Saturation saturation(corpus);
  Sums sums(saturation);
  // Short lists first: what was merged is read again with each further list. Words of time last:
  // they only add to what is there.
  std::stable_sort(lists.begin(), lists.end(), [&](const Listed& a, const Listed& b) {
    const bool late_a = terms[a.term].source == Term::Source::when;
    const bool late_b = terms[b.term].source == Term::Source::when;
    return late_a != late_b ? late_b : a.bytes < b.bytes;
  });
  // What all lists from here on can give one segment. Where that is less than what the last page
  // to be kept has already, no new segment can come among the best, nor can one that lacks more
  // than that.
  double to_come = 0.0;
  for (const Term& term : terms) to_come += term.weight * term.idf * (kK1 + 1.0);
  bool only_known = false;
  for (const Listed& list : lists) {
    const Term& term = terms[list.term];
    if (list.bytes > long_list) {
      const double least = sum_to_beat(sums.sums(), trusted_only) - to_come - 1e-9;
      only_known = only_known || least > 0.0;
      if (least > 0.0) sums.drop_below(least, trusted_only);
    }
    if (only_known || term.source == Term::Source::when)
      TRY(sums.add_to_known(term, list));
    else
      TRY(sums.add(term, list));
    to_come -= term.weight * term.idf * (kK1 + 1.0);
  }

  Scan out;
  out.candidates = static_cast<std::int64_t>(sums.sums().size());
  best_of_pages(sums.sums(), trusted_only, out);
  keep_best(out.pages, limits::memory_candidates);
  keep_best(out.refused, limits::memory_held_back);
  // A form that is nowhere only makes the record longer; a literal that is nowhere is worth
  // knowing.
  std::vector<std::size_t> place(terms.size(), 0);
  std::vector<Term> kept;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    if (terms[i].source != Term::Source::literal && terms[i].df == 0) continue;
    place[i] = kept.size();
    kept.push_back(std::move(terms[i]));
  }
  for (Term& term : kept) term.parent = place[term.parent];
  terms = std::move(kept);
  return out;
}

}  // namespace keel::memory
