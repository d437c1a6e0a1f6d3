#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>

#include "app/commands.h"
#include "app/config_edit.h"
#include "app/report.h"
#include "app/setup.h"
#include "base/limits.h"
#include "base/text.h"
#include "model/local/gguf_check.h"
#include "rt/file.h"

namespace keel::app {
namespace {

std::string config_text(const std::string& name, const std::string& model) {
  std::string text =
      "# keel's settings. keel config check reports mistakes with their line.\n\n"
      "[agent]\n"
      "name = " +
      toml_string(name) +
      "\n\n"
      "[files]\n"
      "# The folders whose files your agent may read. Nothing outside is ever read.\n"
      "allow = [\"files\"]\n\n"
      "# The models, the first one is the default. A path is that of a GGUF file.\n";
  std::string entry =
      "[[model]]\n"
      "name = \"local\"\n"
      "kind = \"local\"\n"
      "path = " +
      toml_string(model.empty() ? "models/FILE.gguf" : model) +
      "\n"
      "# context = 8192     # tokens; without it as many as the model and the memory allow\n"
      "# threads = 4        # without it as many as this machine computes best with\n"
      "# temperature = 0.0  # 0 gives the same answer to the same question\n";
  if (!model.empty()) return text + entry;
  std::string commented;
  for (std::string_view line : split(trim(entry), '\n')) {
    commented += (line.starts_with("#") ? "" : "# ") + std::string(line) + "\n";
  }
  return text + commented;
}

// The model's file as it is to stand in keel.toml; empty if there is none.
Result<std::string> model_path(const std::string& asked, const std::string& home) {
  std::string path = asked;
  if (path.empty()) {
    std::vector<std::string> found = models_in(home);
    if (found.empty()) return std::string();
    path = found.front();
  }
  std::error_code error;
  std::filesystem::path absolute = std::filesystem::absolute(path, error);
  if (error || !std::filesystem::exists(absolute, error)) {
    return fail(Code::not_found, fmt::format("there is no model file {}", path),
                "Give the path of a GGUF file that is there.");
  }
  TRY(local::check_gguf(absolute.string()));
  return absolute.lexically_normal().string();
}

Result<std::string> agent_name(const InitArguments& arguments) {
  if (!arguments.name.empty()) {
    if (!is_valid_utf8(arguments.name) || arguments.name.size() > limits::config_name_bytes) {
      return fail(Code::invalid_argument,
                  fmt::format("the name is not valid UTF-8, or longer than {} bytes",
                              limits::config_name_bytes),
                  "Choose a shorter one.");
    }
    return arguments.name;
  }
  std::string name = "Keel";
  if (arguments.yes || ::isatty(STDIN_FILENO) != 1 || ::isatty(STDOUT_FILENO) != 1) return name;
  print("What is your agent called? [Keel] ");
  std::string line;
  std::getline(std::cin, line);
  std::string given(trim(to_valid_utf8(line)));
  return given.empty() ? name : std::string(utf8_prefix(given, limits::config_name_bytes));
}

Status init(const InitArguments& arguments) {
  std::string home = TRY(config::home_folder());
  std::string path = home + "/keel.toml";
  struct stat found{};
  if (::lstat(path.c_str(), &found) == 0) {
    return fail(Code::already_exists, path + " is there already; nothing was changed",
                "Edit it and run keel config check, or move it away and run keel init again.");
  }
  std::string model = TRY(model_path(arguments.model, home));
  std::string name = TRY(agent_name(arguments));
  TRY(rt::make_folder(home));
  for (const char* folder : {"/files", "/models", "/logs"}) TRY(rt::make_folder(home + folder));
  std::string text = config_text(name, model);
  TRY(config::parse(text, home, path));
  TRY(rt::write_file(path, text));
  print(fmt::format("{} is ready.\n", path));
  if (model.empty()) {
    print(fmt::format("There is no model yet. Put a GGUF file into {}/models and name it in {}.\n",
                      home, path));
  } else {
    print(fmt::format("{} thinks with {}.\nRun: keel chat\n", name, model));
  }
  return {};
}

}  // namespace

int init_command(const InitArguments& arguments) {
  return report(init(arguments));
}

}  // namespace keel::app
