#include "tool/html_tree.h"

#include <gumbo.h>

#include <chrono>
#include <csetjmp>
#include <cstdlib>
#include <cstring>

#include "base/limits.h"

namespace keel::tool {

struct HtmlTree::Arena {
  static constexpr std::size_t kChunkBytes = 1u << 20;
  static constexpr std::size_t kAlign = alignof(std::max_align_t);
  static constexpr unsigned kClockEvery = 64;  // allocations between two looks at the clock

  std::vector<char*> chunks;
  std::size_t used_in_chunk = 0;
  std::size_t chunk_size = 0;
  std::size_t total = 0;
  unsigned count = 0;
  std::chrono::steady_clock::time_point deadline;
  std::jmp_buf exhausted;
  GumboOutput* output = nullptr;

  // Full from the start, because a vector that grew could throw through the parser, which is C.
  Arena() { chunks.reserve(limits::html_memory_bytes / kChunkBytes + 1); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() {
    for (char* chunk : chunks) std::free(chunk);
  }

  // Does not return when a bound is reached. Nothing with a destructor may live in a frame that
  // calls this.
  void* allocate(std::size_t bytes) {
    bytes = (bytes + kAlign - 1) / kAlign * kAlign;
    if (++count % kClockEvery == 0 && std::chrono::steady_clock::now() > deadline) give_up();
    if (chunks.empty() || chunk_size - used_in_chunk < bytes) add_chunk(bytes);
    void* memory = chunks.back() + used_in_chunk;
    used_in_chunk += bytes;
    return memory;
  }

 private:
  void add_chunk(std::size_t bytes) {
    const std::size_t size = bytes > kChunkBytes ? bytes : kChunkBytes;
    if (size > limits::html_memory_bytes || total > limits::html_memory_bytes - size) give_up();
    char* chunk = static_cast<char*>(std::malloc(size));
    if (chunk == nullptr) give_up();
    chunks.push_back(chunk);
    chunk_size = size;
    used_in_chunk = 0;
    total += size;
  }
  [[noreturn]] void give_up() { std::longjmp(exhausted, 1); }
};

namespace {

void arena_free(void* /*arena*/, void* /*memory*/) {}

const GumboVector* children_of(const GumboNode* node) {
  if (node->type == GUMBO_NODE_ELEMENT || node->type == GUMBO_NODE_TEMPLATE) {
    return &node->v.element.children;
  }
  return nullptr;
}

bool is_text(const GumboNode* node) {
  return node->type == GUMBO_NODE_TEXT || node->type == GUMBO_NODE_WHITESPACE ||
         node->type == GUMBO_NODE_CDATA;
}

// Turns gumbo's tree into the flat array without recursion.
class Flattener {
 public:
  explicit Flattener(HtmlTree& tree) : tree_(tree) {}

  void run(const GumboNode* root) {
    open(root, -1);
    while (!stack_.empty()) {
      Frame& frame = stack_.back();
      const GumboVector* children = children_of(frame.node);
      if (frame.child >= children->length || tree_.truncated) {
        tree_.nodes[static_cast<std::size_t>(frame.index)].next =
            static_cast<std::int32_t>(tree_.nodes.size());
        // What lies too deep is hung under the deepest node that is kept, so depth stays bounded
        // and the text stays.
        stack_.pop_back();
        continue;
      }
      const auto* child = static_cast<const GumboNode*>(children->data[frame.child++]);
      visit(child, frame.index);
    }
  }

 private:
  struct Frame {
    const GumboNode* node;
    std::int32_t index;  // in the array; of the nearest kept ancestor when too deep
    unsigned child;
  };

  void visit(const GumboNode* child, std::int32_t parent) {
    if (tree_.nodes.size() >= limits::html_nodes) {
      tree_.truncated = true;
      return;
    }
    if (is_text(child)) {
      HtmlNode node;
      node.parent = parent;
      node.text = child->v.text.text;
      node.next = static_cast<std::int32_t>(tree_.nodes.size()) + 1;
      tree_.nodes.push_back(node);
    } else if (children_of(child) != nullptr) {
      open(child, parent);
    }
  }

  void open(const GumboNode* node, std::int32_t parent) {
    if (stack_.size() >= static_cast<std::size_t>(limits::html_depth)) {
      stack_.push_back({node, parent, 0});
      return;
    }
    HtmlNode flat;
    flat.kind = HtmlNode::Kind::element;
    flat.tag = static_cast<std::int16_t>(node->v.element.tag);
    flat.parent = parent;
    flat.element = &node->v.element;
    stack_.push_back({node, static_cast<std::int32_t>(tree_.nodes.size()), 0});
    tree_.nodes.push_back(flat);
  }

  HtmlTree& tree_;
  std::vector<Frame> stack_;
};

}  // namespace

HtmlTree::HtmlTree() : arena_(std::make_unique<Arena>()) {}
HtmlTree::HtmlTree(HtmlTree&&) noexcept = default;
HtmlTree& HtmlTree::operator=(HtmlTree&&) noexcept = default;
HtmlTree::~HtmlTree() = default;

namespace {

// The only frame between setjmp and longjmp besides gumbo's own, which is C: it holds nothing that
// needs destruction.
template <class Arena>
bool parse_in_arena(Arena* arena, std::string_view utf8) {
  GumboOptions options = kGumboDefaultOptions;
  options.allocator = [](void* user, std::size_t bytes) {
    return static_cast<Arena*>(user)->allocate(bytes);
  };
  options.deallocator = arena_free;
  options.userdata = arena;
  options.max_errors = 0;
  if (setjmp(arena->exhausted) != 0) return false;
  arena->output = gumbo_parse_with_options(&options, utf8.data(), utf8.size());
  return arena->output != nullptr;
}

}  // namespace

std::optional<HtmlTree> HtmlTree::parse(std::string_view utf8) {
  HtmlTree tree;
  tree.arena_->deadline = std::chrono::steady_clock::now() + limits::html_time;
  if (!parse_in_arena(tree.arena_.get(), utf8)) return {};
  Flattener(tree).run(tree.arena_->output->root);
  return tree;
}

std::string_view HtmlTree::attribute(std::size_t node, const char* name) const {
  const auto* element = static_cast<const GumboElement*>(nodes[node].element);
  if (element == nullptr) return {};
  const GumboAttribute* found = gumbo_get_attribute(&element->attributes, name);
  return found == nullptr ? std::string_view() : found->value;
}

bool HtmlTree::has_attribute(std::size_t node, const char* name) const {
  const auto* element = static_cast<const GumboElement*>(nodes[node].element);
  return element != nullptr && gumbo_get_attribute(&element->attributes, name) != nullptr;
}

}  // namespace keel::tool
