#pragma once

#include <cstdint>

namespace nexus::probe {

/// What a file may ask for. They are looked at before anything of that size is allocated or decoded.
struct Limits {
  std::int64_t max_image_bytes = std::int64_t{128} << 20;     ///< of an image or a document
  std::int64_t max_pixels = 64'000'000;                       ///< of an image
  std::int64_t max_animation_pixels = 1'000'000'000;          ///< of all frames of an animation together
  std::int64_t max_video_pixels = std::int64_t{8192} * 4320;  ///< of a frame of a video
  std::int64_t max_frames = 3000;                             ///< of an animation
  std::int64_t max_packets = 4'000'000;                       ///< of a video or audio: a day of it
  double max_duration = 12 * 3600;                            ///< seconds
  int max_streams = 16;
  int max_pages = 5000;
  int thumbnail_side = 480;  ///< the longer one, in pixels
};

}  // namespace nexus::probe
