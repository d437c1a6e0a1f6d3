// keel memory edit, log, pin and alias: the owner's hand on what his agent remembers.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "app/assembly.h"
#include "app/commands.h"
#include "app/report.h"
#include "app/setup.h"
#include "base/text.h"
#include "config/config.h"
#include "memory/folder/chronicle.h"
#include "memory/markdown/notes.h"
#include "memory/markdown/page_file.h"
#include "memory/memory.h"
#include "rt/file.h"

namespace keel::app {
namespace {

constexpr std::size_t shown_title = 80;
constexpr std::size_t shown_hash = 10;
constexpr std::size_t shown_page = 14;

// A file for the editor that goes away with this.
class Draft {
 public:
  static Result<Draft> create(const std::string& home, const memory::Page& page) {
    Draft draft;
    draft.path_ = home + "/edit-" + page.id + ".md";
    TRY(rt::write_file(draft.path_, memory::document_text(memory::front_of(page), page.body)));
    return draft;
  }
  Draft(Draft&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Draft& operator=(Draft&&) = delete;
  ~Draft() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  void keep() { path_.clear(); }
  const std::string& path() const { return path_; }

 private:
  Draft() = default;
  std::string path_;
};

// The terminal belongs to the editor until it ends.
Status run_editor(const std::string& path) {
  std::string editor = config::environment("VISUAL");
  if (editor.empty()) editor = config::environment("EDITOR");
  if (editor.empty()) editor = "vi";
  const pid_t child = ::fork();
  if (child < 0) return tl::unexpected<Error>(rt::errno_error(errno, "could not start " + editor));
  if (child == 0) {
    // The setting may hold arguments: the shell takes them apart, the path is passed beside it.
    const std::string command = editor + " \"$1\"";
    ::execl("/bin/sh", "sh", "-c", command.c_str(), "sh", path.c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(Code::cancelled, editor + " did not end well; the page is as it was.",
              "Set EDITOR to the editor you use.");
}

Result<memory::NewPage> edited_by_hand(const std::string& home, const memory::Page& page) {
  Draft draft = TRY(Draft::create(home, page));
  TRY(run_editor(draft.path()));
  std::vector<memory::Problem> problems;
  const std::size_t slash = draft.path().rfind('/');
  const std::optional<memory::NewPage> changed =
      memory::read_note(draft.path().substr(0, slash), draft.path().substr(slash + 1), problems,
                        memory::Reading::edit);
  if (!changed) {
    draft.keep();
    return fail(Code::invalid_argument,
                problems.empty() ? "the text cannot be taken"
                                 : fmt::format("line {} {}", problems[0].line, problems[0].what),
                "What you wrote is kept in " + home + "/edit-" + page.id + ".md");
  }
  for (const memory::Problem& one : problems)
    print(fmt::format("line {}: {}\n", one.line, printable(one.what, 200)));
  return memory::merge_pages(page, *changed, page).page;
}

Result<memory::NewPage> edited_as_said(const MemoryEditArguments& arguments,
                                       const memory::Page& page) {
  memory::NewPage whole = page;
  if (arguments.title) whole.title = *arguments.title;
  if (arguments.body && *arguments.body == "-") {
    whole.body = TRY(read_message());
  } else if (arguments.body) {
    TRY(check_message(*arguments.body));
    whole.body = *arguments.body;
  }
  if (arguments.kind) whole.kind = *arguments.kind;
  if (arguments.origin) whole.origin = *arguments.origin;
  if (arguments.importance) whole.importance = *arguments.importance;
  if (arguments.tags) whole.tags = *arguments.tags;
  if (arguments.aliases) whole.aliases = *arguments.aliases;
  return whole;
}

// What was made from `page`, in its place. The agent may write while an editor is open: then both
// are in the page, and where they changed the same the owner's words stand. `page` is afterwards
// the form that was replaced.
Result<memory::Page> put_over(memory::Memory& memory, memory::Page& page, memory::NewPage whole) {
  for (;;) {
    Result<memory::Page> done = memory.replace(page.id, whole, "owner", "edited", page.revision);
    if (done || done.error().code != Code::busy) return done;
    memory::Page now = TRY(memory.get(page.id));
    whole = memory::merge_pages(page, whole, now).page;
    page = std::move(now);
    print("The page was changed meanwhile; your changes are put together with it.\n");
  }
}

Status edit(const MemoryEditArguments& arguments) {
  const bool by_hand = !arguments.asks() && ::isatty(STDIN_FILENO) && ::isatty(STDOUT_FILENO);
  if (!arguments.asks() && !by_hand) {
    return fail(Code::invalid_argument, "nothing was said to change",
                "Give --title, --body or another option; on a terminal your editor opens.");
  }
  std::unique_ptr<Assembly> assembly = TRY(open_memory());
  memory::Page page = TRY(assembly->memory().get(arguments.id));
  memory::NewPage whole = by_hand ? TRY(edited_by_hand(assembly->config().home, page))
                                  : TRY(edited_as_said(arguments, page));
  whole.updated_ms = 0;
  const memory::Page edited = TRY(put_over(assembly->memory(), page, std::move(whole)));
  if (edited.revision == page.revision) {
    print("Nothing changed.\n");
    return {};
  }
  print(fmt::format("{}  revision {}  {}\n", edited.id.substr(0, shown_page), edited.revision,
                    printable(edited.title, shown_title)));
  return {};
}

Status log(const MemoryLogArguments& arguments) {
  std::unique_ptr<Assembly> assembly = TRY(open_memory());
  const std::vector<memory::Entry> entries = TRY(
      memory::chronicle(assembly->memory(), assembly->database(), arguments.page, arguments.limit));
  if (arguments.json) {
    Json list = Json::array();
    for (const memory::Entry& one : entries) list.push_back(memory::entry_json(one));
    print_json({{"log", std::move(list)}});
    return {};
  }
  if (entries.empty()) print("Nothing happened yet.\n");
  for (const memory::Entry& one : entries)
    print(fmt::format("{}  {}  {:<6}  {} r{}  {}{}{}\n", one.hash.substr(0, shown_hash),
                      iso_time(one.at_ms), one.by, one.page_id.substr(0, shown_page), one.rev,
                      one.what, one.title.empty() ? "" : " | ", printable(one.title, shown_title)));
  return {};
}

Status pin(const std::string& id, bool pinned) {
  std::unique_ptr<Assembly> assembly = TRY(open_memory());
  const memory::Page page = TRY(assembly->memory().pin(id, pinned));
  print(fmt::format("{}: {}\n", page.pinned ? "Pinned" : "Not pinned",
                    printable(page.title, shown_title)));
  return {};
}

Status alias(const MemoryAliasArguments& arguments) {
  std::unique_ptr<Assembly> assembly = TRY(open_memory());
  const double weight = arguments.remove ? 0.0 : arguments.weight;
  TRY(assembly->memory().set_alias(arguments.term, arguments.expands_to, weight));
  print(weight > 0
            ? fmt::format("'{}' also looks for '{}', with weight {}\n", arguments.term,
                          arguments.expands_to, weight)
            : fmt::format("'{}' looks for '{}' no more\n", arguments.term, arguments.expands_to));
  return {};
}

}  // namespace

int memory_edit_command(const MemoryEditArguments& arguments) {
  return report(edit(arguments));
}
int memory_log_command(const MemoryLogArguments& arguments) {
  return report(log(arguments));
}
int memory_pin_command(const std::string& id, bool pinned) {
  return report(pin(id, pinned));
}
int memory_alias_command(const MemoryAliasArguments& arguments) {
  return report(alias(arguments));
}

}  // namespace keel::app
