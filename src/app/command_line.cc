#include "app/command_line.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>

#include "app/commands.h"
#include "app/report.h"
#include "base/limits.h"
#include "base/text.h"

namespace keel::app {
namespace {

using Action = std::function<int()>;

constexpr const char* first_steps =
    "First steps:\n"
    "  keel init --model FILE.gguf   set up KEEL_HOME (~/.keel) with a local model\n"
    "  keel chat                     talk; /help lists what can be typed there\n"
    "  keel doctor                   check this machine and say what to do\n\n"
    "keel COMMAND --help explains a command with an example.\n";

// One command: its help ends with an example, and running it sets the action.
class Commands {
 public:
  explicit Commands(Action& action) : action_(action) {}

  CLI::App* group(CLI::App& parent, const std::string& name, const std::string& does) {
    CLI::App* made = parent.add_subcommand(name, does);
    made->require_subcommand(1);
    return made;
  }
  CLI::App* add(CLI::App& parent, const std::string& name, const std::string& does,
                const std::string& example, Action action) {
    CLI::App* made = parent.add_subcommand(name, does);
    made->footer("\nExample:\n  " + example);
    made->callback([this, action = std::move(action)] { action_ = action; });
    return made;
  }

 private:
  Action& action_;
};

void add_chat(CLI::App& app, Commands& commands) {
  auto chat = std::make_shared<ChatArguments>();
  CLI::App* command =
      commands.add(app, "chat", "Talk to your agent", "keel chat -m \"What is 17% of 2,340?\"",
                   [chat] { return chat_command(*chat); });
  command->add_option("-m,--message", chat->message, "One message, one answer, and the end");
  command->add_flag("--json", chat->json, "Print one JSON object (docs/formats/chat-json.md)");
  command
      ->add_option("--conversation", chat->conversation, "Name of the conversation to go on with")
      ->type_name("NAME")
      ->capture_default_str();
  command
      ->add_option("--model", chat->model,
                   "A [[model]] of keel.toml; the default decides without it")
      ->type_name("NAME");
  commands.add(app, "serve", "Stay in memory and answer keel chat at once", "keel serve &",
               [] { return serve_command(); });
}

void add_setup(CLI::App& app, Commands& commands) {
  auto init = std::make_shared<InitArguments>();
  CLI::App* command = commands.add(app, "init", "Set up KEEL_HOME; never overwrites anything",
                                   "keel init --model ~/models/qwen.gguf --name Ida",
                                   [init] { return init_command(*init); });
  command->add_option("--model", init->model, "GGUF file of the local model")->type_name("GGUF");
  command->add_option("--name", init->name, "What your agent is called")->type_name("NAME");
  command->add_flag("-y,--yes", init->yes, "Ask nothing");

  auto json = std::make_shared<bool>(false);
  command = commands.add(app, "doctor", "Check this machine and say what to do", "keel doctor",
                         [json] { return doctor_command(*json); });
  command->add_flag("--json", *json, "Print one JSON object");

  CLI::App* config = commands.group(app, "config", "Work with keel.toml");
  commands.add(*config, "check", "Report every problem of keel.toml with its line",
               "keel config check", [] { return config_check_command(); });
}

// Commands on one model of keel.toml, with --json.
void add_measuring(CLI::App& group, Commands& commands, const char* name, const char* help,
                   const char* example, int (*run)(const std::string&, bool)) {
  auto arguments = std::make_shared<std::pair<std::string, bool>>();
  CLI::App* command = commands.add(group, name, help, example, [arguments, run] {
    return run(arguments->first, arguments->second);
  });
  command->add_option("name", arguments->first, "Name of a [[model]]; the default without it")
      ->type_name("NAME");
  command->add_flag("--json", arguments->second, "Print one JSON object");
}

void add_budget(CLI::App& group, Commands& commands) {
  auto memory = std::make_shared<ModelMemoryArguments>();
  CLI::App* command =
      commands.add(group, "memory", "Explain what memory it takes here, and what was decided",
                   "keel model memory", [memory] { return model_memory_command(*memory); });
  command->add_option("name", memory->name, "Name of a [[model]]; the default without it")
      ->type_name("NAME");
  command->add_flag("--json", memory->json, "Print one JSON object");
  command->add_flag("--launchd", memory->launchd,
                    "Print the LaunchDaemon that raises a Mac's limit, where one is needed");
}

void add_shelf(CLI::App& group, Commands& commands) {
  struct List {
    bool available = false;
    bool json = false;
  };
  auto list = std::make_shared<List>();
  CLI::App* command =
      commands.add(group, "list", "List them; * marks the default", "keel model list", [list] {
        return list->available ? model_available_command(list->json)
                               : model_list_command(list->json);
      });
  command->add_flag("--available", list->available,
                    "List models that can be pulled, and whether they fit this machine");
  command->add_flag("--json", list->json, "Print one JSON object");

  auto pull = std::make_shared<ModelPullArguments>();
  command = commands.add(group, "pull", "Fetch a model file; goes on where it was interrupted",
                         "keel model pull qwen3.5-4b --use",
                         [pull] { return model_pull_command(*pull); });
  command
      ->add_option("source", pull->source,
                   "A name of keel model list --available, hf:OWNER/REPO/FILE.gguf, or an address")
      ->required()
      ->type_name("SOURCE");
  command->add_flag("--use", pull->use, "Make it the default when it is there");
  command->add_option("--name", pull->name, "What it is to be called here")->type_name("NAME");
  command->add_option("--connections", pull->connections, "Read over so many at once")
      ->check(CLI::Range(1, limits::shelf_connections_max))
      ->type_name("COUNT");
  command->add_flag("--replace", pull->replace, "Replace another file of that name");
  command->add_flag("--json", pull->json, "Print one JSON object");

  auto name = std::make_shared<std::string>();
  command = commands.add(group, "use", "Make one of them the default", "keel model use small",
                         [name] { return model_use_command(*name); });
  command->add_option("name", *name, "Name of a [[model]], or of a pulled file")
      ->required()
      ->type_name("NAME");
}

void add_model(CLI::App& app, Commands& commands) {
  CLI::App* group = commands.group(app, "model", "Your agent's models");
  add_shelf(*group, commands);
  add_measuring(*group, commands, "info", "Show what a model file says about itself",
                "keel model info", model_info_command);
  add_measuring(*group, commands, "tune",
                "Measure what makes it fastest on this machine, and keep that (about a minute)",
                "keel model tune", model_tune_command);
  add_measuring(*group, commands, "bench",
                "Measure reading and writing by depth, beside what memory allows",
                "keel model bench", model_bench_command);
  add_budget(*group, commands);
}

void add_memory_reading(CLI::App& group, Commands& commands) {
  auto search = std::make_shared<MemorySearchArguments>();
  CLI::App* command =
      commands.add(group, "search", "Find pages, with what each word added to the score",
                   "keel memory search \"name of my boat\"",
                   [search] { return memory_search_command(*search); });
  command->add_option("query", search->query, "Words to look for")->required()->type_name("QUERY");
  command->add_option("--limit", search->limit, "At most so many pages")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command->add_flag("--json", search->json, "Print one JSON object");

  struct Why {
    std::string turn;
    bool json = false;
    bool replay = false;
  };
  auto why = std::make_shared<Why>();
  command =
      commands.add(group, "why", "Explain which pages a turn was given, and why", "keel memory why",
                   [why] { return memory_why_command(why->turn, why->json, why->replay); });
  command->add_option("turn", why->turn, "Id of a turn or retrieval; the newest turn without it")
      ->type_name("ID");
  command->add_flag("--json", why->json, "Print one JSON object");
  command->add_flag("--replay", why->replay, "Ask again of the memory as it was, and compare");

  auto show = std::make_shared<std::pair<std::string, bool>>();
  command = commands.add(group, "show", "Show one page", "keel memory show 01JD5",
                         [show] { return memory_show_command(show->first, show->second); });
  command->add_option("id", show->first, "Id of a page, or its beginning")
      ->required()
      ->type_name("ID");
  command->add_flag("--json", show->second, "Print one JSON object");

  struct List {
    std::string kind;
    int limit = 50;
    bool json = false;
  };
  auto list = std::make_shared<List>();
  command =
      commands.add(group, "list", "List pages, the newest first", "keel memory list --kind fact",
                   [list] { return memory_list_command(list->kind, list->limit, list->json); });
  command
      ->add_option("--kind", list->kind,
                   "fact, preference, commitment, episode, finding or persona")
      ->type_name("KIND");
  command->add_option("--limit", list->limit, "At most so many pages")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command->add_flag("--json", list->json, "Print one JSON object");
}

void add_memory_writing(CLI::App& group, Commands& commands) {
  auto add = std::make_shared<MemoryAddArguments>();
  CLI::App* command = commands.add(group, "add", "Write a page",
                                   "keel memory add \"My boat is called Ariadne.\" --tag boat",
                                   [add] { return memory_add_command(*add); });
  command->add_option("text", add->text, "What to remember")->required()->type_name("TEXT");
  command->add_option("--title", add->title, "Title; the beginning of the text without it")
      ->type_name("TITLE");
  command
      ->add_option("--kind", add->kind, "fact, preference, commitment, episode, finding or persona")
      ->type_name("KIND")
      ->capture_default_str();
  command->add_option("--tag", add->tags, "A tag; may be given several times")
      ->type_name("TAG")
      ->allow_extra_args(false);
  command->add_flag("--pinned", add->pinned, "Always near the top of the agent's mind");
  command->add_flag("--json", add->json, "Print one JSON object");

  auto edit = std::make_shared<MemoryEditArguments>();
  command =
      commands.add(group, "edit", "Change a page, in your editor or as said; the old form is kept",
                   "keel memory edit 01JD5 --body \"My boat is called Theseus.\"",
                   [edit] { return memory_edit_command(*edit); });
  command->add_option("id", edit->id, "Id of a page, or its beginning")
      ->required()
      ->type_name("ID");
  command->add_option("--title", edit->title, "The new title")->type_name("TITLE");
  command->add_option("--body", edit->body, "The new text; - reads it from standard input")
      ->type_name("TEXT");
  command->add_option("--kind", edit->kind, "fact, preference, commitment, ...")->type_name("KIND");
  command->add_option("--origin", edit->origin, "Whose words it is: owner, agent, untrusted, ...")
      ->type_name("ORIGIN");
  command->add_option("--importance", edit->importance, "0 to 3")
      ->check(CLI::Range(0, 3))
      ->type_name("NUMBER");
  command->add_option("--tag", edit->tags, "In place of all tags; may be given several times")
      ->type_name("TAG")
      ->allow_extra_args(false);
  command
      ->add_option("--alias", edit->aliases,
                   "Another name of the page, in place of all; may be given several times")
      ->type_name("NAME")
      ->allow_extra_args(false);

  auto extract = std::make_shared<MemoryExtractArguments>();
  command = commands.add(group, "extract",
                         "Show what would be kept of a message, by rules and by the model",
                         "keel memory extract \"The vet says Momo needs drops until spring.\"",
                         [extract] { return memory_extract_command(*extract); });
  command->add_option("text", extract->text, "A message; - reads one from each line of input")
      ->required()
      ->type_name("TEXT");
  command->add_flag("--json", extract->json, "Print a JSON object a line, one for each message");

  auto forget = std::make_shared<std::string>();
  command =
      commands.add(group, "forget", "Remove a page and everything stored of it",
                   "keel memory forget 01JD5", [forget] { return memory_forget_command(*forget); });
  command->add_option("id", *forget, "Id of a page, or its beginning")->required()->type_name("ID");
}

void add_memory_history(CLI::App& group, Commands& commands) {
  auto log = std::make_shared<MemoryLogArguments>();
  CLI::App* command =
      commands.add(group, "log", "Show what changed, the newest first",
                   "keel memory log --limit 10", [log] { return memory_log_command(*log); });
  command->add_option("id", log->page, "Id of a page; all of memory without it")->type_name("ID");
  command->add_option("--limit", log->limit, "At most so many changes")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command->add_flag("--json", log->json, "Print one JSON object");

  auto pin = std::make_shared<std::pair<std::string, bool>>();
  command = commands.add(group, "pin", "Rank a page higher from now on", "keel memory pin 01JD5",
                         [pin] { return memory_pin_command(pin->first, !pin->second); });
  command->add_option("id", pin->first, "Id of a page, or its beginning")
      ->required()
      ->type_name("ID");
  command->add_flag("--off", pin->second, "Take the pin away again");

  auto alias = std::make_shared<MemoryAliasArguments>();
  command = commands.add(group, "alias", "Let a word of a question look for another word too",
                         "keel memory alias vessel boat",
                         [alias] { return memory_alias_command(*alias); });
  command->add_option("word", alias->term, "The word that is asked with")
      ->required()
      ->type_name("WORD");
  command->add_option("other", alias->expands_to, "The word that pages have")
      ->required()
      ->type_name("OTHER");
  command->add_option("--weight", alias->weight, "What it counts, from 0 to 1")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->add_flag("--remove", alias->remove, "Take it away again");
}

void add_memory_folder(CLI::App& group, Commands& commands) {
  auto written = std::make_shared<MemoryExportArguments>();
  CLI::App* command = commands.add(
      group, "export", "Write all of memory into a folder of Markdown files",
      "keel memory export ~/keel-pages", [written] { return memory_export_command(*written); });
  command->add_option("folder", written->folder, "An empty folder, or an export")
      ->required()
      ->type_name("FOLDER");
  command->add_flag("--force", written->force, "Write over files that were changed since");
  command->add_flag("--json", written->json, "Print one JSON object");

  auto read = std::make_shared<MemoryImportArguments>();
  command = commands.add(
      group, "import", "Take in an export, Markdown files, or what other agents remember",
      "keel memory import ~/notes --dry-run", [read] { return memory_import_command(*read); });
  command->add_option("path", read->path, "A folder or a file")->required()->type_name("PATH");
  command->add_flag("--dry-run", read->dry_run, "Only say what would be done");
  command->add_option("--origin", read->origin, "Whose words they are: import, or owner for yours")
      ->check(CLI::IsMember({"import", "owner"}))
      ->capture_default_str();
  command->add_flag("--forgotten", read->forgotten, "Take pages back that were forgotten here");
  command->add_flag("--json", read->json, "Print one JSON object");

  auto sync = std::make_shared<MemorySyncArguments>();
  command =
      commands.add(group, "sync", "Bring memory, its folder and its mirror in Notion together",
                   "keel memory sync", [sync] { return memory_sync_command(*sync); });
  command->add_option("--folder", sync->folder, "Only with this folder of Markdown files")
      ->type_name("FOLDER");
  command->add_flag("--status", sync->status, "Only say how things stand");
  command->add_flag("--full", sync->full, "Compare the text of every page in Notion");
  CLI::Option* accept = command->add_flag("--accept-deletions", sync->accept_deletions,
                                          "Forget pages also when many are gone there at once");
  command->add_flag("--rewrite-deleted", sync->rewrite_deleted, "Write files that are gone again")
      ->excludes(accept);
  command->add_flag("--json", sync->json, "Print one JSON object");

  auto conflicts = std::make_shared<MemoryConflictsArguments>();
  command = commands.add(group, "conflicts", "Show what was changed on both sides of a sync",
                         "keel memory conflicts",
                         [conflicts] { return memory_conflicts_command(*conflicts); });
  command->add_option("--settle", conflicts->settle, "Take one off the list, or all")
      ->type_name("NUMBER");
  command->add_flag("--json", conflicts->json, "Print one JSON object");
}

void add_tool(CLI::App& app, Commands& commands) {
  CLI::App* group = commands.group(app, "tool", "The tools your agent can use");
  auto json = std::make_shared<bool>(false);
  CLI::App* command = commands.add(*group, "list", "List them", "keel tool list",
                                   [json] { return tool_list_command(*json); });
  command->add_flag("--json", *json, "Print one JSON object");

  auto shown = std::make_shared<std::string>();
  command =
      commands.add(*group, "show", "Show one with the schema of its arguments",
                   "keel tool show calculator", [shown] { return tool_show_command(*shown); });
  command->add_option("name", *shown, "Name of a tool")->required()->type_name("NAME");

  struct Run {
    std::string name;
    std::string arguments = "{}";
    bool json = false;
  };
  auto run = std::make_shared<Run>();
  command = commands.add(*group, "run", "Run one by hand, as the owner",
                         "keel tool run calculator '{\"expression\": \"17% of 2340\"}'",
                         [run] { return tool_run_command(run->name, run->arguments, run->json); });
  command->add_option("name", run->name, "Name of a tool")->required()->type_name("NAME");
  command->add_option("arguments", run->arguments, "Arguments as a JSON object")
      ->type_name("JSON")
      ->capture_default_str();
  command->add_flag("--json", run->json, "Print one JSON object");
}

void add_usage(CLI::App& app, Commands& commands) {
  auto usage = std::make_shared<UsageArguments>();
  CLI::App* command =
      commands.add(app, "usage",
                   "Show what models did and cost, why they were chosen, and what left the machine",
                   "keel usage --days 30", [usage] { return usage_command(*usage); });
  command->add_option("--days", usage->days, "Today and the days before, together so many")
      ->check(CLI::Range(1, limits::usage_days_max))
      ->type_name("DAYS")
      ->capture_default_str();
  command->add_flag("--egress", usage->egress, "List each request that left, the newest first");
  command->add_option("--limit", usage->limit, "At most so many requests")
      ->check(CLI::Range(1, limits::usage_rows_max))
      ->type_name("COUNT")
      ->capture_default_str();
  command->add_flag("--json", usage->json, "Print one JSON object");
}

void markdown_of(const CLI::App& app, const std::string& path, std::string& out) {
  for (const CLI::App* command :
       app.get_subcommands([](const CLI::App* a) { return !a->get_group().empty(); })) {
    std::string name = path + " " + command->get_name();
    bool group = !command->get_subcommands([](const CLI::App*) { return true; }).empty();
    if (!group)
      out += "\n## " + name + "\n\n```\n" + std::string(trim(command->help(path))) + "\n```\n";
    markdown_of(*command, name, out);
  }
}

int help_command(const CLI::App& app, const std::vector<std::string>& words, bool markdown) {
  if (markdown) {
    std::string out =
        "# Commands\n\nMade by `keel help --markdown`. Exit statuses: 0 done, 1 failed, 2 wrong "
        "usage,\n"
        "75 another keel is running, 78 keel.toml is wrong or missing.\n";
    markdown_of(app, "keel", out);
    print(out);
    return exit_ok;
  }
  const CLI::App* command = &app;
  std::string path;
  for (const std::string& word : words) {
    path += (path.empty() ? "" : " ") + command->get_name();
    auto named = command->get_subcommands([&](const CLI::App* a) { return a->check_name(word); });
    command = named.empty() ? nullptr : named.front();
    if (command == nullptr) {
      report(Error{Code::invalid_argument,
                   "there is no command " + printable(join(words, " ")),
                   "keel help lists the commands.",
                   {}});
      return exit_usage;
    }
  }
  print(command->help(path));
  if (words.empty()) print(std::string("\n") + first_steps);
  return exit_ok;
}

int parse_and_run(CLI::App& app, Action& action, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    bool asked = error.get_exit_code() == 0;  // --help and --version come this way too
    std::ostringstream out;
    std::ostringstream problem;
    app.exit(error, out, problem);
    print(out.str());
    if (!asked) report_usage(problem.str());
    return asked ? exit_ok : exit_usage;
  }
  if (action) return action();
  print(app.help());
  print(std::string("\n") + first_steps);
  return exit_ok;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  // The engine child is started by keel itself, again and again: it does not wait for the rest to
  // be set up.
  if (argc >= 2 && std::string_view(argv[1]) == "engine")
    return engine_command({argv + 2, argv + argc});

