#include "ui/markdown.h"

#include <md4c.h>

#include <algorithm>
#include <numeric>
#include <string>

#include "base/limits.h"
#include "base/text.h"
#include "ui/cells.h"

namespace keel::ui {
namespace {

enum class Align { left, center, right };

struct Table {
  std::vector<Align> columns;
  std::vector<std::vector<Spans>> rows;  // the first one is the heading
};

constexpr int between = 3;  // " │ "

std::vector<int> natural_widths(const Table& table) {
  std::vector<int> widths(table.columns.size(), 1);
  for (const auto& row : table.rows) {
    for (std::size_t i = 0; i < widths.size() && i < row.size(); ++i)
      widths[i] = std::max(widths[i], cell_width(row[i]));
  }
  return widths;
}

// Takes from the widest column first; narrow columns keep what they need.
void shrink(std::vector<int>& widths, int total) {
  int sum = std::accumulate(widths.begin(), widths.end(), 0);
  while (sum > total) {
    auto widest = std::max_element(widths.begin(), widths.end());
    int second = 1;
    for (auto it = widths.begin(); it != widths.end(); ++it) {
      if (it != widest) second = std::max(second, *it);
    }
    int cut = std::clamp(*widest - second, 1, sum - total);
    if (*widest - cut < 1) return;
    *widest -= cut;
    sum -= cut;
  }
}

void pad(Spans& line, int cells) {
  if (cells > 0) line.push_back({std::string(static_cast<std::size_t>(cells), ' '), plain});
}

void add_row(std::vector<Spans>& out, const Table& table, const std::vector<Spans>& row,
             const std::vector<int>& widths, bool heading) {
  std::vector<std::vector<Spans>> cells;
  std::size_t height = 1;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    Spans content = i < row.size() ? row[i] : Spans{};
    if (heading) {
      for (Span& span : content) span.style |= bold;
    }
    cells.push_back(wrap(content, widths[i]));
    height = std::max(height, cells.back().size());
  }
  for (std::size_t y = 0; y < height; ++y) {
    Spans line;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (i > 0) line.push_back({" │ ", dim});
      const Spans empty;
      const Spans& part = y < cells[i].size() ? cells[i][y] : empty;
      int room = std::max(0, widths[i] - cell_width(part));
      int left = table.columns[i] == Align::right    ? room
                 : table.columns[i] == Align::center ? room / 2
                                                     : 0;
      pad(line, left);
      line.insert(line.end(), part.begin(), part.end());
      if (i + 1 < widths.size()) pad(line, room - left);
    }
    out.push_back(std::move(line));
  }
}

std::vector<Spans> as_list(const Table& table, int width) {
  std::vector<Spans> out;
  for (std::size_t y = 1; y < table.rows.size(); ++y) {
    for (std::size_t i = 0; i < table.rows[y].size(); ++i) {
      Spans line;
      if (!table.rows.empty() && i < table.rows[0].size()) line = table.rows[0][i];
      for (Span& span : line) span.style |= bold;
      line.push_back({": ", dim});
      line.insert(line.end(), table.rows[y][i].begin(), table.rows[y][i].end());
      for (Spans& part : wrap(line, width)) out.push_back(std::move(part));
    }
    if (y + 1 < table.rows.size()) out.emplace_back();
  }
  return out;
}

// At most `width` cells a line. A table with more columns than fit becomes one "heading: cell" line
// a cell.
std::vector<Spans> layout_table(const Table& table, int width) {
  if (table.columns.empty() || table.rows.empty()) return {};
  int count = static_cast<int>(table.columns.size());
  int room = width - between * (count - 1);
  if (room < 4 * count) return as_list(table, width);
  std::vector<int> widths = natural_widths(table);
  shrink(widths, room);

  std::vector<Spans> out;
  add_row(out, table, table.rows[0], widths, true);
  std::string rule;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    if (i > 0) rule += "─┼─";
    for (int n = 0; n < widths[i]; ++n) rule += "─";
  }
  out.push_back({{rule, dim}});
  for (std::size_t y = 1; y < table.rows.size(); ++y)
    add_row(out, table, table.rows[y], widths, false);
  return out;
}

// What a list item or a quotation puts in front of each of its lines.
struct Container {
  Span first;         // for the first line: the item's mark
  Span rest;          // for the lines after it
  bool used = false;  // the first line has been written
};

struct List {
  bool ordered = false;
  bool tight = true;
  unsigned next = 1;
};

