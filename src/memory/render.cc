#include "memory/render.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/text.h"

namespace keel::memory {
namespace {

constexpr std::size_t kShownBytes = 160;

std::string word_of(const Retrieval& retrieval, const std::string& stem) {
  for (const QueryTerm& term : retrieval.terms) {
    if (term.term == stem) return term.surface;
  }
  return stem;
}

// "11.42 = pottery 4.10 (title) + class 1.90 (near)".
std::string sum_text(const Retrieval& retrieval, const Hit& hit) {
  std::string text = fmt::format("{:.2f} =", hit.score);
  const char* joint = " ";
  for (const Contribution& one : hit.contributions) {
    const bool boost = one.field == "boost";
    const std::string name = boost ? one.term : word_of(retrieval, one.term);
    const std::string where =
        one.tf > 1 ? fmt::format("{}, {} times", one.field, one.tf) : one.field;
    text += fmt::format("{}{} {:.2f} ({})", joint, printable(name), one.value, where);
    joint = " + ";
  }
  return text;
}

std::string term_line(const Retrieval& retrieval, const QueryTerm& term) {
  std::string text = printable(term.surface);
  if (term.surface != term.term) text += fmt::format(" (stem {})", printable(term.term));
  if (term.source != "literal")
    text += fmt::format(" ({}, weight {:.1f})", term.source, term.weight);
  return text +
         fmt::format(": in {} of {} page(s), idf {:.2f}", term.df, retrieval.pages, term.idf);
}

void append_hit(std::string& out, const Retrieval& retrieval, const Hit& hit, std::size_t rank) {
  out += fmt::format("  {}. {}  [{}{}]{}{}\n", rank, printable(hit.title), hit.page_id,
                     hit.origin == "owner" ? "" : ", " + hit.origin,
                     hit.injected ? "  shown to the model" : "",
                     hit.cited ? ", used in the answer" : "");
  out += fmt::format("     {}\n", sum_text(retrieval, hit));
}

std::string unmatched(const Retrieval& retrieval) {
  std::vector<std::string> words;
  for (const QueryTerm& term : retrieval.terms) {
    if (term.source == "literal") words.push_back(printable(term.surface));
  }
  return words.empty() ? "none, the question has no word to look for" : join(words, ", ");
}

void append_retrieval(std::string& out, const Retrieval& r) {
  out += fmt::format("{}  {}{}\n", iso_time(r.at_ms), r.trigger,
                     r.turn.empty() ? "" : "  turn " + r.turn);
  out += fmt::format("asked: {}\n", printable(r.query, kShownBytes));
  if (!r.terms.empty()) out += "terms:\n";
  for (const QueryTerm& term : r.terms) out += "  " + term_line(r, term) + "\n";
  if (r.left_out_count > 0)
    out += fmt::format("  left out: {} more words, among them {}\n", r.left_out_count,
                       printable(join(r.left_out, ", "), kShownBytes));
  if (r.hits.empty()) {
    out += fmt::format("nothing matched: terms {}\n", unmatched(r));
  } else {
    out += "found:\n";
    for (std::size_t i = 0; i < r.hits.size(); ++i) append_hit(out, r, r.hits[i], i + 1);
    const auto shown =
        std::count_if(r.hits.begin(), r.hits.end(), [](const Hit& hit) { return hit.injected; });
    if (r.trigger == "turn")
      out += fmt::format("shown to the model: {} of {}\n", shown, r.hits.size());
  }
  if (r.held_back.empty()) return;
  out += "not used:\n";
  for (const Hit& hit : r.held_back) {
    out += fmt::format("  {}  [{}]: {}\n", printable(hit.title), hit.page_id, hit.held_back);
    if (!hit.contributions.empty()) out += fmt::format("     {}\n", sum_text(r, hit));
  }
}

}  // namespace

Json hit_json(const Hit& hit) {
  Json terms = Json::array();
  for (const Contribution& one : hit.contributions)
    terms.push_back(Json{{"term", one.term}, {"field", one.field}, {"value", one.value}});
  return Json{{"id", hit.page_id},
              {"title", hit.title},
              {"score", hit.score},
              {"snippet", hit.snippet},
              {"terms", std::move(terms)}};
}

Json search_json(const Retrieval& retrieval) {
  Json terms = Json::array();
  for (const QueryTerm& term : retrieval.terms)
    terms.push_back(
        Json{{"term", term.term}, {"source", term.source}, {"df", term.df}, {"idf", term.idf}});
  Json results = Json::array();
  for (const Hit& hit : retrieval.hits) results.push_back(hit_json(hit));
  return Json{{"query", retrieval.query},
              {"retrieval", retrieval.id},
              {"terms", std::move(terms)},
              {"results", std::move(results)}};
}

Json why_json(const Retrieval& retrieval) {
  Json out = search_json(retrieval);
  out["trigger"] = retrieval.trigger;
  out["turn"] = retrieval.turn;
  out["at"] = iso_time(retrieval.at_ms);
  out["pages"] = retrieval.pages;
  out["corpus_seq"] = retrieval.corpus_seq;
  for (std::size_t i = 0; i < retrieval.hits.size(); ++i) {
    out["results"][i]["origin"] = retrieval.hits[i].origin;
    out["results"][i]["injected"] = retrieval.hits[i].injected;
    out["results"][i]["cited"] = retrieval.hits[i].cited;
  }
  Json held = Json::array();
  for (const Hit& hit : retrieval.held_back) {
    Json one = hit_json(hit);
    one["origin"] = hit.origin;
    one["reason"] = hit.held_back;
    held.push_back(std::move(one));
  }
  out["held_back"] = std::move(held);
  return out;
}

std::string replay_text(const Replay& replay) {
  std::string out = fmt::format("{}  {}\nasked: {}\n", iso_time(replay.then.at_ms), replay.then.id,
                                printable(replay.then.query, kShownBytes));
  const auto list = [&](const char* title, const std::vector<Hit>& hits) {
    out += fmt::format("{}\n", title);
    for (std::size_t i = 0; i < hits.size(); ++i)
      out += fmt::format("  {}. {:.4f}  {}  {}\n", i + 1, hits[i].score, hits[i].page_id,
                         printable(hits[i].title));
  };
  if (replay.same) {
    list("asked again of the memory as it was: the same pages, order and scores", replay.now.hits);
  } else {
    list("found then:", replay.then.hits);
    list("found now, of the memory as it was:", replay.now.hits);
  }
  for (const std::string& note : replay.notes) out += note + "\n";
  return out;
}

Json page_json(const Page& page) {
  Json out{{"id", page.id},
           {"kind", page.kind},
           {"title", page.title},
           {"body", page.body},
           {"origin", page.origin},
           {"tags", page.tags},
           {"pinned", page.pinned},
           {"state", page.state},
           {"supersedes", page.supersedes},
           {"source_turn", page.source_turn},
           {"source_quote", page.source_quote},
           {"session", page.session},
           {"speaker", page.speaker},
           {"day", page.day},
           {"aliases", page.aliases},
           {"importance", page.importance},
           {"valid_from", page.valid_from},
           {"valid_to", page.valid_to},
           {"source", page.source_uri},
           {"gist", page.gist},
           {"lang", page.lang},
           {"author_model", page.author_model},
           {"extra", page.extra},
           {"revision", page.revision},
           {"hash", page.hash},
           {"created", iso_time(page.created_ms)},
           {"updated", iso_time(page.updated_ms)}};
  return out;
}

std::string why_text(const std::vector<Retrieval>& retrievals) {
  if (retrievals.empty()) return "Memory was not asked.\n";
  std::string out;
  for (const Retrieval& retrieval : retrievals) {
    if (!out.empty()) out += "\n";
    append_retrieval(out, retrieval);
  }
  return out;
}

}  // namespace keel::memory
