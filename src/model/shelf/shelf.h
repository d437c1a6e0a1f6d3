// What lies in KEEL_HOME/models: model files, and in .shelf/ beside them a record of where each
// pulled one came from and what was checked (docs/formats/shelf.md). The owner may put files there
// by hand; they are on the shelf too, without a record.
//
// Threads: any; nothing is kept between calls.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace keel::shelf {

// What the hash of a file was compared with.
enum class Checked { list, hub, nothing };
std::string_view checked_name(Checked checked);

struct Record {
  std::string url;
  std::string identity;  // of the version, as in Version
  std::uint64_t bytes = 0;
  std::string sha256;  // of the file as it is here
  Checked checked = Checked::nothing;
};

struct Item {
  std::string name;  // for keel.toml and keel model use
  std::string file;
  std::string path;
  std::uint64_t bytes = 0;
  std::optional<Record> record;  // if it fits the file's size
};

// The GGUF files of a folder, by file name; none if there is no such folder.
std::vector<Item> items(const std::string& folder);

// The folder for records, states and locks; made if need be, 0700.
Result<std::string> shelf_folder(const std::string& folder);

std::optional<Record> read_record(const std::string& folder, const std::string& file);
Status write_record(const std::string& folder, const std::string& file, const Record& record);
void forget_record(const std::string& folder, const std::string& file);

}  // namespace keel::shelf
