#pragma once

#include <cstdint>
#include <string>

#include "bridge/probe/av.hpp"
#include "bridge/probe/input.hpp"
#include "bridge/probe/limits.hpp"
#include "bridge/probe/structure.hpp"

namespace nexus::probe {

/// A decoded picture and how it is to be turned; of an animation its first frame.
struct Picture {
  FramePtr frame;
  Outline outline;
  std::string codec;  ///< empty for HEIC and AVIF, whose types say it
};

/// JPEG, PNG, WebP, HEIC or AVIF, all of it decoded. Throws Refused.
Picture read_picture(Family family, Input &input, const Limits &limits);
Picture read_webp(Input &input, const Limits &limits);
Picture read_heif(Input &input, const Limits &limits);

/// A frame for interleaved red, green, blue and alpha of 8 bits.
FramePtr rgba_frame(int width, int height);

/// A JPEG of the picture, turned upright, over white, its longer side at most `side`; larger pictures are not made of
/// smaller ones.
struct Jpeg {
  std::string bytes;
  int width = 0, height = 0;
};
Jpeg make_thumbnail(const AVFrame &frame, int orientation, int side);

}  // namespace nexus::probe
