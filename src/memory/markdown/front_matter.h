// The properties at the top of a Markdown file ("front matter"), as people and Obsidian write them:
// `key: value` with plain and quoted scalars, block scalars, lists in brackets or by dashes. What
// is not of that form is kept byte for byte, and so is everything that is not changed: order,
// comments, quotes. docs/formats/memory-folder.md, "Front matter".
//
// Pure; any bytes. Bounds: limits::front_matter_bytes, front_matter_keys, front_matter_items.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace keel::memory {

// Something about a file that its owner should know.
struct Problem {
  std::string file;
  int line = 0;  // counted from 1; 0: the file as a whole
  std::string what;
  bool skipped = false;  // nothing was taken from the file
};

class FrontMatter {
 public:
  // Lines of a file from `first_line` on, without the lines of dashes around them. What could not
  // be understood is reported with its line and kept.
  static FrontMatter parse(std::string_view text, int first_line, std::vector<Problem>& problems);

  // Keys are found whatever their case. Nothing for a key that is not there, that has no value or
  // whose value is no scalar.
  std::optional<std::string> scalar(std::string_view key) const;
  // A scalar is a list of one. Nothing as above.
  std::optional<std::vector<std::string>> list(std::string_view key) const;
  bool has(std::string_view key) const { return find(key) != nullptr; }
  int line(std::string_view key) const;  // 0 if it is not there
  // The key as the file writes it; empty if it is not there.
  std::string written(std::string_view key) const;
  bool empty() const { return fields_.empty(); }
  // In the order of the file; keys as written.
  std::vector<std::string> keys() const;

  // A new key goes to the end; one that is there keeps its place. An empty value takes it out.
  void set(std::string_view key, std::string_view value);
  void set_list(std::string_view key, const std::vector<std::string>& values);
  void erase(std::string_view key);

  // The lines of the key as they stand, `key:` included; for set_source. Empty if it is not there.
  std::string source(std::string_view key) const;
  void set_source(std::string_view key, std::string_view source);

  std::string text() const;  // without the lines of dashes

 private:
  struct Field {
    std::string key;  // empty: lines that are no property
    std::string source;
    int line = 0;
  };
  const Field* find(std::string_view key) const;
  void put(std::string_view key, std::string source);
  std::vector<Field> fields_;
};

struct Document {
  FrontMatter front;
  std::string body;  // without white space around it
  int body_line = 1;
};
// A byte order mark is taken off and line ends become \n. A text that does not begin with
// properties is a body as a whole.
Document read_document(std::string_view raw, std::vector<Problem>& problems);
std::string document_text(const FrontMatter& front, std::string_view body);
// A file's text with one more line `key: value` at the top of its properties; all else is as it is.
std::string with_property(std::string_view text, std::string_view key, std::string_view value);
// A text with the line ends that another one has.
std::string with_line_ends_of(std::string_view other, std::string text);

// "2023-05-08", "2023-05-08T13:56:00.250+02:00", "2023-05-08 13:56", seconds or milliseconds since
// 1970; without a zone UTC. Nothing for what is no time.
std::optional<WallMs> time_of(std::string_view raw);
// "2026-11-22T18:05:00.123Z".
std::string time_text(WallMs ms);

}  // namespace keel::memory
