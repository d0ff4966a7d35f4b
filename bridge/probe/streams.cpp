extern "C" {
#include <libavutil/display.h>
}

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include "bridge/probe/container.hpp"

namespace nexus::probe {
namespace {

constexpr int kMaxUndecoded = 150;     // packets of a stream until its first frame must have come
constexpr double kLongestPacket = 60;  // seconds, of sound
constexpr double kThumbnailAt = 3;     // seconds, or a tenth of a shorter video

// The decoding of a stream up to its first frame.
class FirstFrame {
 public:
  FirstFrame(const Container &container, const AVStream &stream)
      : context_(container.decoder(stream)), index_(stream.index) {}

  int stream() const { return index_; }
  bool found() const { return frame_ != nullptr; }
  FramePtr take() { return std::move(frame_); }

  // nullptr: there are no more packets. Later packets than the first may repair what comes from the middle of a stream.
  void add(const AVPacket *packet) {
    if (found()) return;
    if (++packets_ > kMaxUndecoded) throw Refused(kCorrupt, "a stream of the file cannot be decoded");
    const int sent = avcodec_send_packet(context_.get(), packet);
    if (sent == AVERROR(ENOMEM)) throw std::bad_alloc();
    for (;;) {
      FramePtr frame(allocated(av_frame_alloc()));
      const int got = avcodec_receive_frame(context_.get(), frame.get());
      if (got == AVERROR(ENOMEM)) throw std::bad_alloc();
      if (got < 0) return;
      if ((frame->flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame->decode_error_flags != 0) continue;
      frame_ = std::move(frame);
      return;
    }
  }

 private:
  CodecPtr context_;
  int index_;
  int packets_ = 0;
  FramePtr frame_;
};

struct Span {
  double begin = 0, end = 0, last = 0;  // last: when its last frame begins
  std::int64_t packets = 0;
};

int orientation_of(const AVStream &stream) {
  std::size_t size = 0;
  const std::uint8_t *matrix = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
  if (matrix == nullptr || size < 9 * sizeof(std::int32_t)) return 1;
  const double angle = av_display_rotation_get(reinterpret_cast<const std::int32_t *>(matrix));
  if (std::isnan(angle)) return 1;
  switch ((static_cast<int>(std::lround(angle / 90)) + 4) % 4) {
    case 1:
      return 8;
    case 2:
      return 3;
    case 3:
      return 6;
    default:
      return 1;
  }
}

const AVStream *stream_of(AVFormatContext &format, AVMediaType type) {
  const AVStream *best = nullptr;
  for (unsigned i = 0; i < format.nb_streams; ++i) {
    AVStream &stream = *format.streams[i];
    const bool is_cover = (stream.disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
    if (best == nullptr && stream.codecpar->codec_type == type && !is_cover) {
      best = &stream;
    } else {
      stream.discard = AVDISCARD_ALL;
    }
  }
  return best;
}

// The streams looked at; all others are not read.
struct Chosen {
  const AVStream *video = nullptr, *audio = nullptr;
};
Chosen choose(AVFormatContext &format) {
  Chosen chosen;
  chosen.video = stream_of(format, AVMEDIA_TYPE_VIDEO);
  chosen.audio = stream_of(format, AVMEDIA_TYPE_AUDIO);
  if (chosen.video == nullptr && chosen.audio == nullptr)
    throw Refused(kCorrupt, "the file has neither video nor audio");
  for (const AVStream *stream : {chosen.video, chosen.audio}) {
    if (stream != nullptr) format.streams[stream->index]->discard = AVDISCARD_DEFAULT;
  }
  return chosen;
}

std::optional<double> seconds(std::int64_t time, AVRational base) {
  if (time == AV_NOPTS_VALUE) return std::nullopt;
  return static_cast<double>(time) * av_q2d(base);
}

void note(Span &span, const AVPacket &packet, const AVStream &stream, const Limits &limits) {
  const AVRational base = stream.time_base;
  if (++span.packets > limits.max_packets) throw Refused(kTooLong, "the file has too many packets");
  double length = static_cast<double>(std::max<std::int64_t>(packet.duration, 0)) * av_q2d(base);
  // The last packet of an Ogg stream may get a length below zero from libav, as a large number.
  if (stream.codecpar->codec_type == AVMEDIA_TYPE_AUDIO && length > kLongestPacket) length = 0;
  const auto time = seconds(packet.pts != AV_NOPTS_VALUE ? packet.pts : packet.dts, base);
  const double begin = time.value_or(span.end);
  if (span.packets == 1) span.begin = span.end = span.last = begin;
  span.last = std::max(span.last, begin);
  span.begin = std::min(span.begin, begin);
  span.end = std::max(span.end, begin + length);
  if (span.end - span.begin > limits.max_duration) {
    throw Refused(kTooLong, "the file is longer than " +
                                std::to_string(static_cast<std::int64_t>(limits.max_duration)) + " seconds");
  }
}

// How much shorter than it says a file may be: formats that count samples are exact, indexes of others may be about
// what is not read here.
double tolerance(Family family, double declared) {
  if (family == Family::kFlac || family == Family::kWav) return 0.001;
  if (family == Family::kMp3) return 0.03;  // a frame
  return std::max(2.0, 0.1 * declared);
}

double duration_of(Family family, const AVFormatContext &format, double measured) {
  const bool is_estimate = format.duration_estimation_method == AVFMT_DURATION_FROM_BITRATE;
  if (format.duration == AV_NOPTS_VALUE || format.duration <= 0 || is_estimate) return measured;
  const double declared = static_cast<double>(format.duration) / AV_TIME_BASE;
  if (measured < declared - tolerance(family, declared)) {
    throw Refused(kCorrupt,
                  "the file ends after " + std::to_string(measured) + " of " + std::to_string(declared) + " seconds");
  }
  return std::abs(measured - declared) < 1 ? declared : measured;
}

// A frame from further on, where that is to be had.
FramePtr later_frame(Container &container, const AVStream &stream, double duration) {
  const double at = std::min(kThumbnailAt, duration / 10);
  const std::int64_t start = stream.start_time == AV_NOPTS_VALUE ? 0 : stream.start_time;
  const auto time = start + static_cast<std::int64_t>(at / av_q2d(stream.time_base));
  if (av_seek_frame(&container.format(), stream.index, time, AVSEEK_FLAG_BACKWARD) < 0) return nullptr;
  try {
    FirstFrame first(container, stream);
    const PacketPtr packet(allocated(av_packet_alloc()));
    while (!first.found() && container.next(*packet)) {
      if (packet->stream_index == first.stream()) first.add(packet.get());
      av_packet_unref(packet.get());
    }
    return first.take();
  } catch (const Refused &) {
    return nullptr;
  }
}

void describe_video(Streams &streams, Container &container, const AVStream &stream, const Span &span) {
  const AVCodecParameters &par = *stream.codecpar;
  streams.codec = avcodec_get_name(par.codec_id);
  streams.orientation = orientation_of(stream);
  AVRational aspect = av_guess_sample_aspect_ratio(&container.format(), const_cast<AVStream *>(&stream), nullptr);
  if (aspect.num <= 0 || aspect.den <= 0) aspect = {1, 1};
  streams.width =
      std::max<std::int64_t>(1, std::llround(streams.picture->width * std::clamp(av_q2d(aspect), 0.1, 10.0)));
  streams.height = streams.picture->height;
  if (streams.orientation >= 5) std::swap(streams.width, streams.height);
  streams.picture->sample_aspect_ratio = aspect;
  streams.frames = span.packets;
  // Measured: what is declared may count frames that are not there, or come from the time base.
  const double length = span.packets > 1 ? span.last - span.begin : span.end - span.begin;
  const auto frames = static_cast<double>(std::max<std::int64_t>(1, span.packets - 1));
  streams.frame_rate = length > 0 ? frames / length : 0;
}

}  // namespace

Streams read_streams(Family family, const Input &input, const Limits &limits) {
  check_container(family, input);
  Container container(family, input, limits);
  container.find_streams();
  const Chosen chosen = choose(container.format());
  std::optional<FirstFrame> video, audio;
  if (chosen.video != nullptr) video.emplace(container, *chosen.video);
  if (chosen.audio != nullptr) audio.emplace(container, *chosen.audio);
  Span video_span, audio_span;
  const PacketPtr packet(allocated(av_packet_alloc()));
  while (container.next(*packet)) {
    if (video && packet->stream_index == video->stream()) {
      note(video_span, *packet, *chosen.video, limits);
      video->add(packet.get());
    } else if (audio && packet->stream_index == audio->stream()) {
      note(audio_span, *packet, *chosen.audio, limits);
      audio->add(packet.get());
    }
    av_packet_unref(packet.get());
  }
  for (auto *first : {&video, &audio}) {
    if (!*first) continue;
    (*first)->add(nullptr);
    if (!(*first)->found()) throw Refused(kCorrupt, "a stream of the file cannot be decoded");
  }
  Streams streams;
  streams.has_video = video.has_value();
  streams.has_audio = audio.has_value();
  const Span &any = video ? video_span : audio_span;
  double begin = any.begin, end = any.end;
  if (video && audio) {
    begin = std::min(begin, audio_span.begin);
    end = std::max(end, audio_span.end);
  }
  streams.duration = duration_of(family, container.format(), end - begin);
  if (streams.duration <= 0 && !(video && video_span.packets == 1)) throw Refused(kCorrupt, "the file lasts no time");
  if (audio) {
    const AVCodecParameters &par = *chosen.audio->codecpar;
    streams.audio_codec = avcodec_get_name(par.codec_id);
    streams.sample_rate = par.sample_rate;
    streams.channels = par.ch_layout.nb_channels;
  }
  if (video) {
    streams.picture = video->take();
    describe_video(streams, container, *chosen.video, video_span);
    const AVRational aspect = streams.picture->sample_aspect_ratio;
    if (FramePtr later = later_frame(container, *chosen.video, streams.duration)) {
      streams.picture = std::move(later);
      streams.picture->sample_aspect_ratio = aspect;
    }
  }
  return streams;
}

Picture read_gif(Input &input, const Limits &limits) {
  Picture picture;
  picture.outline = outline_of_gif(input.whole(), static_cast<std::size_t>(input.size()));
  picture.codec = "gif";
  check_size(picture.outline, limits);
  Container container(Family::kGif, input, limits);
  if (container.format().nb_streams != 1) throw Refused(kCorrupt, "the GIF is damaged");
  const CodecPtr context = container.decoder(*container.format().streams[0]);
  const PacketPtr packet(allocated(av_packet_alloc()));
  while (container.next(*packet)) {
    checked(avcodec_send_packet(context.get(), packet.get()), "the GIF is damaged");
    av_packet_unref(packet.get());
    FramePtr frame(allocated(av_frame_alloc()));
    checked(avcodec_receive_frame(context.get(), frame.get()), "the GIF is damaged");
    if (!picture.frame) picture.frame = std::move(frame);
  }
  if (!picture.frame) throw Refused(kCorrupt, "the GIF has no picture");
  return picture;
}

}  // namespace nexus::probe
