// Whatever happened to a conversation before, its next answer is the one that an engine gives that
// has never seen it: the ledger of what was evaluated, the files of it and the points to go back to
// may only ever save time. Shown for each way that models keep what they read: recurrent layers,
// experts, a sliding window (tiny models with random weights, scripts/make-test-model) and the
// plain cache of SmolLM2.
//
// With KEEL_SOAK=1 the random operations go on until a thousand answers were stopped, with
// KEEL_SOAK=N until N were; KEEL_SEED chooses others.
#include <gtest/gtest.h>
#include <llama.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <random>

#include "model/engine/engine_fixture_test.h"
#include "model/inference/context.h"
#include "rt/patience_test.h"
#include "rt/thread.h"

namespace keel::local {
namespace {

constexpr int kAnswer = 12;     // tokens, unless a test says otherwise
constexpr int kFewTokens = 40;  // that a turn of twelve words may cost, after a kill too
constexpr int kStops = 1000;    // of a long run

struct Family {
  const char* name;
  const char* file;  // random models: in KEEL_RANDOM_MODELS
  bool random;
  int steps;       // of the random operations
  int long_words;  // of a message that takes a while to read
};
void PrintTo(const Family& family, std::ostream* out) {
  *out << family.name;
}

using Items = std::vector<msg::Item>;

class RandomModelTest : public LocalModelTest, public ::testing::WithParamInterface<Family> {
 protected:
  bool begin() {
    const Family& family = GetParam();
    const fs::path random = fs::path(KEEL_RANDOM_MODELS) / family.file;
    if (family.random && !fs::exists(random)) {
      std::cerr << random << " is not there: it is made by the build when SmolLM2 is there\n";
      return false;
    }
    if (!family.random && !open(family.file)) return false;
    options_.name = "test";
    if (family.random) options_.path = random.string();
    options_.home = home();
    options_.context = 4096;
    options_.threads = 1;
    model_ = LocalModel::create(options_);
    return true;
  }

  static model::Request request(const std::string& conversation, const Items& items,
                                int tokens = kAnswer) {
    model::Request request;
    request.conversation = conversation;
    request.items = items;
    request.max_tokens = tokens;
    return request;
  }

  // A few words that are the same on every run; fewer for a model that takes its time.
  std::string words(int count) {
    if (!GetParam().random) count = count / 3 + 1;
    static constexpr std::array<const char*, 24> all{
        "ship",  "sails", "over", "the",   "wide",  "sea",     "wind",   "harbour",
        "crew",  "a",     "song", "about", "light", "and",     "stone",  "rope",
        "under", "dark",  "cold", "water", "bread", "morning", "winter", "home"};
    std::string text;
    for (int i = 0; i < count; ++i) text += (i > 0 ? " " : "") + std::string(all[pick(all.size())]);
    return text;
  }
  std::size_t pick(std::size_t below) { return below > 0 ? random_() % below : 0; }

  // What an engine says that has no cache and has read nothing else.
  std::string fresh(const Items& items, int tokens = kAnswer) {
    const std::string folder = home() + "/fresh";
    fs::remove_all(folder);
    fs::create_directories(folder);
    std::error_code error;
    fs::copy_file(home() + "/cpu.json", folder + "/cpu.json", error);
    LocalOptions options = options_;
    options.home = folder;
    const auto model = LocalModel::create(options);
    const auto answer = model->generate(request("fresh", items, tokens), {}, {});
    EXPECT_TRUE(answer) << answer.error().text();
    return answer ? msg::plain_text(answer->item) : "";
  }

  // One more turn, whose answer joins the conversation and must be the right one.
  model::Usage turn(const std::string& conversation, Items& items, const std::string& text,
                    bool check = true) {
    items.push_back(msg::text_item(msg::Role::user, text));
    const auto answer = generate(request(conversation, items));
    EXPECT_TRUE(answer) << answer.error().text();
    if (!answer) return {};
    if (check) {
      EXPECT_EQ(msg::plain_text(answer->item), fresh(items));
    }
    items.push_back(answer->item);
    return answer->usage;
  }

