#include "core/validation/media.hpp"

#include <algorithm>

namespace nexus::validation {

namespace {

bool equal_ascii_case(std::string_view left, std::string_view right) {
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return left.size() == right.size() &&
         std::equal(left.begin(), left.end(), right.begin(), [&](char a, char b) { return lower(a) == lower(b); });
}

bool mime_starts(const Media &medium, std::string_view top) {
  return medium.mime_type && medium.mime_type->size() > top.size() &&
         equal_ascii_case(medium.mime_type->substr(0, top.size()), top);
}

MediaFilter kind_of(const Media &medium) {
  bool gif = medium.mime_type && equal_ascii_case(*medium.mime_type, "image/gif");
  if (medium.media_type) {
    std::string_view type = *medium.media_type;
    if (type == "image") return gif ? MediaFilter::gif : MediaFilter::still;
    if (type == "gif") return MediaFilter::gif;
    if (type == "video") return MediaFilter::video;
    if (type == "audio") return MediaFilter::audio;
    if (type == "pdf" || type == "document") return MediaFilter::document;
    if (type == "thumbnail") return MediaFilter::thumbnail;
  }
  if (gif) return MediaFilter::gif;
  if (mime_starts(medium, "image/")) return MediaFilter::still;
  if (mime_starts(medium, "video/")) return MediaFilter::video;
  if (mime_starts(medium, "audio/")) return MediaFilter::audio;
  if (mime_starts(medium, "application/")) return MediaFilter::document;
  return MediaFilter::none;  // of no known kind
}

}  // namespace

bool matches(MediaFilter filter, const Media &medium) {
  MediaFilter kind = kind_of(medium);
  switch (filter) {
    case MediaFilter::all:
    case MediaFilter::any:
      return kind != MediaFilter::thumbnail;
    case MediaFilter::none:
      return false;
    case MediaFilter::image:
      return kind == MediaFilter::still || kind == MediaFilter::gif;
    default:
      return kind == filter;
  }
}

bool condition_holds(MediaFilter filter, const std::vector<Media> &media) {
  auto some = [&](MediaFilter wanted) {
    return std::any_of(media.begin(), media.end(), [&](const Media &medium) { return matches(wanted, medium); });
  };
  switch (filter) {
    case MediaFilter::all:
      return true;
    case MediaFilter::none:
      return !some(MediaFilter::any);
    default:
      return some(filter);
  }
}

bool kind_known(const Media &medium) {
  return kind_of(medium) != MediaFilter::none;
}

std::vector<Media> implied_media(std::string_view content_type) {
  Media medium;
  if (content_type == "image")
    medium.media_type = "image";
  else if (content_type == "video" || content_type == "reel" || content_type == "short")
    medium.media_type = "video";
  else if (content_type == "audio")
    medium.media_type = "audio";
  else
    return {};
  return {medium};
}

std::string_view judged_content_type(const Draft &draft) {
  if (draft.content_type && *draft.content_type != "post") return *draft.content_type;
  if (condition_holds(MediaFilter::video, draft.media)) return "video";
  if (condition_holds(MediaFilter::image, draft.media)) return "image";
  return "text";
}

bool mime_in(const std::vector<std::string> &list, std::string_view mime) {
  mime = mime.substr(0, mime.find(';'));
  while (!mime.empty() && mime.back() == ' ') mime.remove_suffix(1);
  return std::any_of(list.begin(), list.end(), [&](std::string_view entry) {
    if (entry.size() > 2 && entry.substr(entry.size() - 2) == "/*") {
      std::string_view top = entry.substr(0, entry.size() - 1);
      return mime.size() > top.size() && equal_ascii_case(mime.substr(0, top.size()), top);
    }
    return equal_ascii_case(entry, mime);
  });
}

std::string_view words_of(MediaFilter filter) {
  switch (filter) {
    case MediaFilter::image:
    case MediaFilter::still:
      return "images";
    case MediaFilter::gif:
      return "GIFs";
    case MediaFilter::video:
      return "videos";
    case MediaFilter::audio:
      return "audio files";
    case MediaFilter::document:
      return "documents";
    case MediaFilter::thumbnail:
      return "thumbnails";
    default:
      return "media";
  }
}

Facts &Facts::operator|=(const Facts &other) {
  kind |= other.kind;
  mime_type |= other.mime_type;
  file_size |= other.file_size;
  dimensions |= other.dimensions;
  duration |= other.duration;
  return *this;
}

std::string Facts::names() const {
  std::string names;
  auto add = [&](bool missing, const char *name) {
    if (missing) names.append(names.empty() ? "" : ", ").append(name);
  };
  add(kind, "media_type");
  add(mime_type, "mime_type");
  add(file_size, "file_size");
  add(dimensions, "width and height");
  add(duration, "duration");
  return names;
}

Measured measure(RuleKind kind, Unit unit, const Media &medium) {
  Measured result;
  if (kind == RuleKind::media_bytes) {
    result = {medium.file_size, {},          "file_size", "a size of",
              " bytes",         "too_large", "too_small", "Use a smaller file."};
    result.missing.file_size = !medium.file_size;
    return result;
  }
  if (kind == RuleKind::media_duration) {
    result = {medium.duration,
              {},
              "duration",
              "a duration of",
              " s",
              "too_long",
              "too_short",
              "Cut it to length, or use a longer one."};
    result.missing.duration = !medium.duration;
    return result;
  }
  if (!medium.width || !medium.height || *medium.width <= 0 || *medium.height <= 0) {
    result.missing.dimensions = true;
    return result;
  }
  double width = *medium.width, height = *medium.height;
  result = {width, {}, "width", "a width of", " px", "too_wide", "too_narrow", "Scale it."};
  if (kind == RuleKind::media_aspect) {
    result = {width / height,
              {},
              "aspect_ratio",
              "an aspect ratio of",
              "",
              "aspect_ratio",
              "aspect_ratio",
              "Crop it to another shape."};
    return result;
  }
  switch (unit) {
    case Unit::height:
      result = {height, {}, "height", "a height of", " px", "too_high", "too_low", "Scale it."};
      break;
    case Unit::long_side:
      result = {
          std::max(width, height), {}, "long_side", "a longer side of", " px", "dimensions", "dimensions", "Scale it."};
      break;
    case Unit::short_side:
      result = {std::min(width, height),
                {},
                "short_side",
                "a shorter side of",
                " px",
                "dimensions",
                "dimensions",
                "Scale it."};
      break;
    case Unit::width_plus_height:
      result = {width + height, {},           "width_plus_height", "a width and height of together",
                " px",          "dimensions", "dimensions",        "Scale it."};
      break;
    case Unit::area:
      result = {width * height, {}, "area", "an area of", " px", "dimensions", "dimensions", "Scale it."};
      break;
    default:
      break;
  }
  return result;
}

}  // namespace nexus::validation
