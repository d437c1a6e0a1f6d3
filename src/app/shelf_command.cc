#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "account/egress.h"
#include "app/assembly.h"
#include "app/commands.h"
#include "app/model_use.h"
#include "app/report.h"
#include "app/setup.h"
#include "base/limits.h"
#include "base/text.h"
#include "model/budget/machine.h"
#include "model/local/gguf_check.h"
#include "model/shelf/catalogue.h"
#include "model/shelf/meter.h"
#include "model/shelf/pull.h"
#include "rt/file.h"
#include "rt/thread.h"
#include "ui/cells.h"
#include "ui/terminal.h"

namespace keel::app {
namespace {

constexpr int kInterrupted = 130;

std::string_view fit_words(shelf::Fit fit) {
  switch (fit) {
    case shelf::Fit::now:
      return "fits";
    case shelf::Fit::if_freed:
      return "fits if other programs leave room";
    case shelf::Fit::too_large:
      break;
  }
  return "too large";
}

std::string_view fit_name(shelf::Fit fit) {
  switch (fit) {
    case shelf::Fit::now:
      return "now";
    case shelf::Fit::if_freed:
      return "if_freed";
    case shelf::Fit::too_large:
      break;
  }
  return "too_large";
}

struct Offer {
  const shelf::Entry* entry;
  std::optional<shelf::Fit> fit;  // nothing: this machine does not say how much memory it has
  bool here = false;
};

// Memory for a model, what is left to everything else taken off.
struct Room {
  std::uint64_t now_bytes = 0;
  std::uint64_t most_bytes = 0;  // if other programs ended
};

std::optional<Room> room_for_models() {
  const Result<budget::Machine> machine = budget::look_at_machine(*budget::system_source());
  if (!machine) return std::nullopt;
  const auto beside_others = [&](std::int64_t bytes) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(bytes - machine->reserve_bytes(), 0));
  };
  return Room{beside_others(machine->room_bytes()), beside_others(machine->most_bytes())};
}

std::vector<Offer> offers(const config::Config& config, const std::optional<Room>& room) {
  const std::vector<shelf::Item> items = shelf::items(config.models_path());
  std::vector<Offer> out;
  for (const shelf::Entry& entry : shelf::catalogue()) {
    Offer offer{&entry, {}, false};
    if (room) offer.fit = shelf::fit(entry, room->now_bytes, room->most_bytes);
    for (const shelf::Item& item : items) offer.here = offer.here || item.file == entry.file;
    out.push_back(offer);
  }
  return out;
}

void print_offers(const std::vector<Offer>& list, const std::optional<Room>& room) {
  if (room) {
    print(fmt::format("This machine has room for a model of {}, {} of that now.\n\n",
                      bytes_text(room->most_bytes), bytes_text(room->now_bytes)));
  }
  print(fmt::format("  {:<20} {:>9} {:>9}  {}\n", "name", "file", "memory", "here"));
  for (const Offer& offer : list) {
    const shelf::Entry& entry = *offer.entry;
    const bool fits = offer.fit && *offer.fit != shelf::Fit::too_large;
    print(fmt::format("{} {:<20} {:>9} {:>9}  {}\n    {}; {}; checked by {}\n", fits ? "+" : "-",
                      entry.name, bytes_text(entry.bytes), bytes_text(shelf::needed_bytes(entry)),
                      offer.here  ? "pulled"
                      : offer.fit ? fit_words(*offer.fit)
                                  : "unknown",
                      entry.remark, entry.licence,
                      entry.sha256.empty() ? "the hub's own hash" : "the hash in this list"));
  }
  print(
      "\nMemory is an estimate: weights, cache and margin. Sizes of files without a hash in this "
      "list are\nabout. To fetch one and use it: keel model pull NAME --use\n");
}

Status available(bool json) {
  const config::Config config = TRY(load_config());
  const std::optional<Room> room = room_for_models();
  const std::vector<Offer> list = offers(config, room);
  if (!json) {
    print_offers(list, room);
    return {};
  }
  Json out = Json::array();
  for (const Offer& offer : list) {
    const shelf::Entry& entry = *offer.entry;
    out.push_back({{"name", entry.name},
                   {"source", fmt::format("hf:{}/{}", entry.repository, entry.file)},
                   {"bytes", entry.bytes},
                   {"sha256", entry.sha256.empty() ? Json() : Json(entry.sha256)},
                   {"licence", entry.licence},
                   {"remark", entry.remark},
                   {"memory_bytes", shelf::needed_bytes(entry)},
                   {"fits", offer.fit ? Json(fit_name(*offer.fit)) : Json()},
                   {"pulled", offer.here}});
  }
  print_json({{"models", std::move(out)}});
  return {};
}

