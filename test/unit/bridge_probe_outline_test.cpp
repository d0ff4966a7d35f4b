#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "bridge/probe/structure.hpp"
#include "bridge/probe/verdict.hpp"

namespace {

using namespace nexus::probe;

const std::uint8_t *bytes(const std::string &text) {
  return reinterpret_cast<const std::uint8_t *>(text.data());
}

template <typename F>
std::string refusal(const F &f) {
  try {
    f();
    return "";
  } catch (const Refused &refused) {
    return std::string(refused.code) + ": " + refused.what();
  }
}

std::string of(const char *text, std::size_t size) {
  return {text, size};
}

// A picture of 3 x 2 with two frames of 50 and 0 hundredths of a second.
std::string gif() {
  const std::string frame = of("\x2c\0\0\0\0\x03\0\x02\0\0\x02\x02\x4c\x01\0", 15);
  return of("GIF89a\x03\0\x02\0\0\0\0", 13) + of("\x21\xf9\x04\0\x32\0\0\0", 8) + frame +
         of("\x21\xf9\x04\0\0\0\0\0", 8) + frame + ";";
}

// Start, a frame header of 5 x 4, a scan with a stuffed byte and a restart, the end.
std::string jpeg() {
  return of("\xff\xd8\xff\xc0\0\x0b\x08\0\x04\0\x05\x01\x01\x11\0\xff\xda\0\x08\x01\x01\0\0\x3f\0", 25) +
         of("ab\xff\0c\xff\xd0", 7) + "d\xff\xd9";
}

TEST(ProbeOutline, Gif) {
  const std::string file = gif();
  const Outline outline = outline_of_gif(bytes(file), file.size());
  EXPECT_EQ(outline.width, 3);
  EXPECT_EQ(outline.height, 2);
  EXPECT_EQ(outline.frames, 2);
  EXPECT_DOUBLE_EQ(outline.duration, 0.6) << "no time is a tenth of a second, as in browsers";
  EXPECT_EQ(outline.end, static_cast<std::int64_t>(file.size()));
  for (std::size_t size = 0; size < file.size(); ++size) {
    EXPECT_EQ(refusal([&] { outline_of_gif(bytes(file), size); }), "media.corrupt: the GIF is cut off") << size;
  }
  std::string odd = file;
  odd[13] = 'x';
  EXPECT_EQ(refusal([&] { outline_of_gif(bytes(odd), odd.size()); }), "media.corrupt: the GIF is damaged");
}

TEST(ProbeOutline, Jpeg) {
  const std::string file = jpeg();
  const Outline outline = outline_of_jpeg(bytes(file), file.size());
  EXPECT_EQ(outline.width, 5);
  EXPECT_EQ(outline.height, 4);
  EXPECT_EQ(outline.orientation, 1);
  EXPECT_EQ(outline.end, static_cast<std::int64_t>(file.size()));
  const std::string more = file + "<script>";
  EXPECT_EQ(outline_of_jpeg(bytes(more), more.size()).end, static_cast<std::int64_t>(file.size()));
  for (std::size_t size = 2; size < file.size(); ++size) {
    EXPECT_EQ(refusal([&] { outline_of_jpeg(bytes(file), size); }), "media.corrupt: the JPEG is cut off") << size;
  }
  EXPECT_NE(refusal([&] { outline_of_jpeg(bytes("\xff\xd8\xff\xd9"), 4); }), "") << "no picture";
}

TEST(ProbeOutline, Orientation) {
  const std::string little = of("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0", 22);
  const std::string big = of("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0", 22);
  EXPECT_EQ(exif_orientation(bytes(little), little.size()), 6);
  EXPECT_EQ(exif_orientation(bytes(big), big.size()), 8);
  for (std::size_t size = 0; size < little.size(); ++size)
    EXPECT_EQ(exif_orientation(bytes(little), size), std::nullopt);
  std::string far = little;
  far[4] = far[7] = '\x7f';
  EXPECT_EQ(exif_orientation(bytes(far), far.size()), std::nullopt);
  std::string nine = little;
  nine[18] = 9;
  EXPECT_EQ(exif_orientation(bytes(nine), nine.size()), std::nullopt);
}

TEST(ProbeOutline, Sizes) {
  const Limits limits;
  Outline outline;
  outline.width = 8000;
  outline.height = 8000;
  EXPECT_EQ(refusal([&] { check_size(outline, limits); }), "");
  outline.height = 8001;
  EXPECT_EQ(refusal([&] { check_size(outline, limits); }),
            "media.too_many_pixels: 8000 x 8001 pixels are more than the 64000000 an image may have");
  outline.width = outline.height = std::int64_t{1} << 32;
  EXPECT_NE(refusal([&] { check_size(outline, limits); }), "") << "no overflow";
  outline.width = outline.height = 1000;
  outline.frames = 1000;
  EXPECT_EQ(refusal([&] { check_size(outline, limits); }), "");
  outline.frames = 1001;
  EXPECT_NE(refusal([&] { check_size(outline, limits); }), "");
  outline.width = outline.height = 1;
  outline.frames = limits.max_frames + 1;
  EXPECT_EQ(refusal([&] { check_size(outline, limits); }).substr(0, 15), "media.too_long:");
}

std::string container(Family family, const std::string &file) {
  const Input input(bytes(file), file.size());
  return refusal([&] { check_container(family, input); });
}

TEST(ProbeOutline, Containers) {
  const std::string movie =
      of("\0\0\0\x0c"
         "ftypmp42\0\0\0\x08moov\0\0\0\x0amdatxy",
         30);
  EXPECT_EQ(container(Family::kIsoMedia, movie), "");
  EXPECT_EQ(container(Family::kIsoMedia, movie.substr(0, 29)), "media.corrupt: the file is cut off");
  EXPECT_NE(container(Family::kIsoMedia, movie.substr(0, 12)), "") << "no index";
  EXPECT_EQ(container(Family::kIsoMedia, movie.substr(0, 20) + of("\0\0\0\0mdat", 8)), "") << "to the end";
  EXPECT_NE(container(Family::kIsoMedia, movie + of("\0\0\0\x01mdat\xff\xff\xff\xff\xff\xff\xff\xff", 16)), "");
  EXPECT_NE(container(Family::kIsoMedia, movie + of("\0\0\0\x07mdat", 8)), "");
  const std::string ebml =
      of("\x1a\x45\xdf\xa3\x82xx\x18\x53\x80\x67\x83"
         "abc",
         15);
  EXPECT_EQ(container(Family::kMatroska, ebml), "");
  EXPECT_EQ(container(Family::kMatroska, ebml.substr(0, 14)), "media.corrupt: the file is cut off");
  EXPECT_EQ(container(Family::kMatroska, of("\x1a\x45\xdf\xa3\x82xx\x18\x53\x80\x67\xff"
                                            "abc",
                                            15)),
            "")
      << "as it comes";
  EXPECT_NE(container(Family::kMatroska, of("\x1a\x45\xdf\xa3\x80\0", 6)), "");
  const std::string wav = of("RIFF\x10\0\0\0WAVEdata\x04\0\0\0abcd", 24);
  EXPECT_EQ(container(Family::kWav, wav), "");
  EXPECT_EQ(container(Family::kWav, wav.substr(0, 23)), "media.corrupt: the file is cut off");
  std::string ogg = "OggS" + std::string(22, '\0') + "\x01\x03" + "abc";
  EXPECT_EQ(container(Family::kOgg, ogg), "");
  for (std::size_t size = 0; size < ogg.size(); ++size)
    EXPECT_NE(container(Family::kOgg, ogg.substr(0, size)), "") << size;
}

TEST(ProbeOutline, Polyglots) {
  const std::string zip = of("PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\0no", 24);
  const auto also = [](const std::string &file, std::size_t end, Family family = Family::kPng) {
    const Input input(bytes(file), file.size());
    return refusal([&] { check_polyglot(family, input, static_cast<std::int64_t>(end)); });
  };
  EXPECT_EQ(also("picture", 7), "");
  EXPECT_EQ(also("picture" + zip, 7), "media.type_mismatch: the file is also a ZIP archive");
  EXPECT_EQ(also("picture" + zip + "x", 7), "") << "its comment does not end with the file";
  EXPECT_EQ(also("picture<SCRIPT>", 7), "media.type_mismatch: the file is also a page with <script");
  EXPECT_EQ(also("GIF89a/*<html>", 14), "media.type_mismatch: the file is also a page with <html");
  EXPECT_EQ(also("picture%PDF-1.7", 7), "media.type_mismatch: the file is also a PDF");
  EXPECT_EQ(also("%PDF-1.7", 8, Family::kPdf), "");
}

}  // namespace