std::string_view named_entity(std::string_view name) {
  struct Entity {
    std::string_view name;
    std::string_view text;
  };
  static constexpr Entity entities[] = {
      {"&amp;", "&"},   {"&lt;", "<"},    {"&gt;", ">"},    {"&quot;", "\""},  {"&apos;", "'"},
      {"&nbsp;", " "},  {"&ndash;", "–"}, {"&mdash;", "—"}, {"&hellip;", "…"}, {"&copy;", "©"},
      {"&euro;", "€"},  {"&deg;", "°"},   {"&times;", "×"}, {"&rarr;", "→"},   {"&larr;", "←"},
      {"&lsquo;", "‘"}, {"&rsquo;", "’"}, {"&ldquo;", "“"}, {"&rdquo;", "”"},  {"&middot;", "·"},
  };
  for (const Entity& entity : entities) {
    if (entity.name == name) return entity.text;
  }
  return name;
}

std::string entity_text(std::string_view entity) {
  if (entity.size() < 4 || entity[1] != '#') return std::string(named_entity(entity));
  bool hex = entity[2] == 'x' || entity[2] == 'X';
  std::uint32_t value = 0;
  for (char c : entity.substr(hex ? 3 : 2)) {
    if (c == ';') break;
    std::uint32_t digit = c <= '9' ? static_cast<std::uint32_t>(c - '0')
                                   : static_cast<std::uint32_t>((c | 0x20) - 'a' + 10);
    value = std::min<std::uint32_t>(value * (hex ? 16 : 10) + digit, 0x110000);
  }
  if (value == 0 || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return "\xef\xbf\xbd";
  std::string out;
  append_utf8(out, value);
  return out;
}

class Renderer {
 public:
  explicit Renderer(const Look& look) : look_(look) {}

  std::vector<std::string> run(std::string_view text) {
    MD_PARSER parser{};
    parser.flags = MD_FLAG_TABLES | MD_FLAG_STRIKETHROUGH | MD_FLAG_TASKLISTS | MD_FLAG_NOHTML |
                   MD_FLAG_NOINDENTEDCODEBLOCKS | MD_FLAG_PERMISSIVEURLAUTOLINKS;
    parser.enter_block = [](MD_BLOCKTYPE type, void* detail, void* self) {
      static_cast<Renderer*>(self)->enter_block(type, detail);
      return 0;
    };
    parser.leave_block = [](MD_BLOCKTYPE type, void*, void* self) {
      static_cast<Renderer*>(self)->leave_block(type);
      return 0;
    };
    parser.enter_span = [](MD_SPANTYPE type, void* detail, void* self) {
      static_cast<Renderer*>(self)->enter_span(type, detail);
      return 0;
    };
    parser.leave_span = [](MD_SPANTYPE type, void*, void* self) {
      static_cast<Renderer*>(self)->leave_span(type);
      return 0;
    };
    parser.text = [](MD_TEXTTYPE type, const MD_CHAR* bytes, MD_SIZE size, void* self) {
      static_cast<Renderer*>(self)->add_text(type, {bytes, size});
      return 0;
    };
    md_parse(text.data(), static_cast<MD_SIZE>(text.size()), &parser, this);
    return std::move(lines_);
  }

 private:
  void enter_block(MD_BLOCKTYPE type, void* detail) {
    flush();  // the text of a tight list item ends where a nested block begins
    switch (type) {
      case MD_BLOCK_QUOTE:
        containers_.push_back({{"│ ", dim}, {"│ ", dim}});
        break;
      case MD_BLOCK_UL:
        start_list({false, static_cast<MD_BLOCK_UL_DETAIL*>(detail)->is_tight != 0, 0});
        break;
      case MD_BLOCK_OL: {
        auto* list = static_cast<MD_BLOCK_OL_DETAIL*>(detail);
        start_list({true, list->is_tight != 0, list->start});
        break;
      }
      case MD_BLOCK_LI:
        enter_item(*static_cast<MD_BLOCK_LI_DETAIL*>(detail));
        break;
      case MD_BLOCK_H:
        heading_ = static_cast<int>(static_cast<MD_BLOCK_H_DETAIL*>(detail)->level);
        break;
      case MD_BLOCK_CODE:
        code_block_ = true;
        break;
      case MD_BLOCK_TABLE:
        table_ = Table{};
        in_table_ = true;
        break;
      case MD_BLOCK_TR:
        table_.rows.emplace_back();
        break;
      case MD_BLOCK_TH:
      case MD_BLOCK_TD:
        enter_cell(type, *static_cast<MD_BLOCK_TD_DETAIL*>(detail));
        break;
      default:
        break;
    }
  }

  void leave_block(MD_BLOCKTYPE type) {
    switch (type) {
      case MD_BLOCK_CODE:
        flush_code();
        break;
      case MD_BLOCK_TABLE:
        in_table_ = false;
        for (const Spans& line : layout_table(table_, available())) emit(line);
        block_done();
        break;
      case MD_BLOCK_TH:
      case MD_BLOCK_TD:
        table_.rows.back().push_back(std::move(inline_));
        inline_.clear();
        break;
      case MD_BLOCK_HR:
        emit({{std::string(cell_prefix("────────────────────────", available())), dim}});
        block_done();
        break;
      case MD_BLOCK_LI:
        flush();
        if (!containers_.back().used) emit({});  // an item without content still shows its mark
        containers_.pop_back();
        if (lists_.back().tight) gap_ = false;
        break;
      case MD_BLOCK_QUOTE:
        flush();
        containers_.pop_back();
        block_done();
        break;
      case MD_BLOCK_UL:
      case MD_BLOCK_OL:
        lists_.pop_back();
        gap_ = lists_.empty() || !lists_.back().tight;
        break;
      default:
        flush();
        if (type == MD_BLOCK_P || type == MD_BLOCK_H) block_done();
        heading_ = 0;
        break;
    }
  }

  void start_list(const List& list) { lists_.push_back(list); }

  void enter_item(const MD_BLOCK_LI_DETAIL& item) {
    List& list = lists_.back();
    std::string mark = list.ordered ? std::to_string(list.next++) + ". " : "• ";
    if (item.is_task) mark = item.task_mark == ' ' ? "☐ " : "☑ ";
    auto indent = static_cast<std::size_t>(cell_width(mark));
    containers_.push_back({{std::move(mark), dim}, {std::string(indent, ' '), plain}});
  }

  void enter_cell(MD_BLOCKTYPE type, const MD_BLOCK_TD_DETAIL& cell) {
    if (type != MD_BLOCK_TH) return;
    Align align = cell.align == MD_ALIGN_RIGHT    ? Align::right
                  : cell.align == MD_ALIGN_CENTER ? Align::center
                                                  : Align::left;
    table_.columns.push_back(align);
  }

  void enter_span(MD_SPANTYPE type, void* detail) {
    switch (type) {
      case MD_SPAN_EM:
        ++emphasis_;
        break;
      case MD_SPAN_STRONG:
        ++strong_;
        break;
      case MD_SPAN_CODE:
        ++code_;
        break;
      case MD_SPAN_DEL:
        ++struck_;
        break;
      case MD_SPAN_A:
        targets_.push_back(
            {attribute(static_cast<MD_SPAN_A_DETAIL*>(detail)->href), inline_.size()});
        break;
      case MD_SPAN_IMG:
        add_inline("[image: ", dim);
        targets_.push_back(
            {attribute(static_cast<MD_SPAN_IMG_DETAIL*>(detail)->src), inline_.size()});
        break;
      default:
        break;
    }
  }

  void leave_span(MD_SPANTYPE type) {
    switch (type) {
      case MD_SPAN_EM:
        --emphasis_;
        break;
      case MD_SPAN_STRONG:
        --strong_;
        break;
      case MD_SPAN_CODE:
        --code_;
        break;
      case MD_SPAN_DEL:
        --struck_;
        break;
      case MD_SPAN_IMG:
        add_inline("]", dim);
        end_target(false);
        break;
      case MD_SPAN_A:
        end_target(true);
        break;
      default:
        break;
    }
  }

  // The address of a link is shown after its text unless the text says it already: the owner sees
  // where it leads.
  void end_target(bool link) {
    Target target = std::move(targets_.back());
    targets_.pop_back();
    std::string shown;
    for (std::size_t i = target.from; i < inline_.size(); ++i) {
      shown += inline_[i].text;
      if (link) inline_[i].style |= underline;
    }
    if (!target.address.empty() && shown != target.address)
      add_inline(" (" + target.address + ")", dim);
  }

  static std::string attribute(const MD_ATTRIBUTE& value) {
    std::string out;
    if (value.text == nullptr) return out;
    for (std::size_t i = 0; value.substr_offsets[i] < value.size; ++i) {
      std::string_view part(value.text + value.substr_offsets[i],
                            value.substr_offsets[i + 1] - value.substr_offsets[i]);
      out += value.substr_types[i] == MD_TEXT_ENTITY ? entity_text(part) : std::string(part);
    }
    return safe_line(out);
  }

  void add_text(MD_TEXTTYPE type, std::string_view text) {
    if (code_block_) {
      code_text_.append(text);
      return;
    }
    switch (type) {
      case MD_TEXT_NULLCHAR:
        add_inline("\xef\xbf\xbd", style());
        break;
      case MD_TEXT_BR:
        inline_.push_back({in_table_ ? " " : "\n", plain});
        break;
      case MD_TEXT_SOFTBR:
        add_inline(" ", style());
        break;
      case MD_TEXT_ENTITY:
        add_inline(safe_line(entity_text(text)), style());
        break;
      default:
        add_inline(safe_line(text), style());
        break;
    }
  }

  void add_inline(std::string text, unsigned style) {
    if (text.empty()) return;
    bool new_target = !targets_.empty() && targets_.back().from == inline_.size();
    if (!inline_.empty() && inline_.back().style == style && !new_target) {
      inline_.back().text += text;
    } else {
      inline_.push_back({std::move(text), style});
    }
  }

  unsigned style() const {
    unsigned bits = plain;
    if (strong_ || heading_) bits |= bold;
    if (heading_ == 1) bits |= underline;
    if (emphasis_) bits |= italic;
    if (code_) bits |= code;
    if (struck_) bits |= strike;
    return bits;
  }

  int available() const {
    int prefix = 0;
    for (std::size_t i = 0; i < shown_containers(); ++i)
      prefix += cell_width(containers_[i].rest.text);
    return std::max(1, look_.width - prefix);
  }

  // Quotations and lists can nest without end; from some depth on they are no longer indented, so
  // that text has room.
  std::size_t shown_containers() const {
    int prefix = 0;
    std::size_t count = 0;
    for (; count < containers_.size(); ++count) {
      prefix += cell_width(containers_[count].rest.text);
      if (prefix > look_.width / 2) break;
    }
    return count;
  }

  void flush() {
    if (inline_.empty() || in_table_) return;
    for (const Spans& line : wrap(inline_, available())) emit(line);
    inline_.clear();
  }

  void flush_code() {
    code_block_ = false;
    std::string text = safe_text(replace_all(std::move(code_text_), "\t", "    "));
    code_text_.clear();
    if (!text.empty() && text.back() == '\n') text.pop_back();
    int width = available() - 2;
    for (std::string_view line : split(text, '\n')) {
      do {
        std::string_view part = cell_prefix(line, std::max(2, width));
        emit(part.empty() ? Spans{} : Spans{{"  ", plain}, {std::string(part), code}});
        line.remove_prefix(part.size());
      } while (!line.empty());
    }
    block_done();
  }

  void block_done() { gap_ = true; }

  void emit(const Spans& content) {
    std::size_t shown = shown_containers();
    bool begins_item = std::any_of(containers_.begin(), containers_.end(),
                                   [](const Container& c) { return !c.used; });
    if (gap_ && !lines_.empty()) {
      Spans blank;
      for (std::size_t i = 0; i < shown; ++i) {
        if (!begins_item || containers_[i].used) blank.push_back(containers_[i].rest);
      }
      while (!blank.empty() && trim(blank.back().text).empty()) blank.pop_back();
      lines_.push_back(paint(blank, look_.styled));
    }
    gap_ = false;
    Spans line;
    for (std::size_t i = 0; i < containers_.size(); ++i) {
      Container& container = containers_[i];
      if (i < shown) line.push_back(container.used ? container.rest : container.first);
      container.used = true;
    }
    line.insert(line.end(), content.begin(), content.end());
    while (!line.empty() && line.back().style == plain && trim(line.back().text).empty())
      line.pop_back();
    lines_.push_back(paint(line, look_.styled));
  }

  struct Target {
    std::string address;
    std::size_t from;
  };

  const Look& look_;
  std::vector<std::string> lines_;
  std::vector<Container> containers_;
  std::vector<List> lists_;
  std::vector<Target> targets_;
  Spans inline_;
  Table table_;
  std::string code_text_;
  bool in_table_ = false;
  bool code_block_ = false;
  bool gap_ = false;
  int heading_ = 0;
  int emphasis_ = 0;
  int strong_ = 0;
  int code_ = 0;
  int struck_ = 0;
};

}  // namespace

std::vector<std::string> render_markdown(std::string_view text, const Look& look) {
  return Renderer(look).run(text.substr(0, limits::markdown_bytes));
}

}  // namespace keel::ui