// One line on standard error: written over on a terminal, else a new one each ten percent or when
// something is worth saying.
class ProgressLine {
 public:
  ProgressLine(std::string name, bool quiet)
      : name_(std::move(name)), quiet_(quiet), terminal_(ui::detect_terminal()) {}
  ~ProgressLine() {
    if (shown_) say("\r\x1b[K");
  }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const shelf::Progress& progress) {
    if (quiet_) return;
    const bool reading = progress.phase == shelf::Progress::Phase::reading ||
                         progress.phase == shelf::Progress::Phase::waiting;
    if (reading) meter_.add(std::chrono::steady_clock::now(), progress.done_bytes);
    const std::string text = words(progress);
    if (terminal_.errors && terminal_.moves) {
      shown_ = true;
      const std::string line = ui::cut_to_cells(ui::safe_line(text), terminal_.width() - 1);
      say("\r\x1b[K" + line);
      return;
    }
    const std::uint64_t tenth =
        progress.total_bytes == 0 ? 0 : progress.done_bytes * 10 / progress.total_bytes;
    const bool news = progress.phase != shelf::Progress::Phase::asking &&
                      (progress.phase != phase_ || (reading && tenth != tenth_));
    phase_ = progress.phase;
    tenth_ = tenth;
    if (news) say(printable(text, 400) + "\n");
  }

 private:
  std::string words(const shelf::Progress& progress) const {
    switch (progress.phase) {
      case shelf::Progress::Phase::asking:
        return name_ + "  asking the hub";
      case shelf::Progress::Phase::checking:
        return fmt::format(
            "{}  checking {:.0f}%", name_,
            100.0 * static_cast<double>(progress.done_bytes) /
                static_cast<double>(std::max<std::uint64_t>(progress.total_bytes, 1)));
      case shelf::Progress::Phase::waiting:
        return fmt::format("{}  trying again: {}", name_, progress.trouble);
      case shelf::Progress::Phase::reading:
        break;
    }
    return name_ + "  " + meter_.text(progress.total_bytes);
  }
  static void say(std::string_view text) { ui::write_all(STDERR_FILENO, text); }

  const std::string name_;
  const bool quiet_;
  const ui::Terminal terminal_;
  shelf::Meter meter_;
  bool shown_ = false;
  shelf::Progress::Phase phase_ = shelf::Progress::Phase::checking;
  std::uint64_t tenth_ = 0;
};

// Fires its stop token with the first signal that asks for the end.
class Stopper {
 public:
  explicit Stopper(ui::Interrupts interrupts)
      : interrupts_(std::move(interrupts)),
        thread_(rt::start_thread("signals", [this](std::stop_token end) {
          while (!end.stop_requested()) {
            pollfd wait{interrupts_.fd(), POLLIN, 0};
            if (::poll(&wait, 1, 50) <= 0) continue;
            const ui::Interrupts::Seen seen = interrupts_.take();
            if (seen.interrupts > 0 || seen.leave) stop_.request_stop();
          }
        })) {}
  std::stop_token token() const { return stop_.get_token(); }

 private:
  ui::Interrupts interrupts_;
  std::stop_source stop_;
  rt::Thread thread_;
};

Result<shelf::Pulled> pull_source(const config::Config& config, const shelf::Source& source,
                                  const ModelPullArguments& arguments) {
  net::ClientOptions net_options;
  net_options.user_agent = "keel/" KEEL_VERSION;
  net_options.allowed_private = config.allowed_private;
  net_options.stall_time = limits::shelf_stall_time;
  // What is fetched is known to the hub: that goes into the ledger too.
  const std::unique_ptr<Assembly> assembly = TRY(Assembly::open(config, Assembly::Extent::memory));
  net_options.ledger = &assembly->ledger();
  net::Client client(std::move(net_options));
  shelf::PullOptions options;
  options.folder = config.models_path();
  options.source = source;
  if (source.on_hub && !config.hub_token.empty()) options.token = TRY(config.hub_token.resolve());
  options.replace = arguments.replace;
  if (arguments.connections > 0) options.connections = arguments.connections;
  options.check = [](const std::string& path) -> Status {
    TRY(local::check_gguf(path));
    return {};
  };
  options.free_bytes = rt::free_disk_bytes;
  ProgressLine line(source.name, arguments.json);
  options.progress = [&](const shelf::Progress& progress) { line.show(progress); };
  const Stopper stopper(TRY(ui::Interrupts::create()));
  return shelf::pull(client, options, stopper.token());
}

std::string_view checked_words(shelf::Checked checked) {
  switch (checked) {
    case shelf::Checked::list:
      return "its hash is the one in keel's list";
    case shelf::Checked::hub:
      return "its hash is the one the hub announced";
    case shelf::Checked::nothing:
      break;
  }
  return "nobody announced a hash to compare with; its own was kept";
}

Status pull(const ModelPullArguments& arguments) {
  // What --use needs is looked at before an hour of reading, not after it.
  const config::Config config = arguments.use ? TRY(need_config()) : TRY(load_config());
  const shelf::Source source =
      TRY(shelf::parse_source(arguments.source, config.hub_url, arguments.name));
  TRY(open_home(config));
  const shelf::Pulled pulled = TRY(pull_source(config, source, arguments));
  std::string used;
  if (arguments.use) used = TRY(use_model(source.file));
  if (arguments.json) {
    print_json({{"name", source.name},
                {"path", pulled.path},
                {"bytes", pulled.record.bytes},
                {"sha256", pulled.record.sha256},
                {"checked", shelf::checked_name(pulled.record.checked)},
                {"was_there", pulled.was_there},
                {"kept_bytes", pulled.kept_bytes},
                {"used", !used.empty()}});
    return {};
  }
  print(fmt::format("{} {} ({}; {}).\n", pulled.path,
                    pulled.was_there ? "was there already" : "is there",
                    bytes_text(pulled.record.bytes), checked_words(pulled.record.checked)));
  if (!used.empty()) {
    print(fmt::format("{} is the default from now on.\n", used));
  } else if (config.exists) {
    print(fmt::format("To use it: keel model use {}\n", source.name));
  } else {
    print(fmt::format("To use it: keel init --model {}\n", pulled.path));
  }
  return {};
}

}  // namespace

int model_available_command(bool json) {
  return report(available(json));
}

int model_pull_command(const ModelPullArguments& arguments) {
  const Status done = pull(arguments);
  const int status = report(done);
  return !done && done.error().code == Code::cancelled ? kInterrupted : status;
}

}  // namespace keel::app
