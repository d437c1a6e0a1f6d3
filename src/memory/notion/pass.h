// What the two directions of a pass share: whom to ask, what was found out, what was done. Inside
// this room only.
#pragma once

#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "memory/notion/flavor.h"
#include "memory/notion/mirror.h"

namespace keel::memory::notion {

struct Pass {
  Memory& memory;
  Ledger& ledger;
  Client& client;
  const Clock& clock;
  std::stop_token stop;
  SyncOptions options;
  Report& report;

  std::string source;  // id of the data source
  std::string bot;     // the connection's own user
  std::string owner;   // empty: whoever may edit
  Schema schema;
  bool schema_stale = false;           // a property was not there: look again
  std::vector<std::string> deletions;  // pages whose rows the owner put into the trash

  WallMs now() const { return clock.wall_ms(); }
  void notice(std::string text);
  // By Notion's clock: what is compared with its times, which are full minutes.
  WallMs there() const { return now() + client.ahead_ms(); }
  WallMs minute() const { return there() / 60'000 * 60'000; }
};

// The answer, or the error that ends the pass.
Result<Json> need(Answer answer);

// pass.cc: finds out what became of requests that were under way.
Status settle(Pass& pass);
// Takes over a text and properties that were read from Notion; `base` is what it had before.
struct Theirs {
  std::string title;
  std::vector<std::string> tags;
  std::string body;      // as shown_body
  std::string markdown;  // as Notion gave it; empty: the text was not read
  bool read = false;     // it was
  std::string by;        // owner or sync
};
Status take_over(Pass& pass, Entry entry, const Page& page, const Version& base,
                 const Theirs& theirs);
Version version_of(const Page& page);
// Marks for `body` from a text that Notion gave; false if it says something else.
bool learn(Entry& entry, std::string_view markdown, std::string_view body);

// pull.cc
Status pull(Pass& pass);
// Reads one row anew and takes over what it says.
Status refresh(Pass& pass, const Entry& entry);
struct Markdown {
  std::string text;
  bool whole = true;  // nothing was left out
};
Result<Markdown> get_markdown(Pass& pass, const std::string& remote_id);

// push.cc
Status push(Pass& pass);
Status trash_orphans(Pass& pass);

}  // namespace keel::memory::notion
