// Both ends of a stream in some dialect. A reader turns the bytes of a server into events, a writer
// turns events into bytes for a client. Pure; one thread at a time.
#pragma once

#include <memory>

#include "msg/raw.h"
#include "msg/stream/event.h"
#include "msg/stream/sse.h"

namespace keel::msg {

class StreamReader {
 public:
  virtual ~StreamReader() = default;
  // The events that these bytes complete. Whatever the server sends, the order is that of event.h;
  // after End or StreamError there is nothing more.
  StreamEvents feed(std::string_view bytes);
  // The server closed the connection: a StreamError, unless the answer had its end.
  StreamEvents finish();
  bool ended() const { return to_.ended(); }
  Losses take_losses();

 protected:
  virtual void event(const std::string& name, const Value& data) = 0;
  // The stream is over, by its own mark or because the connection was closed: what was said by then
  // may be enough for an end.
  virtual void at_end(bool /*marked*/) {}
  void lose(Lost what, std::string why) { losses_.push_back({what, "stream", std::move(why)}); }
  Sequencer to_;

 private:
  void take_in(std::vector<SseEvent> events, bool last);
  SseReader sse_;
  Losses losses_;
};

class StreamWriter {
 public:
  virtual ~StreamWriter() = default;
  // Appends what this event is to the client. Call it with every event of a stream, in order.
  virtual void event(const StreamEvent& event, std::string& out) = 0;
  Losses take_losses();

 protected:
  void lose(Lost what, std::string why) { losses_.push_back({what, "stream", std::move(why)}); }

 private:
  Losses losses_;
};

}  // namespace keel::msg
