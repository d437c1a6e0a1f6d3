#include "gateway/protocol.h"

#include "base/limits.h"
#include "base/text.h"

namespace keel::gateway {
namespace {

Json to_json(const Error& error) {
  return {{"code", code_name(error.code)}, {"message", error.message}, {"hint", error.hint}};
}

Result<agent::TurnRequest> turn_from_json(const Json& value) {
  agent::TurnRequest turn;
  turn.text = TRY(json_string(value, "text"));
  turn.conversation = json_string_or(value, "conversation", turn.conversation);
  turn.channel = json_string_or(value, "channel", turn.channel);
  turn.external_id = json_string_or(value, "external_id", "");
  turn.model = json_string_or(value, "model", "");
  if (turn.conversation.empty())
    return fail(Code::invalid_argument, "the conversation's name is empty");
  return turn;
}

Json to_json(const agent::TurnRequest& turn) {
  return {{"op", "run"},
          {"text", turn.text},
          {"conversation", turn.conversation},
          {"channel", turn.channel},
          {"external_id", turn.external_id},
          {"model", turn.model}};
}

Result<Json> parse_frame(std::string_view frame, std::string_view what) {
  Json value = TRY(parse_json(frame, what));
  if (!value.is_object())
    return fail(Code::invalid_argument, std::string(what) + " is not a JSON object");
  return value;
}

}  // namespace

std::string encode(const Greeting& greeting) {
  return dump_json(
      {{"keel", "daemon"}, {"protocol", greeting.protocol}, {"process", greeting.process}});
}

std::string encode(const Request& request) {
  struct Visitor {
    Json operator()(const RunRequest& run) const { return to_json(run.turn); }
    Json operator()(const StopRequest&) const { return {{"op", "stop"}}; }
    Json operator()(const PrepareRequest& prepare) const {
      return {{"op", "prepare"}, {"conversation", prepare.conversation}};
    }
    Json operator()(const StatusRequest&) const { return {{"op", "status"}}; }
    Json operator()(const WhyRequest& why) const { return {{"op", "why"}, {"turn", why.turn}}; }
    Json operator()(const UseModelRequest& use) const {
      return {{"op", "use_model"}, {"name", use.name}};
    }
  };
  return dump_json(std::visit(Visitor{}, request));
}

std::string encode(const Reply& reply) {
  if (const auto* event = std::get_if<agent::Event>(&reply))
    return dump_json(agent::to_json(*event));
  if (const auto* answer = std::get_if<Answer>(&reply))
    return dump_json({{"result", answer->result}});
  return dump_json({{"error", to_json(std::get<Error>(reply))}});
}

Result<Greeting> decode_greeting(std::string_view frame) {
  Json value = TRY(parse_frame(frame, "the daemon's greeting"));
  Greeting greeting;
  greeting.protocol = static_cast<int>(TRY(json_int(value, "protocol")));
  greeting.process = json_int_or(value, "process", 0);
  return greeting;
}

Result<Request> decode_request(std::string_view frame) {
  if (frame.size() > limits::request_bytes) {
    return fail(Code::limit,
                "the request is larger than " + std::to_string(limits::request_bytes) + " bytes",
                "Send less in one message.");
  }
  Json value = TRY(parse_frame(frame, "the request"));
  std::string op = TRY(json_string(value, "op"));
  if (op == "run") return Request(RunRequest{TRY(turn_from_json(value))});
  if (op == "stop") return Request(StopRequest{});
  if (op == "prepare")
    return Request(PrepareRequest{json_string_or(value, "conversation", "main")});
  if (op == "status") return Request(StatusRequest{});
  if (op == "why") return Request(WhyRequest{json_string_or(value, "turn", "")});
  if (op == "use_model") return Request(UseModelRequest{TRY(json_string(value, "name"))});
  return fail(Code::unsupported, "the daemon knows no request \"" + printable(op) + "\"",
              "The two programs may be of different versions: restart keel serve.");
}

Result<Reply> decode_reply(std::string_view frame) {
  Json value = TRY(parse_frame(frame, "the daemon's answer"));
  if (auto error = value.find("error");
      error != value.end() && error->is_object() && !value.contains("event")) {
    Error made;
    made.code = code_from_name(json_string_or(*error, "code", ""));
    made.message = json_string_or(*error, "message", "the daemon failed without saying why");
    made.hint = json_string_or(*error, "hint", "");
    return Reply(std::move(made));
  }
  if (auto result = value.find("result"); result != value.end() && !value.contains("event")) {
    return Reply(Answer{std::move(*result)});
  }
  return Reply(TRY(agent::event_from_json(value)));
}

}  // namespace keel::gateway
