// Evidence recall: of the turns that hold the answer to a question, how many are among the first k
// pages found. Every turn is a page with session, speaker, day and time, as an importer makes it;
// nothing else is set. Beside it, in the same run, FTS5 with its porter tokeniser and an OR of the
// question's words over the same texts.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "bench_memory.h"
#include "memory/memory.h"
#include "memory/text/dates.h"
#include "store/database.h"

namespace keel::bench {
namespace {

using memory::Memory;

struct Turn {
  std::string key;  // of its conversation
  memory::NewPage page;
};
struct Question {
  std::string text;
  std::vector<std::size_t> evidence;  // turns of its conversation
  int category = 0;
};
struct Conversation {
  std::string name;
  std::vector<Turn> turns;
  std::vector<Question> questions;
};

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Minutes since 1970 of a day and "1:56 pm" or "13:56".
WallMs time_of(const std::string& day, int minutes) {
  std::tm parts = {};
  std::sscanf(day.c_str(), "%d-%d-%d", &parts.tm_year, &parts.tm_mon, &parts.tm_mday);
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  return (static_cast<WallMs>(timegm(&parts)) + minutes * 60) * 1000;
}

// ---- LoCoMo

int minutes_of(const std::string& text) {
  int hour = 0, minute = 0;
  std::sscanf(text.c_str(), "%d:%d", &hour, &minute);
  return (hour % 12 + (text.find("pm") != std::string::npos ? 12 : 0)) * 60 + minute;
}

void add_session(const Json& conversation, const std::string& session, const std::string& name,
                 Conversation& out, std::map<std::string, std::size_t>& places) {
  const std::string when = json_string_or(conversation, session + "_date_time", "");
  const std::string day = memory::day_of(when).value_or("");
  WallMs at = day.empty() ? 0 : time_of(day, minutes_of(when));
  for (const Json& said : conversation[session]) {
    Turn turn;
    turn.key = said["dia_id"].get<std::string>();
    turn.page.kind = "episode";
    turn.page.origin = "import";
    turn.page.speaker = said["speaker"].get<std::string>();
    turn.page.body = said["text"].get<std::string>();
    if (const std::string caption = json_string_or(said, "blip_caption", ""); !caption.empty())
      turn.page.body += "\n[image: " + caption + "]";
    turn.page.session = name + "/" + session;
    turn.page.day = day;
    turn.page.created_ms = at += 1000;
    places[turn.key] = out.turns.size();
    out.turns.push_back(std::move(turn));
  }
}

// Some evidence is written as "D8:6; D9:17" or "D:11:26" or "D30:05".
std::vector<std::size_t> evidence_of(const Json& question,
                                     const std::map<std::string, std::size_t>& places) {
  std::set<std::size_t> found;
  for (const Json& one : question["evidence"]) {
    std::string text = one.get<std::string>();
    for (std::size_t at = text.find('D'); at != std::string::npos; at = text.find('D', at + 1)) {
      int session = 0, turn = 0;
      const char* from = text.c_str() + at + 1;
      if (*from == ':') ++from;
      if (std::sscanf(from, "%d:%d", &session, &turn) != 2) continue;
      const auto place = places.find(fmt::format("D{}:{}", session, turn));
      if (place != places.end()) found.insert(place->second);
    }
  }
  return {found.begin(), found.end()};
}

std::vector<Conversation> read_locomo(const std::string& path) {
  std::vector<Conversation> all;
  const Json data = Json::parse(read_file(path), nullptr, false);
  if (!data.is_array()) return all;
  for (const Json& sample : data) {
    Conversation out;
    out.name = json_string_or(sample, "sample_id", "conversation");
    std::map<std::string, std::size_t> places;
    const Json& conversation = sample["conversation"];
    for (int n = 1; n < 100; ++n) {
      const std::string session = "session_" + std::to_string(n);
      if (conversation.contains(session)) add_session(conversation, session, out.name, out, places);
    }
    for (const Json& one : sample["qa"]) {
      if (!one.contains("evidence") || one["evidence"].empty()) continue;
      out.questions.push_back({one["question"].get<std::string>(), evidence_of(one, places),
                               static_cast<int>(json_int_or(one, "category", 0))});
    }
    all.push_back(std::move(out));
  }
  return all;
}

// ---- keel's own set: see the head of bench/memory/owners.txt

struct OwnersReader {
  std::vector<Conversation> all;
  std::map<std::string, std::size_t> places;
  std::string owner, session, day;
  WallMs at = 0;
  int sessions = 0;
  bool ok = true;

