// What the parsers of dialects promise for any bytes: an error in words, or a value that is written
// in a form that reads back the same; and streams whose events keep their order.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>

#include "msg/dialect/dialect.h"
#include "msg/dialect/local.h"

namespace keel::fuzz {

inline void check(bool holds) {
  if (!holds) std::abort();
}

inline void check_request(msg::Dialect dialect, std::string body) {
  const auto parsed = msg::parse_request(dialect, body);
  if (!parsed) return check(!parsed.error().message.empty());
  check(msg::write_request(dialect, parsed->conversation, {}).body.size() > 1);
  for (const msg::Dialect to :
       {msg::Dialect::anthropic, msg::Dialect::chat, msg::Dialect::responses}) {
    const msg::Target target{.pass_through = false};
    const std::string written = msg::write_request(to, parsed->conversation, target).body;
    const auto again = msg::parse_request(to, written);
    if (!again) continue;  // nothing was left to say
    check(msg::write_request(to, again->conversation, target).body == written);
  }
  msg::local_form(parsed->conversation, {"model"});
}

inline void check_order(const msg::StreamEvents& events) {
  int starts = 0;
  int ends = 0;
  int next = 0;
  int open = -1;
  for (const msg::StreamEvent& event : events) {
    check(ends == 0);
    if (std::holds_alternative<msg::Start>(event)) check(starts++ == 0);
    if (const auto* o = std::get_if<msg::BlockOpen>(&event)) {
      check(starts == 1 && open == -1 && o->index == next++);
      open = o->index;
    }
    if (const auto* d = std::get_if<msg::Delta>(&event)) check(d->index == open);
    if (const auto* c = std::get_if<msg::BlockClose>(&event)) {
      check(c->index == open);
      open = -1;
    }
    if (std::holds_alternative<msg::End>(event)) {
      check(open == -1);
      ++ends;
    }
    if (std::holds_alternative<msg::StreamError>(event)) ++ends;
  }
  check(ends == 1);
}

// The first byte says where the rest is split.
inline void check_stream(msg::Dialect dialect, std::string_view data) {
  const std::size_t at = data.empty() ? 0 : static_cast<unsigned char>(data[0]) % data.size();
  const auto reader = msg::make_reader(dialect);
  msg::StreamEvents events = reader->feed(data.substr(0, at));
  for (msg::StreamEvent& event : reader->feed(data.substr(at))) events.push_back(std::move(event));
  for (msg::StreamEvent& event : reader->finish()) events.push_back(std::move(event));
  check_order(events);
  msg::CallGate gate;
  msg::StreamEvents gated;
  msg::Collector collector;
  for (const msg::StreamEvent& event : events) {
    gate.event(event, gated);
    collector.event(event);
  }
  check_order(gated);
  for (const msg::Dialect to :
       {msg::Dialect::anthropic, msg::Dialect::chat, msg::Dialect::responses}) {
    const auto writer = msg::make_writer(to, {});
    std::string out;
    for (const msg::StreamEvent& event : gated) writer->event(event, out);
    // What a writer says is read without an error, unless it says one.
    const auto back = msg::make_reader(to);
    msg::StreamEvents read = back->feed(out);
    for (msg::StreamEvent& event : back->finish()) read.push_back(std::move(event));
    check_order(read);
    check(std::holds_alternative<msg::StreamError>(read.back()) ==
          std::holds_alternative<msg::StreamError>(gated.back()));
    msg::Losses losses;
    check(msg::parse_answer(to, msg::write_answer(to, collector.answer(), {}, losses)).has_value());
  }
}

inline void check_answer(std::string body) {
  for (const msg::Dialect dialect :
       {msg::Dialect::anthropic, msg::Dialect::chat, msg::Dialect::responses}) {
    const auto read = msg::parse_answer(dialect, body);
    if (!read) {
      check(!read.error().message.empty());
      continue;
    }
    check_order(msg::events_of(read->answer));
    msg::Losses losses;
    check(msg::parse_answer(dialect, msg::write_answer(dialect, read->answer, {}, losses))
              .has_value());
  }
  for (const int status : {0, 200, 400, 429, 500}) {
    const msg::ApiError error = msg::read_error(status, body);
    check(!error.message.empty());
    check(!msg::read_error(0, msg::error_body(error, msg::Dialect::anthropic)).message.empty());
  }
}

}  // namespace keel::fuzz
