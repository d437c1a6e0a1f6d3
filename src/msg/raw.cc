#include "msg/raw.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/limits.h"
#include "base/text.h"

namespace keel::msg {

struct Node {
  std::uint32_t begin = 0;  // bytes of the value
  std::uint32_t end = 0;
  std::uint32_t key_begin = 0;  // bytes between the quotes of its key
  std::uint32_t key_end = 0;
  std::uint32_t next = 0;   // node after this one and everything in it
  std::uint32_t count = 0;  // members or elements
  JsonKind kind = JsonKind::null;
  bool escaped = false;
  bool key_escaped = false;
};

struct DocState {
  std::string text;
  std::vector<Node> nodes;
};

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char32_t hex4(std::string_view text, std::size_t at) {
  char32_t value = 0;
  for (std::size_t i = at; i < at + 4; ++i) {
    value = value * 16 + static_cast<char32_t>(hex_digit(text[i]));
  }
  return value;
}

bool high_surrogate(char32_t c) {
  return c >= 0xd800 && c < 0xdc00;
}
bool low_surrogate(char32_t c) {
  return c >= 0xdc00 && c < 0xe000;
}

// `escaped` was checked by the scanner: every backslash begins a whole escape.
std::string unescape(std::string_view escaped) {
  std::string out;
  out.reserve(escaped.size());
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    if (escaped[i] != '\\') {
      out += escaped[i];
      continue;
    }
    const char c = escaped[++i];
    constexpr std::string_view from = "bfnrt";
    constexpr std::string_view to = "\b\f\n\r\t";
    if (const auto at = from.find(c); at != std::string_view::npos) {
      out += to[at];
    } else if (c != 'u') {
      out += c;
    } else {
      char32_t unit = hex4(escaped, i + 1);
      i += 4;
      const bool pair = high_surrogate(unit) && escaped.substr(i + 1, 2) == "\\u" &&
                        low_surrogate(hex4(escaped, i + 3));
      if (pair) {
        unit = 0x10000 + ((unit - 0xd800) << 10) + (hex4(escaped, i + 3) - 0xdc00);
        i += 6;
      } else if (high_surrogate(unit) || low_surrogate(unit)) {
        unit = 0xfffd;
      }
      append_utf8(out, unit);
    }
  }
  return out;
}

class Scanner {
 public:
  explicit Scanner(DocState& doc) : doc_(doc), text_(doc.text) {}

  // An empty string, or what is wrong.
  std::string run() {
    doc_.nodes.reserve(text_.size() / 16 + 1);
    blanks();
    if (!value(0)) return problem_;
    blanks();
    if (at_ != text_.size()) return "has something after its end, at byte " + std::to_string(at_);
    return "";
  }

