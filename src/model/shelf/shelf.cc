#include "model/shelf/shelf.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/json.h"
#include "base/limits.h"
#include "model/shelf/source.h"
#include "rt/file.h"

namespace keel::shelf {
namespace {

constexpr int kRecordVersion = 1;
constexpr std::string_view kFolder = "/.shelf";

std::string record_path(const std::string& folder, const std::string& file) {
  return folder + std::string(kFolder) + "/" + file + ".json";
}

}  // namespace

std::string_view checked_name(Checked checked) {
  switch (checked) {
    case Checked::list:
      return "list";
    case Checked::hub:
      return "hub";
    case Checked::nothing:
      break;
  }
  return "nothing";
}

std::vector<Item> items(const std::string& folder) {
  std::vector<Item> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".gguf" || !entry.is_regular_file(error)) continue;
    Item item;
    item.file = entry.path().filename().string();
    item.name = name_of_file(item.file);
    item.path = entry.path().string();
    item.bytes = entry.file_size(error);
    if (error) continue;
    item.record = read_record(folder, item.file);
    if (item.record && item.record->bytes != item.bytes) item.record.reset();
    found.push_back(std::move(item));
  }
  std::sort(found.begin(), found.end(),
            [](const Item& a, const Item& b) { return a.file < b.file; });
  return found;
}

Result<std::string> shelf_folder(const std::string& folder) {
  std::string path = folder + std::string(kFolder);
  TRY(rt::make_folder(path));
  return path;
}

std::optional<Record> read_record(const std::string& folder, const std::string& file) {
  const Result<std::string> text =
      rt::read_file(record_path(folder, file), limits::shelf_state_bytes);
  if (!text) return std::nullopt;
  const Result<Json> json = parse_json(*text);
  if (!json || !json->is_object() || json_int_or(*json, "version", 0) != kRecordVersion) {
    return std::nullopt;
  }
  Record record;
  record.url = json_string_or(*json, "url", "");
  record.identity = json_string_or(*json, "identity", "");
  record.bytes =
      static_cast<std::uint64_t>(std::max<std::int64_t>(json_int_or(*json, "bytes", 0), 0));
  record.sha256 = json_string_or(*json, "sha256", "");
  for (const Checked checked : {Checked::list, Checked::hub}) {
    if (json_string_or(*json, "checked", "") == checked_name(checked)) record.checked = checked;
  }
  return record;
}

Status write_record(const std::string& folder, const std::string& file, const Record& record) {
  return rt::write_file(record_path(folder, file),
                        dump_json_pretty({{"version", kRecordVersion},
                                          {"url", record.url},
                                          {"identity", record.identity},
                                          {"bytes", record.bytes},
                                          {"sha256", record.sha256},
                                          {"checked", checked_name(record.checked)}}) +
                            "\n");
}

void forget_record(const std::string& folder, const std::string& file) {
  ::unlink(record_path(folder, file).c_str());
}

}  // namespace keel::shelf
