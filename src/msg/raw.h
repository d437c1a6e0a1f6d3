// JSON read without changing a byte of it, and JSON written piece by piece. The codecs of the
// dialects are built on these two: what a client sent keeps its bytes (numbers, escapes, order of
// keys), and what is passed on unchanged costs a copy.
//
// Pure functions on memory; a Value is a view and lives no longer than its Doc.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace keel::msg {

enum class JsonKind : std::uint8_t { nothing, null, boolean, number, string, array, object };
std::string_view json_kind_name(JsonKind kind);

struct DocState;

// One value in a Doc, or nothing (a member that is not there): everything can be asked of both.
class Value {
 public:
  Value() = default;
  explicit operator bool() const { return doc_ != nullptr; }
  JsonKind kind() const;
  bool is(JsonKind kind) const { return this->kind() == kind; }
  bool is_string() const { return is(JsonKind::string); }
  bool is_object() const { return is(JsonKind::object); }
  bool is_array() const { return is(JsonKind::array); }
  // Missing, or null: the two mean the same in every dialect.
  bool empty() const { return kind() == JsonKind::nothing || kind() == JsonKind::null; }

  std::string_view raw() const;  // its bytes, without blanks around them
  // The text of a string, "" for anything else. An escaped half of a surrogate pair becomes U+FFFD.
  std::string string() const;
  bool string_equals(std::string_view text) const;
  std::optional<std::int64_t> integer() const;  // nothing unless a whole number that fits
  std::optional<double> number() const;
  std::optional<bool> boolean() const;

  // Members of an object, elements of an array.
  std::size_t size() const;
  Value operator[](std::string_view key) const;
  std::string key() const;  // of a member
  class Iterator;
  Iterator begin() const;
  Iterator end() const;

 private:
  friend class Doc;
  Value(const DocState* doc, std::uint32_t at) : doc_(doc), at_(at) {}
  const DocState* doc_ = nullptr;
  std::uint32_t at_ = 0;
};

class Value::Iterator {
 public:
  Iterator(const DocState* doc, std::uint32_t at, std::size_t left)
      : doc_(doc), at_(at), left_(left) {}
  Value operator*() const { return Value(doc_, at_); }
  Iterator& operator++();
  bool operator!=(const Iterator& other) const { return left_ != other.left_; }

 private:
  const DocState* doc_;
  std::uint32_t at_;
  std::size_t left_;
};

class Doc {
 public:
  // Refuses what parse_json refuses, and an object that names a key twice: two readers of such a
  // text may see two different requests. `what` names the text in the error.
  static Result<Doc> parse(std::string text, std::string_view what);
  Value root() const { return Value(state_.get(), 0); }
  const std::string& text() const;

  Doc(Doc&&) noexcept;
  Doc& operator=(Doc&&) noexcept;
  ~Doc();

 private:
  explicit Doc(std::unique_ptr<DocState> state);
  std::unique_ptr<DocState> state_;
};

// The same value as a tree that can be changed. A number that no double holds becomes null.
Json json_of(const Value& value);

// Compact JSON into one string. Commas are put where they are due; the caller keeps the rest in
// order (a key before each member's value, an end for each begin).
class Writer {
 public:
  Writer& object() { return open('{'); }
  Writer& end_object() { return close('}'); }
  Writer& array() { return open('['); }
  Writer& end_array() { return close(']'); }
  Writer& key(std::string_view name);
  Writer& string(std::string_view text);  // what is not UTF-8 in it is replaced
  Writer& raw(std::string_view json);     // a whole value as it is
  Writer& integer(std::int64_t value);
  Writer& number(double value);
  Writer& boolean(bool value) { return raw(value ? "true" : "false"); }
  Writer& null() { return raw("null"); }
  // A key and its value.
  Writer& text(std::string_view name, std::string_view value) { return key(name).string(value); }
  Writer& member(std::string_view name, std::string_view json) { return key(name).raw(json); }
  Writer& count(std::string_view name, std::int64_t value) { return key(name).integer(value); }

  const std::string& str() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  Writer& open(char bracket);
  Writer& close(char bracket);
  void comma();
  std::string out_;
};

void append_json_string(std::string& out, std::string_view text);
std::string json_quoted(std::string_view text);

}  // namespace keel::msg
