#include "tool/html_main.h"

#include <gumbo.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/text.h"

namespace keel::tool {
namespace {

// Shares of text that decide. A block that looks like boilerplate by its name but holds this share
// of the page is the page; an article must hold this much of its surroundings; a choice below this
// share of the paragraphs was wrong.
constexpr double kTooBigToDrop = 0.4;
constexpr double kArticleShare = 0.4;
constexpr double kLeadingArticle = 0.7;
constexpr double kDenseEnough = 0.6;
constexpr double kTooLittle = 0.25;
constexpr std::size_t kParagraphBytes = 25;  // shorter ones say nothing about where the text is
constexpr std::size_t kSmallPage = 200;
constexpr std::size_t kTooShortToChoose =
    800;  // there the whole page is as short as any part of it

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool never_text(int tag) {
  switch (tag) {
    case GUMBO_TAG_HEAD:
    case GUMBO_TAG_SCRIPT:
    case GUMBO_TAG_STYLE:
    case GUMBO_TAG_NOSCRIPT:
    case GUMBO_TAG_TEMPLATE:
    case GUMBO_TAG_SVG:
    case GUMBO_TAG_IFRAME:
    case GUMBO_TAG_OBJECT:
    case GUMBO_TAG_EMBED:
    case GUMBO_TAG_CANVAS:
    case GUMBO_TAG_AUDIO:
    case GUMBO_TAG_VIDEO:
    case GUMBO_TAG_MAP:
    case GUMBO_TAG_BUTTON:
    case GUMBO_TAG_INPUT:
    case GUMBO_TAG_SELECT:
    case GUMBO_TAG_TEXTAREA:
    case GUMBO_TAG_DATALIST:
      return true;
    default:
      return false;
  }
}

// A declaration such as "display : none" in a style attribute, spaces and case aside.
bool style_hides(std::string_view style) {
  if (style.empty()) return false;
  std::string flat;
  for (const char c : ascii_lower(style)) {
    if (c != ' ' && c != '\t' && c != '\n') flat += c;
  }
  flat = ";" + flat + ";";
  static constexpr std::array<std::string_view, 7> kHiding = {
      ";display:none", ";visibility:hidden", ";font-size:0;",       ";font-size:0px",
      ";opacity:0;",   ";clip:rect(0",       ";clip-path:inset(50%"};
  for (const std::string_view hiding : kHiding) {
    if (flat.find(hiding) != flat.npos) return true;
  }
  return false;
}

bool is_hidden(const HtmlTree& tree, std::size_t i) {
  static constexpr std::array<std::string_view, 5> kHiddenClasses = {
      "sr-only", "visually-hidden", "visuallyhidden", "screen-reader-text", "noprint"};
  if (tree.has_attribute(i, "hidden")) return true;
  if (equals_ignoring_case(tree.attribute(i, "aria-hidden"), "true")) return true;
  if (style_hides(tree.attribute(i, "style"))) return true;
  for (const std::string_view name : split(tree.attribute(i, "class"), ' ')) {
    if (contains(kHiddenClasses, name)) return true;
  }
  return false;
}

constexpr std::array<std::string_view, 46> kBoilerplateWords = {
    "ad",          "ads",         "advert",     "advertisement", "adsbygoogle", "banner",
    "breadcrumb",  "breadcrumbs", "ccpa",       "consent",       "cookie",      "cookies",
    "editsection", "footer",      "gdpr",       "masthead",      "menu",        "modal",
    "nav",         "navbar",      "navigation", "newsletter",    "onetrust",    "overlay",
    "pagination",  "paywall",     "popup",      "promo",         "promotion",   "recommendations",
    "recommended", "related",     "share",      "sharing",       "sidebar",     "signup",
    "skip",        "skiplink",    "social",     "sponsored",     "subscribe",   "subscription",
    "teaser",      "toolbar",     "trending",   "widget"};

constexpr std::array<std::string_view, 10> kBoilerplateRoles = {
    "alert",  "alertdialog", "banner",  "complementary", "contentinfo",
    "dialog", "menu",        "menubar", "navigation",    "search"};

// Whether one of the words that make up a class or id ("site-nav", "siteNav", "site_nav") is on the
// list.
bool names_boilerplate(std::string_view value) {
  std::string word;
  const auto listed = [&] { return !word.empty() && contains(kBoilerplateWords, word); };
  for (std::size_t i = 0; i < value.size() && i < 400; ++i) {
    const char c = value[i];
    const bool upper = c >= 'A' && c <= 'Z';
    const bool letter = upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!letter || (upper && i > 0 && value[i - 1] >= 'a' && value[i - 1] <= 'z')) {
      if (listed()) return true;
      word.clear();
    }
    if (letter) word += static_cast<char>(upper ? c - 'A' + 'a' : c);
  }
  return listed();
}

bool is_paragraph(int tag) {
  return tag == GUMBO_TAG_P || tag == GUMBO_TAG_PRE || tag == GUMBO_TAG_BLOCKQUOTE ||
         tag == GUMBO_TAG_LI || tag == GUMBO_TAG_DD || tag == GUMBO_TAG_TD ||
         tag == GUMBO_TAG_TABLE;
}

bool is_content_element(int tag) {
  return tag == GUMBO_TAG_ARTICLE || tag == GUMBO_TAG_MAIN;
}

std::size_t text_bytes(std::string_view text) {
  std::size_t bytes = 0;
  bool space = true;
  for (const char c : text) {
    const bool is_space = c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
    if (!is_space || !space) ++bytes;
    space = is_space;
  }
  return text.empty() || !space || bytes == 0 ? bytes : bytes - 1;
}

// Sums over the text before each node, so that any subtree's amount is one subtraction.
class Amounts {
 public:
  explicit Amounts(const HtmlTree& tree)
      : tree_(tree), text_(tree.nodes.size() + 1), links_(text_) {
    std::size_t link_end = 0;
    for (std::size_t i = 0; i < tree.nodes.size(); ++i) {
      const HtmlNode& node = tree.nodes[i];
      if (node.kind == HtmlNode::Kind::element && node.tag == GUMBO_TAG_A && i >= link_end) {
        link_end = static_cast<std::size_t>(node.next);
      }
      const bool counts = node.kind == HtmlNode::Kind::text && !node.dropped;
      const std::size_t bytes = counts ? text_bytes(node.text) : 0;
      text_[i + 1] = text_[i] + bytes;
      links_[i + 1] = links_[i] + (i < link_end ? bytes : 0);
    }
  }
  std::size_t text(std::size_t i) const { return text_[end(i)] - text_[i]; }
  std::size_t links(std::size_t i) const { return links_[end(i)] - links_[i]; }
  double share(std::size_t part, std::size_t whole) const {
    return static_cast<double>(text(part)) /
           static_cast<double>(std::max<std::size_t>(text(whole), 1));
  }

