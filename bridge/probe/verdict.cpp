#include "bridge/probe/verdict.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace nexus::probe {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxVerdict = std::size_t{16} << 10;
constexpr std::size_t kMaxText = 200;
constexpr std::int64_t kMaxCount = std::int64_t{1} << 53;  // what every reader of JSON can hold
constexpr std::array<const char *, 8> kCodes{kEmpty,   kTooLarge,      kUnsupportedType, kTypeMismatch,
                                             kCorrupt, kTooManyPixels, kTooLong,         kProbeFailed};
constexpr std::array<const char *, 5> kMediaTypes{"image", "gif", "video", "audio", "pdf"};

struct NoVerdict {};

// The members of an object, each taken once: what is left over at the end is not of a verdict.
class Reader {
 public:
  explicit Reader(const json &object) : object_(object) {
    if (!object.is_object()) throw NoVerdict();
  }

  std::optional<std::string> text(const char *name) {
    const json *value = take(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) throw NoVerdict();
    const auto &text = value->get_ref<const std::string &>();
    if (text.empty() || text.size() > kMaxText || printable(text) != text) throw NoVerdict();
    return text;
  }

  std::optional<std::int64_t> count(const char *name, std::int64_t least) {
    const json *value = take(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number_integer() || *value < least || *value > kMaxCount) throw NoVerdict();
    return value->get<std::int64_t>();
  }

  std::optional<double> number(const char *name) {
    const json *value = take(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number()) throw NoVerdict();
    const auto number = value->get<double>();
    if (!std::isfinite(number) || number < 0 || number > 1e9) throw NoVerdict();
    return number;
  }

  const json *take(const char *name) {
    const auto found = object_.find(name);
    if (found == object_.end()) return nullptr;
    ++taken_;
    return &*found;
  }

  void end() const {
    if (taken_ != object_.size()) throw NoVerdict();
  }

 private:
  const json &object_;
  std::size_t taken_ = 0;
};

template <typename T>
T required(const std::optional<T> &value) {
  if (!value) throw NoVerdict();
  return *value;
}

Refusal read_refusal(Reader &reader) {
  Refusal refusal{required(reader.text("refused")), required(reader.text("reason"))};
  if (std::find(kCodes.begin(), kCodes.end(), refusal.code) == kCodes.end()) throw NoVerdict();
  return refusal;
}

Thumbnail read_thumbnail(const json &object) {
  Reader reader(object);
  Thumbnail thumbnail;
  thumbnail.width = static_cast<int>(required(reader.count("width", 1)) & 0xffff);
  thumbnail.height = static_cast<int>(required(reader.count("height", 1)) & 0xffff);
  thumbnail.file_size = required(reader.count("file_size", 1));
  reader.end();
  return thumbnail;
}

Facts read_facts(Reader &reader) {
  Facts facts;
  facts.mime_type = required(reader.text("mime_type"));
  facts.media_type = required(reader.text("media_type"));
  if (std::find(kMediaTypes.begin(), kMediaTypes.end(), facts.media_type) == kMediaTypes.end()) throw NoVerdict();
  facts.file_size = required(reader.count("file_size", 1));
  facts.sha256 = required(reader.text("sha256"));
  if (facts.sha256.size() != 64 || facts.sha256.find_first_not_of("0123456789abcdef") != std::string::npos) {
    throw NoVerdict();
  }
  facts.width = reader.count("width", 1);
  facts.height = reader.count("height", 1);
  if (facts.width.has_value() != facts.height.has_value()) throw NoVerdict();
  facts.duration = reader.number("duration");
  facts.codec = reader.text("codec");
  facts.audio_codec = reader.text("audio_codec");
  facts.frame_rate = reader.number("frame_rate");
  facts.bit_rate = reader.count("bit_rate", 0);
  facts.frames = reader.count("frames", 1);
  facts.sample_rate = reader.count("sample_rate", 1);
  facts.channels = reader.count("channels", 1);
  facts.orientation = reader.count("orientation", 1);
  facts.pages = reader.count("pages", 1);
  if (const json *thumbnail = reader.take("thumbnail")) facts.thumbnail = read_thumbnail(*thumbnail);
  return facts;
}

}  // namespace

json to_json(const Verdict &verdict) {
  if (const auto *refusal = std::get_if<Refusal>(&verdict)) {
    return {{"refused", refusal->code}, {"reason", refusal->reason}};
  }
  const auto &facts = std::get<Facts>(verdict);
  json object{{"mime_type", facts.mime_type},
              {"media_type", facts.media_type},
              {"file_size", facts.file_size},
              {"sha256", facts.sha256}};
  const auto add = [&object](const char *name, const auto &value) {
    if (value) object[name] = *value;
  };
  const auto add_rounded = [&object](const char *name, const std::optional<double> &value) {
    if (value) object[name] = std::round(*value * 1000) / 1000;
  };
  add("width", facts.width);
  add("height", facts.height);
  add_rounded("duration", facts.duration);
  add("codec", facts.codec);
  add("audio_codec", facts.audio_codec);
  add_rounded("frame_rate", facts.frame_rate);
  add("bit_rate", facts.bit_rate);
  add("frames", facts.frames);
  add("sample_rate", facts.sample_rate);
  add("channels", facts.channels);
  add("orientation", facts.orientation);
  add("pages", facts.pages);
  if (facts.thumbnail) {
    object["thumbnail"] = {{"width", facts.thumbnail->width},
                           {"height", facts.thumbnail->height},
                           {"file_size", facts.thumbnail->file_size}};
  }
  return object;
}

std::optional<Verdict> read_verdict(std::string_view text) {
  if (text.size() > kMaxVerdict) return std::nullopt;
  const json object = json::parse(text, nullptr, false);
  try {
    Reader reader(object);
    Verdict verdict;
    if (object.contains("refused")) {
      verdict = read_refusal(reader);
    } else {
      verdict = read_facts(reader);
    }
    reader.end();
    return verdict;
  } catch (const NoVerdict &) {
    return std::nullopt;
  }
}

std::string printable(std::string_view text) {
  std::string line(text.substr(0, kMaxText));
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return line;
}

}  // namespace nexus::probe
