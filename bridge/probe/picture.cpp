#include "bridge/probe/picture.hpp"

#include <cstring>
#include <vector>

#include "bridge/probe/bytes.hpp"

namespace nexus::probe {
namespace {

// What a decoder needs of a PNG. The others may hold compressed text of any size, and frames that are not looked at.
bool is_critical(const std::uint8_t *type) {
  for (const char *name : {"IHDR", "PLTE", "IDAT", "IEND", "tRNS"}) {
    if (std::memcmp(type, name, 4) == 0) return true;
  }
  return false;
}

PacketPtr packet_of(Family family, const std::uint8_t *data, std::size_t size) {
  PacketPtr packet(allocated(av_packet_alloc()));
  checked(av_new_packet(packet.get(), static_cast<int>(size)), "the picture cannot be read");
  if (family != Family::kPng) {
    std::memcpy(packet->data, data, size);
    return packet;
  }
  std::memcpy(packet->data, data, 8);
  std::size_t used = 8;
  for (std::size_t at = 8; size - at >= 12;) {
    const std::size_t length = std::size_t{be32(data + at)} + 12;
    if (is_critical(data + at + 4)) {
      std::memcpy(packet->data + used, data + at, length);
      used += length;
    }
    at += length;
  }
  av_shrink_packet(packet.get(), static_cast<int>(used));
  return packet;
}

FramePtr decode(AVCodecID id, const AVPacket &packet, std::int64_t max_pixels) {
  const AVCodec *codec = avcodec_find_decoder(id);
  if (codec == nullptr) throw std::runtime_error("there is no decoder for the picture");
  const CodecPtr context(allocated(avcodec_alloc_context3(codec)));
  context->thread_count = 1;
  context->max_pixels = max_pixels;
  context->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER | AV_EF_EXPLODE;
  checked(avcodec_open2(context.get(), codec, nullptr), "the picture cannot be decoded");
  checked(avcodec_send_packet(context.get(), &packet), "the picture is damaged");
  FramePtr frame(allocated(av_frame_alloc()));
  int result = avcodec_receive_frame(context.get(), frame.get());
  if (result == AVERROR(EAGAIN)) {
    checked(avcodec_send_packet(context.get(), nullptr), "the picture is damaged");
    result = avcodec_receive_frame(context.get(), frame.get());
  }
  checked(result, "the picture is damaged");
  if ((frame->flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame->decode_error_flags != 0) {
    throw Refused(kCorrupt, "the picture is damaged");
  }
  return frame;
}

}  // namespace

Picture read_picture(Family family, Input &input, const Limits &limits) {
  if (family == Family::kWebp) return read_webp(input, limits);
  if (family == Family::kHeif) return read_heif(input, limits);
  const std::uint8_t *data = input.whole();
  const auto size = static_cast<std::size_t>(input.size());
  Picture picture;
  const bool is_png = family == Family::kPng;
  picture.outline = is_png ? outline_of_png(data, size) : outline_of_jpeg(data, size);
  check_size(picture.outline, limits);
  const auto end = static_cast<std::size_t>(picture.outline.end);
  const PacketPtr packet = packet_of(family, data, end);
  picture.frame = decode(is_png ? AV_CODEC_ID_PNG : AV_CODEC_ID_MJPEG, *packet, limits.max_pixels);
  if (picture.frame->width != picture.outline.width || picture.frame->height != picture.outline.height) {
    throw Refused(kCorrupt, "the picture has another size than its head says");
  }
  picture.codec = is_png ? "png" : "jpeg";
  return picture;
}

FramePtr rgba_frame(int width, int height) {
  FramePtr frame(allocated(av_frame_alloc()));
  frame->format = AV_PIX_FMT_RGBA;
  frame->width = width;
  frame->height = height;
  frame->color_range = AVCOL_RANGE_JPEG;
  checked(av_frame_get_buffer(frame.get(), 0), "the picture cannot be held");
  return frame;
}

}  // namespace nexus::probe
