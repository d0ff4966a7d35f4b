#include <libheif/heif.h>

#include <cstring>

#include "bridge/probe/picture.hpp"

namespace nexus::probe {
namespace {

void check(const heif_error &error, const char *reason) {
  if (error.code == heif_error_Ok) return;
  if (error.code == heif_error_Memory_allocation_error && error.subcode != heif_suberror_Security_limit_exceeded) {
    throw std::bad_alloc();
  }
  if (error.subcode == heif_suberror_Security_limit_exceeded)
    throw Refused(kTooManyPixels, "the picture is beyond what is decoded");
  if (error.code == heif_error_Unsupported_filetype || error.code == heif_error_Unsupported_feature) {
    throw Refused(kUnsupportedType, std::string("the picture cannot be decoded: ") + printable(error.message));
  }
  throw Refused(kCorrupt, std::string(reason) + ": " + printable(error.message));
}

}  // namespace

Picture read_heif(Input &input, const Limits &limits) {
  check_container(Family::kHeif, input);
  const std::unique_ptr<heif_context, void (*)(heif_context *)> context(heif_context_alloc(), heif_context_free);
  if (!context) throw std::bad_alloc();
  heif_context_set_max_decoding_threads(context.get(), 0);
  check(heif_context_read_from_memory_without_copy(context.get(), input.whole(), static_cast<std::size_t>(input.size()),
                                                   nullptr),
        "the picture is damaged");
  heif_image_handle *primary = nullptr;
  check(heif_context_get_primary_image_handle(context.get(), &primary), "the file has no picture");
  const std::unique_ptr<heif_image_handle, void (*)(const heif_image_handle *)> handle(primary,
                                                                                       heif_image_handle_release);
  Picture picture;
  Outline &outline = picture.outline;
  // Turned already: the library applies what the file says about it.
  outline.width = heif_image_handle_get_width(handle.get());
  outline.height = heif_image_handle_get_height(handle.get());
  outline.end = input.size();
  if (outline.width < 1 || outline.height < 1) throw Refused(kCorrupt, "the picture has no size");
  check_size(outline, limits);
  heif_image *decoded = nullptr;
  check(heif_decode_image(handle.get(), &decoded, heif_colorspace_RGB, heif_chroma_interleaved_RGBA, nullptr),
        "the picture is damaged");
  const std::unique_ptr<heif_image, void (*)(const heif_image *)> image(decoded, heif_image_release);
  int stride = 0;
  const std::uint8_t *pixels = heif_image_get_plane_readonly(image.get(), heif_channel_interleaved, &stride);
  const int width = heif_image_get_width(image.get(), heif_channel_interleaved);
  const int height = heif_image_get_height(image.get(), heif_channel_interleaved);
  if (pixels == nullptr || width != outline.width || height != outline.height) {
    throw Refused(kCorrupt, "the picture has another size than its head says");
  }
  picture.frame = rgba_frame(width, height);
  for (int row = 0; row < height; ++row) {
    std::memcpy(picture.frame->data[0] + static_cast<std::ptrdiff_t>(row) * picture.frame->linesize[0],
                pixels + static_cast<std::ptrdiff_t>(row) * stride, std::size_t{4} * static_cast<std::size_t>(width));
  }
  return picture;
}

}  // namespace nexus::probe
