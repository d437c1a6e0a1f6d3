#include "tool/html_markdown.h"

#include <gumbo.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/limits.h"
#include "base/text.h"
#include "net/url.h"
#include "tool/markdown_writer.h"

namespace keel::tool {
namespace {

constexpr std::size_t kLinkTextBytes =
    300;  // a longer link is a whole card: its text first, then the link
constexpr std::size_t kCellBytes = 2000;
constexpr std::size_t kAltBytes = 4;  // shorter descriptions of images say nothing

bool is_block(int tag) {
  switch (tag) {
    case GUMBO_TAG_ADDRESS:
    case GUMBO_TAG_ARTICLE:
    case GUMBO_TAG_ASIDE:
    case GUMBO_TAG_BODY:
    case GUMBO_TAG_CENTER:
    case GUMBO_TAG_DETAILS:
    case GUMBO_TAG_DIV:
    case GUMBO_TAG_DL:
    case GUMBO_TAG_FIELDSET:
    case GUMBO_TAG_FIGCAPTION:
    case GUMBO_TAG_FIGURE:
    case GUMBO_TAG_FOOTER:
    case GUMBO_TAG_FORM:
    case GUMBO_TAG_HEADER:
    case GUMBO_TAG_HGROUP:
    case GUMBO_TAG_MAIN:
    case GUMBO_TAG_NAV:
    case GUMBO_TAG_P:
    case GUMBO_TAG_SECTION:
    case GUMBO_TAG_SUMMARY:
    case GUMBO_TAG_CAPTION:
      return true;
    default:
      return false;
  }
}

int heading_level(int tag) {
  return tag >= GUMBO_TAG_H1 && tag <= GUMBO_TAG_H6 ? tag - GUMBO_TAG_H1 + 1 : 0;
}

std::string escape(std::string_view text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    if (special.find(c) != special.npos) out += '\\';
    out += c;
  }
  return out;
}

// As the class says it: "language-python", "lang-cpp", "highlight-source-rust".
std::string language_of(std::string_view classes) {
  for (const std::string_view name : split(classes, ' ')) {
    for (const std::string_view prefix : {"language-", "lang-", "highlight-source-"}) {
      if (!name.starts_with(prefix)) continue;
      const std::string_view language = name.substr(prefix.size());
      const bool plain =
          language.size() <= 20 && std::all_of(language.begin(), language.end(), [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' ||
                   c == '#';
          });
      if (plain) return std::string(language);
    }
  }
  return {};
}

class Renderer {
 public:
  Renderer(const HtmlTree& tree, const std::optional<net::Url>& base, std::size_t limit)
      : tree_(tree), base_(base), out_(limit) {}

  void node(std::size_t i) {
    const HtmlNode& n = tree_.nodes[i];
    if (n.dropped || out_.full()) return;
    if (n.kind == HtmlNode::Kind::text) return out_.text(n.text);
    const int tag = n.tag;
    if (const int level = heading_level(tag)) return heading(i, level);
    if (is_block(tag)) return block(i);
    switch (tag) {
      case GUMBO_TAG_A:
        return link(i);
      case GUMBO_TAG_BR:
        return flat_ ? out_.text(" ") : out_.new_line();
      case GUMBO_TAG_HR:
        return rule();
      case GUMBO_TAG_IMG:
        return image(i);
      case GUMBO_TAG_PRE:
        return preformatted(i);
      case GUMBO_TAG_CODE:
      case GUMBO_TAG_KBD:
      case GUMBO_TAG_SAMP:
      case GUMBO_TAG_TT:
        return code(i);
      case GUMBO_TAG_UL:
      case GUMBO_TAG_OL:
      case GUMBO_TAG_MENU:
        return list(i);
      case GUMBO_TAG_LI:
        return item(i, "- ");
      case GUMBO_TAG_DT:
        return paragraph_line(i);
      case GUMBO_TAG_DD:
        return item(i, ": ");
      case GUMBO_TAG_BLOCKQUOTE:
        return quote(i);
      case GUMBO_TAG_TABLE:
        return table(i);
      case GUMBO_TAG_TR:
      case GUMBO_TAG_TD:
      case GUMBO_TAG_TH:
        return paragraph_line(i);
      default:
        return children(i);
    }
  }

  void children(std::size_t i) {
    for (std::size_t c = i + 1; c < end(i); c = end(c)) node(c);
  }

  void set_flat() { flat_ = true; }
  Markdown take() {
    const bool full = out_.full();
    return {out_.take(), full};
  }

