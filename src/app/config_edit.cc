#include "app/config_edit.h"

#include <fmt/core.h>

#include "base/text.h"

namespace keel::app {

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string with_default_model(std::string_view text, const std::string& name) {
  std::string entry = "default = " + toml_string(name);
  std::string out;
  bool in_route = false;
  bool done = false;
  for (std::string_view line : split(text, '\n')) {
    std::string_view bare = trim(line);
    std::string_view key = trim(bare.substr(0, bare.find('=')));
    if (bare.starts_with("[")) {
      in_route = trim(bare.substr(0, bare.find('#'))) == "[route]";
    } else if (in_route && !done && key == "default" && bare.find('=') != std::string_view::npos) {
      out += entry + "\n";
      done = true;
      continue;
    }
    out += std::string(line) + "\n";
  }
  out.pop_back();
  if (done) return out;
  // A [route] without a default has been passed by: its header is found again and followed by the
  // entry.
  std::size_t header = out.find("[route]");
  if (header != std::string::npos && (header == 0 || out[header - 1] == '\n')) {
    std::size_t end = out.find('\n', header);
    if (end == std::string::npos) return out + "\n" + entry + "\n";
    return out.insert(end + 1, entry + "\n");
  }
  if (!out.empty() && out.back() != '\n') out += '\n';
  return out + "\n[route]\n" + entry + "\n";
}

std::string with_local_model(std::string_view text, const std::string& name,
                             const std::string& path) {
  std::string out(text);
  if (!out.empty() && out.back() != '\n') out += '\n';
  return out + fmt::format("\n[[model]]\nname = {}\nkind = \"local\"\npath = {}\n",
                           toml_string(name), toml_string(path));
}

}  // namespace keel::app