 private:
  bool bad(std::string words) {
    if (problem_.empty()) problem_ = std::move(words) + " at byte " + std::to_string(at_);
    return false;
  }
  void blanks() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
      ++at_;
    }
  }
  bool next_is(char c) const { return at_ < text_.size() && text_[at_] == c; }

  bool value(std::size_t depth) {
    if (depth > limits::json_depth) return bad("is nested too deeply");
    if (at_ >= text_.size()) return bad("ends too early");
    const auto node = static_cast<std::uint32_t>(doc_.nodes.size());
    doc_.nodes.emplace_back();
    doc_.nodes[node].begin = static_cast<std::uint32_t>(at_);
    const char c = text_[at_];
    bool ok = false;
    if (c == '{') {
      ok = container(node, depth, JsonKind::object, '}');
    } else if (c == '[') {
      ok = container(node, depth, JsonKind::array, ']');
    } else if (c == '"') {
      doc_.nodes[node].kind = JsonKind::string;
      bool escaped = false;
      ok = string(escaped);
      doc_.nodes[node].escaped = escaped;
    } else if (c == '-' || (c >= '0' && c <= '9')) {
      doc_.nodes[node].kind = JsonKind::number;
      ok = number();
    } else {
      ok = word(node);
    }
    doc_.nodes[node].end = static_cast<std::uint32_t>(at_);
    doc_.nodes[node].next = static_cast<std::uint32_t>(doc_.nodes.size());
    return ok;
  }

  bool word(std::uint32_t node) {
    for (const auto& [name, kind] : {std::pair{std::string_view("true"), JsonKind::boolean},
                                     std::pair{std::string_view("false"), JsonKind::boolean},
                                     std::pair{std::string_view("null"), JsonKind::null}}) {
      if (text_.substr(at_, name.size()) != name) continue;
      doc_.nodes[node].kind = kind;
      at_ += name.size();
      return true;
    }
    return bad("has no value");
  }

  bool container(std::uint32_t node, std::size_t depth, JsonKind kind, char end) {
    doc_.nodes[node].kind = kind;
    ++at_;
    blanks();
    std::uint32_t count = 0;
    if (next_is(end)) {
      ++at_;
      return true;
    }
    while (true) {
      blanks();
      std::uint32_t key_begin = 0;
      std::uint32_t key_end = 0;
      bool key_escaped = false;
      if (kind == JsonKind::object) {
        if (!next_is('"')) return bad("has no key");
        key_begin = static_cast<std::uint32_t>(at_ + 1);
        if (!string(key_escaped)) return false;
        key_end = static_cast<std::uint32_t>(at_ - 1);
        blanks();
        if (!next_is(':')) return bad("has no colon");
        ++at_;
        blanks();
      }
      const std::size_t child = doc_.nodes.size();
      if (!value(depth + 1)) return false;
      doc_.nodes[child].key_begin = key_begin;
      doc_.nodes[child].key_end = key_end;
      doc_.nodes[child].key_escaped = key_escaped;
      ++count;
      blanks();
      if (next_is(',')) {
        ++at_;
        continue;
      }
      if (!next_is(end)) return bad("has no comma or end");
      ++at_;
      doc_.nodes[node].count = count;
      return kind != JsonKind::object || keys_differ(node, count);
    }
  }

  bool keys_differ(std::uint32_t node, std::uint32_t count) {
    std::vector<std::string_view> keys;
    std::vector<std::string> decoded;
    decoded.reserve(count);  // views into it must stay
    std::uint32_t child = node + 1;
    for (std::uint32_t i = 0; i < count; ++i, child = doc_.nodes[child].next) {
      const Node& n = doc_.nodes[child];
      std::string_view key = text_.substr(n.key_begin, n.key_end - n.key_begin);
      if (n.key_escaped) key = decoded.emplace_back(unescape(key));
      keys.push_back(key);
    }
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice == keys.end()) return true;
    return bad("has the key \"" + printable(*twice, 40) + "\" twice in the object that ends");
  }

  // How many bytes from here on surely stand for themselves in a string: eight at once.
  std::size_t plain_run() const {
    constexpr std::uint64_t ones = 0x0101010101010101ULL;
    constexpr std::uint64_t high_bits = 0x80 * ones;
    const auto zeros = [](std::uint64_t eight) { return (eight - ones) & ~eight; };
    std::size_t end = at_;
    for (std::uint64_t eight = 0; text_.size() - end >= sizeof eight; end += sizeof eight) {
      std::memcpy(&eight, text_.data() + end, sizeof eight);
      const std::uint64_t controls = (eight - 0x20 * ones) & ~eight;
      const std::uint64_t ends = zeros(eight ^ ('"' * ones)) | zeros(eight ^ ('\\' * ones));
      if (((controls | ends) & high_bits) != 0) break;
    }
    return end - at_;
  }

  bool string(bool& escaped) {
    ++at_;
    while (at_ < text_.size()) {
      at_ += plain_run();
      if (at_ == text_.size()) break;
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return true;
      }
      if (static_cast<unsigned char>(c) < 0x20) return bad("has a control character in a string");
      ++at_;
      if (c != '\\') continue;
      escaped = true;
      if (at_ >= text_.size()) break;
      const char kind = text_[at_++];
      if (kind == 'u') {
        for (int i = 0; i < 4; ++i, ++at_) {
          if (at_ >= text_.size() || hex_digit(text_[at_]) < 0) return bad("has a bad \\u escape");
        }
      } else if (std::string_view("\"\\/bfnrt").find(kind) == std::string_view::npos) {
        return bad("has an unknown escape");
      }
    }
    return bad("ends inside a string");
  }

  bool digits() {
    const std::size_t start = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ > start || bad("has a number without digits");
  }
  bool number() {
    if (next_is('-')) ++at_;
    if (next_is('0')) {
      ++at_;
    } else if (!digits()) {
      return false;
    }
    if (next_is('.')) {
      ++at_;
      if (!digits()) return false;
    }
    if (next_is('e') || next_is('E')) {
      ++at_;
      if (next_is('+') || next_is('-')) ++at_;
      if (!digits()) return false;
    }
    return true;
  }

  DocState& doc_;
  std::string_view text_;
  std::size_t at_ = 0;
  std::string problem_;
};

