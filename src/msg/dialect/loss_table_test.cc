// The table of docs/formats/dialects.md that says what each direction cannot carry: made here from
// one request of each dialect that uses everything, and compared with the page.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>

#include "msg/dialect/dialect.h"
#include "msg/dialect/local.h"

namespace keel::msg {
namespace {

// In the shape of what a coding client sends.
const char* const anthropic_request = R"({"model":"claude","max_tokens":32000,"temperature":0.5,
"top_k":5,"stop_sequences":["END"],"stream":true,"metadata":{"user_id":"u"},
"thinking":{"type":"adaptive","display":"summarized"},
"output_config":{"effort":"max","format":{"type":"json_schema","schema":{"type":"object"}}},
"context_management":{"edits":[]},
"tool_choice":{"type":"auto","disable_parallel_tool_use":true},
"tools":[{"name":"Bash","description":"runs","input_schema":{"type":"object"},
"cache_control":{"type":"ephemeral"}},{"type":"web_search_20250305","name":"web_search"}],
"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2; cch=1;"},
{"type":"text","text":"rules","cache_control":{"type":"ephemeral"}}],
"messages":[{"role":"user","content":[{"type":"text","text":"hi"},
{"type":"image","source":{"type":"file","file_id":"f1"}},
{"type":"document","title":"t","context":"c","source":{"type":"text","media_type":"text/plain",
"data":"d"}},{"type":"document","source":{"type":"file","file_id":"f2"}},
{"type":"search_result","title":"s","source":"x","content":[{"type":"text","text":"r"}]}]},
{"role":"system","content":"agents"},
{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},
{"type":"redacted_thinking","data":"r"},
{"type":"server_tool_use","id":"srv","name":"web_search","input":{}},
{"type":"tool_use","id":"toolu_1","name":"Bash","input":{"c":1}},
{"type":"text","text":"after"}]},
{"role":"user","content":[{"type":"text","text":"first"},{"type":"tool_result",
"tool_use_id":"toolu_1","is_error":true,"content":[{"type":"text","text":"x"},{"type":"image",
"source":{"type":"base64","media_type":"image/png","data":"AA=="}}]}]}]})";

const char* const chat_request = R"({"model":"gpt","max_completion_tokens":9,"temperature":1.5,
"top_k":5,"seed":1,"stop":["a","b","c","d","e"],"reasoning_effort":"minimal","user":"u",
"prompt_cache_key":"k","logit_bias":{"1":2},"response_format":{"type":"json_object"},
"tool_choice":{"type":"allowed_tools","allowed_tools":{}},
"tools":[{"type":"function","function":{"name":"git.log","parameters":{"type":"object"},
"strict":true}},{"type":"custom","custom":{"name":"patch","format":{"type":"text"}}}],
"messages":[{"role":"developer","content":[{"type":"text","text":"a"},{"type":"text",
"text":"b"}]},{"role":"user","name":"ann","content":[{"type":"text","text":"hi"},
{"type":"image_url","image_url":{"url":"https://example.org/x.png","detail":"high"}},
{"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}},
{"type":"file","file":{"file_id":"file-1"}}]},
{"role":"developer","content":"note"},
{"role":"assistant","content":null,"refusal":"no"},{"role":"user","content":"go"},
{"role":"assistant","reasoning_content":"hm","content":"","tool_calls":[
{"id":"functions.f:0","type":"function","function":{"name":"git.log","arguments":"[1]"}},
{"id":"c2","type":"custom","custom":{"name":"patch","input":"free"}}]},
{"role":"tool","tool_call_id":"functions.f:0","content":"r"},
{"role":"tool","tool_call_id":"orphan","content":"r"}]})";

const char* const responses_request = R"({"model":"gpt","max_output_tokens":9,"store":true,
"include":["reasoning.encrypted_content"],"reasoning":{"effort":"xhigh","summary":"detailed"},
"text":{"verbosity":"low","format":{"type":"json_schema","name":"n","schema":{"type":"object"}}},
"prompt_cache_key":"k","parallel_tool_calls":true,"client_metadata":{"a":"b"},
"instructions":"rules","tool_choice":"auto",
"tools":[{"type":"function","name":"shell","parameters":{"type":"object"},"strict":false},
{"type":"custom","name":"patch","format":{"type":"grammar","syntax":"lark","definition":"x"}},
{"type":"namespace","name":"mail","description":"m","tools":[{"type":"function","name":"send",
"parameters":{"type":"object"}}]},{"type":"web_search"}],
"input":[{"role":"developer","content":"d"},{"role":"user","content":[{"type":"input_text",
"text":"hi"},{"type":"input_image","file_id":"file-2","detail":"low"},
{"type":"input_file","file_url":"https://example.org/a.pdf"}]},
{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"},
{"type":"summary_text","text":"so"}],"encrypted_content":"e"},
{"type":"message","role":"assistant","id":"msg_1","content":[{"type":"output_text","text":"a"},
{"type":"output_text","text":"b"}]},
{"type":"custom_tool_call","call_id":"c1","name":"patch","input":"free"},
{"type":"function_call","call_id":"c2","name":"send","namespace":"mail","arguments":"{"},
{"type":"custom_tool_call_output","call_id":"c1","output":[{"type":"input_text","text":"x"},
{"type":"input_image","image_url":"data:image/png;base64,AA=="}]},
{"type":"web_search_call","id":"ws_1","status":"completed"},
{"type":"message","role":"assistant","content":[{"type":"refusal","refusal":"no"}]}]})";

std::string row(std::string_view from, std::string_view to, const Losses& losses) {
  std::set<std::string> names;
  for (const Loss& loss : losses) names.insert(std::string(lost_name(loss.what)));
  std::string out = "| " + std::string(from) + " | " + std::string(to) + " |";
  for (const std::string& name : names) out += " " + name;
  return out + " |\n";
}

std::string table() {
  std::string out = "| from | to | losses |\n|---|---|---|\n";
  const std::pair<Dialect, const char*> sources[] = {{Dialect::anthropic, anthropic_request},
                                                     {Dialect::chat, chat_request},
                                                     {Dialect::responses, responses_request}};
  for (const auto& [from, body] : sources) {
    const Parsed parsed = MUST(parse_request(from, body));
    out += row(dialect_name(from), "as it is read", parsed.losses);
    for (const Dialect to : {Dialect::anthropic, Dialect::chat, Dialect::responses}) {
      const Written w = write_request(to, parsed.conversation, {.model = "other"});
      out += row(dialect_name(from), dialect_name(to), w.losses);
    }
    out += row(dialect_name(from), "local", local_form(parsed.conversation, {"other"}).losses);
  }
  return out;
}

TEST(LossTable, IsTheOneOnThePage) {
  std::ifstream in(std::string(KEEL_DOCS) + "/formats/dialects.md");
  const std::string page{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  EXPECT_NE(page.find("\n" + table() + "\n"), std::string::npos)
      << "docs/formats/dialects.md should hold this table:\n\n"
      << table();
}

TEST(LossTable, EveryKindOfLossIsExplainedOnThePage) {
  std::ifstream in(std::string(KEEL_DOCS) + "/formats/dialects.md");
  const std::string page{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  for (int what = 0; what <= static_cast<int>(Lost::stop_reason); ++what) {
    const std::string name(lost_name(static_cast<Lost>(what)));
    EXPECT_NE(page.find("| `" + name + "` |"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace keel::msg
