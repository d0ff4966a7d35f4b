#pragma once

#include "bridge/probe/av.hpp"
#include "bridge/probe/input.hpp"
#include "bridge/probe/limits.hpp"
#include "bridge/probe/media_types.hpp"
#include "bridge/probe/picture.hpp"

namespace nexus::probe {

/// A demuxer that reads the input and nothing else: of the one format that the file has, whatever the file names is not
/// opened, and only decoders of a short list run.
class Container {
 public:
  /// Throws Refused.
  Container(Family family, const Input &input, const Limits &limits);
  ~Container();
  Container(const Container &) = delete;
  Container &operator=(const Container &) = delete;

  AVFormatContext &format() { return *format_; }

  /// Reads the streams' parameters, as far into the file as that takes.
  void find_streams();

  /// Reads the next packet; false at the end. Throws Refused where the file ends before it should.
  bool next(AVPacket &packet);

  /// A decoder for a stream. Throws Refused for a codec that is not on the list.
  CodecPtr decoder(const AVStream &stream) const;

 private:
  void check_streams() const;

  const Limits &limits_;
  const Input &input_;
  std::int64_t position_ = 0;
  AVIOContext *io_ = nullptr;
  FormatPtr format_;

  static int read(void *self, std::uint8_t *buffer, int size);
  static std::int64_t seek(void *self, std::int64_t offset, int whence);
};

/// What a file of audio or video says, read to its end, with the picture for its thumbnail.
struct Streams {
  bool has_video = false, has_audio = false;
  std::int64_t width = 0, height = 0;  ///< as seen
  int orientation = 1;
  double duration = 0, frame_rate = 0;
  std::int64_t frames = 0, sample_rate = 0, channels = 0;
  std::string codec, audio_codec;
  FramePtr picture;
};
Streams read_streams(Family family, const Input &input, const Limits &limits);

/// All frames of a GIF.
Picture read_gif(Input &input, const Limits &limits);

}  // namespace nexus::probe
