#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/frame.h>
#include <libswscale/swscale.h>
}

#include <memory>
#include <new>
#include <string>

#include "bridge/probe/verdict.hpp"

// Owners of what libav allocates, and its errors.
namespace nexus::probe {

struct AvDelete {
  void operator()(AVFrame *p) const { av_frame_free(&p); }
  void operator()(AVPacket *p) const { av_packet_free(&p); }
  void operator()(AVCodecContext *p) const { avcodec_free_context(&p); }
  void operator()(AVFormatContext *p) const { avformat_close_input(&p); }
  void operator()(SwsContext *p) const { sws_freeContext(p); }
};
using FramePtr = std::unique_ptr<AVFrame, AvDelete>;
using PacketPtr = std::unique_ptr<AVPacket, AvDelete>;
using CodecPtr = std::unique_ptr<AVCodecContext, AvDelete>;
using FormatPtr = std::unique_ptr<AVFormatContext, AvDelete>;
using ScalerPtr = std::unique_ptr<SwsContext, AvDelete>;

template <typename T>
T *allocated(T *pointer) {
  if (pointer == nullptr) throw std::bad_alloc();
  return pointer;
}

/// Throws for an error of libav: no memory is no fault of the file.
inline int checked(int result, const char *reason) {
  if (result == AVERROR(ENOMEM)) throw std::bad_alloc();
  if (result < 0) throw Refused(kCorrupt, reason);
  return result;
}

}  // namespace nexus::probe