 private:
  std::size_t end(std::size_t i) const { return static_cast<std::size_t>(tree_.nodes[i].next); }

  const HtmlTree& tree_;
  std::vector<std::size_t> text_;
  std::vector<std::size_t> links_;
};

void drop(HtmlTree& tree, std::size_t i) {
  for (auto k = i; k < static_cast<std::size_t>(tree.nodes[i].next); ++k)
    tree.nodes[k].dropped = true;
}

void drop_unseen(HtmlTree& tree) {
  for (std::size_t i = 1; i < tree.nodes.size(); ++i) {
    const HtmlNode& node = tree.nodes[i];
    if (node.kind != HtmlNode::Kind::element || node.dropped || node.tag == GUMBO_TAG_BODY)
      continue;
    if (never_text(node.tag) || is_hidden(tree, i)) drop(tree, i);
  }
}

class Chooser {
 public:
  explicit Chooser(HtmlTree& tree) : tree_(tree) { body_ = find(0, GUMBO_TAG_BODY); }

  std::size_t run() {
    drop_unseen(tree_);
    std::vector<bool> seen(tree_.nodes.size());
    for (std::size_t i = 0; i < seen.size(); ++i) seen[i] = !tree_.nodes[i].dropped;
    const std::size_t before = Amounts(tree_).text(body_);
    drop_boilerplate();
    const Amounts amounts(tree_);
    const std::size_t after = amounts.text(body_);
    if (after < kSmallPage && before > 2 * after) {
      // A page that is little else than its navigation: better that than nothing.
      for (std::size_t i = 0; i < seen.size(); ++i) tree_.nodes[i].dropped = !seen[i];
      return body_;
    }
    const std::size_t chosen = choose(amounts);
    const std::size_t paragraphs = paragraph_bytes(amounts);
    const bool too_little =
        static_cast<double>(amounts.text(chosen)) < kTooLittle * static_cast<double>(paragraphs);
    return too_little ? body_ : chosen;
  }