 private:
  std::size_t end(std::size_t i) const { return static_cast<std::size_t>(tree_.nodes[i].next); }
  int tag(std::size_t i) const {
    const HtmlNode& n = tree_.nodes[i];
    return n.kind == HtmlNode::Kind::element && !n.dropped ? n.tag : -1;
  }
  bool has(std::size_t i, std::initializer_list<int> tags) const {
    for (std::size_t k = i + 1; k < end(i); ++k) {
      if (std::find(tags.begin(), tags.end(), tag(k)) != tags.end()) return true;
    }
    return false;
  }

  void block(std::size_t i) {
    if (flat_) {
      out_.text(" ");
      children(i);
      return out_.text(" ");
    }
    out_.new_paragraph();
    children(i);
    out_.new_paragraph();
  }

  void paragraph_line(std::size_t i) {
    if (flat_) return block(i);
    out_.new_line();
    children(i);
    out_.new_line();
  }

  void heading(std::size_t i, int level) {
    if (flat_) return block(i);
    if (one_line(tree_, i).empty()) return;
    out_.new_paragraph();
    out_.push(std::string(static_cast<std::size_t>(level), '#') + " ", "");
    flat_ = true;
    children(i);
    flat_ = false;
    out_.pop();
    out_.new_paragraph();
  }

  void rule() {
    if (flat_) return;
    out_.new_paragraph();
    out_.raw("---");
    out_.new_paragraph();
  }

  void image(std::size_t i) {
    const std::string alt(trim(tree_.attribute(i, "alt")));
    if (alt.size() < kAltBytes) return;
    out_.text("[image: " + escape(shorten(alt, kLinkTextBytes), "[]") + "]");
  }

  std::optional<std::string> target(std::size_t i) const {
    const std::string_view href = trim(tree_.attribute(i, "href"));
    if (!base_ || href.empty() || href.front() == '#') return {};
    const Result<net::Url> url = net::resolve_url(*base_, href);
    if (!url) return {};
    // A bracket in an address would end the link early.
    return replace_all(replace_all(url->text(), "(", "%28"), ")", "%29");
  }

  void link(std::size_t i) {
    const std::optional<std::string> url = target(i);
    const std::string label = url ? label_of(i) : std::string();
    if (!url) return children(i);
    if (label.empty()) return;
    if (label.size() > kLinkTextBytes || has(i, {GUMBO_TAG_TABLE, GUMBO_TAG_PRE})) {
      children(i);
      return out_.text(" [link](" + *url + ")");
    }
    out_.raw("[");
    out_.text(escape(label, "[]"));
    out_.raw("](" + *url + ")");
  }

  // The text of a link, or what its images show.
  std::string label_of(std::size_t i) const {
    std::string label = one_line(tree_, i);
    for (std::size_t k = i + 1; k < end(i) && label.empty(); ++k) {
      if (tag(k) == GUMBO_TAG_IMG) label = std::string(trim(tree_.attribute(k, "alt")));
    }
    if (label.empty()) label = std::string(trim(tree_.attribute(i, "aria-label")));
    return label;
  }

  void code(std::size_t i) {
    const std::string text = one_line(tree_, i);
    if (text.empty()) return;
    const std::string ticks = text.find('`') == text.npos ? "`" : "``";
    out_.raw(ticks + (ticks.size() > 1 ? " " + text + " " : text) + ticks);
  }

  void preformatted(std::size_t i) {
    std::string text;
    std::string language = language_of(tree_.attribute(i, "class"));
    for (std::size_t k = i + 1; k < end(i); ++k) {
      const HtmlNode& n = tree_.nodes[k];
      if (n.dropped) continue;
      if (n.kind == HtmlNode::Kind::text) text += n.text;
      if (tag(k) == GUMBO_TAG_BR) text += '\n';
      if (language.empty() && tag(k) == GUMBO_TAG_CODE)
        language = language_of(tree_.attribute(k, "class"));
    }
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    text.erase(0, std::min(text.find_first_not_of('\n'), text.size()));
    if (text.empty()) return;
    if (flat_) return out_.text(text);
    std::string fence = "```";
    while (text.find(fence) != text.npos) fence += '`';
    out_.new_paragraph();
    out_.raw(fence + language);
    out_.lines(text);
    out_.lines(fence);
    out_.new_paragraph();
  }

  void list(std::size_t i) {
    if (flat_) return block(i);
    const bool nested = list_depth_ > 0;
    nested ? out_.new_line() : out_.new_paragraph();
    ++list_depth_;
    int number = 1;
    for (std::size_t c = i + 1; c < end(i); c = end(c)) {
      if (tag(c) != GUMBO_TAG_LI) {
        node(c);
      } else if (tag(i) == GUMBO_TAG_OL) {
        item(c, std::to_string(number++) + ". ");
      } else {
        item(c, "- ");
      }
    }
    --list_depth_;
    nested ? out_.new_line() : out_.new_paragraph();
  }