  void turn(std::string_view head, std::string_view text) {
    Turn turn;
    turn.page.kind = "episode";
    turn.page.origin = "import";
    turn.page.speaker = head.starts_with('o') ? owner : "Keel";
    turn.page.body = text;
    turn.page.session = session;
    turn.page.day = day;
    turn.page.created_ms = at += 20'000;
    if (const std::size_t open = head.find('['); open != std::string_view::npos)
      turn.key = head.substr(open + 1, head.find(']') - open - 1);
    if (!turn.key.empty()) ok &= places.emplace(turn.key, all.back().turns.size()).second;
    all.back().turns.push_back(std::move(turn));
  }

  void question(const std::string& line) {
    const std::size_t equals = line.rfind(" = ");
    if (equals == std::string::npos) {
      ok = false;
      return;
    }
    Question question{line.substr(2, equals - 2), {}, 0};
    std::istringstream keys(line.substr(equals + 3));
    for (std::string key; keys >> key;) {
      const auto place = places.find(key);
      if (place == places.end())
        ok = false;
      else
        question.evidence.push_back(place->second);
    }
    all.back().questions.push_back(std::move(question));
  }

  void line(const std::string& line) {
    if (line.starts_with("owner ")) {
      owner = line.substr(6);
      all.push_back({owner, {}, {}});
      places.clear();
    } else if (line.starts_with("session ")) {
      day = line.substr(8, 10);
      session = fmt::format("{}/{}", owner, ++sessions);
      at = time_of(day, 9 * 60);
    } else if (line.starts_with("? ")) {
      question(line);
    } else if (const std::size_t colon = line.find(": ");
               colon != std::string::npos && (line[0] == 'o' || line[0] == 'a')) {
      turn(std::string_view(line).substr(0, colon), std::string_view(line).substr(colon + 2));
    } else if (!line.empty() && line[0] != '#') {
      ok = false;
    }
    if (!ok) std::fprintf(stderr, "owners: cannot read: %s\n", line.c_str());
  }
};

std::vector<Conversation> read_owners(const std::string& path) {
  OwnersReader reader;
  std::ifstream file(path);
  for (std::string line; reader.ok && std::getline(file, line);) reader.line(line);
  return reader.ok ? std::move(reader.all) : std::vector<Conversation>{};
}

// ---- measuring

constexpr std::array<std::size_t, 3> kAt = {5, 10, 20};

struct Figures {
  std::array<double, kAt.size()> recall = {};
  double reciprocal = 0.0;
  int questions = 0;

