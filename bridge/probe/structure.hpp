#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "bridge/probe/input.hpp"
#include "bridge/probe/limits.hpp"
#include "bridge/probe/media_types.hpp"

// What the outline of a file says, read without decoding anything: how large it will be, and whether all of it is
// there.
namespace nexus::probe {

struct Outline {
  std::int64_t width = 0, height = 0;  ///< as stored
  std::int64_t frames = 1;
  double duration = 0;   ///< seconds, of an animation
  int orientation = 1;   ///< 1 to 8 as in EXIF
  std::int64_t end = 0;  ///< where the medium ends; what follows is not of it
};

/// Walks the segments of a JPEG to its end mark. Throws Refused.
Outline outline_of_jpeg(const std::uint8_t *data, std::size_t size);

/// Walks the chunks of a PNG and checks their sums. Throws Refused.
Outline outline_of_png(const std::uint8_t *data, std::size_t size);

/// Walks the blocks of a GIF. Throws Refused.
Outline outline_of_gif(const std::uint8_t *data, std::size_t size);

/// Whether the boxes, elements, pages or chunks that a container is made of end with the file. Throws
/// Refused. Of families without such an outline it says nothing.
void check_container(Family family, const Input &input);

/// Throws Refused for what is also something else, which a careless reader would take it for: a ZIP archive, a PDF, or
/// a page with script behind or at the beginning of a picture.
void check_polyglot(Family family, const Input &input, std::int64_t end);

/// The limits on a picture or an animation. Throws Refused.
void check_size(const Outline &outline, const Limits &limits);

/// Orientation of a TIFF structure as in EXIF: 1 to 8; nothing where it does not say.
std::optional<int> exif_orientation(const std::uint8_t *data, std::size_t size);

}  // namespace nexus::probe
