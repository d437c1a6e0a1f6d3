#include "net/idn.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/limits.h"
#include "base/text.h"

namespace keel::net {
namespace {

constexpr char32_t kSharpS = 0xDF;
constexpr char32_t kCapitalSharpS = 0x1E9E;
constexpr char32_t kFinalSigma = 0x3C2;
constexpr char32_t kIdeographicStop = 0x3002;

// RFC 3492, section 5.
constexpr std::uint32_t kBase = 36;
constexpr std::uint32_t kTMin = 1;
constexpr std::uint32_t kTMax = 26;
constexpr std::uint32_t kSkew = 38;
constexpr std::uint32_t kDamp = 700;
constexpr std::uint32_t kInitialBias = 72;
constexpr std::uint32_t kInitialN = 128;

char digit(std::uint32_t d) {
  return static_cast<char>(d < 26 ? 'a' + d : '0' + (d - 26));
}

std::uint32_t adapt(std::uint32_t delta, std::uint32_t points, bool first) {
  delta = first ? delta / kDamp : delta / 2;
  delta += delta / points;
  std::uint32_t k = 0;
  for (; delta > ((kBase - kTMin) * kTMax) / 2; k += kBase) delta /= kBase - kTMin;
  return k + (kBase - kTMin + 1) * delta / (delta + kSkew);
}

void append_variable_integer(std::string& out, std::uint32_t value, std::uint32_t bias) {
  for (std::uint32_t k = kBase;; k += kBase) {
    const std::uint32_t t = k <= bias ? kTMin : std::min(k - bias, kTMax);
    if (value < t) break;
    out += digit(t + (value - t) % (kBase - t));
    value = (value - t) / (kBase - t);
  }
  out += digit(value);
}

// A label of at most limits::host_label_bytes code points cannot overflow 32 bits here.
std::string punycode(const std::vector<std::uint32_t>& label) {
  std::string out;
  for (const std::uint32_t c : label) {
    if (c < 0x80) out += static_cast<char>(c);
  }
  const auto basic = static_cast<std::uint32_t>(out.size());
  if (basic > 0) out += '-';
  std::uint32_t n = kInitialN;
  std::uint32_t delta = 0;
  std::uint32_t bias = kInitialBias;
  std::uint32_t handled = basic;
  while (handled < label.size()) {
    std::uint32_t next = UINT32_MAX;
    for (const std::uint32_t c : label) {
      if (c >= n) next = std::min(next, c);
    }
    delta += (next - n) * (handled + 1);
    n = next;
    for (const std::uint32_t c : label) {
      if (c < n) ++delta;
      if (c != n) continue;
      append_variable_integer(out, delta, bias);
      bias = adapt(delta, handled + 1, handled == basic);
      delta = 0;
      ++handled;
    }
    ++delta;
    ++n;
  }
  return out;
}

std::string fold_host(std::string_view host) {
  std::string out;
  std::string run;
  const auto flush = [&] {
    out += fold_case(run);
    run.clear();
  };
  for (std::size_t at = 0; at < host.size();) {
    const char32_t c = next_code_point(host, at);
    if (c == kSharpS || c == kCapitalSharpS || c == kFinalSigma) {
      flush();
      append_utf8(out, c == kFinalSigma ? kFinalSigma : kSharpS);
    } else {
      append_utf8(run, c);
    }
  }
  flush();
  std::string stop;
  append_utf8(stop, kIdeographicStop);
  return replace_all(std::move(out), stop, ".");
}

}  // namespace

Result<std::string> host_to_ascii(std::string_view host) {
  if (!is_valid_utf8(host)) {
    return fail(Code::invalid_argument, "the address's host is not valid UTF-8");
  }
  const std::string folded = fold_host(host);
  std::string out;
  for (const std::string_view label : split(folded, '.')) {
    if (!out.empty() || label.data() != folded.data()) out += '.';
    std::vector<std::uint32_t> points;
    bool ascii = true;
    for (std::size_t at = 0; at < label.size();) {
      points.push_back(next_code_point(label, at));
      ascii = ascii && points.back() < 0x80;
    }
    if (points.size() > limits::host_label_bytes) {
      return fail(Code::invalid_argument, "a part of the address's host has more than " +
                                              std::to_string(limits::host_label_bytes) +
                                              " characters");
    }
    out += ascii ? std::string(label) : "xn--" + punycode(points);
  }
  return out;
}

}  // namespace keel::net