  static std::uintmax_t kept_bytes() {
    std::uintmax_t bytes = 0;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(home() + "/kv", error))
      bytes += entry.file_size(error);
    return bytes;
  }
  // Until the engine, which writes after it has answered, has done so.
  void wait_for_files(std::uintmax_t more_than) {
    std::uintmax_t last = 0;
    EXPECT_TRUE(rt::eventually([&] {
      const std::uintmax_t now = kept_bytes();
      rt::sleep_ms(20);
      return now > more_than && now == std::exchange(last, now);
    }));
  }
  void kill_engine() {
    if (model_->stats().pid > 0) ::kill(model_->stats().pid, SIGKILL);
  }

  std::mt19937 random_{4711};
};

#define NEED_FAMILY() \
  if (!begin()) GTEST_SKIP() << "the model is not there"

// Without this the other tests could not fail: what was read long ago must matter.
TEST_P(RandomModelTest, WhatWasReadFirstChangesTheAnswer) {
  NEED_FAMILY();
  if (!GetParam().random) GTEST_SKIP() << "a model that has sense may say the same";
  const std::string rest = words(150);
  const Items one{msg::text_item(msg::Role::user, "Seven ravens. " + rest)};
  const Items two{msg::text_item(msg::Role::user, "Purple engines. " + rest)};
  const std::string answer = fresh(one);
  EXPECT_EQ(answer, fresh(one));
  EXPECT_NE(answer, fresh(two));
  EXPECT_NE(answer, fresh({msg::text_item(msg::Role::user, rest + " Seven ravens.")}));
}

TEST_P(RandomModelTest, AKillBetweenTurnsCostsNeitherTheAnswerNorMuchReading) {
  NEED_FAMILY();
  Items items{msg::text_item(msg::Role::system, words(60))};
  turn("c", items, words(100));
  int killed = -1;
  for (int i = 0; i < (GetParam().random ? 4 : 2); ++i) {
    const std::uintmax_t before = kept_bytes();
    const model::Usage usage = turn("c", items, words(12));
    EXPECT_LE(usage.evaluated_tokens, kFewTokens) << "turn " << i;
    wait_for_files(before);
    EXPECT_NE(model_->stats().pid, killed);
    killed = model_->stats().pid;
    kill_engine();
  }
  turn("c", items, words(12));
  EXPECT_NE(model_->stats().pid, killed);
}

// What is read ahead ends where any next message begins: a mark behind it, of an answer that does
// not come there, would make a recurrent model read all of it again.
TEST_P(RandomModelTest, WhatWasReadAheadIsNotReadAgain) {
  NEED_FAMILY();
  const Items opening{msg::text_item(msg::Role::system, words(300))};
  const auto read_ahead = [&](const Items& items) {
    const std::uintmax_t before = kept_bytes();
    ASSERT_TRUE(model_->prepare(request("c", items), {}, {}));
    wait_for_files(before);
  };
  read_ahead(opening);
  Items items = opening;
  EXPECT_LE(turn("c", items, words(12)).evaluated_tokens, kFewTokens) << "the first message";
  // The answer as its owner's client tells it, in other words; and again after a kill.
  for (int i = 0; i < 3; ++i) {
    items.back() = msg::text_item(msg::Role::assistant, words(60));
    read_ahead(items);
    if (i > 0) kill_engine();
    EXPECT_LE(turn("c", items, words(12)).evaluated_tokens, kFewTokens) << "turn " << i;
  }
  Items job = opening;
  EXPECT_LE(turn("job", job, words(12)).evaluated_tokens, kFewTokens) << "a job beside it";
}

// A state that was copied holds of a sliding window only its end; the ends of earlier answers are
// on the disk.
TEST_P(RandomModelTest, AnEarlierTurnIsGoneBackToAfterAKillAndAfterAnotherConversation) {
  NEED_FAMILY();
  random_.seed(2);  // with others, two words are so nearly as likely that rounding decides
  Items items{msg::text_item(msg::Role::system, words(60))};
  for (int i = 0; i < 4; ++i) {
    const std::uintmax_t before = kept_bytes();
    turn("c", items, words(120), false);
    wait_for_files(before);
  }
  const auto go_back_to = [&](std::ptrdiff_t length, const char* how) {
    SCOPED_TRACE(how);
    items.resize(static_cast<std::size_t>(length));
    EXPECT_LE(turn("c", items, words(12)).evaluated_tokens, kFewTokens);
  };
  Items other{msg::text_item(msg::Role::system, words(80))};
  kill_engine();
  go_back_to(7, "from the disk");
  turn("other", other, words(80), false);
  go_back_to(5, "from memory");
  turn("other", other, words(12), false);
  turn("c", items, words(12), false);
  go_back_to(3, "after it went on");
}

TEST_P(RandomModelTest, EditsRegeneratedAnswersAndBranchesAreReadAsTheyStand) {
  NEED_FAMILY();
  Items items{msg::text_item(msg::Role::system, words(40))};
  for (int i = 0; i < 4; ++i) turn("c", items, words(30), false);
  // Another answer to the same words.
  Items again = items;
  again.pop_back();
  const auto second = generate(request("c", again));
  ASSERT_TRUE(second) << second.error().text();
  EXPECT_EQ(msg::plain_text(second->item), fresh(again));
  // An earlier turn in other words, and what follows it.
  Items edited(items.begin(), items.begin() + 5);
  edited.pop_back();
  edited.pop_back();
  turn("c", edited, words(20));
  turn("c", edited, words(10));
  // A branch from the middle, and back to where it began.
  Items branch(items.begin(), items.begin() + 7);
  turn("branch", branch, words(15));
  turn("c", items, words(10));
  turn("branch", branch, words(10));
  // The same from the disk.
  model_ = LocalModel::create(options_);
  turn("branch", branch, words(10));
  turn("c", edited, words(10));
}

TEST_P(RandomModelTest, AnAnswerOrAReadingThatWasStoppedLeavesNothingBehind) {
  NEED_FAMILY();
  Items items{msg::text_item(msg::Role::system, words(40))};
  turn("c", items, words(20), false);
  for (int i = 0; i < 6; ++i) {
    Items stopped = items;
    stopped.push_back(msg::text_item(msg::Role::user, words(GetParam().long_words)));
    std::stop_source stop;
    rt::Thread owner = rt::start_thread("owner", [&](std::stop_token) {
      rt::sleep_ms(1 + 4 * i);
      stop.request_stop();
    });
    const auto answer = generate(request("c", stopped, 400), stop.get_token());
    owner.join();
    ASSERT_TRUE(answer) << answer.error().text();
    // Half of the time the same is asked again, else something else.
    if (i % 2 == 0) {
      const auto whole = generate(request("c", stopped));
      ASSERT_TRUE(whole) << whole.error().text();
      EXPECT_EQ(msg::plain_text(whole->item), fresh(stopped)) << "stop " << i;
    }
    turn("c", items, words(8));
  }
}

// --- files that are not what they were

class DamagedFilesTest : public RandomModelTest {
 protected:
  static std::string read(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void write(const fs::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }
  std::vector<fs::path> files() {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(home() + "/kv")) found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    return found;
  }
};

TEST_P(DamagedFilesTest, DamagedFilesOfTheCacheOnlyCostTime) {
  NEED_FAMILY();
  Items one{msg::text_item(msg::Role::system, words(40))};
  Items two = one;
  for (int i = 0; i < 3; ++i) turn("one", one, words(40), false);
  for (int i = 0; i < 2; ++i) turn("two", two, words(50), false);
  model_.reset();
  const std::vector<fs::path> paths = files();
  ASSERT_EQ(paths.size(), 2u);
  const std::string first = read(paths[0]);
  const std::string second = read(paths[1]);
  one.push_back(msg::text_item(msg::Role::user, "And now?"));
  const std::string expected = fresh(one);
  const auto check = [&](const std::string& what, const std::string& a, const std::string& b) {
    write(paths[0], a);
    write(paths[1], b);
    model_ = LocalModel::create(options_);
    const auto answer = generate(request("one", one));
    ASSERT_TRUE(answer) << what << ": " << answer.error().text();
    EXPECT_EQ(msg::plain_text(answer->item), expected) << what;
    model_.reset();
  };
  check("untouched", first, second);
  check("swapped", second, first);
  check("empty", "", "");
  check("one behind the other", first + second, second + first);
  for (int i = 0; i < 3; ++i) {
    std::string a = first.substr(0, pick(first.size()));
    std::string b = second.substr(0, pick(second.size()));
    check("cut off at " + std::to_string(a.size()) + ", " + std::to_string(b.size()), a, b);
  }
  for (int i = 0; i < 4; ++i) {
    std::string a = first;
    std::string b = second;
    // Heads and tokens take little room: half of the flips go there.
    const std::size_t at = i % 2 == 0 ? pick(600) : pick(std::min(a.size(), b.size()));
    a[at] = static_cast<char>(a[at] ^ (1 << pick(8)));
    b[at] = static_cast<char>(b[at] ^ (1 << pick(8)));
    check("a bit flipped at " + std::to_string(at), a, b);
  }
}

// The tail and the head of the file are as before, and so are its size and its time.
TEST_P(DamagedFilesTest, AModelThatWasReplacedDoesNotGoOnFromTheOldOnesFiles) {
  NEED_FAMILY();
  if (!GetParam().random) GTEST_SKIP() << "too large to copy and change for the same finding";
  const fs::path path = fs::path(home()) / "replaced.gguf";
  fs::copy_file(options_.path, path, fs::copy_options::overwrite_existing);
  options_.path = path.string();
  model_ = LocalModel::create(options_);
  Items items;
  for (int i = 0; i < 2; ++i) turn("c", items, words(60), false);
  model_.reset();
  ASSERT_GT(kept_bytes(), 0u);
  const auto time = fs::last_write_time(path);
  std::string bytes = read(path);
  // What the tokens are turned into, in the middle of the file.
  for (std::size_t at = bytes.size() * 30 / 100; at < bytes.size() * 45 / 100; ++at)
    bytes[at] = static_cast<char>(bytes[at] ^ 0x15);
  fs::remove(path);
  write(path, bytes);
  fs::last_write_time(path, time);
  model_ = LocalModel::create(options_);
  turn("c", items, words(5));
  fs::remove(path);
}

// --- anything, in any order

class AnyOrderTest : public RandomModelTest {
 protected:
  struct Talk {
    std::string name;
    Items items;
  };

