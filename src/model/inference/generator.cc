#include "model/inference/generator.h"

#include <llama.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/text.h"
#include "model/inference/tool_wish.h"
#include "model/stop_text.h"

namespace keel::local {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::size_t kTokensPerEvent =
    16;                       // of an answer that shows nothing, a long tool call for example
constexpr int kRefusals = 3;  // starts of a call that may not be made, before the answer ends there
constexpr double kNativeParseMs = 40.0;  // llama.cpp parses the whole answer each time

SteadyTime steady_now() {
  return std::chrono::steady_clock::now();
}

// Whether this call was made, and answered, since the owner last spoke.
bool answered_before(const std::vector<msg::Item>& items, const msg::ToolCall& call) {
  for (auto item = items.rbegin(); item != items.rend() && item->role != msg::Role::user; ++item) {
    for (const msg::ToolCall& earlier : msg::tool_calls(*item)) {
      if (earlier.complete && earlier.name == call.name && earlier.arguments == call.arguments)
        return true;
    }
  }
  return false;
}

}  // namespace

struct Generator::Run {
  const GenerateRequest& request;
  Prompt prompt;
  ReplyReader reader;
  Sampler sampler;
  model::StopText stops;
  std::size_t max_tokens = 0;
  std::vector<Token> tokens;         // of the answer
  std::vector<std::size_t> offsets;  // where each begins in the raw answer
  std::size_t reported = 0;          // tokens that the agent knows
  std::size_t call_index = 0;        // the token the call begins with
  int refusals = 0;
  bool read_once = false;
  std::size_t drafted = 0;  // counts of the drafter before this answer
  std::size_t accepted = 0;
  model::Usage usage;
  SteadyTime start;
  std::optional<SteadyTime> first_token;
  std::size_t first_count = 0;
  // For answers in the template's own format.
  std::string raw;
  msg::Item native;
  SteadyTime parsed;
  std::size_t text_told = 0;
  std::size_t thinking_told = 0;
  std::size_t calls_told = 0;

  Run(const GenerateRequest& asked, Prompt rendered, const llama_vocab* vocab)
      : request(asked),
        prompt(std::move(rendered)),
        reader({prompt.tagged_json ? prompt.tool_names : std::vector<std::string>{},
                prompt.starts_thinking}),
        sampler(vocab, asked.request.sampling),
        stops(asked.request.stops),
        start(steady_now()) {}
};

Result<model::Response> Generator::run(const GenerateRequest& request) {
  const SteadyTime start = steady_now();
  Run run(request, TRY(chat_.render(request.request)), context_.vocab());
  run.start = start;
  run.drafted = context_.drafter().proposed();
  run.accepted = context_.drafter().accepted();
  TRY(begin(run));
  if (run.max_tokens == 0) run.prompt.tokens.resize(run.prompt.turn_end);
  // What was to be read ahead is there, and perhaps more.
  if (run.max_tokens == 0 && context_.holds(request.request.conversation, run.prompt.tokens))
    return finish(run, Next::full);
  Next next = judges_tools(run) ? TRY(judge_tools(run)) : TRY(reread(run));
  if (next == Next::more && run.max_tokens == 0) next = Next::full;
  while (next == Next::more) next = TRY(step(run));
  return finish(run, next);
}

Status Generator::begin(Run& run) {
  const std::size_t size = run.prompt.tokens.size();
  const std::size_t reserve =
      std::min<std::size_t>(limits::engine_reply_reserve, context_.size() / 4);
  if (size + reserve > context_.size()) {
    return fail(Code::limit,
                "prompt is too long: " + std::to_string(size) + " tokens > " +
                    std::to_string(context_.size() - reserve) + " maximum",
                "shorten the conversation, or set a larger context for this model in keel.toml");
  }
  const auto wished = static_cast<std::size_t>(std::max(run.request.request.max_tokens, 0));
  run.max_tokens = std::min(wished, context_.size() - size - 1);
  if (run.request.exact_tokens) return {};
  if (!run.prompt.tagged_json && !run.prompt.grammar.empty()) {
    TRY(run.sampler.set_grammar(run.prompt, run.prompt.grammar_lazy));
  }
  if (!run.request.resume.empty()) return replay(run);
  if (run.prompt.tagged_json && run.prompt.call_required)
    return start_call(run, 0, run.request.request.tool);
  return {};
}

