#include "tool/html.h"

#include <gumbo.h>

#include <algorithm>

#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "net/url.h"
#include "tool/charset.h"
#include "tool/html_main.h"
#include "tool/html_markdown.h"
#include "tool/html_tree.h"

namespace keel::tool {
namespace {

constexpr std::size_t kTitleBytes = 300;
constexpr std::size_t kNextToNothing =
    200;  // bytes of text below which a page with scripts has not shown itself
constexpr int kLinkedDataDepth = 8;

bool is_element(const HtmlTree& tree, std::size_t i, int tag) {
  return tree.nodes[i].kind == HtmlNode::Kind::element && tree.nodes[i].tag == tag;
}

std::size_t find_first(const HtmlTree& tree, int tag) {
  for (std::size_t i = 0; i < tree.nodes.size(); ++i) {
    if (is_element(tree, i, tag)) return i;
  }
  return tree.nodes.size();
}

std::string title_of(const HtmlTree& tree) {
  const std::size_t none = tree.nodes.size();
  std::string title;
  if (const std::size_t i = find_first(tree, GUMBO_TAG_TITLE); i != none) title = one_line(tree, i);
  for (std::size_t i = 0; i < none && title.empty(); ++i) {
    if (is_element(tree, i, GUMBO_TAG_META) && tree.attribute(i, "property") == "og:title") {
      title = std::string(trim(tree.attribute(i, "content")));
    }
  }
  if (const std::size_t i = find_first(tree, GUMBO_TAG_H1); title.empty() && i != none) {
    title = one_line(tree, i);
  }
  return replace_all(shorten(clean_text(title), kTitleBytes), "\n", " ");
}

std::string base_of(const HtmlTree& tree, std::string_view address) {
  const Result<net::Url> url = net::parse_url(address);
  if (!url) return {};
  const std::size_t i = find_first(tree, GUMBO_TAG_BASE);
  if (i == tree.nodes.size()) return url->text();
  const Result<net::Url> base = net::resolve_url(*url, tree.attribute(i, "href"));
  return base ? base->text() : url->text();
}

// The longest articleBody in a page's linked data: news sites that draw their text with scripts
// often carry it there.
void find_article_body(const Json& value, int depth, std::string& longest) {
  if (depth > kLinkedDataDepth || !value.is_structured()) return;
  for (const auto& [key, member] : value.items()) {
    if (key == "articleBody" && member.is_string()) {
      const auto& text = member.get_ref<const std::string&>();
      if (text.size() > longest.size()) longest = text;
    } else {
      find_article_body(member, depth + 1, longest);
    }
  }
}

std::string linked_article(const HtmlTree& tree) {
  std::string longest;
  for (std::size_t i = 0; i + 1 < tree.nodes.size(); ++i) {
    if (!is_element(tree, i, GUMBO_TAG_SCRIPT) ||
        !equals_ignoring_case(trim(tree.attribute(i, "type")), "application/ld+json")) {
      continue;
    }
    if (tree.nodes[i + 1].parent != static_cast<std::int32_t>(i)) continue;
    if (const Result<Json> data = parse_json(tree.nodes[i + 1].text))
      find_article_body(*data, 0, longest);
  }
  return longest;
}

bool has_script(const HtmlTree& tree) {
  for (std::size_t i = 0; i < tree.nodes.size(); ++i) {
    if (!is_element(tree, i, GUMBO_TAG_SCRIPT)) continue;
    const std::string_view type = trim(tree.attribute(i, "type"));
    if (!equals_ignoring_case(type, "application/ld+json")) return true;
  }
  return false;
}

// For pages that exhaust the parser: tags out, text in, in one pass.
std::string without_tags(std::string_view html) {
  std::string out;
  bool space = false;
  for (std::size_t at = 0; at < html.size() && out.size() < limits::html_markdown_bytes;) {
    if (html[at] != '<') {
      const char c = html[at++];
      const bool is_space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
      if (!is_space || !space) out += is_space ? ' ' : c;
      space = is_space;
      continue;
    }
    std::string_view rest = html.substr(at);
    std::size_t length = rest.find('>');
    const std::string start = ascii_lower(rest.substr(0, 8));
    for (const std::string_view raw : {"<script", "<style"}) {
      if (!start.starts_with(raw)) continue;
      const std::size_t close = rest.find("</", raw.size());
      length = close == rest.npos ? rest.npos : rest.find('>', close);
    }
    if (length == rest.npos) break;
    at += length + 1;
    if (!space) out += ' ';
    space = true;
  }
  return std::string(trim(out));
}

}  // namespace

Page read_page(std::string_view bytes, std::string_view content_type, std::string_view address) {
  Page page;
  page.truncated = bytes.size() > limits::html_bytes;
  const std::string html = decode_page(bytes.substr(0, limits::html_bytes), content_type, true);
  std::optional<HtmlTree> tree = HtmlTree::parse(html);
  if (!tree || tree->nodes.empty()) {
    page.markdown = clean_text(utf8_prefix(without_tags(html), limits::html_markdown_bytes));
    page.truncated = true;
    return page;
  }
  page.title = title_of(*tree);
  const std::string base = base_of(*tree, address);
  const std::size_t main = choose_main(*tree);
  const std::size_t visible = visible_bytes(*tree);
  Markdown markdown = to_markdown(*tree, main, base);
  const std::string article = linked_article(*tree);
  if (article.size() > 4 * visible) {
    markdown.truncated = article.size() > limits::html_markdown_bytes;
    markdown.text = std::string(utf8_prefix(article, limits::html_markdown_bytes));
  }
  page.markdown = std::string(trim(clean_text(markdown.text)));
  page.truncated = page.truncated || markdown.truncated || tree->truncated;
  page.needs_script = page.markdown.size() < kNextToNothing && has_script(*tree);
  return page;
}

}  // namespace keel::tool