  Talk& talk() { return talks_[current_]; }
  void new_talk() {
    talks_.push_back({"talk " + std::to_string(names_++), {}});
    talks_.back().items.push_back(msg::text_item(msg::Role::system, rules_));
    if (talks_.size() > 4) talks_.erase(talks_.begin());
    current_ = talks_.size() - 1;
  }

  // Every answer that is written to its end must be the one of a fresh engine.
  void say(int count, int tokens) {
    talk().items.push_back(msg::text_item(msg::Role::user, words(count)));
    answer(tokens);
  }
  void answer(int tokens) {
    log_ += " answer " + std::to_string(tokens);
    const auto said = generate(request(talk().name, talk().items, tokens));
    ASSERT_TRUE(said) << said.error().text() << log_;
    const std::string text = msg::plain_text(said->item);
    const std::string expected = fresh(talk().items, tokens);
    const float tie = GetParam().random ? kTie : kTinyTie;
    ASSERT_TRUE(text == expected || is_tie(request(talk().name, talk().items, tokens), text, tie))
        << text << "\n"
        << expected << log_;
    talk().items.push_back(said->item);
    ++answers_;
  }

  // Stopped while the prompt is read or the answer is written, which is then kept or not.
  void cancel() {
    const std::size_t before = talk().items.size();
    talk().items.push_back(msg::text_item(
        msg::Role::user,
        words(5 + static_cast<int>(pick(static_cast<std::size_t>(GetParam().long_words / 2))))));
    std::stop_source stop;
    const bool by_time = pick(2) == 0;
    const int after = 1 + static_cast<int>(pick(30));
    rt::Thread owner;
    if (by_time) {
      owner = rt::start_thread("owner", [&](std::stop_token) {
        rt::sleep_ms(after);
        stop.request_stop();
      });
    } else {
      on_event_ = [&, deltas = 0](const model::StreamEvent& event) mutable {
        if (std::holds_alternative<model::TextDelta>(event) && ++deltas == after)
          stop.request_stop();
      };
    }
    log_ += (by_time ? " cancel after ms " : " cancel after token ") + std::to_string(after);
    const auto said = generate(request(talk().name, talk().items, 60), stop.get_token());
    if (owner.joinable()) owner.join();
    on_event_ = nullptr;
    if (!said && said.error().code == Code::cancelled) {  // while a new engine loaded the model
      ++cancelled_;
      talk().items.resize(before);
      return;
    }
    ASSERT_TRUE(said) << said.error().text() << log_;
    if (said->stop == model::StopReason::cancelled) ++cancelled_;
    if (pick(2) == 0 || msg::plain_text(said->item).empty()) {
      talk().items.resize(before);
      log_ += " dropped";
    } else {
      talk().items.push_back(said->item);
    }
  }