// Asked once an answer: where the owner has just spoken and the model may, but need not, call.
bool Generator::judges_tools(const Run& run) {
  const model::Request& request = run.request.request;
  return run.prompt.tagged_json && !run.prompt.grammar.empty() && !run.prompt.call_required &&
         !run.prompt.starts_thinking && run.tokens.empty() && run.max_tokens > 0 &&
         !run.request.exact_tokens && request.items.back().role == msg::Role::user;
}

// The prompt by which the need for a tool is judged: without keel's note, which makes small models
// call whatever there is.
Result<std::vector<Token>> Generator::bare_prompt(const Run& run) {
  const model::Request& request = run.request.request;
  const std::size_t blocks = request.items.back().blocks.size();
  // A model that cannot go back would have to read the whole message twice.
  if (!request.ends_with_note || blocks < 2 || !context_.can_rewind()) return run.prompt.tokens;
  model::Request bare = request;
  bare.items.back().blocks.pop_back();
  return TRY(chat_.render(bare)).tokens;
}

// Decides between words and a call, and then reads the prompt as it is.
Result<Generator::Next> Generator::judge_tools(Run& run) {
  std::vector<Token> prompt = TRY(bare_prompt(run));
  if (TRY(read(run, prompt)) != Next::more) return Next::cancelled;
  ToolWish wish(run.prompt.tool_names, llama_vocab_n_tokens(context_.vocab()),
                [this](Token token) -> const std::string& { return chat_.piece(token); });
  double wanted = wish.of_call(context_.logits());
  const bool asked = wanted >= kToolWish;
  if (asked) {
    for (const Token token : chat_.tokenize(std::string(kCallHead), true)) prompt.push_back(token);
    if (TRY(read(run, prompt)) != Next::more) return Next::cancelled;
    wanted *= wish.of_tools(context_.logits());
  }
  if (wanted >= kToolWish) {
    TRY(start_call(run, 0, wish.likeliest()));
    return reread(run);
  }
  if (prompt != run.prompt.tokens && TRY(reread(run)) != Next::more) return Next::cancelled;
  // A model that would begin a call all the same finds another way to one unless there is none.
  const float* logits = context_.logits();
  const float* best = std::max_element(logits, logits + llama_vocab_n_tokens(context_.vocab()));
  if (!ToolWish::begins_call(chat_.piece(static_cast<Token>(best - logits)))) return Next::more;
  run.prompt.grammar.clear();
  return write_words(run, 0);
}

// Brings the cache to the prompt and the answer so far; only what changed is evaluated.
Result<Generator::Next> Generator::reread(Run& run) {
  std::vector<Token> all = run.prompt.tokens;
  all.insert(all.end(), run.tokens.begin(), run.tokens.end());
  return read(run, all);
}

Result<Generator::Next> Generator::read(Run& run, const std::vector<Token>& tokens) {
  const bool first = !run.read_once;
  const auto progress = [&](std::int64_t done, std::int64_t total) {
    if (first) emit_(ProgressEvent{run.request.id, {"reading", done, total}});
  };
  const ReadOutcome outcome =
      TRY(context_.read(run.request.request.conversation, tokens, run.prompt.turn_end, progress,
                        run.request.request.priority == model::Priority::background));
  const auto prompt = static_cast<std::int64_t>(run.prompt.tokens.size());
  if (first) {
    run.usage.prompt_tokens = prompt;
    run.usage.cached_tokens = std::min(static_cast<std::int64_t>(outcome.cached), prompt);
    run.read_once = true;
  }
  // Of the prompt: what the answer itself takes is not counted here.
  if (run.tokens.empty()) {
    run.usage.evaluated_tokens += static_cast<std::int64_t>(outcome.evaluated);
  } else if (run.usage.evaluated_tokens == 0) {
    run.usage.evaluated_tokens =
        std::min(static_cast<std::int64_t>(outcome.evaluated), prompt - run.usage.cached_tokens);
  }
  return outcome.interrupted ? Next::cancelled : Next::more;
}

void Generator::push(Run& run, Token token, std::size_t offset) {
  run.tokens.push_back(token);
  run.offsets.push_back(offset);
}

