#include "memory/writing/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "memory/pages.h"
#include "memory/rank/index.h"
#include "memory/writing/day_page.h"

namespace keel::memory {
namespace {

using store::Connection;
using store::Statement;

constexpr std::string_view kWaiting = "waiting";

std::string_view state_of(bool wanted) {
  return wanted ? kWaiting : std::string_view("none");
}

Result<bool> is_waiting(Connection& connection, std::string_view turn, std::string_view column) {
  Statement select = TRY(connection.prepare(
      fmt::format("SELECT 1 FROM exchange WHERE turn = ?1 AND {} = 'waiting'", column)));
  return TRY(select.bind(1, turn).step());
}

void add_tags(std::vector<std::string>& tags, const std::vector<std::string>& more) {
  for (const std::string& tag : more) {
    const auto same = [&](const std::string& other) { return fold_case(other) == fold_case(tag); };
    if (tags.size() < limits::memory_tags && std::none_of(tags.begin(), tags.end(), same))
      tags.push_back(tag);
  }
}

// The page of one day and conversation that entries go to now.
class DayWriter {
 public:
  DayWriter(Connection& connection, WallMs now) : connection_(connection), now_(now) {}

  Status append(const Ledger::Entry& entry) {
    const Exchange& exchange = entry.exchange;
    if (exchange.session != page_.session || exchange.day != page_.day) {
      TRY(flush());
      TRY(open(exchange));
    }
    if (!page_.body.empty() && page_.body.size() + entry.text.size() > limits::day_page_bytes) {
      TRY(flush());
      begin(exchange, part_ + 1);
    }
    if (!page_.body.empty()) page_.body += "\n\n";
    page_.body += entry.text;
    add_tags(page_.tags, exchange.tags);
    turns_.push_back(exchange.turn);
    return {};
  }

  Status flush() {
    if (turns_.empty()) return {};
    std::string id;
    if (number_ == 0) {
      std::vector<std::int64_t> to_index;
      id = TRY(insert_page(connection_, TRY(make_draft(page_)), now_, to_index)).page.id;
      TRY(index_pages(connection_, to_index));
    } else {
      Draft draft = TRY(make_draft(page_));
      draft.page.pinned = page_.pinned;
      draft.page.updated_ms = 0;
      const std::string reason = fmt::format("{} exchange(s) added", turns_.size());
      id = TRY(revise_page(connection_, number_, draft, "agent", reason, now_)).id;
    }
    Statement done = TRY(
        connection_.prepare("UPDATE exchange SET journal = 'written', page = ?2 WHERE turn = ?1"));
    for (const std::string& turn : turns_) TRY(done.bind(1, turn).bind(2, id).run());
    turns_.clear();
    return {};
  }

 private:
  void begin(const Exchange& exchange, std::int64_t part) {
    number_ = 0;
    part_ = part;
    page_ = NewPage{};
    page_.kind = "journal";
    page_.title = day_title(exchange.at_ms, exchange.session, part);
    page_.origin = "agent";
    page_.session = exchange.session;
    page_.day = exchange.day;
    page_.created_ms = exchange.at_ms;
    page_.updated_ms = now_;
  }

  // The newest page of that day, unless the owner has forgotten it or made something else of it.
  Status open(const Exchange& exchange) {
    std::string newest;
    std::int64_t parts = 0;
    {
      Statement select = TRY(connection_.prepare(
          "SELECT page, max(at_ms), count(DISTINCT page) FROM exchange WHERE session = ?1 AND day "
          "= ?2 AND page <> ''"));
      select.bind(1, exchange.session).bind(2, exchange.day);
      if (TRY(select.step())) {
        newest = select.text(0);
        parts = select.integer(2);
      }
    }
    begin(exchange, parts + 1);
    Statement select = TRY(connection_.prepare(
        "SELECT number FROM page WHERE id = ?1 AND kind = 'journal' AND session = ?2 AND day = "
        "?3"));
    if (!TRY(select.bind(1, newest).bind(2, exchange.session).bind(3, exchange.day).step()))
      return {};
    number_ = select.integer(0);
    part_ = parts;
    page_ = TRY(read_page(connection_, number_)).page;
    return {};
  }

