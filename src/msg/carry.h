// What the codecs share: members that are kept as they came, bytes that go out again unchanged, and
// the words that stand for what the other side cannot be shown.
#pragma once

#include <functional>
#include <initializer_list>
#include <optional>
#include <type_traits>

#include "msg/alias.h"
#include "msg/params.h"
#include "msg/raw.h"

namespace keel::msg {

// What is wrong with a request, and where: "messages.3.role: must be ...".
tl::unexpected<Error> wrong(const std::string& where, const std::string& what);

// The members of an object that are not in `known` and not null. `inside`: the object is a member
// of this name of what the extras are kept for; write_extras puts them there again.
void read_extras(Extras& out, const Value& object, Dialect dialect,
                 std::initializer_list<std::string_view> known, std::string_view inside = {});
// Writes those of this dialect as members of the object that is open; others are losses.
void write_extras(Writer& w, const Extras& extras, Dialect dialect, Losses& losses,
                  const std::string& where, std::string_view inside = {});
bool has_extras(const Extras& extras, Dialect dialect, std::string_view inside);

// Decoded text; a character that is none is a loss.
std::string read_text(const Value& value, const std::string& where, Losses& losses);

// After all other fields of `thing` (a block, a tool) are set.
template <class T>
void keep_wire(T& thing, const Value& value, Dialect dialect) {
  thing.wire = {};
  if constexpr (std::is_same_v<T, Conversation>) {
    thing.wire.mark = mark_as_read(thing);
  } else {
    thing.wire.mark = mark_of(thing);
  }
  thing.wire.dialect = dialect;
  thing.wire.bytes = value.raw();
}
// A block that came as this value.
template <class T>
Block wired(Dialect dialect, T block, const Value& value) {
  keep_wire(block, value, dialect);
  return block;
}
// The bytes it came with, if it is still what they say; "" otherwise.
template <class T>
std::string_view passes(const T& thing, Dialect dialect, const Target& target) {
  const bool same = target.pass_through && thing.wire.dialect == dialect &&
                    !thing.wire.bytes.empty() && thing.wire.mark == mark_of(thing);
  return same ? std::string_view(thing.wire.bytes) : std::string_view();
}

// Index after the system items at the beginning.
std::size_t head_end(const std::vector<Item>& items);
// System notes after the head become user text between <system-reminder> marks, each where it
// stands: what comes later never changes how an earlier one is written.
void demote_system(std::vector<Item>& items, Losses& losses);
// Blocks that only another dialect knows become what can be said of them in words, or go.
void settle_opaque(std::vector<Item>& items, Dialect dialect, Losses& losses);
// Takes out the thoughts for which `judge` gives a loss; its place is filled in here. Whether any
// went.
bool drop_thinking(std::vector<Item>& items, Losses& losses,
                   const std::function<std::optional<Loss>(const Thinking&)>& judge);
// Images become words.
void describe_images(std::vector<Item>& items, Losses& losses);
// Gives calls and results ids that the form allows.
void alias_ids(std::vector<Item>& items, IdForm form);
// Takes the names of tools, of calls and of the tool choice to the other side's form.
void alias_names(Conversation& conversation, ToolNames& names);

// Text that stands for an image or a document where it cannot be shown.
std::string described(const Image& image);
std::string described(const Document& document);
// What of a part can be said in words; "" for an opaque one without.
std::string words_of(const ToolResult::Part& part);
// The text that a tool result's parts amount to.
std::string joined_text(const std::vector<ToolResult::Part>& parts);

std::string block_path(std::size_t item, std::size_t block);

}  // namespace keel::msg