Result<Generator::Next> Generator::step(Run& run) {
  if (context_.interrupted()) return Next::cancelled;
  if (run.tokens.size() >= run.max_tokens) return Next::full;
  if (run.request.exact_tokens) return exact_step(run);
  Token token = TRY(run.sampler.choose(context_.logits()));
  // An answer of nothing helps nobody: a model that ends at once must begin.
  if (run.tokens.empty() && context_.is_end(token)) {
    run.sampler.ban([this](Token t) { return context_.is_end(t); });
    token = TRY(run.sampler.choose(context_.logits()));
  }
  if (!run.first_token) {
    run.first_token = steady_now();
    run.first_count = run.tokens.size();
  }
  if (context_.is_end(token)) {
    return TRY(start_announced_call(run)) ? reread(run) : Result<Next>(Next::end);
  }
  TRY(run.sampler.accept(token));
  if (!run.prompt.tagged_json) return native_step(run, token);
  push(run, token, run.reader.raw().size());
  const ReplyStep step = run.reader.feed(chat_.piece(token));
  report(run, step, false);
  if (!run.stops.found().empty()) return Next::stopped;
  if (step.call_found) return after_call_found(run, step.call_at);
  if (run.reader.call_complete()) return after_call(run);
  if (step.text.find_first_of(".:\n") != std::string::npos && TRY(start_announced_call(run)))
    return reread(run);
  if (run.tokens.size() >= run.max_tokens) return Next::full;
  return append(run, token, run.reader.raw());
}

// The token joins what was evaluated; `raw` is the answer with it.
Result<Generator::Next> Generator::append(Run& run, Token token, const std::string& raw) {
  const auto expect = [&] {
    if (!characters_) characters_ = characters_of(chat_);
    const std::string text = run.sampler.expected(*characters_, raw.empty() ? ' ' : raw.back());
    std::vector<Token> tokens = chat_.tokenize(text, true);
    if (!tokens.empty()) tokens.pop_back();  // it may be the beginning of a longer one
    return tokens;
  };
  const bool evaluated =
      TRY(run.sampler.has_grammar() ? context_.append(token, expect) : context_.append(token));
  return evaluated ? Next::more : Next::cancelled;
}

Result<Generator::Next> Generator::after_call_found(Run& run, std::size_t at) {
  if (!run.prompt.grammar.empty()) {
    TRY(start_call(run, at));
    return reread(run);
  }
  // No tool may be called in this answer: the token that began the call is taken back and another
  // one chosen.
  const auto after = std::upper_bound(run.offsets.begin(), run.offsets.end(), at);
  const auto index = static_cast<std::size_t>(after - run.offsets.begin()) - 1;
  if (++run.refusals > kRefusals || !run.reader.cut(run.offsets[index])) return Next::end;
  return write_words(run, index);
}

// Small models like to repeat a call whose result stands right before them. The same call with the
// same arguments is taken back, and the model must answer in words.
Result<Generator::Next> Generator::after_call(Run& run) {
  const std::vector<msg::ToolCall> calls = msg::tool_calls(run.reader.item());
  if (calls.empty() || run.prompt.call_required ||
      !answered_before(run.request.request.items, calls.back())) {
    return Next::end;
  }
  run.reader.drop_call(run.offsets[run.call_index]);
  run.sampler.drop_grammar();
  run.prompt.grammar.clear();
  return write_words(run, run.call_index);
}

// Takes the answer back to its token `index` and goes on with something that cannot begin a call in
// any form.
Result<Generator::Next> Generator::write_words(Run& run, std::size_t index) {
  run.tokens.resize(index);
  run.offsets.resize(index);
  run.reported = std::min(run.reported, index);
  run.sampler.ban([this](Token token) {
    const std::string& text = chat_.piece(token);
    return trim(text).empty() || ToolWish::begins_call(text);
  });
  return reread(run);
}

// The answer from `at` on becomes the canonical start of a call, and the grammar holds from there.
Status Generator::start_call(Run& run, std::size_t at, const std::string& tool) {
  const std::string& raw = run.reader.raw();
  const auto after = std::upper_bound(run.offsets.begin(), run.offsets.end(), at);
  const std::size_t index =
      after == run.offsets.begin() ? 0 : static_cast<std::size_t>(after - run.offsets.begin()) - 1;
  std::size_t offset = run.offsets.empty() ? 0 : run.offsets[index];
  const std::string separator = at > 0 && raw[at - 1] != '\n' ? "\n" : "";
  const std::string text = raw.substr(offset, at - offset) + separator + std::string(kCallHead);
  run.tokens.resize(index);
  run.offsets.resize(index);
  run.reported = std::min(run.reported, index);
  run.call_index = index;
  for (const Token token : chat_.tokenize(text, true)) {
    push(run, token, offset);
    offset += chat_.piece(token).size();
  }
  report(run, run.reader.begin_call(at, separator), false);
  return run.sampler.set_grammar(run.prompt, false, tool);
}

