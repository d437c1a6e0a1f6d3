#include "rt/child.h"

#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/json.h"
#include "bench_engine.h"
#include "model/inference/context.h"
#include "model/inference/generator.h"
#include "model/inference/template.h"
#include "model/local/protocol.h"
#include "rt/frame.h"

namespace keel::bench {
namespace {

using Steady = std::chrono::steady_clock;

constexpr int kSpare = 512;  // tokens of the context beside depth and answer

local::LoadRequest load_of(const EngineWish& wish) {
  local::LoadRequest load;
  load.path = wish.model;
  load.library = wish.library;
  load.attention = wish.attention;
  load.threads = wish.threads;
  load.context = wish.depth * 2 + wish.tokens + kSpare;
  load.drafts = false;  // every token is evaluated, on both sides
  return load;
}

local::GenerateRequest request_of(const EngineWish& wish, std::int64_t id) {
  local::GenerateRequest request;
  request.id = id;
  request.exact_tokens = true;
  request.request.conversation = "bench";
  request.request.max_tokens = wish.tokens;
  request.request.items = {
      msg::text_item(msg::Role::user, words(wish.depth, 1) + " Write a story about a ship.")};
  return request;
}

// From the first piece of an answer to its end, and how many pieces came.
struct Heard {
  std::optional<Steady::time_point> first;
  int pieces = 0;
  void piece() {
    if (!first) first = Steady::now();
    ++pieces;
  }
  Result<double> ms_per_token(int tokens) const {
    if (pieces != tokens) {
      return fail(Code::internal, "the answer came in " + std::to_string(pieces) +
                                      " pieces, and has " + std::to_string(tokens) + " tokens");
    }
    return ms_between(*first, Steady::now()) / (tokens - 1);
  }
};

class InProcess {
 public:
  Status start(const EngineWish& wish) {
    context_ = TRY(local::Context::load(load_of(wish), {}));
    chat_ = TRY(local::ChatTemplate::create(context_->model()));
    return {};
  }
  int threads() const { return context_->threads(); }
  Result<double> answer(const EngineWish& wish) {
    Heard heard;
    local::Generator generator(*context_, *chat_, [&](const local::EngineEvent& event) {
      if (std::holds_alternative<local::DeltaEvent>(event)) heard.piece();
    });
    const local::GenerateRequest request = request_of(wish, 1);
    TRY(generator.run(request));
    return heard.ms_per_token(wish.tokens);
  }

 private:
  std::unique_ptr<local::Context> context_;
  std::unique_ptr<local::ChatTemplate> chat_;
};

class InChild {
 public:
  Status start(const EngineWish& wish) {
    rt::ChildOptions options = local::engine_child(wish.program, {});
    options.quiet = true;
    auto [mine, theirs] = TRY(rt::socket_pair());
    options.inherit_fd = theirs.get();
    child_ = TRY(rt::Child::spawn(options));
    theirs.reset();
    socket_.emplace(std::move(mine));
    TRY(send(load_of(wish)));
    for (;;) {
      if (std::holds_alternative<local::LoadedEvent>(TRY(next()))) return {};
    }
  }
  Result<double> answer(const EngineWish& wish) {
    Heard heard;
    TRY(send(request_of(wish, 1)));
    for (;;) {
      const local::EngineEvent event = TRY(next());
      if (std::holds_alternative<local::DeltaEvent>(event)) heard.piece();
      if (std::holds_alternative<local::DoneEvent>(event)) return heard.ms_per_token(wish.tokens);
    }
  }

 private:
  Status send(const local::EngineRequest& request) { return socket_->send(encode(request)); }
  Result<local::EngineEvent> next() {
    const auto frame = TRY(socket_->receive());
    local::EngineEvent event = TRY(local::decode_event(*frame));
    if (auto* error = std::get_if<local::ErrorEvent>(&event))
      return tl::unexpected(std::move(error->error));
    return event;
  }
  rt::Child child_;
  std::optional<rt::FrameSocket> socket_;
};

}  // namespace

Status measure_child(const EngineWish& wish) {
  InProcess here;
  InChild there;
  TRY(here.start(wish));
  TRY(there.start(wish));
  // Twice each time: whoever begins after the other has to notice that its processors are free.
  const auto timed = [&](auto& side) -> Result<double> {
    TRY(side.answer(wish));
    return side.answer(wish);
  };
  Json rows = Json::array();
  for (int round = 0; round < wish.rounds; ++round) {
    const bool child_first = round % 2 == 1;
    double child_ms = child_first ? TRY(timed(there)) : 0.0;
    const double here_ms = TRY(timed(here));
    if (!child_first) child_ms = TRY(timed(there));
    rows.push_back({{"in_process_ms", here_ms}, {"child_ms", child_ms}});
  }
  const Json out = {{"threads", here.threads()}, {"depth", wish.depth}, {"rounds", rows}};
  std::printf("%s\n", dump_json(out).c_str());
  return {};
}

}  // namespace keel::bench
