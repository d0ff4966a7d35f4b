#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/validation/draft.hpp"
#include "core/validation/rules.hpp"

namespace nexus::validation {

/// Whether a medium is of a kind: by its media_type, else by its MIME type. A thumbnail is of no other kind.
bool matches(MediaFilter filter, const Media &medium);

/// Whether a rule's condition on the attached media holds.
bool condition_holds(MediaFilter filter, const std::vector<Media> &media);

/// Whether its kind is known at all.
bool kind_known(const Media &medium);

/// What a draft of a content type must have attached, where the media themselves are kept elsewhere: an image for
/// image, a video for video, reel and short, audio for audio.
std::vector<Media> implied_media(std::string_view content_type);

/// The content type that rules go by: `post`, or none at all, is video if a video is attached, image if an image is,
/// else text.
std::string_view judged_content_type(const Draft &draft);

/// Whether a MIME type stands in a list; `image/*` takes every image. Parameters (`; codecs=`) and case do not count.
bool mime_in(const std::vector<std::string> &list, std::string_view mime);

/// "images", "media" ...
std::string_view words_of(MediaFilter filter);

/// Facts about a file that a rule would have needed.
struct Facts {
  bool kind = false, mime_type = false, file_size = false, dimensions = false, duration = false;

  Facts &operator|=(const Facts &other);
  std::string names() const;  ///< "file_size, duration"; empty for none
};

/// One measure of a medium, with the words to speak of it.
struct Measured {
  std::optional<double> value;
  Facts missing;
  std::string_view member, noun, suffix, code_above, code_below, remedy;
};

/// What a rule of this kind and unit looks at in a medium.
///
///     measure(RuleKind::media_aspect, Unit::none, {.width = 1080, .height = 1920}).value   // 0.5625
Measured measure(RuleKind kind, Unit unit, const Media &medium);

}  // namespace nexus::validation
