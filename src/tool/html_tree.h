// The parsed page as a flat array of nodes in document order, with the parser's memory, time, depth
// and nodes bounded.
//
// gumbo follows HTML5 to the letter, which means that 40 kB of hostile markup can ask for a
// gigabyte (formatting elements are opened again in every paragraph) or for minutes (each end tag
// searches the stack of open elements). It also frees trees by recursion. So it gets memory from an
// arena with a limit and a deadline, and is left in the middle by longjmp when either is reached;
// the arena is then dropped as a whole, and no gumbo function that recurses is called.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace keel::tool {

struct HtmlNode {
  enum class Kind : std::uint8_t { element, text };
  Kind kind = Kind::text;
  bool dropped = false;  // it and everything below: not for reading
  std::int16_t tag = 0;  // GumboTag, for elements
  std::int32_t parent = -1;
  std::int32_t next = -1;  // first node after this subtree; children lie between this node and next
  std::string_view text;   // of a text node, entities decoded
  const void* element = nullptr;  // GumboElement, for attributes
};

class HtmlTree {
 public:
  // Nothing if the page exhausted the parser. `utf8` must outlive the tree.
  static std::optional<HtmlTree> parse(std::string_view utf8);
  HtmlTree(HtmlTree&&) noexcept;
  HtmlTree& operator=(HtmlTree&&) noexcept;
  ~HtmlTree();

  std::vector<HtmlNode> nodes;  // [0] is the html element
  bool truncated = false;       // nodes beyond the limit were left out

  // An attribute's value; empty if absent. `name` in lower case.
  std::string_view attribute(std::size_t node, const char* name) const;
  bool has_attribute(std::size_t node, const char* name) const;

 private:
  struct Arena;
  HtmlTree();
  std::unique_ptr<Arena> arena_;
};

}  // namespace keel::tool
