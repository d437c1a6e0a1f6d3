#include "tool/markdown_writer.h"

#include <algorithm>

#include "base/text.h"

namespace keel::tool {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
}

void trim_end(std::string& text) {
  while (!text.empty() && text.back() == ' ') text.pop_back();
}

}  // namespace

void MarkdownWriter::append(std::string_view bytes) {
  if (full_) return;
  if (out_.size() + bytes.size() > limit_) {
    bytes = utf8_prefix(bytes, limit_ - std::min(limit_, out_.size()));
    full_ = true;
  }
  out_ += bytes;
}

void MarkdownWriter::want_newlines(int count) {
  newlines_ = std::max(newlines_, count);
  space_ = false;
}

// Brings the line ends that were asked for, and the prefixes of the new line.
void MarkdownWriter::begin_text() {
  if (!at_start_ && newlines_ == 0) {
    if (space_) append(" ");
    space_ = false;
    return;
  }
  std::string blank;
  std::string start;
  for (Prefix& prefix : prefixes_) {
    if (prefix.used) blank += prefix.rest;
    start += prefix.used ? prefix.rest : prefix.first;
    prefix.used = true;
  }
  trim_end(blank);
  trim_end(out_);
  if (!at_start_) {
    append("\n");
    for (int i = 1; i < newlines_; ++i) append(blank + "\n");
  }
  append(start);
  at_start_ = false;
  newlines_ = 0;
  space_ = false;
}

void MarkdownWriter::text(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size() && !full_) {
    if (is_space(text[at])) {
      space_ = !at_start_ && newlines_ == 0;
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && !is_space(text[end])) ++end;
    begin_text();
    append(text.substr(at, end - at));
    at = end;
  }
}

void MarkdownWriter::raw(std::string_view text) {
  if (text.empty() || full_) return;
  begin_text();
  append(text);
}

void MarkdownWriter::lines(std::string_view text) {
  for (const std::string_view line : split(text, '\n')) {
    if (full_) return;
    want_newlines(1);
    begin_text();
    append(line);
  }
}

void MarkdownWriter::push(std::string first, std::string rest) {
  prefixes_.push_back({std::move(first), std::move(rest), false});
}

void MarkdownWriter::pop() {
  prefixes_.pop_back();
}

std::string MarkdownWriter::take() {
  while (!out_.empty() && is_space(out_.back())) out_.pop_back();
  return std::move(out_);
}

}  // namespace keel::tool
