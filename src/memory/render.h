// Memory as JSON for scripts and as text for the terminal. The JSON forms are part of keel's public
// surface (docs/architecture.md, section 7). Pure, any thread.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "memory/memory.h"

namespace keel::memory {

// {query, retrieval, terms:[{term,source,df,idf}],
// results:[{id,title,score,snippet,terms:[{term,field,value}]}]}; the values of a result add up to
// its score.
Json search_json(const Retrieval& retrieval);
// One result of it: {id, title, score, terms} with the snippet in between.
Json hit_json(const Hit& hit);
Json page_json(const Page& page);

// What was asked, the terms, each hit with its sum written out, what was shown to the model, and
// what was not and why.
std::string why_text(const std::vector<Retrieval>& retrievals);
// Whether the list came out the same, and the two lists where it did not.
std::string replay_text(const Replay& replay);
// One retrieval of `why --json`: search_json with when and why it was asked, what was shown to the
// model (injected), used by the answer (cited), and held back with the reason.
Json why_json(const Retrieval& retrieval);

}  // namespace keel::memory
