// Where a model file comes from, and what it is called here. Three ways to say it: a name of the
// catalogue, hf:OWNER/REPO/FILE, or a web address. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace keel::shelf {

struct Source {
  std::string name;  // in keel.toml
  std::string file;  // in KEEL_HOME/models
  std::string url;
  std::string page;         // for people: terms and description; may be empty
  bool on_hub = false;      // below the hub's address: the owner's token may go there
  std::uint64_t bytes = 0;  // of the file, where the catalogue knows it
  std::string sha256;       // the same
};

// `hub` is the base address of keel.toml, without a slash at its end. `name`, if not empty, is what
// the file and the model are to be called here. Code::invalid_argument or not_found, with the
// nearest name of the catalogue.
Result<Source> parse_source(std::string_view text, const std::string& hub, const std::string& name);

// The name of a file on the shelf: the catalogue's, else the file's own without ".gguf", in lower
// case, as keel.toml takes it.
std::string name_of_file(const std::string& file);

}  // namespace keel::shelf
