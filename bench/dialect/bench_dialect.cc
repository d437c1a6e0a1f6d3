// What converting between dialects costs: a request of a coding client's size (about 131 KB with 24
// tools) and the events of a stream. usage: bench_dialect [ROUNDS, default 300]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "msg/dialect/dialect.h"
#include "msg/dialect/local.h"
#include "msg/raw.h"

namespace {

using namespace keel::msg;  // a program of its own, about nothing else

std::string request_of_a_coding_client() {
  Writer w;
  w.object().text("model", "m").count("max_tokens", 32000).key("tools").array();
  for (int t = 0; t < 24; ++t) {
    w.object().text("name", "Tool" + std::to_string(t));
    w.text("description", std::string(1200, 'd') + "\n" + std::string(300, 'e'));
    w.key("input_schema").object().text("type", "object").key("properties").object();
    for (int p = 0; p < 8; ++p) {
      w.key("property" + std::to_string(p)).object().text("type", "string");
      w.text("description", "what this one is for, \"quoted\"").end_object();
    }
    w.end_object().end_object().end_object();
  }
  w.end_array().text("system", std::string(12000, 's')).key("messages").array();
  for (int m = 0; m < 12; ++m) {
    const std::string id = "toolu_" + std::to_string(m);
    w.object().text("role", "user").text("content", std::string(800, 'u')).end_object();
    w.object().text("role", "assistant").key("content").array().object().text("type", "tool_use");
    w.text("id", id).text("name", "Tool1").member("input", R"({"property0": "x"})").end_object();
    w.end_array().end_object();
    w.object().text("role", "user").key("content").array().object().text("type", "tool_result");
    w.text("tool_use_id", id).text("content", std::string(3500, 'r') + "\n\té").end_object();
    w.end_array().end_object();
  }
  return w.end_array().end_object().take();
}

template <class F>
void measure(const char* what, int rounds, double per, F&& work) {
  std::vector<double> us;
  for (int i = 0; i < rounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
    us.push_back(took.count() / per);
  }
  std::sort(us.begin(), us.end());
  std::printf("%-46s median %8.1f us   p99 %8.1f us\n", what, us[us.size() / 2],
              us[us.size() * 99 / 100]);
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(std::atoi(argv[1]), 1) : 300;
  const std::string body = request_of_a_coding_client();
  std::printf("a request of %zu bytes with 24 tools, %d rounds\n", body.size(), rounds);
  std::size_t kept = 0;  // so that no work is left out
  const Parsed parsed = MUST(parse_request(Dialect::anthropic, body));
  measure("read anthropic", rounds, 1,
          [&] { kept += MUST(parse_request(Dialect::anthropic, body)).conversation.items.size(); });
  measure("to the local form", rounds, 1,
          [&] { kept += local_form(parsed.conversation, {"m"}).items.size(); });
  for (const Dialect to : {Dialect::anthropic, Dialect::chat, Dialect::responses}) {
    const std::string name = "write " + std::string(dialect_name(to));
    measure(name.c_str(), rounds, 1,
            [&] { kept += write_request(to, parsed.conversation, {}).body.size(); });
  }
  Answer answer;
  answer.id = "msg_1";
  answer.item.blocks = {Text{"text"}};
  StreamEvents events{Start{"msg_1", "m", {}}, BlockOpen{}};
  for (int i = 0; i < 1000; ++i) events.emplace_back(Delta{0, DeltaKind::text, " word"});
  events.emplace_back(BlockClose{0});
  events.emplace_back(End{});
  const auto count = static_cast<double>(events.size());
  for (const Dialect d : {Dialect::anthropic, Dialect::chat, Dialect::responses}) {
    std::string out;
    const std::string name(dialect_name(d));
    measure(("write an event, " + name).c_str(), rounds, count, [&] {
      out.clear();
      const auto writer = make_writer(d, {});
      for (const StreamEvent& event : events) writer->event(event, out);
    });
    measure(("read an event, " + name).c_str(), rounds, count,
            [&] { kept += make_reader(d)->feed(out).size(); });
  }
  return kept == 0 ? 1 : 0;
}