  void add(const Question& question, const std::vector<std::size_t>& found) {
    ++questions;
    const std::set<std::size_t> wanted(question.evidence.begin(), question.evidence.end());
    double first = 0.0;
    std::size_t hits = 0;
    for (std::size_t i = 0; i < found.size() && i < kAt.back(); ++i) {
      if (wanted.contains(found[i])) {
        ++hits;
        if (first == 0.0) first = 1.0 / static_cast<double>(i + 1);
      }
      for (std::size_t k = 0; k < kAt.size(); ++k) {
        if (i + 1 == kAt[k] || (i + 1 == found.size() && i + 1 < kAt[k]))
          recall[k] += static_cast<double>(hits) / static_cast<double>(wanted.size());
      }
    }
    reciprocal += first;
  }
  void add(const Figures& other) {
    for (std::size_t k = 0; k < kAt.size(); ++k) recall[k] += other.recall[k];
    reciprocal += other.reciprocal;
    questions += other.questions;
  }
  void print(const std::string& name) const {
    const auto n = static_cast<double>(std::max(questions, 1));
    std::printf("  %-34s %5d   %.3f  %.3f  %.3f   %.3f\n", name.c_str(), questions, recall[0] / n,
                recall[1] / n, recall[2] / n, reciprocal / n);
  }
};

struct Tally {
  double worst_sum = 0.0;  // of a hit's addends against its score
  int errors = 0;
  std::vector<double> ms;
};

// Both ways of asking over the same pages.
class Store {
 public:
  explicit Store(const std::vector<const Conversation*>& conversations) {
    folder_ = (std::filesystem::temp_directory_path() / "keel-recall-XXXXXX").string();
    if (::mkdtemp(folder_.data()) == nullptr) std::abort();
    store::DatabaseOptions options;
    options.path = folder_ + "/keel.db";
    options.migrations = memory::migrations();
    database_ = MUST(store::Database::open(options));
    memory_ = std::make_unique<Memory>(*database_, clock_);
    std::vector<memory::NewPage> pages;
    for (const Conversation* one : conversations) {
      for (const Turn& turn : one->turns) pages.push_back(turn.page);
    }
    const auto from = clock_.steady();
    std::size_t at = 0;
    for (const Result<memory::Added>& added : MUST(memory_->add_all(pages)))
      places_[MUST(Result<memory::Added>(added)).page.id] = at++;
    added_ms_ = ms_between(from, clock_.steady());
    MUST(database_->write([&](store::Connection& c) -> Status {
      TRY(c.execute("CREATE VIRTUAL TABLE plain USING fts5(text, tokenize = 'porter unicode61')"));
      store::Statement insert = TRY(c.prepare("INSERT INTO plain(rowid, text) VALUES(?1, ?2)"));
      for (std::size_t i = 0; i < pages.size(); ++i)
        TRY(insert.bind(1, static_cast<std::int64_t>(i)).bind(2, pages[i].body).run());
      return {};
    }));
  }
  ~Store() {
    memory_.reset();
    database_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  std::vector<std::size_t> ask(const std::string& text, Tally& tally) {
    memory::Query query;
    query.text = text;
    query.limit = static_cast<int>(kAt.back());
    const auto from = clock_.steady();
    const Result<memory::Retrieval> found = memory_->search(query);
    tally.ms.push_back(ms_between(from, clock_.steady()));
    std::vector<std::size_t> out;
    if (!found) {
      ++tally.errors;
      return out;
    }
    for (const memory::Hit& hit : found->hits) {
      double sum = 0.0;
      for (const memory::Contribution& one : hit.contributions) sum += one.value;
      tally.worst_sum = std::max(tally.worst_sum, std::abs(sum - hit.score));
      out.push_back(places_.at(hit.page_id));
    }
    return out;
  }

  std::vector<std::size_t> ask_plain(const std::string& text) {
    std::string query;
    std::string word;
    const auto flush = [&] {
      if (!word.empty()) query += (query.empty() ? "\"" : " OR \"") + word + "\"";
      word.clear();
    };
    for (const char c : text) {
      if (std::isalnum(static_cast<unsigned char>(c)) != 0 || static_cast<unsigned char>(c) >= 0x80)
        word += c;
      else
        flush();
    }
    flush();
    if (query.empty()) return {};
    return MUST(database_->read([&](store::Connection& c) -> Result<std::vector<std::size_t>> {
      store::Statement select = TRY(c.prepare(
          "SELECT rowid FROM plain WHERE plain MATCH ?1 ORDER BY bm25(plain), rowid LIMIT 20"));
      select.bind(1, query);
      std::vector<std::size_t> out;
      while (TRY(select.step())) out.push_back(static_cast<std::size_t>(select.integer(0)));
      return out;
    }));
  }
  double added_ms() const { return added_ms_; }

 private:
  const SystemClock clock_;
  std::string folder_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<Memory> memory_;
  std::map<std::string, std::size_t> places_;
  double added_ms_ = 0.0;
};

struct Both {
  Figures keel, plain;
};

void ask_all(Store& store, const Conversation& conversation, std::size_t offset, Both& out,
             std::map<int, Figures>& categories, Tally& tally) {
  for (Question question : conversation.questions) {
    for (std::size_t& turn : question.evidence) turn += offset;
    if (question.evidence.empty()) {
      ++out.keel.questions;
      ++out.plain.questions;
      continue;
    }
    const std::vector<std::size_t> found = store.ask(question.text, tally);
    out.keel.add(question, found);
    categories[question.category].add(question, found);
    out.plain.add(question, store.ask_plain(question.text));
  }
}

void print_head(const char* title) {
  std::printf("\n%-36s questions  R@5    R@10   R@20   MRR\n", title);
}

void print_tally(const Tally& tally, double added_ms, std::size_t pages) {
  std::vector<double> ms = tally.ms;
  std::sort(ms.begin(), ms.end());
  const auto at = [&](double share) {
    return ms.empty() ? 0.0
                      : ms[static_cast<std::size_t>(share * static_cast<double>(ms.size() - 1))];
  };
  std::printf(
      "  query errors %d; largest |score - sum of addends| %.1e; search with its record: "
      "min %.1f, median %.1f, p95 %.1f ms; %zu pages added in %.0f ms\n",
      tally.errors, tally.worst_sum, at(0), at(0.5), at(0.95), pages, added_ms);
}

void measure(const std::string& name, const std::vector<Conversation>& all) {
  std::array<Both, 2> halves;
  std::map<int, Figures> categories;
  Tally tally;
  double added_ms = 0.0;
  std::size_t pages = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    Store store({&all[i]});
    added_ms += store.added_ms();
    pages += all[i].turns.size();
    ask_all(store, all[i], 0, halves[i % 2], categories, tally);
  }
  Both whole = halves[0];
  whole.keel.add(halves[1].keel);
  whole.plain.add(halves[1].plain);
  print_head((name + ", a store each").c_str());
  whole.keel.print("keel-lex 1");
  halves[0].keel.print("  the half it was tuned on");
  halves[1].keel.print("  the other half");
  if (categories.size() > 1) {
    for (const auto& [category, figures] : categories)
      figures.print(fmt::format("  category {}", category));
  }
  whole.plain.print("FTS5 porter, OR of the words");
  print_tally(tally, added_ms, pages);