  Connection& connection_;
  const WallMs now_;
  std::int64_t number_ = 0;  // 0: the page is not there yet
  std::int64_t part_ = 1;
  NewPage page_;
  std::vector<std::string> turns_;
};

// Whether one of the texts stands in the other, apart from how it is set.
bool overlap(std::string_view a, std::string_view b) {
  const std::string one = fold_case(trim(a)), other = fold_case(trim(b));
  return !one.empty() && !other.empty() &&
         (one.find(other) != std::string::npos || other.find(one) != std::string::npos);
}

Result<std::vector<std::string>> quotes_of(Connection& connection, std::string_view turn) {
  Statement select =
      TRY(connection.prepare("SELECT quote FROM page WHERE turn = ?1 AND turn <> ''"));
  select.bind(1, turn);
  std::vector<std::string> quotes;
  while (TRY(select.step())) quotes.push_back(select.text(0));
  return quotes;
}

}  // namespace

Status Ledger::note(const Exchange& exchange) {
  return database_.write([&](Connection& connection) -> Status {
    Statement insert = TRY(connection.prepare(
        "INSERT OR IGNORE INTO exchange(turn, session, at_ms, day, tainted, tags, journal, "
        "extraction) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"));
    insert.bind(1, exchange.turn).bind(2, exchange.session).bind(3, exchange.at_ms);
    insert.bind(4, local_day(exchange.at_ms)).bind(5, exchange.tainted);
    insert.bind(6, dump_json(Json(exchange.tags))).bind(7, state_of(exchange.journal));
    return insert.bind(8, state_of(exchange.extract)).run();
  });
}

Result<std::vector<Exchange>> Ledger::for_journal(std::size_t limit) {
  return waiting("journal", limit);
}

Result<std::vector<Exchange>> Ledger::for_extraction(std::size_t limit) {
  return waiting("extraction", limit);
}

Result<std::vector<Exchange>> Ledger::waiting(std::string_view column, std::size_t limit) {
  return database_.read([&](Connection& connection) -> Result<std::vector<Exchange>> {
    Statement select = TRY(connection.prepare(
        fmt::format("SELECT turn, session, at_ms, day, tainted, tags, attempts FROM exchange WHERE "
                    "{} = 'waiting' ORDER BY at_ms LIMIT ?1",
                    column)));
    select.bind(1, static_cast<std::int64_t>(limit));
    std::vector<Exchange> found;
    while (TRY(select.step())) {
      Exchange one;
      one.turn = select.text(0);
      one.session = select.text(1);
      one.at_ms = select.integer(2);
      one.day = select.text(3);
      one.tainted = select.integer(4) != 0;
      one.tags = json_texts(parse_json(select.text(5), "tags").value_or(Json()));
      one.attempts = static_cast<int>(select.integer(6));
      found.push_back(std::move(one));
    }
    return found;
  });
}

Result<int> Ledger::write_entries(std::vector<Entry> entries) {
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.exchange.session, a.exchange.day, a.exchange.at_ms) <
           std::tie(b.exchange.session, b.exchange.day, b.exchange.at_ms);
  });
  const WallMs now = clock_.wall_ms();
  return database_.write([&](Connection& connection) -> Result<int> {
    DayWriter writer(connection, now);
    int written = 0;
    for (const Entry& entry : entries) {
      if (!TRY(is_waiting(connection, entry.exchange.turn, "journal"))) continue;
      if (entry.text.empty()) {
        Statement none =
            TRY(connection.prepare("UPDATE exchange SET journal = 'none' WHERE turn = ?1"));
        TRY(none.bind(1, entry.exchange.turn).run());
        continue;
      }
      TRY(writer.append(entry));
      ++written;
    }
    TRY(writer.flush());
    return written;
  });
}

Result<int> Ledger::write_found(const Exchange& exchange, std::span<const NewPage> pages,
                                std::string_view model) {
  std::vector<Draft> drafts;
  for (NewPage page : pages) {
    page.session = exchange.session;
    page.source_turn = exchange.turn;
    page.author_model = model;
    add_tags(page.tags, exchange.tags);
    // A page that does not fit its bounds is the model's fault and not worth the others.
    if (Result<Draft> draft = make_draft(page)) drafts.push_back(std::move(*draft));
  }
  const WallMs now = clock_.wall_ms();
  return database_.write([&](Connection& connection) -> Result<int> {
    if (!TRY(is_waiting(connection, exchange.turn, "extraction"))) return 0;
    std::vector<std::string> quotes = TRY(quotes_of(connection, exchange.turn));
    std::vector<std::int64_t> to_index;
    int made = 0;
    for (const Draft& draft : drafts) {
      const std::string& quote = draft.page.source_quote;
      if (std::any_of(quotes.begin(), quotes.end(),
                      [&](const std::string& other) { return overlap(quote, other); }))
        continue;
      quotes.push_back(quote);
      if (!TRY(insert_page(connection, draft, now, to_index)).merged) ++made;
    }
    TRY(index_pages(connection, to_index));
    Statement done = TRY(connection.prepare(
        "UPDATE exchange SET extraction = 'done', pages = ?2, model = ?3 WHERE turn = ?1"));
    TRY(done.bind(1, exchange.turn).bind(2, made).bind(3, model).run());
    return made;
  });
}

Status Ledger::pass_over(std::string_view turn, std::string_view why) {
  return database_.write([&](Connection& connection) -> Status {
    Statement update = TRY(connection.prepare(
        "UPDATE exchange SET extraction = 'none', note = ?2 WHERE turn = ?1 AND extraction = "
        "'waiting'"));
    return update.bind(1, turn).bind(2, shorten(why, limits::egress_text_bytes)).run();
  });
}

Status Ledger::failed(const Exchange& exchange, std::string_view why) {
  return database_.write([&](Connection& connection) -> Status {
    Statement update = TRY(connection.prepare(
        "UPDATE exchange SET attempts = attempts + 1, note = ?2, extraction = iif(attempts + 1 >= "
        "?3, 'failed', extraction) WHERE turn = ?1 AND extraction = 'waiting'"));
    update.bind(1, exchange.turn).bind(2, shorten(why, limits::egress_text_bytes));
    return update.bind(3, limits::extract_attempts).run();
  });
}

}  // namespace keel::memory
