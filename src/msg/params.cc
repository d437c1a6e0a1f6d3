#include "msg/params.h"

#include <array>
#include <utility>

#include "base/limits.h"

namespace keel::msg {
namespace {

void mix(std::uint64_t& mark, std::uint64_t part) {
  mark ^= part + 0x9e3779b97f4a7c15ULL + (mark << 6) + (mark >> 2);
}

// As one block, so that there is one place that mixes texts: names are told apart by their order.
std::uint64_t mark_of(const Params& p) {
  const auto number = [](const auto& value) {
    return value ? std::to_string(static_cast<double>(*value)) : std::string("-");
  };
  Extras fields = p.extras;
  const auto add = [&](std::string text) {
    fields.push_back({Dialect::none, "", std::move(text)});
  };
  add(p.model);
  add(number(p.max_tokens));
  for (const std::string& stop : p.stops) add("stop " + stop);
  add(number(p.temperature));
  add(number(p.top_p));
  add(number(p.top_k));
  add(number(p.seed));
  add(std::to_string(int(p.tool_choice.kind)) + p.tool_choice.name);
  add(number(p.parallel));
  add(std::to_string(int(p.thinking.mode)) + std::to_string(p.thinking.budget));
  add(p.thinking.effort);
  add(p.thinking.display);
  add(std::to_string(int(p.format.kind)) + p.format.name + number(p.format.strict));
  add(p.format.schema);
  add(p.user);
  add(p.affinity);
  add(p.stream ? "stream" : "");
  add(number(p.stream_usage));
  return mark_of(Block{Text{"", "", std::move(fields)}});
}

}  // namespace

bool ThinkingWish::on() const {
  const std::optional<std::int64_t> wish = tokens();
  return !wish || *wish > 0;
}

std::optional<std::int64_t> ThinkingWish::tokens() const {
  if (mode == Mode::unset || mode == Mode::off) return 0;
  if (mode == Mode::budget) return budget;
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 7> efforts{{
      {"none", 0},
      {"minimal", limits::think_minimal_tokens},
      {"low", limits::think_low_tokens},
      {"medium", limits::think_medium_tokens},
      {"high", limits::think_high_tokens},
      {"xhigh", limits::think_xhigh_tokens},
      {"max", limits::think_max_tokens},
  }};
  for (const auto& [name, tokens] : efforts) {
    if (name == effort) return tokens;
  }
  return std::nullopt;
}

std::uint64_t mark_of(const Conversation& conversation) {
  std::uint64_t mark = mark_of(conversation.params);
  for (const Item& item : conversation.items) mix(mark, mark_of(item));
  for (const Tool& tool : conversation.tools) mix(mark, mark_of(tool));
  return mark;
}

std::uint64_t mark_as_read(const Conversation& conversation) {
  std::uint64_t mark = mark_of(conversation.params);
  for (const Item& item : conversation.items) mix(mark, mark_as_read(item));
  for (const Tool& tool : conversation.tools) mix(mark, mark_as_read(tool));
  return mark;
}

}  // namespace keel::msg
