#include "bridge/probe/measure.hpp"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "bridge/probe/container.hpp"
#include "bridge/probe/document.hpp"
#include "bridge/probe/picture.hpp"
#include "bridge/probe/structure.hpp"

namespace nexus::probe {
namespace {

constexpr std::size_t kSniffed = std::size_t{256} << 10;

bool is_picture(Family family) {
  return family == Family::kJpeg || family == Family::kPng || family == Family::kGif || family == Family::kWebp ||
         family == Family::kHeif;
}

using Keep = std::function<void(const std::string &)>;

void add_thumbnail(Facts &facts, const AVFrame &frame, int orientation, const Limits &limits, const Keep &keep) {
  const Jpeg jpeg = make_thumbnail(frame, orientation, limits.thumbnail_side);
  keep(jpeg.bytes);
  facts.thumbnail = Thumbnail{jpeg.width, jpeg.height, static_cast<std::int64_t>(jpeg.bytes.size())};
}

void measure_picture(Facts &facts, Family family, Input &input, const Limits &limits, const Keep &keep) {
  const Picture picture = family == Family::kGif ? read_gif(input, limits) : read_picture(family, input, limits);
  const Outline &outline = picture.outline;
  check_polyglot(family, input, outline.end);
  facts.width = outline.orientation >= 5 ? outline.height : outline.width;
  facts.height = outline.orientation >= 5 ? outline.width : outline.height;
  if (outline.orientation != 1) facts.orientation = outline.orientation;
  if (outline.frames > 1) {
    facts.frames = outline.frames;
    facts.duration = outline.duration;
  }
  facts.codec = !picture.codec.empty() ? picture.codec : facts.mime_type == "image/avif" ? "av1" : "hevc";
  add_thumbnail(facts, *picture.frame, outline.orientation, limits, keep);
}

// What a container is by what is in it.
const MediaType &type_of_streams(const MediaType &sniffed, const Streams &streams) {
  const bool is_audio = !streams.has_video;
  const auto choose = [&](const char *video, const char *audio) -> const MediaType & {
    return *find_type(is_audio ? audio : video);
  };
  switch (sniffed.family) {
    case Family::kIsoMedia:
      return sniffed.media_type == "audio" ? choose("video/mp4", "audio/mp4")
             : is_audio                    ? *find_type("audio/mp4")
                                           : sniffed;
    case Family::kMatroska:
      return sniffed.media_type == "audio" ? choose("video/x-matroska", "audio/webm")
             : is_audio                    ? *find_type("audio/webm")
                                           : sniffed;
    case Family::kOgg:
      return choose("video/ogg", "audio/ogg");
    default:
      if (streams.has_video)
        throw Refused(kUnsupportedType, "a file of " + std::string(sniffed.mime) + " with video is not accepted");
      return sniffed;
  }
}

void measure_streams(Facts &facts, const MediaType &sniffed, Input &input, const Limits &limits, const Keep &keep) {
  const Streams streams = read_streams(sniffed.family, input, limits);
  check_polyglot(sniffed.family, input, input.size());
  const MediaType &type = type_of_streams(sniffed, streams);
  facts.mime_type = type.mime;
  facts.media_type = type.media_type;
  facts.duration = streams.duration;
  if (streams.duration > 0) {
    facts.bit_rate =
        static_cast<std::int64_t>(static_cast<double>(input.size()) * 8 / std::max(streams.duration, 0.001));
  }
  if (streams.has_audio) {
    facts.audio_codec = streams.audio_codec;
    if (streams.sample_rate > 0) facts.sample_rate = streams.sample_rate;
    if (streams.channels > 0) facts.channels = streams.channels;
  }
  if (!streams.has_video) return;
  facts.codec = streams.codec;
  facts.width = streams.width;
  facts.height = streams.height;
  facts.frames = streams.frames;
  facts.frame_rate = streams.frame_rate;
  if (streams.orientation != 1) facts.orientation = streams.orientation;
  add_thumbnail(facts, *streams.picture, streams.orientation, limits, keep);
}

Facts facts_of(const Magic &magic, Input &input, const Claim &claim, const Limits &limits, const Keep &keep) {
  if (input.size() == 0) throw Refused(kEmpty, "the file is empty");
  const std::string sniffed = magic.type_of(input);
  const MediaType *type = find_type(sniffed);
  // Bytes without a known type contradict no claim in particular.
  if (type != nullptr || sniffed != "application/octet-stream") {
    if (const auto lie = contradiction(claim, sniffed)) throw Refused(kTypeMismatch, *lie);
  }
  if (type == nullptr) {
    throw Refused(kUnsupportedType, sniffed == "application/octet-stream"
                                        ? "the type of the file is not known"
                                        : "files of type " + printable(sniffed) + " are not accepted");
  }
  const bool is_whole = is_picture(type->family) || type->family == Family::kPdf;
  if (is_whole && input.size() > limits.max_image_bytes) {
    throw Refused(kTooLarge, std::to_string(input.size()) + " bytes are more than the " +
                                 std::to_string(limits.max_image_bytes) + " a file of type " + std::string(type->mime) +
                                 " may have");
  }
  Facts facts;
  facts.mime_type = type->mime;
  facts.media_type = type->media_type;
  facts.file_size = input.size();
  if (type->family == Family::kPdf) {
    check_polyglot(type->family, input, input.size());
    facts.pages = read_pdf(input, limits);
  } else if (is_picture(type->family)) {
    measure_picture(facts, type->family, input, limits, keep);
  } else {
    measure_streams(facts, *type, input, limits, keep);
  }
  facts.sha256 = input.sha256();
  return facts;
}

}  // namespace

Magic::Magic()
    : magic_(magic_open(MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_TAR | MAGIC_NO_CHECK_ELF),
             magic_close) {
  if (!magic_ || magic_load(magic_.get(), nullptr) != 0)
    throw std::runtime_error("libmagic's database cannot be loaded");
}

std::string Magic::type_of(const Input &input) const {
  std::vector<std::uint8_t> head(static_cast<std::size_t>(std::min<std::int64_t>(input.size(), kSniffed)));
  head.resize(input.read(0, head.data(), head.size()));
  const char *type = magic_buffer(magic_.get(), head.data(), head.size());
  return type == nullptr ? "application/octet-stream" : type;
}

Verdict measure(const Magic &magic, Input &input, const Claim &claim, const Limits &limits, const Keep &keep) {
  try {
    return facts_of(magic, input, claim, limits, keep);
  } catch (const Refused &refused) {
    return Refusal{refused.code, printable(refused.what())};
  }
}

}  // namespace nexus::probe