  std::vector<const Conversation*> pooled;
  for (const Conversation& one : all) pooled.push_back(&one);
  Store store(pooled);
  Both pool;
  Tally pool_tally;
  std::size_t offset = 0;
  std::map<int, Figures> ignored;
  for (const Conversation& one : all) {
    ask_all(store, one, offset, pool, ignored, pool_tally);
    offset += one.turns.size();
  }
  print_head((name + ", one store for all").c_str());
  pool.keel.print("keel-lex 1");
  pool.plain.print("FTS5 porter, OR of the words");
  print_tally(pool_tally, store.added_ms(), offset);
}

}  // namespace

int measure_recall(const RecallWish& wish) {
  if (!wish.owners.empty()) {
    const std::vector<Conversation> owners = read_owners(wish.owners);
    if (owners.empty()) {
      std::fprintf(stderr, "%s holds no conversation that can be read.\n", wish.owners.c_str());
      return 1;
    }
    measure("owners and their agent", owners);
  }
  if (wish.locomo.empty()) return 0;
  const std::vector<Conversation> locomo = read_locomo(wish.locomo);
  if (locomo.empty()) {
    std::fprintf(stderr, "%s is not the LoCoMo set (locomo10.json).\n", wish.locomo.c_str());
    return 1;
  }
  measure("LoCoMo", locomo);
  return 0;
}

}  // namespace keel::bench
