#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nexus::probe {

/// What reads a type. Types of one family are told apart by what is in them, not by how they begin: a name or a
/// declaration that is right about the family is no lie.
enum class Family { kJpeg, kPng, kGif, kWebp, kHeif, kIsoMedia, kMatroska, kOgg, kMp3, kWav, kFlac, kAac, kPdf };

struct MediaType {
  std::string_view mime;
  Family family;
  std::string_view media_type;  ///< image, gif, video, audio or pdf
};

/// The type of a MIME type, or of one of its other names; nullptr for one that is not accepted.
///
///     find_type("audio/x-wav")->mime == "audio/wav"
const MediaType *find_type(std::string_view mime);

/// What a file is said to be by whoever uploaded it. Both may be empty, which claims nothing.
struct Claim {
  std::string mime_type;
  std::string file_name;
};

/// Why a claim is not true of what libmagic found; nothing where it is, or where nothing is claimed that is known to
/// this table.
///
///     contradiction({"", "photo.jpg"}, "image/webp") == "the name photo.jpg says image/jpeg, the content is
///     image/webp"
std::optional<std::string> contradiction(const Claim &claim, std::string_view sniffed);

}  // namespace nexus::probe