  Action action;
  Commands commands(action);
  CLI::App app("keel: a personal agent that runs on your machine", "keel");
  app.set_version_flag("--version", std::string("keel ") + KEEL_VERSION);
  app.set_help_flag("-h,--help", "Print this help and end");
  app.get_formatter()->column_width(26);
  app.require_subcommand(0, 1);
  add_chat(app, commands);
  add_setup(app, commands);
  add_model(app, commands);
  CLI::App* memory = commands.group(app, "memory", "What your agent remembers");
  add_memory_reading(*memory, commands);
  add_memory_writing(*memory, commands);
  add_memory_history(*memory, commands);
  add_memory_folder(*memory, commands);
  add_tool(app, commands);
  add_usage(app, commands);
  commands.add(app, "licenses", "Print the licences of everything inside keel", "keel licenses",
               [] { return licenses_command(); });
  std::vector<std::string> words;
  bool markdown = false;
  CLI::App* help =
      commands.add(app, "help", "Explain keel or one of its commands", "keel help memory search",
                   [&] { return help_command(app, words, markdown); });
  help->add_option("command", words, "A command")->type_name("COMMAND");
  help->add_flag("--markdown", markdown, "The whole reference as Markdown");
  return parse_and_run(app, action, argc, argv);
}

}  // namespace keel::app
