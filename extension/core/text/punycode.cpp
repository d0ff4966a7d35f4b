#include "core/text/punycode.hpp"

#include <algorithm>
#include <vector>

#include "core/text/utf8.hpp"

namespace nexus::text {

namespace {

// The parameters of RFC 3492, section 5.
constexpr int kBase = 36, kTmin = 1, kTmax = 26, kSkew = 38, kDamp = 700, kInitialBias = 72, kInitialN = 128;

int adapt(int delta, int points, bool first) {
  delta = first ? delta / kDamp : delta / 2;
  delta += delta / points;
  int k = 0;
  for (; delta > (kBase - kTmin) * kTmax / 2; k += kBase) delta /= kBase - kTmin;
  return k + (kBase - kTmin + 1) * delta / (delta + kSkew);
}

int digits(int delta, int bias) {
  int count = 1;
  for (int k = kBase;; k += kBase, ++count) {
    int threshold = std::clamp(k - bias, kTmin, kTmax);
    if (delta < threshold) return count;
    delta = (delta - threshold) / (kBase - threshold);
  }
}

int part_size(std::string_view label, int limit) {
  std::vector<int> points;
  int basic = 0;
  for (std::size_t at = 0; at < label.size();) {
    Decoded character = decode_at(label, at);
    points.push_back(static_cast<int>(character.code));
    basic += character.code < 0x80 ? 1 : 0;
    at += character.size;
    if (static_cast<int>(points.size()) > limit) return limit + 1;  // every point costs a character at least
  }
  int total = static_cast<int>(points.size());
  if (basic == total) return total;

  int size = 4 + basic + (basic > 0 ? 1 : 0);
  int n = kInitialN, delta = 0, bias = kInitialBias, handled = basic;
  while (handled < total) {
    int next = 0x110000;
    for (int point : points)
      if (point >= n) next = std::min(next, point);
    delta += (next - n) * (handled + 1);  // at most 0x110000 * 64: fits
    n = next;
    for (int point : points) {
      if (point < n) ++delta;
      if (point != n) continue;
      size += digits(delta, bias);
      bias = adapt(delta, handled + 1, handled == basic);
      delta = 0;
      ++handled;
    }
    ++delta;
    ++n;
  }
  return size;
}

}  // namespace

int punycode_label_size(std::string_view label, int limit) {
  bool ascii = std::all_of(label.begin(), label.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii) return static_cast<int>(std::min(label.size(), static_cast<std::size_t>(limit) + 1));
  int size = 0;
  std::size_t part = 0;
  for (std::size_t at = 0; at < label.size() && size <= limit;) {
    Decoded character = decode_at(label, at);
    if (character.code == 0x3002 || character.code == 0xFF0E || character.code == 0xFF61) {
      size += part_size(label.substr(part, at - part), limit) + 1;
      part = at + character.size;
    }
    at += character.size;
  }
  return size + part_size(label.substr(part), limit);
}

}  // namespace nexus::text
