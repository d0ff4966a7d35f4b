#include "bridge/probe/container.hpp"

extern "C" {
#include <libavutil/opt.h>
}

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace nexus::probe {
namespace {

constexpr int kBuffer = 64 << 10;
constexpr std::int64_t kProbeBytes = 8 << 20;
constexpr std::int64_t kAnalyze = 5 * std::int64_t{AV_TIME_BASE};
constexpr unsigned kMaxIndex = 64U << 20;

// Maintained decoders of what platforms take. Others may be fine; each is one more to be attacked.
constexpr std::array<std::string_view, 36> kCodecs{
    "h264",      "hevc",      "vp8",       "vp9",       "av1",       "mpeg4",     "mjpeg",    "png",       "theora",
    "prores",    "h263",      "gif",       "aac",       "mp3",       "mp2",       "opus",     "vorbis",    "flac",
    "alac",      "ac3",       "eac3",      "amr_nb",    "amr_wb",    "pcm_u8",    "pcm_s8",   "pcm_s16le", "pcm_s16be",
    "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be", "pcm_f32le", "pcm_f64le", "pcm_alaw", "pcm_mulaw", "mp1"};

// Names of the decoders, which are not always those of the codecs.
constexpr const char *kDecoders =
    "h264,hevc,libvpx,libvpx-vp9,vp8,vp9,libdav1d,av1,mpeg4,mjpeg,png,theora,prores,h263,gif,aac,aac_fixed,mp3,"
    "mp3float,mp2,"
    "mp2float,mp1,mp1float,opus,libopus,vorbis,libvorbis,flac,alac,ac3,ac3_fixed,eac3,amrnb,amrwb,pcm_u8,pcm_s8,pcm_"
    "s16le,"
    "pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_f32le,pcm_f64le,pcm_alaw,pcm_mulaw";

const char *format_name(Family family) {
  switch (family) {
    case Family::kIsoMedia:
      return "mov";
    case Family::kMatroska:
      return "matroska";
    case Family::kOgg:
      return "ogg";
    case Family::kMp3:
      return "mp3";
    case Family::kWav:
      return "wav";
    case Family::kFlac:
      return "flac";
    case Family::kAac:
      return "aac";
    case Family::kGif:
      return "gif";
    default:
      throw std::logic_error("no container");
  }
}

int open_nothing(AVFormatContext *, AVIOContext **, const char *, int, AVDictionary **) {
  return AVERROR(EPERM);
}

}  // namespace

int Container::read(void *self, std::uint8_t *buffer, int size) {
  auto &container = *static_cast<Container *>(self);
  try {
    const std::size_t got = container.input_.read(container.position_, buffer, static_cast<std::size_t>(size));
    container.position_ += static_cast<std::int64_t>(got);
    return got == 0 ? AVERROR_EOF : static_cast<int>(got);
  } catch (const std::exception &) {
    return AVERROR(EIO);
  }
}

std::int64_t Container::seek(void *self, std::int64_t offset, int whence) {
  auto &container = *static_cast<Container *>(self);
  const std::int64_t size = container.input_.size();
  if ((whence & AVSEEK_SIZE) != 0) return size;
  switch (whence & ~AVSEEK_FORCE) {
    case SEEK_SET:
      break;
    case SEEK_CUR:
      offset += container.position_;
      break;
    case SEEK_END:
      offset += size;
      break;
    default:
      return AVERROR(EINVAL);
  }
  if (offset < 0) return AVERROR(EINVAL);
  container.position_ = offset;
  return offset;
}

Container::Container(Family family, const Input &input, const Limits &limits) : limits_(limits), input_(input) {
  const AVInputFormat *demuxer = av_find_input_format(format_name(family));
  if (demuxer == nullptr) throw std::runtime_error("there is no demuxer for the file");
  auto *buffer = static_cast<unsigned char *>(allocated(av_malloc(kBuffer)));
  io_ = avio_alloc_context(buffer, kBuffer, 0, this, read, nullptr, seek);
  if (io_ == nullptr) {
    av_free(buffer);
    throw std::bad_alloc();
  }
  AVFormatContext *format = avformat_alloc_context();
  if (format != nullptr) {
    format->pb = io_;
    format->flags |= AVFMT_FLAG_CUSTOM_IO;
    format->io_open = open_nothing;
    format->probesize = kProbeBytes;
    format->max_analyze_duration = kAnalyze;
    format->max_streams = limits.max_streams;
    format->max_index_size = kMaxIndex;
    format->format_whitelist = av_strdup(demuxer->name);
    format->codec_whitelist = av_strdup(kDecoders);
    const int result = avformat_open_input(&format, "", demuxer, nullptr);  // frees it where it fails
    format_.reset(format);
    if (result >= 0 && format_) {
      try {
        check_streams();
        return;
      } catch (...) {
        format_.reset();
        av_freep(&io_->buffer);
        avio_context_free(&io_);
        throw;
      }
    }
    av_freep(&io_->buffer);
    avio_context_free(&io_);
    if (result == AVERROR(EINVAL)) throw Refused(kCorrupt, "the file is damaged, or has more streams than are read");
    checked(result, "the file is damaged");
  }
  throw std::bad_alloc();
}

Container::~Container() {
  format_.reset();
  if (io_ != nullptr) av_freep(&io_->buffer);
  avio_context_free(&io_);
}

void Container::check_streams() const {
  if (format_->nb_streams > static_cast<unsigned>(limits_.max_streams)) {
    throw Refused(kTooLong, "the file has more than " + std::to_string(limits_.max_streams) + " streams");
  }
  for (unsigned i = 0; i < format_->nb_streams; ++i) {
    const AVCodecParameters &par = *format_->streams[i]->codecpar;
    if (par.codec_type != AVMEDIA_TYPE_VIDEO || par.width <= 0 || par.height <= 0) continue;
    if (par.width > limits_.max_video_pixels / par.height) {
      throw Refused(kTooManyPixels, std::to_string(par.width) + " x " + std::to_string(par.height) +
                                        " pixels are more than the " + std::to_string(limits_.max_video_pixels) +
                                        " a video may have");
    }
  }
}

void Container::find_streams() {
  std::vector<AVDictionary *> options(format_->nb_streams, nullptr);
  for (AVDictionary *&option : options) {
    av_dict_set_int(&option, "max_pixels", limits_.max_video_pixels, 0);
    av_dict_set(&option, "threads", "1", 0);
  }
  const unsigned before = format_->nb_streams;
  const int result = avformat_find_stream_info(format_.get(), options.data());
  for (AVDictionary *&option : options) av_dict_free(&option);
  checked(result, "the streams of the file cannot be read");
  if (format_->nb_streams > before) check_streams();
  check_streams();
}

bool Container::next(AVPacket &packet) {
  const int result = av_read_frame(format_.get(), &packet);
  if (result == AVERROR_EOF) return false;
  checked(result, "the file is cut off or damaged");
  if ((packet.flags & AV_PKT_FLAG_CORRUPT) != 0) throw Refused(kCorrupt, "the file is cut off or damaged");
  return true;
}

CodecPtr Container::decoder(const AVStream &stream) const {
  const AVCodecParameters &par = *stream.codecpar;
  const char *name = avcodec_get_name(par.codec_id);
  const AVCodec *codec = avcodec_find_decoder(par.codec_id);
  if (std::find(kCodecs.begin(), kCodecs.end(), name) == kCodecs.end() || codec == nullptr) {
    throw Refused(kUnsupportedType, std::string("the codec ") +
                                        (par.codec_id == AV_CODEC_ID_NONE ? "of a stream" : printable(name)) +
                                        " is not accepted");
  }
  CodecPtr context(allocated(avcodec_alloc_context3(codec)));
  checked(avcodec_parameters_to_context(context.get(), &par), "a stream of the file is damaged");
  context->thread_count = 1;
  context->max_pixels = limits_.max_video_pixels;
  context->pkt_timebase = stream.time_base;
  checked(avcodec_open2(context.get(), codec, nullptr), "a stream of the file cannot be decoded");
  return context;
}

}  // namespace nexus::probe