 private:
  std::size_t end(std::size_t i) const { return static_cast<std::size_t>(tree_.nodes[i].next); }
  bool is_element(std::size_t i) const { return tree_.nodes[i].kind == HtmlNode::Kind::element; }
  int tag(std::size_t i) const { return is_element(i) ? tree_.nodes[i].tag : -1; }
  bool is_read(std::size_t i) const { return is_element(i) && !tree_.nodes[i].dropped; }

  std::size_t find(std::size_t in, int wanted) const {
    for (std::size_t i = in; i < end(in); ++i) {
      if (tag(i) == wanted && !tree_.nodes[i].dropped) return i;
    }
    return 0;
  }

  bool is_inside(std::size_t i, std::initializer_list<int> tags) const {
    for (auto p = tree_.nodes[i].parent; p >= 0;
         p = tree_.nodes[static_cast<std::size_t>(p)].parent) {
      const int t = tag(static_cast<std::size_t>(p));
      if (std::find(tags.begin(), tags.end(), t) != tags.end()) return true;
    }
    return false;
  }

  bool looks_like_boilerplate(std::size_t i) const {
    const int t = tag(i);
    if (t == GUMBO_TAG_NAV || t == GUMBO_TAG_ASIDE) return true;
    if (t == GUMBO_TAG_FOOTER) return !is_inside(i, {GUMBO_TAG_BLOCKQUOTE});
    if (t == GUMBO_TAG_HEADER)
      return !is_inside(i, {GUMBO_TAG_ARTICLE, GUMBO_TAG_MAIN, GUMBO_TAG_SECTION});
    if (is_content_element(t) || t == GUMBO_TAG_BODY || t == GUMBO_TAG_HTML) return false;
    if (contains(kBoilerplateRoles, tree_.attribute(i, "role"))) return true;
    const bool named = names_boilerplate(tree_.attribute(i, "class")) ||
                       names_boilerplate(tree_.attribute(i, "id"));
    // Syntax highlighting has classes of its own.
    return named && t != GUMBO_TAG_PRE && t != GUMBO_TAG_CODE && !is_inside(i, {GUMBO_TAG_PRE});
  }

  void drop_boilerplate() {
    const Amounts amounts(tree_);
    // Prefix counts of article and main elements: a wrapper around one of them is never
    // boilerplate.
    std::vector<std::uint32_t> content(tree_.nodes.size() + 1);
    for (std::size_t i = 0; i < tree_.nodes.size(); ++i) {
      content[i + 1] = content[i] + (is_read(i) && is_content_element(tag(i)) ? 1u : 0u);
    }
    for (std::size_t i = 1; i < tree_.nodes.size(); ++i) {
      if (!is_read(i) || content[end(i)] != content[i + 1]) continue;
      if (looks_like_boilerplate(i) && amounts.share(i, body_) < kTooBigToDrop) drop(tree_, i);
    }
  }

  // The outermost elements of a kind below `in`, by a predicate on the index.
  template <class Predicate>
  std::vector<std::size_t> outermost(std::size_t in, Predicate matches) const {
    std::vector<std::size_t> found;
    for (std::size_t i = in + 1; i < end(in);) {
      if (is_read(i) && matches(i)) {
        found.push_back(i);
        i = end(i);
      } else {
        ++i;
      }
    }
    return found;
  }

