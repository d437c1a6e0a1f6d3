// What a search is asked and what it answers: the terms that were looked up, the pages that were
// found, and every addend of their scores. Plain values, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace keel::memory {

// One addend of a hit's score.
struct Contribution {
  std::string term;   // the query's term, or the name of a boost
  std::string field;  // body, title, tags, gist, near, far, speaker, day; "boost"
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
  bool cited = false;        // named in the answer (mark_cited)
  std::string held_back;     // why it was not returned; empty for what was
};
struct QueryTerm {
  std::string term;     // the stem that was looked up
  std::string source;   // literal, form (irregular or alias), date, when
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
  std::vector<Hit> hits;        // best first
  std::vector<Hit> held_back;   // found, but not relevant enough or not to be injected; at most
                                // limits::memory_held_back
  std::int64_t pages = 0;       // that were searched
  std::int64_t corpus_seq = 0;  // the state they were in
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
  WallMs now_ms = 0;    // what "yesterday" is taken from; search() takes its clock where it is 0
  // Seconds by which the owner's clock is ahead of UTC; search() takes the machine's zone.
  std::optional<std::int64_t> zone_s;
  // The owner's clock, read as if it were UTC; 0 where there is no time.
  WallMs local_ms() const { return now_ms > 0 ? now_ms + 1000 * zone_s.value_or(0) : 0; }
};

}  // namespace keel::memory
