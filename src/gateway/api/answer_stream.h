// One model answer on its way to a client: what the model streams becomes the events of msg/, and
// those the bytes of the client's dialect, as a stream or as one body.
//
// Threads: any; a mutex inside. The model's sink and the pinger both write.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "model/model.h"
#include "msg/stream/answer.h"
#include "msg/stream/codec.h"
#include "net/http/stream.h"

namespace keel::api {

struct AnswerOptions {
  std::string id;            // of the answer: "msg_..."
  std::string model;         // that answers
  bool thinking = true;      // the client wants to see thoughts
  bool quiet_start = false;  // no sign of life before the first word: bytes may be relayed
  std::function<std::string(const std::string& thought)> sign;
  msg::ToolNames names;
  std::set<std::string> custom;  // tools whose calls are one text, in the dialect
};

// The events of an answer, from what a model gives.
class AnswerEvents {
 public:
  explicit AnswerEvents(AnswerOptions options) : options_(std::move(options)) {}
  // The size of the prompt, for clients that look for it at the beginning.
  void expect(std::int64_t prompt_tokens) { prompt_tokens_ = prompt_tokens; }
  void start();
  void model_event(const model::StreamEvent& event);
  // The calls, and the end.
  void finish(const model::Response& response);
  void fail(msg::ApiError error);
  void sign_of_life() { to_.progress(0, 0); }
  bool started() const { return to_.started(); }
  msg::StreamEvents take();

 private:
  void write(msg::BlockKind kind, msg::DeltaKind delta, const std::string& text);
  void close_block();
  void write_call(const msg::ToolCall& call);

  const AnswerOptions options_;
  msg::Sequencer to_;
  int key_ = 0;
  std::optional<msg::BlockKind> open_;
  std::string thought_;
  std::int64_t prompt_tokens_ = 0;
};

// A streamed answer. The head of the HTTP answer waits until there is something to say, so that
// what fails at once is an error status and not an error in a stream.
class LiveAnswer {
 public:
  using Steady = std::chrono::steady_clock;
  LiveAnswer(AnswerOptions options, std::unique_ptr<msg::StreamWriter> writer,
             http::Headers headers, http::Responder responder);

  void expect(std::int64_t prompt_tokens);
  void model_event(const model::StreamEvent& event);
  // The bytes of an answer that somebody else has written in the client's dialect. From then on
  // events are not looked at. False if an answer has begun already.
  bool relay(std::string_view bytes);
  void finish(const model::Response& response);
  // False if nothing was sent yet: the error is then the caller's to answer with, and nothing is
  // sent here any more.
  bool fail(const msg::ApiError& error);
  // A sign of life if there was none for long. Does not wait.
  void ping(Steady::time_point now);

 private:
  void flush(bool may_wait);

  std::mutex mutex_;
  const bool quiet_start_;
  AnswerEvents events_;
  std::unique_ptr<msg::StreamWriter> writer_;
  const http::Headers headers_;
  http::Responder responder_;
  std::shared_ptr<http::Stream> stream_;
  bool closed_ = false;
  bool relayed_ = false;
  const Steady::time_point made_ = Steady::now();
  Steady::time_point sent_ = made_;
};

}  // namespace keel::api