// A model that says it will now use a tool is held to its word.
Result<bool> Generator::start_announced_call(Run& run) {
  if (!run.prompt.tagged_json || run.prompt.grammar.empty() || run.reader.in_call()) return false;
  const std::string tool = announced_tool(run.reader.text(), run.prompt.tool_names);
  if (tool.empty() || run.reader.raw().empty()) return false;
  TRY(start_call(run, run.reader.raw().size(), tool));
  return true;
}

// An answer that a dead engine had begun goes through the same steps as when it was written,
// without being computed. Where that fails the rest is written anew.
Status Generator::replay(Run& run) {
  const std::vector<Token>& resume = run.request.resume;
  for (std::size_t i = 0; i < resume.size(); ++i) {
    if (run.prompt.tagged_json && !run.reader.in_call()) {
      push(run, resume[i], run.reader.raw().size());
      const ReplyStep step = run.reader.feed(chat_.piece(resume[i]));
      report(run, step, false);
      if (step.call_found) TRY(replay_call(run, i, step.call_at));
      continue;
    }
    if (!run.sampler.accept(resume[i])) return {};
    if (run.prompt.tagged_json) {
      push(run, resume[i], run.reader.raw().size());
      report(run, run.reader.feed(chat_.piece(resume[i])), false);
    } else {
      push(run, resume[i], run.raw.size());
      run.raw += chat_.piece(resume[i]);
    }
  }
  return {};
}

Status Generator::replay_call(Run& run, std::size_t& index, std::size_t call_at) {
  const std::vector<Token>& resume = run.request.resume;
  std::string raw = run.reader.raw();
  std::vector<Token> head;
  std::size_t next = index + 1;
  while (raw.size() < call_at + kCallHead.size() && next < resume.size()) {
    push(run, resume[next], raw.size());
    raw += chat_.piece(resume[next++]);
  }
  if (raw.substr(call_at) !=
      kCallHead) {  // the engine died while it wrote the head: write it again
    index = resume.size();
    return start_call(run, call_at);
  }
  index = next - 1;
  run.call_index = static_cast<std::size_t>(
      std::upper_bound(run.offsets.begin(), run.offsets.end(), call_at) - run.offsets.begin() - 1);
  report(run, run.reader.begin_call(call_at, ""), false);
  return run.sampler.set_grammar(run.prompt, false);
}

void Generator::report(Run& run, const ReplyStep& step, bool all) {
  const std::size_t fresh = run.tokens.size() - std::min(run.reported, run.tokens.size());
  std::string text = run.stops.pass(step.text);
  if (all) text += run.stops.flush();
  const bool visible = !text.empty() || !step.thinking.empty() || !step.tool_name.empty();
  if (!visible && !all && fresh < kTokensPerEvent) return;
  DeltaEvent event{run.request.id,
                   std::move(text),
                   step.thinking,
                   step.tool_name,
                   static_cast<std::int64_t>(run.reported),
                   {}};
  event.tokens.assign(run.tokens.begin() + static_cast<std::ptrdiff_t>(run.reported),
                      run.tokens.end());
  run.reported = run.tokens.size();
  emit_(event);
}

// One token of an answer that only counts: no end, no call.
Result<Generator::Next> Generator::exact_step(Run& run) {
  run.sampler.ban([this](Token t) { return context_.is_end(t); });
  const Token token = TRY(run.sampler.choose(context_.logits()));
  if (!run.first_token) run.first_token = steady_now();
  push(run, token, run.raw.size());
  run.raw += chat_.piece(token);
  const std::size_t whole = run.raw.size() - utf8_incomplete_suffix(run.raw);
  ReplyStep step;
  step.text = to_valid_utf8(run.raw.substr(run.text_told, whole - run.text_told));
  run.text_told = whole;
  report(run, step, true);
  if (run.tokens.size() >= run.max_tokens) return Next::full;
  return TRY(context_.append(token)) ? Next::more : Next::cancelled;
}

// --- the template's own format

