#include <cstring>

extern "C" {
#include <libavutil/crc.h>
}

#include "bridge/probe/bytes.hpp"
#include "bridge/probe/structure.hpp"
#include "bridge/probe/verdict.hpp"

namespace nexus::probe {
namespace {

[[noreturn]] void cut_off(const char *what) {
  throw Refused(kCorrupt, std::string("the ") + what + " is cut off");
}

[[noreturn]] void damaged(const char *what) {
  throw Refused(kCorrupt, std::string("the ") + what + " is damaged");
}

bool is_start_of_frame(std::uint8_t marker) {
  return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

bool stands_alone(std::uint8_t marker) {
  return marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8);
}

// Behind entropy-coded data: the next marker that is neither a stuffed byte nor a restart.
std::size_t next_marker(const std::uint8_t *data, std::size_t size, std::size_t at) {
  while (at + 1 < size) {
    const void *found = std::memchr(data + at, 0xff, size - at - 1);
    if (found == nullptr) break;
    at = static_cast<std::size_t>(static_cast<const std::uint8_t *>(found) - data);
    const std::uint8_t marker = data[at + 1];
    if (marker != 0 && marker != 0xff && !(marker >= 0xd0 && marker <= 0xd7)) return at;
    at += marker == 0xff ? 1 : 2;
  }
  cut_off("JPEG");
}

// Sub-blocks of a GIF, up to the empty one.
std::size_t skip_sub_blocks(const std::uint8_t *data, std::size_t size, std::size_t at) {
  while (at < size) {
    const std::size_t length = data[at];
    at += 1 + length;
    if (length == 0) return at;
  }
  cut_off("GIF");
}

std::size_t colour_table(std::uint8_t flags) {
  return (flags & 0x80) != 0 ? std::size_t{3} << ((flags & 7) + 1) : 0;
}

}  // namespace

std::optional<int> exif_orientation(const std::uint8_t *data, std::size_t size) {
  if (size < 8 || (std::memcmp(data, "II*\0", 4) != 0 && std::memcmp(data, "MM\0*", 4) != 0)) return std::nullopt;
  const bool little = data[0] == 'I';
  const auto u16 = [&](std::size_t at) { return little ? le16(data + at) : be16(data + at); };
  const std::size_t directory = little ? le32(data + 4) : be32(data + 4);
  if (directory > size - 2) return std::nullopt;
  const std::size_t count = u16(directory);
  for (std::size_t i = 0; i < count && directory + 2 + 12 * (i + 1) <= size; ++i) {
    const std::size_t entry = directory + 2 + 12 * i;
    if (u16(entry) != 0x0112 || u16(entry + 2) != 3) continue;
    const auto orientation = static_cast<int>(u16(entry + 8));
    if (orientation >= 1 && orientation <= 8) return orientation;
  }
  return std::nullopt;
}

Outline outline_of_jpeg(const std::uint8_t *data, std::size_t size) {
  Outline outline;
  std::size_t at = 2;
  bool has_scan = false;
  for (;;) {
    if (at + 1 >= size) cut_off("JPEG");
    if (data[at] != 0xff) damaged("JPEG");
    const std::uint8_t marker = data[at + 1];
    if (marker == 0xff) {
      ++at;
      continue;
    }
    at += 2;
    if (marker == 0xd9) break;
    if (stands_alone(marker)) continue;
    if (at + 2 > size) cut_off("JPEG");
    const std::size_t length = be16(data + at);
    if (length < 2) damaged("JPEG");
    if (length > size - at) cut_off("JPEG");
    if (is_start_of_frame(marker) && outline.width == 0) {
      if (length < 8) damaged("JPEG");
      outline.height = be16(data + at + 3);
      outline.width = be16(data + at + 5);
      if (outline.width == 0 || outline.height == 0) damaged("JPEG");
    } else if (marker == 0xe1 && length > 8 && std::memcmp(data + at + 2, "Exif\0", 6) == 0) {
      if (const auto orientation = exif_orientation(data + at + 8, length - 8)) outline.orientation = *orientation;
    }
    at += length;
    if (marker == 0xda) {
      has_scan = true;
      at = next_marker(data, size, at);
    }
  }
  if (outline.width == 0 || !has_scan) throw Refused(kCorrupt, "the JPEG has no picture");
  outline.end = static_cast<std::int64_t>(at);
  return outline;
}

Outline outline_of_png(const std::uint8_t *data, std::size_t size) {
  const AVCRC *table = av_crc_get_table(AV_CRC_32_IEEE_LE);
  Outline outline;
  std::size_t at = 8;
  bool has_data = false;
  std::int64_t milliseconds = 0;
  for (;;) {
    if (size - at < 12) cut_off("PNG");
    const std::size_t length = be32(data + at);
    if (length > size - at - 12) cut_off("PNG");
    const std::uint8_t *type = data + at + 4, *body = data + at + 8;
    if ((av_crc(table, 0xffffffffU, type, length + 4) ^ 0xffffffffU) != be32(body + length)) damaged("PNG");
    const auto is = [&](const char *name) { return std::memcmp(type, name, 4) == 0; };
    if (outline.width == 0) {
      if (!is("IHDR") || length != 13) damaged("PNG");
      outline.width = be32(body);
      outline.height = be32(body + 4);
      if (outline.width == 0 || outline.height == 0) damaged("PNG");
    } else if (is("acTL") && length == 8) {
      outline.frames = be32(body);
    } else if (is("fcTL") && length == 26) {
      const std::int64_t unit = be16(body + 22) == 0 ? 100 : be16(body + 22);
      milliseconds += std::int64_t{be16(body + 20)} * 1000 / unit;
    } else if (is("eXIf")) {
      if (const auto orientation = exif_orientation(body, length)) outline.orientation = *orientation;
    } else if (is("IDAT")) {
      has_data = true;
    }
    at += length + 12;
    if (is("IEND")) break;
  }
  if (!has_data) throw Refused(kCorrupt, "the PNG has no picture");
  if (outline.frames < 1) damaged("PNG");
  outline.duration = static_cast<double>(milliseconds) / 1000;
  outline.end = static_cast<std::int64_t>(at);
  return outline;
}

Outline outline_of_gif(const std::uint8_t *data, std::size_t size) {
  if (size < 13) cut_off("GIF");
  Outline outline;
  outline.width = le16(data + 6);
  outline.height = le16(data + 8);
  outline.frames = 0;
  if (outline.width == 0 || outline.height == 0) damaged("GIF");
  std::size_t at = 13 + colour_table(data[10]);
  std::int64_t delay = 0, total = 0;
  for (;;) {
    if (at >= size) cut_off("GIF");
    const std::uint8_t block = data[at++];
    if (block == 0x3b) break;
    if (block == 0x21) {
      if (at + 6 > size) cut_off("GIF");
      // As browsers do it: what would be faster than 50 frames a second lasts a tenth of one.
      if (data[at] == 0xf9 && data[at + 1] == 4) delay = le16(data + at + 3) < 2 ? 10 : le16(data + at + 3);
      at = skip_sub_blocks(data, size, at + 1);
    } else if (block == 0x2c) {
      if (at + 10 > size) cut_off("GIF");
      at += 9 + colour_table(data[at + 8]) + 1;
      at = skip_sub_blocks(data, size, at);
      ++outline.frames;
      total += delay;
    } else {
      damaged("GIF");
    }
  }
  if (outline.frames == 0) throw Refused(kCorrupt, "the GIF has no picture");
  if (outline.frames > 1) outline.duration = static_cast<double>(total) / 100;
  outline.end = static_cast<std::int64_t>(at);
  return outline;
}

void check_size(const Outline &outline, const Limits &limits) {
  const std::string size = std::to_string(outline.width) + " x " + std::to_string(outline.height);
  const std::int64_t most = outline.frames > 1 ? limits.max_animation_pixels : limits.max_pixels;
  if (outline.width > limits.max_pixels / outline.height) {
    throw Refused(kTooManyPixels,
                  size + " pixels are more than the " + std::to_string(limits.max_pixels) + " an image may have");
  }
  if (outline.frames > limits.max_frames) {
    throw Refused(kTooLong,
                  std::to_string(outline.frames) + " frames are more than " + std::to_string(limits.max_frames));
  }
  if (outline.frames > most / (outline.width * outline.height)) {
    throw Refused(kTooManyPixels, std::to_string(outline.frames) + " frames of " + size + " pixels are more than the " +
                                      std::to_string(most) + " pixels an animation may have");
  }
  if (outline.duration > limits.max_duration) throw Refused(kTooLong, "the animation is longer than the limit");
}

}  // namespace nexus::probe
