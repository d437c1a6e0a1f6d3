#include "gateway/client.h"

#include <unistd.h>

#include <chrono>

#include "base/limits.h"

namespace keel::gateway {
namespace {

Error gone(const Error& cause) {
  return {Code::unavailable, "the daemon went away before it had answered: " + cause.message,
          "A message it had accepted is in the journal: the next start finishes its turn or says "
          "that it failed. Start "
          "the daemon again with keel serve.",
          cause.trail};
}

}  // namespace

Result<std::unique_ptr<Client>> Client::connect(const std::string& socket_path) {
  std::unique_ptr<Client> client(new Client(socket_path));
  rt::FrameSocket socket(TRY(rt::connect_unix(socket_path)));
  client->process_ = TRY(client->greet(socket)).process;
  return client;
}

Result<Greeting> Client::greet(rt::FrameSocket& socket) const {
  if (unsigned user = TRY(rt::peer_uid(socket.fd())); user != ::getuid() && user != 0) {
    return fail(Code::permission, path_ + " is served by another user",
                "Look who owns KEEL_HOME and remove the socket if it is not yours.");
  }
  constexpr auto wait = std::chrono::milliseconds(limits::connect_wait);
  std::optional<std::string> frame = TRY(socket.receive(static_cast<int>(wait.count())));
  if (!frame) {
    return fail(Code::timeout, "the daemon at " + path_ + " does not answer",
                "It may be stuck: end the process keel serve and start it again.");
  }
  Greeting greeting = TRY(decode_greeting(*frame));
  if (greeting.protocol != protocol_version) {
    return fail(Code::unsupported, "the running daemon is of another version of keel",
                "Restart keel serve so that both are of one version.");
  }
  return greeting;
}

Result<Json> Client::call(const Request& request, const agent::EventSink& sink,
                          std::stop_token stop) {
  rt::FrameSocket socket(TRY(rt::connect_unix(path_)));
  TRY(greet(socket));
  TRY(socket.send(encode(request)));
  std::stop_callback on_stop(stop,
                             [&socket] { (void)socket.send(encode(Request(StopRequest{}))); });
  for (;;) {
    Result<std::optional<std::string>> frame = socket.receive();
    if (!frame) return pass(gone(frame.error()));
    if (!*frame) continue;
    Reply reply = TRY(decode_reply(**frame));
    if (auto* event = std::get_if<agent::Event>(&reply)) {
      if (sink) sink(*event);
    } else if (auto* answer = std::get_if<Answer>(&reply)) {
      return std::move(answer->result);
    } else {
      return pass(std::move(std::get<Error>(reply)));
    }
  }
}

Result<Json> Client::run(const agent::TurnRequest& request, const agent::EventSink& sink,
                         std::stop_token stop) {
  return call(RunRequest{request}, sink, stop);
}

Result<Json> Client::why(const std::string& turn) {
  return call(WhyRequest{turn}, {}, {});
}

Result<Json> Client::status() {
  Json status = TRY(call(StatusRequest{}, {}, {}));
  status["daemon"] = true;
  return status;
}

Status Client::use_model(const std::string& name) {
  TRY(call(UseModelRequest{name}, {}, {}));
  return {};
}

Status Client::prepare(const std::string& conversation, const agent::EventSink& sink,
                       std::stop_token stop) {
  TRY(call(PrepareRequest{conversation}, sink, stop));
  return {};
}

}  // namespace keel::gateway