Result<Generator::Next> Generator::native_step(Run& run, Token token) {
  push(run, token, run.raw.size());
  run.raw += chat_.piece(token);
  for (const std::string& stop : run.prompt.stops) {
    if (stop.empty() || run.raw.size() < stop.size()) continue;
    if (run.raw.compare(run.raw.size() - stop.size(), stop.size(), stop) != 0) continue;
    run.raw.resize(run.raw.size() - stop.size());
    return Next::end;
  }
  if (ms_between(run.parsed, steady_now()) > kNativeParseMs) native_report(run, true);
  if (!run.stops.found().empty()) return Next::stopped;
  if (run.tokens.size() >= run.max_tokens) return Next::full;
  return append(run, token, run.raw);
}

void Generator::native_report(Run& run, bool partial) {
  const std::size_t valid = run.raw.size() - (partial ? utf8_incomplete_suffix(run.raw) : 0);
  auto item = chat_.parse_native(run.prompt, run.raw.substr(0, valid), partial);
  run.parsed = steady_now();
  if (!item) {
    if (partial) return;
    item = msg::text_item(msg::Role::assistant, to_valid_utf8(run.raw));
  }
  run.native = std::move(*item);
  ReplyStep step;
  std::size_t calls = 0;
  for (const msg::Block& block : run.native.blocks) {
    if (const auto* text = std::get_if<msg::Text>(&block);
        text && text->text.size() > run.text_told) {
      step.text = text->text.substr(run.text_told);
      run.text_told = text->text.size();
    }
    if (const auto* text = std::get_if<msg::Thinking>(&block);
        text && text->text.size() > run.thinking_told) {
      step.thinking = text->text.substr(run.thinking_told);
      run.thinking_told = text->text.size();
    }
    const auto* call = std::get_if<msg::ToolCall>(&block);
    if (call && ++calls > run.calls_told && !call->name.empty()) {
      step.tool_name = call->name;
      run.calls_told = calls;
    }
  }
  report(run, step, false);
}

// --- the end

// An answer that a stop text ended: its first `count` bytes of text.
void Generator::cut_text(msg::Item& item, std::size_t count) {
  for (std::size_t i = 0; i < item.blocks.size(); ++i) {
    auto* text = std::get_if<msg::Text>(&item.blocks[i]);
    if (text == nullptr) continue;
    if (text->text.size() >= count) {
      text->text.resize(count);
      item.blocks.resize(i + 1);
      return;
    }
    count -= text->text.size();
  }
}

model::Response Generator::finish(Run& run, Next why) {
  model::Response response;
  if (run.request.exact_tokens) {
    response.item = msg::text_item(msg::Role::assistant, to_valid_utf8(run.raw));
  } else if (run.prompt.tagged_json) {
    report(run, run.reader.finish(), true);
    response.item = run.reader.item();
  } else {
    native_report(run, why != Next::end);
    report(run, {}, true);
    response.item = run.native;
  }
  if (!run.stops.found().empty()) {
    why = Next::stopped;
    cut_text(response.item, run.stops.passed());
    response.stopped_by = run.stops.found();
  }
  response.item.role = msg::Role::assistant;
  bool calls = false;
  for (msg::Block& block : response.item.blocks) {
    auto* call = std::get_if<msg::ToolCall>(&block);
    if (call == nullptr) continue;
    if (call->id.empty()) call->id = "c" + random_hex(4);
    calls = calls || call->complete;
  }
  switch (why) {
    case Next::cancelled:
      response.stop = model::StopReason::cancelled;
      break;
    case Next::stopped:
      response.stop = model::StopReason::stop_text;
      break;
    case Next::full:
      response.stop = model::StopReason::max_tokens;
      break;
    default:
      response.stop = calls ? model::StopReason::tool_calls : model::StopReason::end;
      break;
  }
  run.usage.completion_tokens = static_cast<std::int64_t>(run.tokens.size());
  response.usage = run.usage;
  context_.drop_drafts();
  response.timings.drafted_tokens =
      static_cast<std::int64_t>(context_.drafter().proposed() - run.drafted);
  response.timings.accepted_tokens =
      static_cast<std::int64_t>(context_.drafter().accepted() - run.accepted);
  const SteadyTime end = steady_now();
  response.timings.total_ms = ms_between(run.start, end);
  if (!run.first_token) return response;
  response.timings.ttft_ms = ms_between(run.start, *run.first_token);
  const double seconds = ms_between(*run.first_token, end) / 1000.0;
  const std::size_t timed = run.tokens.size() - std::min(run.tokens.size(), run.first_count);
  if (timed > 1 && seconds > 0)  // the first of them was there when the clock began
    response.timings.decode_tps = static_cast<double>(timed - 1) / seconds;
  return response;
}

}  // namespace keel::local