  // The last answer once more, or an earlier turn in other words; both forget what came after.
  void go_back(bool edit) {
    std::vector<std::size_t> turns;
    for (std::size_t i = 0; i < talk().items.size(); ++i) {
      if (talk().items[i].role == msg::Role::user) turns.push_back(i);
    }
    if (turns.empty()) return;
    const std::size_t at = edit ? turns[pick(turns.size())] : turns.back();
    log_ += (edit ? " edit " : " again ") + std::to_string(at);
    talk().items.resize(at + (edit ? 0 : 1));
    if (edit) {
      say(3 + static_cast<int>(pick(20)), 8);
    } else {
      answer(8);
    }
  }

  void branch() {
    Items items = talk().items;
    if (items.size() > 3) items.resize(1 + 2 * pick(items.size() / 2));
    new_talk();
    if (!items.empty()) talk().items = items;
    log_ += " branch " + std::to_string(items.size());
  }

  void step() {
    if (talk().items.size() > 12) new_talk();
    log_ += "\n" + talk().name + ":";
    if (soaking_ && pick(10) < 6) return cancel();
    switch (pick(10)) {
      case 0:
      case 1:
      case 2:
        return cancel();
      case 3:
        return go_back(true);
      case 4:
        return go_back(false);
      case 5:
        return branch();
      case 6:
        current_ = pick(talks_.size());
        log_ += " switch to " + talk().name;
        return;
      case 7:
        log_ += " kill";
        return kill_engine();
      case 8:
        log_ += " restart";
        model_ = LocalModel::create(options_);
        return;
      default:
        return say(3 + static_cast<int>(pick(60)), 1 + static_cast<int>(pick(24)));
    }
  }

