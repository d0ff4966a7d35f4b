#include <webp/decode.h>
#include <webp/demux.h>

#include <cstring>

#include "bridge/probe/picture.hpp"

namespace nexus::probe {
namespace {

constexpr std::int64_t kMaxAnimated = 16'000'000;  // pixels of a frame: the decoder holds three of them

void decode_all(const WebPData &bytes, Picture &picture) {
  const int width = static_cast<int>(picture.outline.width), height = static_cast<int>(picture.outline.height);
  picture.frame = rgba_frame(width, height);
  if (picture.outline.frames == 1) {
    const std::size_t size = static_cast<std::size_t>(picture.frame->linesize[0]) * static_cast<std::size_t>(height);
    if (WebPDecodeRGBAInto(bytes.bytes, bytes.size, picture.frame->data[0], size, picture.frame->linesize[0]) ==
        nullptr) {
      throw Refused(kCorrupt, "the WebP is damaged");
    }
    return;
  }
  WebPAnimDecoderOptions options;
  if (WebPAnimDecoderOptionsInit(&options) == 0) throw std::runtime_error("another version of libwebp");
  options.use_threads = 0;
  const std::unique_ptr<WebPAnimDecoder, void (*)(WebPAnimDecoder *)> decoder(WebPAnimDecoderNew(&bytes, &options),
                                                                              WebPAnimDecoderDelete);
  if (!decoder) throw Refused(kCorrupt, "the WebP is damaged");
  int previous = 0;
  for (std::int64_t i = 0; i < picture.outline.frames; ++i) {
    std::uint8_t *pixels = nullptr;
    int until = 0;
    if (WebPAnimDecoderGetNext(decoder.get(), &pixels, &until) == 0) throw Refused(kCorrupt, "the WebP is damaged");
    if (i == 0) {
      for (int row = 0; row < height; ++row) {
        std::memcpy(picture.frame->data[0] + static_cast<std::ptrdiff_t>(row) * picture.frame->linesize[0],
                    pixels + std::ptrdiff_t{4} * row * width, std::size_t{4} * static_cast<std::size_t>(width));
      }
    }
    if (until < previous) throw Refused(kCorrupt, "the WebP is damaged");
    previous = until;
  }
  picture.outline.duration = previous / 1000.0;
}

}  // namespace

Picture read_webp(Input &input, const Limits &limits) {
  const WebPData bytes{input.whole(), static_cast<std::size_t>(input.size())};
  WebPDemuxState state = WEBP_DEMUX_PARSE_ERROR;
  const std::unique_ptr<WebPDemuxer, void (*)(WebPDemuxer *)> demuxer(WebPDemuxPartial(&bytes, &state),
                                                                      WebPDemuxDelete);
  if (!demuxer || state != WEBP_DEMUX_DONE) {
    throw Refused(kCorrupt, state == WEBP_DEMUX_PARSE_ERROR ? "the WebP is damaged" : "the WebP is cut off");
  }
  Picture picture;
  picture.codec = "webp";
  Outline &outline = picture.outline;
  outline.width = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH);
  outline.height = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT);
  outline.frames = WebPDemuxGetI(demuxer.get(), WEBP_FF_FRAME_COUNT);
  // RIFF holds the size of what follows its first 8 bytes
  outline.end = std::int64_t{8} +
                (bytes.bytes[4] | bytes.bytes[5] << 8 | bytes.bytes[6] << 16 | std::int64_t{bytes.bytes[7]} << 24);
  if (outline.width < 1 || outline.height < 1 || outline.frames < 1) throw Refused(kCorrupt, "the WebP has no picture");
  check_size(outline, limits);
  if (outline.frames > 1 && outline.width * outline.height > kMaxAnimated) {
    throw Refused(kTooManyPixels,
                  "the frames of the animation have more than " + std::to_string(kMaxAnimated) + " pixels");
  }
  WebPChunkIterator chunk{};
  if (WebPDemuxGetChunk(demuxer.get(), "EXIF", 1, &chunk) != 0) {
    const std::uint8_t *exif = chunk.chunk.bytes;
    std::size_t size = chunk.chunk.size;
    if (size > 6 && std::memcmp(exif, "Exif\0", 6) == 0) {
      exif += 6;
      size -= 6;
    }
    outline.orientation = exif_orientation(exif, size).value_or(1);
    WebPDemuxReleaseChunkIterator(&chunk);
  }
  decode_all(bytes, picture);
  return picture;
}

}  // namespace nexus::probe
