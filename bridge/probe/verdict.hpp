#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>

namespace nexus::probe {

// Why a file is refused. They are part of the interface: clients branch on them.
constexpr const char *kEmpty = "media.empty";
constexpr const char *kTooLarge = "media.too_large";  ///< more bytes than its kind may have
constexpr const char *kUnsupportedType = "media.unsupported_type";
constexpr const char *kTypeMismatch = "media.type_mismatch";  ///< it is not what it is said to be
constexpr const char *kCorrupt = "media.corrupt";             ///< cut off or damaged
constexpr const char *kTooManyPixels = "media.too_many_pixels";
constexpr const char *kTooLong = "media.too_long";  ///< duration, frames, streams or pages
constexpr const char *kProbeFailed = "media.probe_failed";

/// Ends the measuring of a file with a refusal.
struct Refused : std::runtime_error {
  Refused(const char *code, const std::string &reason) : std::runtime_error(reason), code(code) {}
  const char *code;
};

struct Refusal {
  std::string code, reason;
};

struct Thumbnail {
  int width = 0, height = 0;
  std::int64_t file_size = 0;
};

/// What was measured. Width and height are those of what is seen: turned as the file says, pixels that are not square
/// made square.
struct Facts {
  std::string mime_type;
  std::string media_type;  ///< image, gif, video, audio or pdf
  std::int64_t file_size = 0;
  std::string sha256;  ///< hexadecimal
  std::optional<std::int64_t> width, height;
  std::optional<double> duration;  ///< seconds
  std::optional<std::string> codec, audio_codec;
  std::optional<double> frame_rate;      ///< frames a second
  std::optional<std::int64_t> bit_rate;  ///< bits a second, of the whole file
  std::optional<std::int64_t> frames;    ///< of an animation or video
  std::optional<std::int64_t> sample_rate, channels;
  std::optional<std::int64_t> orientation;  ///< 1 to 8 as in EXIF, where it is not 1
  std::optional<std::int64_t> pages;
  std::optional<Thumbnail> thumbnail;  ///< a JPEG
};

using Verdict = std::variant<Facts, Refusal>;

/// {"mime_type": ..., ...} or {"refused": code, "reason": text}.
nlohmann::json to_json(const Verdict &verdict);

/// Reads what a probe has printed, and takes nothing from it on trust: the probe had hostile bytes to read. Nothing
/// where it is no verdict.
///
///     read_verdict(R"({"refused": "media.empty", "reason": "the file is empty"})")
std::optional<Verdict> read_verdict(std::string_view text);

/// Text for a reason: printable ASCII, at most 200 bytes.
std::string printable(std::string_view text);

}  // namespace nexus::probe
