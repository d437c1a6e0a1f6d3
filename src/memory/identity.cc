#include "memory/identity.h"

#include <fmt/format.h>

#include "base/limits.h"
#include "base/text.h"
#include "memory/text/sentences.h"

namespace keel::memory {
namespace {

using store::Connection;
using store::Statement;

// Short, because the smallest models have to read it before each first answer.
constexpr std::string_view kCharacter =
    "You are a personal agent on your owner's own machine. You are friendly and plain-spoken: "
    "short answers, simple "
    "words, no flattery. You remember by pages of text that your owner can read, change and "
    "delete. Trust these pages; when "
    "they do not say it and you do not know it, say so and invent nothing. Your memory makes you "
    "who you are; the model "
    "you think with can be exchanged.";
constexpr std::string_view kWishes = "Answer in the language of the owner's message.";

struct Row {
  std::string title, body;
};

Result<bool> is_tagged(Connection& connection, std::int64_t page,
                       const std::vector<std::string>& tags) {
  if (tags.empty()) return false;
  Statement select = TRY(connection.prepare("SELECT tag FROM tag WHERE page = ?1"));
  select.bind(1, page);
  Page tagged;
  while (TRY(select.step())) tagged.tags.push_back(select.text(0));
  return has_tag(tagged, tags);
}

Result<std::vector<Row>> rows_of(Connection& connection, std::string_view sql,
                                 const std::vector<std::string>& without_tags) {
  Statement select = TRY(connection.prepare(sql));
  std::vector<Row> rows;
  while (TRY(select.step())) {
    if (TRY(is_tagged(connection, select.integer(2), without_tags))) continue;
    rows.push_back({select.text(0), std::string(trim(without_frame(select.text(1))))});
  }
  return rows;
}

// One wish a line, whether a page holds one or a list of them.
void append_wishes(std::string& out, std::string_view body) {
  for (std::string_view line : split(body, '\n')) {
    line = trim(line);
    while (line.starts_with("- ") || line.starts_with("* ")) line = trim(line.substr(2));
    if (!line.empty()) out += fmt::format("- {}\n", line);
  }
}

}  // namespace

std::vector<NewPage> first_identity(std::string_view agent_name) {
  std::vector<NewPage> pages;
  const auto add = [&](std::string_view title, std::string_view body) {
    NewPage page;
    page.kind = "persona";
    page.title = title;
    page.body = body;
    page.origin = "system";
    page.pinned = true;
    pages.push_back(std::move(page));
  };
  add("Name", agent_name.empty() ? "Keel" : agent_name);
  add("Character", kCharacter);
  add("Standing wishes", kWishes);
  return pages;
}

Result<std::string> render_identity(Connection& connection, std::string_view agent_name,
                                    const std::vector<std::string>& without_tags) {
  const std::vector<Row> persona = TRY(rows_of(
      connection,
      "SELECT title, body, number FROM page WHERE kind = 'persona' AND state = 'live' ORDER BY id",
      without_tags));
  // What the owner pinned: text of others never speaks from here.
  const std::vector<Row> pinned = TRY(rows_of(
      connection,
      "SELECT title, body, number FROM page WHERE kind = 'preference' AND pinned = 1 AND state "
      "= 'live' AND "
      "origin IN ('owner', 'agent', 'system') ORDER BY id",
      without_tags));
  std::string name(agent_name);
  std::string character, others, wishes;
  for (const Row& row : persona) {
    if (row.title == "Name")
      name = row.body;
    else if (row.title == "Character")
      character += row.body + "\n";
    else if (row.title == "Standing wishes")
      append_wishes(wishes, row.body);
    else
      others += fmt::format("{}: {}\n", row.title, row.body);
  }
  for (const Row& row : pinned) append_wishes(wishes, row.body);

  std::string text =
      fmt::format("Your name is {}.\n{}{}", trim(to_valid_utf8(name)), character, others);
  if (!wishes.empty()) text += "Your owner's standing wishes:\n" + wishes;
  if (text.size() > limits::memory_identity_bytes)
    text = shorten(text, limits::memory_identity_bytes - 1) + "\n";
  return text;
}

}  // namespace keel::memory
