#include "model/shelf/source.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/limits.h"
#include "base/text.h"
#include "model/shelf/catalogue.h"
#include "net/url.h"

namespace keel::shelf {
namespace {

constexpr std::string_view kEnd = ".gguf";
constexpr std::string_view kWays =
    "Give a name of keel model list --available, hf:OWNER/REPO/FILE.gguf, or a web address.";

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == '+';
}

bool is_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "-00001-of-00003": models that were cut into several files.
bool is_part(std::string_view stem) {
  const std::size_t of = stem.rfind("-of-");
  if (of == stem.npos || !is_digits(stem.substr(of + 4))) return false;
  const std::size_t dash = stem.rfind('-', of == 0 ? 0 : of - 1);
  return dash != stem.npos && dash < of && is_digits(stem.substr(dash + 1, of - dash - 1));
}

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size()) {
      const char* end = text.data() + i + 3;
      if (std::from_chars(text.data() + i + 1, end, value, 16).ptr == end) {
        out += static_cast<char>(value);
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

// The last part of an address as a file name of ours.
Result<std::string> file_of(std::string_view path) {
  const std::string last = decoded(path.substr(path.rfind('/') + 1));
  std::string file;
  for (const char c : last) file += is_plain(c) ? c : '-';
  if (!ascii_lower(file).ends_with(kEnd) || file.size() == kEnd.size() || file.front() == '.') {
    return fail(Code::invalid_argument,
                fmt::format("{} is not the name of a model file", printable(last)),
                "keel takes files that end in .gguf, the format of llama.cpp.");
  }
  file.replace(file.size() - kEnd.size(), kEnd.size(), kEnd);
  if (is_part(std::string_view(file).substr(0, file.size() - kEnd.size()))) {
    return fail(Code::unsupported, fmt::format("{} is one part of a model in several files", file),
                "Choose a quantisation that is one file, for example one that is smaller.");
  }
  if (file.size() > limits::shelf_file_name_bytes) {
    return fail(
        Code::limit,
        fmt::format("the name of the file is longer than {} bytes", limits::shelf_file_name_bytes),
        "Give another one with --name.");
  }
  return file;
}

Result<Source> on_hub(std::string_view path, const std::string& hub) {
  const std::vector<std::string_view> parts = split(path, '/');
  const bool whole =
      parts.size() >= 3 && std::none_of(parts.begin(), parts.end(), [](std::string_view part) {
        return part.empty() || part == "." || part == ".." ||
               part.find_first_of("?#\\") != part.npos;
      });
  if (!whole) {
    return fail(Code::invalid_argument,
                fmt::format("hf:{} is not of the form hf:OWNER/REPO/FILE.gguf", printable(path)),
                "The hub's page of the model lists its files under \"Files\".");
  }
  Source source;
  source.page = fmt::format("{}/{}/{}", hub, parts[0], parts[1]);
  const std::size_t file_at = parts[0].size() + parts[1].size() + 2;
  source.url = fmt::format("{}/resolve/main/{}", source.page, path.substr(file_at));
  source.on_hub = true;
  source.file = TRY(file_of(parts.back()));
  return source;
}

Result<Source> from_address(std::string_view text, const std::string& hub) {
  Source source;
  source.url = std::string(text);
  source.on_hub = text.starts_with(hub + "/");
  if (source.on_hub) {
    // What a browser shows for a file is a page about it; the file itself is under resolve/.
    const std::size_t blob = source.url.find("/blob/", hub.size());
    if (blob != source.url.npos) source.url.replace(blob, 6, "/resolve/");
    const std::size_t resolve = source.url.find("/resolve/", hub.size());
    if (resolve != source.url.npos) source.page = source.url.substr(0, resolve);
  }
  const net::Url url = TRY(net::parse_url(source.url));
  source.file = TRY(file_of(url.path));
  return source;
}

Result<Source> from_catalogue(std::string_view text, const std::string& hub) {
  std::vector<std::string> names;
  for (const Entry& entry : catalogue()) {
    names.emplace_back(entry.name);
    if (!equals_ignoring_case(entry.name, text)) continue;
    Source source = TRY(on_hub(fmt::format("{}/{}", entry.repository, entry.file), hub));
    source.name = entry.name;
    source.sha256 = entry.sha256;
    if (!entry.sha256.empty()) source.bytes = entry.bytes;
    return source;
  }
  const std::string near = nearest_name(std::string(text), names);
  return fail(Code::not_found, fmt::format("the list has no model {}", printable(text)),
              (near.empty() ? "" : "Did you mean " + near + "? ") + std::string(kWays));
}

Status rename(Source& source, const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), is_plain) && name.front() != '.';
  if (!plain || name.size() > limits::config_name_bytes) {
    return fail(
        Code::invalid_argument, fmt::format("{} cannot be a name here", printable(name)),
        fmt::format("Use up to {} letters, digits, points and dashes.", limits::config_name_bytes));
  }
  source.name = name;
  source.file = name + std::string(ascii_lower(name).ends_with(kEnd) ? "" : kEnd);
  return {};
}

}  // namespace

Result<Source> parse_source(std::string_view text, const std::string& hub,
                            const std::string& name) {
  Result<Source> source = Source{};
  if (text.starts_with("hf:")) {
    source = on_hub(text.substr(3), hub);
  } else if (text.starts_with("http://") || text.starts_with("https://")) {
    source = from_address(text, hub);
  } else {
    source = from_catalogue(text, hub);
  }
  if (!source) return source;
  if (!name.empty()) TRY(rename(*source, name));
  if (source->name.empty()) source->name = name_of_file(source->file);
  return source;
}

std::string name_of_file(const std::string& file) {
  for (const Entry& entry : catalogue()) {
    if (entry.file == file) return std::string(entry.name);
  }
  std::string_view stem = file;
  if (ascii_lower(stem).ends_with(kEnd)) stem.remove_suffix(kEnd.size());
  return std::string(utf8_prefix(ascii_lower(stem), limits::config_name_bytes));
}

}  // namespace keel::shelf