std::string_view key_bytes(const DocState& doc, const Node& node) {
  return std::string_view(doc.text).substr(node.key_begin, node.key_end - node.key_begin);
}

}  // namespace

std::string_view json_kind_name(JsonKind kind) {
  switch (kind) {
    case JsonKind::nothing:
      return "nothing";
    case JsonKind::null:
      return "null";
    case JsonKind::boolean:
      return "true or false";
    case JsonKind::number:
      return "a number";
    case JsonKind::string:
      return "a string";
    case JsonKind::array:
      return "an array";
    case JsonKind::object:
      return "an object";
  }
  return "nothing";
}

JsonKind Value::kind() const {
  return doc_ ? doc_->nodes[at_].kind : JsonKind::nothing;
}

std::string_view Value::raw() const {
  if (doc_ == nullptr) return {};
  const Node& node = doc_->nodes[at_];
  return std::string_view(doc_->text).substr(node.begin, node.end - node.begin);
}

std::string Value::string() const {
  if (!is_string()) return {};
  const std::string_view bytes = raw().substr(1, raw().size() - 2);
  return doc_->nodes[at_].escaped ? unescape(bytes) : std::string(bytes);
}

bool Value::string_equals(std::string_view text) const {
  if (!is_string()) return false;
  if (doc_->nodes[at_].escaped) return string() == text;
  return raw().substr(1, raw().size() - 2) == text;
}

std::optional<std::int64_t> Value::integer() const {
  if (kind() != JsonKind::number) return std::nullopt;
  const std::string_view bytes = raw();
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(bytes.data(), bytes.data() + bytes.size(), value);
  if (error == std::errc() && end == bytes.data() + bytes.size()) return value;
  // 1024.0 and 1e3 are whole too: some clients write every number so.
  const std::optional<double> real = number();
  if (!real || std::floor(*real) != *real || std::abs(*real) > 9e15) return std::nullopt;
  return static_cast<std::int64_t>(*real);
}