  std::size_t choose(const Amounts& amounts) const {
    const auto more_text = [&](std::size_t a, std::size_t b) {
      return amounts.text(a) < amounts.text(b);
    };
    const auto bodies = outermost(
        body_, [&](std::size_t i) { return tree_.attribute(i, "itemprop") == "articleBody"; });
    if (bodies.size() == 1 && amounts.share(bodies.front(), body_) >= kArticleShare)
      return bodies.front();
    std::size_t scope = body_;
    const auto mains = outermost(body_, [&](std::size_t i) {
      return tag(i) == GUMBO_TAG_MAIN || tree_.attribute(i, "role") == "main";
    });
    if (!mains.empty()) {
      const std::size_t main = *std::max_element(mains.begin(), mains.end(), more_text);
      if (amounts.share(main, body_) >= kTooLittle) scope = main;
    }
    const auto articles =
        outermost(scope, [&](std::size_t i) { return tag(i) == GUMBO_TAG_ARTICLE; });
    if (!articles.empty()) {
      const std::size_t largest = *std::max_element(articles.begin(), articles.end(), more_text);
      std::size_t all = 0;
      for (const std::size_t article : articles) all += amounts.text(article);
      const bool leads =
          static_cast<double>(amounts.text(largest)) >= kLeadingArticle * static_cast<double>(all);
      if (leads && amounts.share(largest, scope) >= kArticleShare) return largest;
      return scope;  // a list of articles, or posts of a thread
    }
    return scope == body_ ? densest(amounts) : scope;
  }

  // Paragraphs vote for their parents (Readability's idea); the winner grows until it holds most of
  // the paragraphs, so that a thread of equal posts is taken whole.
  std::size_t densest(const Amounts& amounts) const {
    if (amounts.text(body_) < kTooShortToChoose) return body_;
    std::vector<double> votes(tree_.nodes.size());
    for (std::size_t i = body_ + 1; i < end(body_); ++i) {
      if (!is_read(i) || !is_paragraph(tag(i)) || amounts.text(i) < kParagraphBytes) continue;
      const auto bytes = static_cast<double>(amounts.text(i));
      const double vote =
          (1 + std::min(bytes / 100, 3.0)) * (1 - static_cast<double>(amounts.links(i)) / bytes);
      double weight = 1;
      auto p = tree_.nodes[i].parent;
      for (int up = 0; up < 3 && p > static_cast<std::int32_t>(body_); ++up) {
        votes[static_cast<std::size_t>(p)] += vote * weight;
        weight /= 2;
        p = tree_.nodes[static_cast<std::size_t>(p)].parent;
      }
    }
    const auto best = std::max_element(votes.begin(), votes.end());
    if (best == votes.end() || *best <= 0) return body_;
    auto top = static_cast<std::size_t>(best - votes.begin());
    const double enough = kDenseEnough * static_cast<double>(paragraph_bytes(amounts));
    while (top != body_ && tree_.nodes[top].parent > 0 &&
           static_cast<double>(amounts.text(top)) < enough) {
      top = static_cast<std::size_t>(tree_.nodes[top].parent);
    }
    return top;
  }

  std::size_t paragraph_bytes(const Amounts& amounts) const {
    std::size_t bytes = 0;
    for (const std::size_t i :
         outermost(body_, [&](std::size_t k) { return is_paragraph(tag(k)); })) {
      if (amounts.text(i) >= kParagraphBytes) bytes += amounts.text(i) - amounts.links(i);
    }
    return bytes;
  }

  HtmlTree& tree_;
  std::size_t body_ = 0;
};

}  // namespace

std::size_t choose_main(HtmlTree& tree) {
  return tree.nodes.empty() ? 0 : Chooser(tree).run();
}

std::size_t visible_bytes(const HtmlTree& tree) {
  return tree.nodes.empty() ? 0 : Amounts(tree).text(0);
}

}  // namespace keel::tool