  std::vector<Talk> talks_;
  std::size_t current_ = 0;
  int names_ = 0;
  bool soaking_ = false;
  int cancelled_ = 0;
  int answers_ = 0;
  std::string rules_;
  std::string log_;
};

TEST_P(AnyOrderTest, EveryAnswerIsTheOneOfAFreshEngine) {
  NEED_FAMILY();
  const char* soak = std::getenv("KEEL_SOAK");
  const int wished = soak != nullptr ? std::atoi(soak) : 0;
  const int stops = wished == 1 ? kStops : wished;
  soaking_ = stops > 0;
  if (const char* seed = std::getenv("KEEL_SEED"))
    random_.seed(static_cast<std::uint32_t>(std::atoi(seed)));
  rules_ = words(50);
  new_talk();
  for (int i = 0; soaking_ ? cancelled_ < stops : i < GetParam().steps; ++i) {
    step();
    if (!HasFatalFailure() && i % 3 == 2) {
      log_ += "\n" + talk().name + ":";
      say(3 + static_cast<int>(pick(10)), 6);
    }
    if (HasFatalFailure()) return;
    if (log_.size() > 6000) log_.erase(0, log_.find('\n', log_.size() - 5000));
  }
  RecordProperty("answers", answers_);
  RecordProperty("cancelled", cancelled_);
  std::cerr << GetParam().name << ": " << answers_ << " answers compared, " << cancelled_
            << " cancelled\n";
}

const auto families = ::testing::Values(Family{"qwen35", "qwen35.gguf", true, 36, 600},
                                        Family{"qwen35moe", "qwen35moe.gguf", true, 36, 600},
                                        Family{"gemma3", "gemma3.gguf", true, 36, 600},
                                        Family{"smollm2", kTiny, false, 6, 200});
std::string family_name(const ::testing::TestParamInfo<Family>& info) {
  return info.param.name;
}
INSTANTIATE_TEST_SUITE_P(Of, RandomModelTest, families, family_name);
INSTANTIATE_TEST_SUITE_P(Of, DamagedFilesTest, families, family_name);
INSTANTIATE_TEST_SUITE_P(Of, AnyOrderTest, families, family_name);

}  // namespace
}  // namespace keel::local