std::optional<double> Value::number() const {
  if (kind() != JsonKind::number) return std::nullopt;
  const std::string_view bytes = raw();
  double value = 0;
  const auto [end, error] = std::from_chars(bytes.data(), bytes.data() + bytes.size(), value);
  if (error != std::errc() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<bool> Value::boolean() const {
  if (kind() != JsonKind::boolean) return std::nullopt;
  return raw() == "true";
}

std::size_t Value::size() const {
  return doc_ ? doc_->nodes[at_].count : 0;
}

Value Value::operator[](std::string_view key) const {
  if (!is_object()) return {};
  for (const Value member : *this) {
    const Node& node = doc_->nodes[member.at_];
    if (node.key_escaped ? unescape(key_bytes(*doc_, node)) == key : key_bytes(*doc_, node) == key)
      return member;
  }
  return {};
}

std::string Value::key() const {
  if (doc_ == nullptr) return {};
  const Node& node = doc_->nodes[at_];
  const std::string_view bytes = key_bytes(*doc_, node);
  return node.key_escaped ? unescape(bytes) : std::string(bytes);
}

Value::Iterator Value::begin() const {
  return {doc_, at_ + 1, size()};
}
Value::Iterator Value::end() const {
  return {doc_, 0, 0};
}

Value::Iterator& Value::Iterator::operator++() {
  at_ = doc_->nodes[at_].next;
  --left_;
  return *this;
}

Result<Doc> Doc::parse(std::string text, std::string_view what) {
  const std::string name(what);
  if (text.size() > limits::json_bytes) {
    return fail(Code::limit, name + " has " + std::to_string(text.size()) + " bytes, more than " +
                                 std::to_string(limits::json_bytes));
  }
  if (!is_valid_utf8(text)) return fail(Code::invalid_argument, name + " is not valid UTF-8");
  auto state = std::make_unique<DocState>();
  state->text = std::move(text);
  if (const std::string problem = Scanner(*state).run(); !problem.empty()) {
    return fail(Code::invalid_argument, name + " is not valid JSON: it " + problem);
  }
  return Doc(std::move(state));
}

Doc::Doc(std::unique_ptr<DocState> state) : state_(std::move(state)) {}
Doc::Doc(Doc&&) noexcept = default;
Doc& Doc::operator=(Doc&&) noexcept = default;
Doc::~Doc() = default;
const std::string& Doc::text() const {
  return state_->text;
}

Json json_of(const Value& value) {
  switch (value.kind()) {
    case JsonKind::object: {
      // The keys differ (Doc::parse), so none has to be looked for.
      Json out = Json::object();
      auto& members = static_cast<Json::object_t::Container&>(out.get_ref<Json::object_t&>());
      members.reserve(value.size());
      for (const Value member : value) members.emplace_back(member.key(), json_of(member));
      return out;
    }
    case JsonKind::array: {
      Json out = Json::array();
      for (const Value element : value) out.push_back(json_of(element));
      return out;
    }
    case JsonKind::string:
      return value.string();
    case JsonKind::boolean:
      return *value.boolean();
    case JsonKind::number: {
      Json number = Json::parse(value.raw(), nullptr, false);
      return number.is_discarded() ? Json() : number;
    }
    default:
      return nullptr;
  }
}

void append_json_string(std::string& out, std::string_view text) {
  if (!is_valid_utf8(text)) return append_json_string(out, to_valid_utf8(text));
  out += '"';
  std::size_t plain = 0;  // start of what needs no escape
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, plain, i - plain);
    plain = i + 1;
    constexpr std::string_view from = "\"\\\b\f\n\r\t";
    constexpr std::string_view to = "\"\\bfnrt";
    out += '\\';
    if (const auto at = from.find(text[i]); at != std::string_view::npos) {
      out += to[at];
    } else {
      constexpr std::string_view digits = "0123456789abcdef";
      out += "u00";
      out += digits[c >> 4];
      out += digits[c & 15];
    }
  }
  out.append(text, plain, text.size() - plain);
  out += '"';
}

std::string json_quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

void Writer::comma() {
  if (!out_.empty() && out_.back() != '{' && out_.back() != '[' && out_.back() != ':') out_ += ',';
}
Writer& Writer::open(char bracket) {
  comma();
  out_ += bracket;
  return *this;
}
Writer& Writer::close(char bracket) {
  out_ += bracket;
  return *this;
}
Writer& Writer::key(std::string_view name) {
  comma();
  append_json_string(out_, name);
  out_ += ':';
  return *this;
}
Writer& Writer::string(std::string_view text) {
  comma();
  append_json_string(out_, text);
  return *this;
}
Writer& Writer::raw(std::string_view json) {
  comma();
  out_ += json;
  return *this;
}
Writer& Writer::integer(std::int64_t value) {
  return raw(std::to_string(value));
}
Writer& Writer::number(double value) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  return raw(std::string_view(digits.data(), static_cast<std::size_t>(end.ptr - digits.data())));
}

}  // namespace keel::msg
