#include <algorithm>
#include <cmath>
#include <cstring>

#include "bridge/probe/picture.hpp"

namespace nexus::probe {
namespace {

constexpr int kQuality = 4;  // of libav's scale: 2 is best, 31 worst

ScalerPtr scaler(const AVFrame &from, const AVFrame &to) {
  ScalerPtr context(allocated(sws_getContext(from.width, from.height, static_cast<AVPixelFormat>(from.format), to.width,
                                             to.height, static_cast<AVPixelFormat>(to.format),
                                             SWS_AREA | SWS_ACCURATE_RND, nullptr, nullptr, nullptr)));
  const int matrix = from.colorspace == AVCOL_SPC_BT709        ? SWS_CS_ITU709
                     : from.colorspace == AVCOL_SPC_BT2020_NCL ? SWS_CS_BT2020
                                                               : SWS_CS_DEFAULT;
  int *table = nullptr, *out_table = nullptr, in_range = 0, out_range = 0, brightness = 0, contrast = 0, saturation = 0;
  if (sws_getColorspaceDetails(context.get(), &table, &in_range, &out_table, &out_range, &brightness, &contrast,
                               &saturation) >= 0) {
    if (from.color_range == AVCOL_RANGE_JPEG) in_range = 1;
    if (to.color_range == AVCOL_RANGE_JPEG) out_range = 1;
    sws_setColorspaceDetails(context.get(), sws_getCoefficients(matrix), in_range, sws_getCoefficients(SWS_CS_DEFAULT),
                             out_range, brightness, contrast, saturation);
  }
  return context;
}

void scale(const AVFrame &from, AVFrame &to) {
  const ScalerPtr context = scaler(from, to);
  checked(sws_scale(context.get(), from.data, from.linesize, 0, from.height, to.data, to.linesize),
          "the picture cannot be scaled");
}

// Where pixel (x, y) of the upright picture, of width w and height h, is in the stored one.
std::pair<int, int> stored_place(int orientation, int x, int y, int w, int h) {
  switch (orientation) {
    case 2:
      return {w - 1 - x, y};
    case 3:
      return {w - 1 - x, h - 1 - y};
    case 4:
      return {x, h - 1 - y};
    case 5:
      return {y, x};
    case 6:
      return {y, w - 1 - x};
    case 7:
      return {h - 1 - y, w - 1 - x};
    case 8:
      return {h - 1 - y, x};
    default:
      return {x, y};
  }
}

FramePtr upright_on_white(const AVFrame &stored, int orientation) {
  const bool swaps = orientation >= 5;
  FramePtr upright = rgba_frame(swaps ? stored.height : stored.width, swaps ? stored.width : stored.height);
  for (int y = 0; y < upright->height; ++y) {
    for (int x = 0; x < upright->width; ++x) {
      const auto [from_x, from_y] = stored_place(orientation, x, y, upright->width, upright->height);
      const std::uint8_t *from =
          stored.data[0] + static_cast<std::ptrdiff_t>(from_y) * stored.linesize[0] + std::ptrdiff_t{4} * from_x;
      std::uint8_t *to =
          upright->data[0] + static_cast<std::ptrdiff_t>(y) * upright->linesize[0] + std::ptrdiff_t{4} * x;
      for (int i = 0; i < 3; ++i)
        to[i] = static_cast<std::uint8_t>((from[i] * from[3] + 255 * (255 - from[3]) + 127) / 255);
      to[3] = 255;
    }
  }
  return upright;
}

std::string encode(const AVFrame &rgba) {
  FramePtr frame(allocated(av_frame_alloc()));
  frame->format = AV_PIX_FMT_YUVJ420P;
  frame->width = rgba.width;
  frame->height = rgba.height;
  frame->color_range = AVCOL_RANGE_JPEG;
  frame->quality = kQuality * FF_QP2LAMBDA;
  checked(av_frame_get_buffer(frame.get(), 0), "the thumbnail cannot be held");
  scale(rgba, *frame);
  const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
  if (codec == nullptr) throw std::runtime_error("there is no encoder for JPEG");
  const CodecPtr context(allocated(avcodec_alloc_context3(codec)));
  context->width = frame->width;
  context->height = frame->height;
  context->pix_fmt = AV_PIX_FMT_YUVJ420P;
  context->color_range = AVCOL_RANGE_JPEG;
  context->time_base = {1, 25};
  context->thread_count = 1;
  context->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
  context->global_quality = frame->quality;
  const PacketPtr packet(allocated(av_packet_alloc()));
  if (avcodec_open2(context.get(), codec, nullptr) < 0 || avcodec_send_frame(context.get(), frame.get()) < 0 ||
      avcodec_send_frame(context.get(), nullptr) < 0 || avcodec_receive_packet(context.get(), packet.get()) < 0) {
    throw std::runtime_error("the thumbnail cannot be encoded");
  }
  return {reinterpret_cast<const char *>(packet->data), static_cast<std::size_t>(packet->size)};
}

}  // namespace

Jpeg make_thumbnail(const AVFrame &frame, int orientation, int side) {
  // Pixels that are not square become so.
  double width = frame.width;
  const AVRational aspect = frame.sample_aspect_ratio;
  if (aspect.num > 0 && aspect.den > 0) width *= std::clamp(av_q2d(aspect), 0.1, 10.0);
  const double factor = std::min(1.0, side / std::max(width, static_cast<double>(frame.height)));
  const auto scaled = [factor](double length) { return std::max(1, static_cast<int>(std::lround(length * factor))); };
  const FramePtr small = rgba_frame(scaled(width), scaled(frame.height));
  scale(frame, *small);
  const FramePtr upright = upright_on_white(*small, orientation);
  return {encode(*upright), upright->width, upright->height};
}

}  // namespace nexus::probe