  void item(std::size_t i, const std::string& marker) {
    if (flat_) return block(i);
    out_.new_line();
    out_.push(marker, std::string(marker.size(), ' '));
    children(i);
    out_.pop();
    out_.new_line();
  }

  void quote(std::size_t i) {
    if (flat_) return block(i);
    out_.new_paragraph();
    out_.push("> ", "> ");
    children(i);
    out_.pop();
    out_.new_paragraph();
  }

  // The rows of this table, not of tables inside it.
  std::vector<std::vector<std::size_t>> rows_of(std::size_t i) const {
    std::vector<std::vector<std::size_t>> rows;
    for (std::size_t k = i + 1; k < end(i);) {
      if (tag(k) == GUMBO_TAG_TR) {
        std::vector<std::size_t> cells;
        for (std::size_t c = k + 1; c < end(k); c = end(c)) {
          if (tag(c) == GUMBO_TAG_TD || tag(c) == GUMBO_TAG_TH) cells.push_back(c);
        }
        if (!cells.empty()) rows.push_back(std::move(cells));
        k = end(k);
      } else {
        ++k;
      }
    }
    return rows;
  }

  // Tables that only place things on the page are read as ordinary blocks.
  bool is_data_table(std::size_t i, const std::vector<std::vector<std::size_t>>& rows) const {
    const std::string_view role = tree_.attribute(i, "role");
    if (role == "presentation" || role == "none") return false;
    std::size_t wide = 0;
    for (const auto& row : rows) wide += row.size() > 1 ? 1 : 0;
    if (rows.size() < 2 || wide * 2 < rows.size()) return false;
    return !has(i, {GUMBO_TAG_TABLE, GUMBO_TAG_PRE, GUMBO_TAG_H1, GUMBO_TAG_H2, GUMBO_TAG_ARTICLE});
  }

  std::string cell(std::size_t i) const {
    Renderer inner(tree_, base_, kCellBytes);
    inner.set_flat();
    inner.children(i);
    return escape(inner.take().text, "|");
  }

  void table(std::size_t i) {
    const auto rows = rows_of(i);
    if (flat_ || !is_data_table(i, rows)) return block(i);
    out_.new_paragraph();
    for (std::size_t c = i + 1; c < end(i); c = end(c)) {
      if (tag(c) == GUMBO_TAG_CAPTION) node(c);
    }
    std::size_t columns = 0;
    for (const auto& row : rows)
      columns = std::max(columns, std::min(row.size(), limits::html_table_columns));
    const std::size_t shown = std::min(rows.size(), limits::html_table_rows);
    for (std::size_t r = 0; r < shown && !out_.full(); ++r) {
      std::string line = "|";
      for (std::size_t c = 0; c < columns; ++c) {
        line += " " + (c < rows[r].size() ? cell(rows[r][c]) : std::string()) + " |";
      }
      out_.new_line();
      out_.raw(line);
      if (r > 0) continue;
      std::string under = "|";
      for (std::size_t c = 0; c < columns; ++c) under += " --- |";
      out_.new_line();
      out_.raw(under);
    }
    out_.new_line();
    if (shown < rows.size()) out_.text("(" + std::to_string(rows.size() - shown) + " more rows)");
    out_.new_paragraph();
  }

  const HtmlTree& tree_;
  const std::optional<net::Url>& base_;
  MarkdownWriter out_;
  int list_depth_ = 0;
  bool flat_ = false;  // inside a heading or a cell: everything on one line
};

}  // namespace

Markdown to_markdown(const HtmlTree& tree, std::size_t node, std::string_view base) {
  std::optional<net::Url> url;
  if (auto parsed = net::parse_url(base)) url = *std::move(parsed);
  Renderer renderer(tree, url, limits::html_markdown_bytes);
  renderer.node(node);
  return renderer.take();
}

std::string one_line(const HtmlTree& tree, std::size_t node) {
  MarkdownWriter out(limits::html_markdown_bytes);
  const auto last = static_cast<std::size_t>(tree.nodes[node].next);
  for (std::size_t i = node; i < last; ++i) {
    const HtmlNode& n = tree.nodes[i];
    if (n.dropped) continue;
    if (n.kind == HtmlNode::Kind::text) {
      out.text(n.text);
    } else if (is_block(n.tag) || n.tag == GUMBO_TAG_BR || n.tag == GUMBO_TAG_LI ||
               heading_level(n.tag)) {
      out.text(" ");
    }
  }
  return out.take();
}

}  // namespace keel::tool
