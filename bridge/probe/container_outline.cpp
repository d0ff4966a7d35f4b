#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "bridge/probe/bytes.hpp"
#include "bridge/probe/structure.hpp"
#include "bridge/probe/verdict.hpp"

namespace nexus::probe {
namespace {

constexpr int kMaxParts = 1'000'000;
constexpr std::int64_t kMaxOggPage = 65307;

[[noreturn]] void cut_off() {
  throw Refused(kCorrupt, "the file is cut off");
}

// The boxes of a movie, whose index is moov, or of a picture, whose index is meta.
void check_iso_media(const Input &input, bool is_movie) {
  bool has_index = false;
  std::int64_t at = 0;
  for (int parts = 0; at < input.size(); ++parts) {
    if (parts == kMaxParts) throw Refused(kTooLong, "the file has too many boxes");
    std::array<std::uint8_t, 16> head{};
    const std::size_t got = input.read(at, head.data(), head.size());
    if (got < 8) cut_off();
    std::uint64_t size = be32(head.data());
    has_index = has_index || std::memcmp(head.data() + 4, is_movie ? "moov" : "meta", 4) == 0;
    if (size == 0) break;
    if (size == 1) size = got == 16 ? be64(head.data() + 8) : 0;
    if (size < 8) throw Refused(kCorrupt, "the file is damaged");
    if (size > static_cast<std::uint64_t>(input.size() - at)) cut_off();
    at += static_cast<std::int64_t>(size);
  }
  if (!has_index) throw Refused(kCorrupt, "the file has no index: it is cut off, or was never finished");
}

// A number of EBML: how long it is, and its value without the mark; all ones is "unknown".
struct Vint {
  std::size_t length = 0;
  std::uint64_t value = 0;
  bool unknown = false;
};

Vint read_vint(const std::uint8_t *data, std::size_t size, bool keep_mark) {
  if (size == 0 || data[0] == 0) throw Refused(kCorrupt, "the file is damaged");
  Vint vint;
  while ((data[0] & (0x80 >> vint.length)) == 0) ++vint.length;
  const std::uint8_t mask = static_cast<std::uint8_t>(0x7f >> vint.length);
  ++vint.length;
  if (vint.length > size) cut_off();
  vint.value = keep_mark ? data[0] : data[0] & mask;
  bool ones = (data[0] & mask) == mask;
  for (std::size_t i = 1; i < vint.length; ++i) {
    vint.value = vint.value << 8 | data[i];
    ones = ones && data[i] == 0xff;
  }
  vint.unknown = ones;
  return vint;
}

void check_matroska(const Input &input) {
  std::int64_t at = 0;
  for (int parts = 0; at < input.size(); ++parts) {
    if (parts == kMaxParts) throw Refused(kTooLong, "the file has too many elements");
    std::array<std::uint8_t, 16> head{};
    const std::size_t got = input.read(at, head.data(), head.size());
    const Vint id = read_vint(head.data(), got, true);
    const Vint size = read_vint(head.data() + id.length, got - id.length, false);
    if (size.unknown) return;  // a recording that was written as it came
    at += static_cast<std::int64_t>(id.length + size.length);
    if (at > input.size() || size.value > static_cast<std::uint64_t>(input.size() - at)) cut_off();
    at += static_cast<std::int64_t>(size.value);
  }
}

void check_wav(const Input &input) {
  std::int64_t at = 12;
  bool has_data = false;
  while (at + 8 <= input.size() && !has_data) {
    std::array<std::uint8_t, 8> head{};
    input.read(at, head.data(), head.size());
    const std::uint32_t size = le32(head.data() + 4);
    has_data = std::memcmp(head.data(), "data", 4) == 0;
    at += 8;
    const bool is_stream = has_data && (size == 0xffffffffU || size == 0);
    if (!is_stream && static_cast<std::int64_t>(size) > input.size() - at) cut_off();
    at += static_cast<std::int64_t>(size) + (size & 1);
  }
  if (!has_data) cut_off();
}

// The last page must be all there.
void check_ogg(const Input &input) {
  const std::int64_t from = std::max<std::int64_t>(0, input.size() - 2 * kMaxOggPage);
  std::vector<std::uint8_t> tail(static_cast<std::size_t>(input.size() - from));
  tail.resize(input.read(from, tail.data(), tail.size()));
  constexpr std::array<std::uint8_t, 5> kCapture{'O', 'g', 'g', 'S', 0};
  const auto last = std::find_end(tail.begin(), tail.end(), kCapture.begin(), kCapture.end());
  const std::size_t left = static_cast<std::size_t>(tail.end() - last);
  if (left < 27) cut_off();
  const std::uint8_t *page = &*last;
  const std::size_t segments = page[26];
  if (left < 27 + segments) cut_off();
  std::size_t length = 27 + segments;
  for (std::size_t i = 0; i < segments; ++i) length += page[27 + i];
  if (length > left) cut_off();
}

bool holds(const std::vector<std::uint8_t> &bytes, std::string_view text) {
  const auto equal = [](std::uint8_t a, char b) {
    return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == static_cast<std::uint8_t>(b);
  };
  return std::search(bytes.begin(), bytes.end(), text.begin(), text.end(), equal) != bytes.end();
}

std::vector<std::uint8_t> bytes_of(const Input &input, std::int64_t from, std::int64_t count) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(std::clamp<std::int64_t>(input.size() - from, 0, count)));
  bytes.resize(input.read(from, bytes.data(), bytes.size()));
  return bytes;
}

// The record at the end of a ZIP archive, whose comment ends with the file.
bool ends_as_zip(const Input &input) {
  constexpr std::int64_t kLongest = 22 + 65535;
  const std::int64_t from = std::max<std::int64_t>(0, input.size() - kLongest);
  const auto tail = bytes_of(input, from, kLongest);
  for (std::size_t at = 0; at + 22 <= tail.size(); ++at) {
    if (tail[at] == 'P' && std::memcmp(&tail[at], "PK\5\6", 4) == 0 && at + 22 + le16(&tail[at + 20]) == tail.size())
      return true;
  }
  return false;
}

}  // namespace

void check_container(Family family, const Input &input) {
  switch (family) {
    case Family::kIsoMedia:
      return check_iso_media(input, true);
    case Family::kHeif:
      return check_iso_media(input, false);
    case Family::kMatroska:
      return check_matroska(input);
    case Family::kWav:
      return check_wav(input);
    case Family::kOgg:
      return check_ogg(input);
    default:
      return;
  }
}

void check_polyglot(Family family, const Input &input, std::int64_t end) {
  constexpr std::array<std::string_view, 4> kPages{"<script", "<html", "<?php", "<!doctype"};
  constexpr std::int64_t kLook = 1024;
  const auto refuse = [](std::string_view what) {
    throw Refused(kTypeMismatch, "the file is also " + std::string(what));
  };
  if (ends_as_zip(input)) refuse("a ZIP archive");
  const auto head = bytes_of(input, 0, kLook), behind = bytes_of(input, end, kLook);
  if (family != Family::kPdf && (holds(head, "%pdf-") || holds(behind, "%pdf-"))) refuse("a PDF");
  for (const std::string_view page : kPages) {
    if (holds(head, page) || holds(behind, page)) refuse("a page with " + std::string(page));
  }
}

}  // namespace nexus::probe
