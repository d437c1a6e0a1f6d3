#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "bench_engine.h"
#include "model/local/local_model.h"

namespace keel::bench {
namespace {

using Steady = std::chrono::steady_clock;
using Point = Steady::time_point;

constexpr int kJobComesAfter = 16;                                // pieces of the owner's answer
constexpr int kJobTokens = 8;                                     // that it writes
constexpr auto kOwnerComesAfter = std::chrono::milliseconds(60);  // of the job's reading

model::Request question(const std::string& conversation, const std::string& text,
                        model::Priority priority, int tokens) {
  model::Request request;
  request.conversation = conversation;
  request.items = {msg::text_item(msg::Role::user, text)};
  request.priority = priority;
  request.max_tokens = tokens;
  return request;
}

// One answer in a thread of its own, with the times of all that was heard of it.
class Asked {
 public:
  Asked(model::Model& model, model::Request request)
      : begun_(Steady::now()), thread_([this, &model, request = std::move(request)] {
          response_ = model.generate(request, [this](const auto& event) { hear(event); }, {});
          ended_ = Steady::now();
        }) {}

  // Until so many pieces of the answer came, or its reading has begun.
  void await_pieces(int count) {
    while (pieces_ < count && !over()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  void await_reading() {
    while (!reading_ && !over()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  Status join() {
    thread_.join();
    if (!response_) return tl::unexpected(response_.error());
    if (at_.empty()) return fail(Code::internal, "an answer had no words");
    return {};
  }

  // After join(). Milliseconds.
  double first() const { return ms_between(begun_, at_.front()); }
  double all() const { return ms_between(begun_, ended_); }
  double longest_gap() const {
    double longest = 0.0;
    for (std::size_t i = 1; i < at_.size(); ++i)
      longest = std::max(longest, ms_between(at_[i - 1], at_[i]));
    return longest;
  }
  // How long each step of reading took, with the tokens of it.
  std::vector<std::pair<std::int64_t, double>> chunks() const {
    std::vector<std::pair<std::int64_t, double>> out;
    for (std::size_t i = 1; i < read_.size(); ++i) {
      out.emplace_back(read_[i].first - read_[i - 1].first,
                       ms_between(read_[i - 1].second, read_[i].second));
    }
    return out;
  }
  const model::Response& response() const { return *response_; }

 private:
  bool over() const { return ended_.load() != Point{}; }
  void hear(const model::StreamEvent& event) {
    if (std::holds_alternative<model::TextDelta>(event)) {
      at_.push_back(Steady::now());
      ++pieces_;
    }
    const auto* progress = std::get_if<model::Progress>(&event);
    if (progress == nullptr || progress->phase != "reading") return;
    read_.emplace_back(progress->done, Steady::now());
    reading_ = true;
  }

  Point begun_;
  std::atomic<Point> ended_{Point{}};
  std::atomic<int> pieces_{0};
  std::atomic<bool> reading_{false};
  std::vector<Point> at_;
  std::vector<std::pair<std::int64_t, Point>> read_;
  Result<model::Response> response_ = fail(Code::internal, "not answered");
  std::thread thread_;  // the last member: it uses the others
};

class GapBench {
 public:
  explicit GapBench(const EngineWish& wish) : wish_(wish) {
    local::LocalOptions options;
    options.name = "bench";
    options.path = wish.model;
    options.home = wish.home;
    options.program = wish.program;
    options.context = 4 * (wish.job + wish.tokens) + wish.depth;
    options.threads = wish.threads;
    options.gpu = false;
    model_ = local::LocalModel::create(options);
  }

  Status run() {
    owner_text_ = words(std::max(wish_.depth, 16), 1) + ". Write a long story about a ship.";
    TRY(alone());  // the model is loaded, the prompt read
    for (int round = 0; round < wish_.rounds; ++round) {
      rows_.push_back(Json::object());
      const Json alone_ms = TRY(alone());
      rows_.back()["alone"] = alone_ms;
      rows_.back()["with_job"] = TRY(with_job(round));
      rows_.back()["job_first"] = TRY(job_first(round));
      rows_.back()["chunk"] = TRY(chunk(round));
    }
    const Json out = {{"threads", model_->stats().threads}, {"rounds", rows_}};
    std::printf("%s\n", dump_json(out).c_str());
    return {};
  }

 private:
  model::Request owner() {
    return question("owner", owner_text_, model::Priority::owner, wish_.tokens);
  }
  // Another text each time, so that it has to be read.
  model::Request job() {
    ++jobs_;
    return question("job " + std::to_string(jobs_), words(wish_.job, 100 + jobs_),
                    model::Priority::background, kJobTokens);
  }

  Result<Json> alone() {
    Asked asked(*model_, owner());
    TRY(asked.join());
    return Json{{"first_ms", asked.first()}, {"gap_ms", asked.longest_gap()}};
  }

  // The job comes while the owner's answer is written.
  Result<Json> with_job(int) {
    Asked asked(*model_, owner());
    asked.await_pieces(kJobComesAfter);
    Asked background(*model_, job());
    TRY(asked.join());
    TRY(background.join());
    return Json{{"gap_ms", asked.longest_gap()},
                {"answer_ms", asked.all()},
                {"job_ms", background.all()},
                {"job_prompt", background.response().usage.prompt_tokens}};
  }

  // The owner comes while the job is read.
  Result<Json> job_first(int) {
    Asked background(*model_, job());
    background.await_reading();
    std::this_thread::sleep_for(kOwnerComesAfter);
    Asked asked(*model_, owner());
    TRY(asked.join());
    TRY(background.join());
    return Json{{"first_ms", asked.first()},
                {"gap_ms", asked.longest_gap()},
                {"answer_ms", asked.all()},
                {"job_ms", background.all()}};
  }

  // What a job reads at once, undisturbed.
  Result<Json> chunk(int) {
    Asked background(*model_, job());
    TRY(background.join());
    double most = 0.0;
    std::int64_t tokens = 0;
    for (const auto& [count, ms] : background.chunks()) {
      if (ms > most) tokens = count;
      most = std::max(most, ms);
    }
    return Json{{"ms", most}, {"tokens", tokens}, {"job_ms", background.all()}};
  }

  const EngineWish wish_;
  std::unique_ptr<local::LocalModel> model_;
  std::string owner_text_;
  unsigned jobs_ = 0;
  std::vector<Json> rows_;
};

}  // namespace

Status measure_gap(const EngineWish& wish) {
  return GapBench(wish).run();
}

}  // namespace keel::bench
