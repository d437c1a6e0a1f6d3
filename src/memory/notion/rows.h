// A page of memory as a row of the data source in Notion, and back: names, types and identifiers of
// the properties, times, titles and tags. docs/formats/notion.md lists the properties.
//
// Pure functions; any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "memory/memory.h"

namespace keel::memory::notion {

// What is mirrored of a page beside its text.
struct Face {
  std::string title;
  std::vector<std::string> tags;
  std::string kind, origin, state;
  std::string valid_from, valid_to, source;  // days and an address, where they are whole
  int importance = 1;
  friend bool operator==(const Face&, const Face&) = default;
};
Face face_of(const Page& page);
// A day that Notion takes ("2023-05" it does not), an address that it takes; else nothing.
std::string whole_day(std::string_view day);
std::string web_address(std::string_view uri);
// The text that is mirrored: nothing where it only repeats the title.
std::string shown_body(std::string_view title, std::string_view body);

// Which property of the data source holds what. Properties are known by their identifier, so that
// the owner may rename them.
struct Schema {
  std::map<std::string, std::string> ids;  // our name -> id
  std::vector<std::string> unusable;       // our names whose property has another type
  std::string text() const;                // for the ledger
  static Schema from_text(std::string_view text);
};
// `source` as GET data_sources/{id} gives it; `known` from last time. What is missing comes out in
// `missing`, as the body of PATCH data_sources/{id}; null if nothing is.
Schema read_schema(const Json& source, const Schema& known, Json& missing);

struct Row {
  std::string id, keel_id, title, kind;
  std::vector<std::string> tags;
  std::string created_by, edited_by;     // ids of users
  WallMs created_ms = 0, edited_ms = 0;  // full minutes
  bool in_trash = false;
};
Result<Row> row_of(const Json& page, const Schema& schema);
Json properties_json(std::string_view keel_id, const Face& face, const Schema& schema);
// Tags that Notion takes: without commas, not too long.
std::vector<std::string> sendable_tags(const std::vector<std::string>& tags);
// "2026-11-27T15:38:00.000Z"; 0 if it is no such time.
WallMs time_of(std::string_view text);
// Plain text of a list of rich text.
std::string plain_text(const Json& rich_text);

}  // namespace keel::memory::notion
