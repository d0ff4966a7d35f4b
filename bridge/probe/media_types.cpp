#include "bridge/probe/media_types.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "bridge/probe/verdict.hpp"

namespace nexus::probe {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

constexpr std::array<MediaType, 20> kTypes{{
    {"image/jpeg", Family::kJpeg, "image"},     {"image/png", Family::kPng, "image"},
    {"image/gif", Family::kGif, "gif"},         {"image/webp", Family::kWebp, "image"},
    {"image/avif", Family::kHeif, "image"},     {"image/heic", Family::kHeif, "image"},
    {"video/mp4", Family::kIsoMedia, "video"},  {"video/quicktime", Family::kIsoMedia, "video"},
    {"video/3gpp", Family::kIsoMedia, "video"}, {"audio/mp4", Family::kIsoMedia, "audio"},
    {"video/webm", Family::kMatroska, "video"}, {"video/x-matroska", Family::kMatroska, "video"},
    {"audio/webm", Family::kMatroska, "audio"}, {"video/ogg", Family::kOgg, "video"},
    {"audio/ogg", Family::kOgg, "audio"},       {"audio/mpeg", Family::kMp3, "audio"},
    {"audio/wav", Family::kWav, "audio"},       {"audio/flac", Family::kFlac, "audio"},
    {"audio/aac", Family::kAac, "audio"},       {"application/pdf", Family::kPdf, "pdf"},
}};

// Other names, of clients and of libmagic.
constexpr std::array<Pair, 36> kAliases{{
    {"image/jpg", "image/jpeg"},
    {"image/pjpeg", "image/jpeg"},
    {"image/apng", "image/png"},
    {"image/vnd.mozilla.apng", "image/png"},
    {"image/x-png", "image/png"},
    {"image/heif", "image/heic"},
    {"image/heic-sequence", "image/heic"},
    {"image/heif-sequence", "image/heic"},
    {"image/avif-sequence", "image/avif"},
    {"video/x-m4v", "video/mp4"},
    {"application/mp4", "video/mp4"},
    {"video/quicktime-mov", "video/quicktime"},
    {"video/3gpp2", "video/3gpp"},
    {"audio/3gpp", "audio/mp4"},
    {"audio/m4a", "audio/mp4"},
    {"audio/x-m4a", "audio/mp4"},
    {"audio/mp4a-latm", "audio/mp4"},
    {"audio/x-m4b", "audio/mp4"},
    {"video/matroska", "video/x-matroska"},
    {"application/x-matroska", "video/x-matroska"},
    {"audio/x-matroska", "audio/webm"},
    {"audio/matroska", "audio/webm"},
    {"application/ogg", "audio/ogg"},
    {"audio/opus", "audio/ogg"},
    {"audio/vorbis", "audio/ogg"},
    {"audio/x-vorbis+ogg", "audio/ogg"},
    {"audio/mp3", "audio/mpeg"},
    {"audio/x-mp3", "audio/mpeg"},
    {"audio/mpeg3", "audio/mpeg"},
    {"audio/x-wav", "audio/wav"},
    {"audio/wave", "audio/wav"},
    {"audio/vnd.wave", "audio/wav"},
    {"audio/x-flac", "audio/flac"},
    {"audio/x-hx-aac-adts", "audio/aac"},
    {"audio/aacp", "audio/aac"},
    {"application/x-pdf", "application/pdf"},
}};

// What endings of names claim: those that are accepted, and those that a file of another type wears most.
constexpr std::array<Pair, 68> kEndings{{
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"jpe", "image/jpeg"},
    {"jfif", "image/jpeg"},
    {"png", "image/png"},
    {"apng", "image/png"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"avif", "image/avif"},
    {"heic", "image/heic"},
    {"heif", "image/heic"},
    {"mp4", "video/mp4"},
    {"m4v", "video/mp4"},
    {"mov", "video/quicktime"},
    {"qt", "video/quicktime"},
    {"3gp", "video/3gpp"},
    {"3g2", "video/3gpp"},
    {"m4a", "audio/mp4"},
    {"m4b", "audio/mp4"},
    {"webm", "video/webm"},
    {"mkv", "video/x-matroska"},
    {"mka", "audio/webm"},
    {"weba", "audio/webm"},
    {"ogg", "audio/ogg"},
    {"oga", "audio/ogg"},
    {"opus", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"mp3", "audio/mpeg"},
    {"wav", "audio/wav"},
    {"flac", "audio/flac"},
    {"aac", "audio/aac"},
    {"pdf", "application/pdf"},
    {"svg", "image/svg+xml"},
    {"bmp", "image/bmp"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"ico", "image/x-icon"},
    {"jp2", "image/jp2"},
    {"jxl", "image/jxl"},
    {"psd", "image/vnd.adobe.photoshop"},
    {"avi", "video/x-msvideo"},
    {"wmv", "video/x-ms-wmv"},
    {"flv", "video/x-flv"},
    {"mpg", "video/mpeg"},
    {"mpeg", "video/mpeg"},
    {"ts", "video/mp2t"},
    {"wma", "audio/x-ms-wma"},
    {"mid", "audio/midi"},
    {"htm", "text/html"},
    {"html", "text/html"},
    {"xhtml", "text/html"},
    {"js", "text/javascript"},
    {"css", "text/css"},
    {"txt", "text/plain"},
    {"xml", "text/xml"},
    {"json", "application/json"},
    {"php", "text/x-php"},
    {"sh", "text/x-shellscript"},
    {"exe", "application/x-dosexec"},
    {"dll", "application/x-dosexec"},
    {"jar", "application/java-archive"},
    {"apk", "application/vnd.android.package-archive"},
    {"zip", "application/zip"},
    {"gz", "application/gzip"},
    {"rar", "application/x-rar"},
    {"7z", "application/x-7z-compressed"},
    {"doc", "application/msword"},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
}};

template <std::size_t N>
std::string_view look_up(const std::array<Pair, N> &table, std::string_view key) {
  const auto *found = std::find_if(table.begin(), table.end(), [&](const Pair &pair) { return pair.first == key; });
  return found == table.end() ? std::string_view() : found->second;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char &c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

// Without parameters and white space.
std::string bare(std::string_view mime) {
  mime = mime.substr(0, mime.find(';'));
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = mime.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return "";
  return lower_case(mime.substr(first, mime.find_last_not_of(kSpace) - first + 1));
}

std::string ending_of(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? "" : lower_case(name.substr(dot + 1));
}

bool same(std::string_view claimed, std::string_view sniffed) {
  if (claimed == sniffed) return true;
  const MediaType *a = find_type(claimed), *b = find_type(sniffed);
  return a != nullptr && b != nullptr && a->family == b->family;
}

}  // namespace

const MediaType *find_type(std::string_view mime) {
  if (const std::string_view canonical = look_up(kAliases, mime); !canonical.empty()) mime = canonical;
  const auto *found =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const MediaType &type) { return type.mime == mime; });
  return found == kTypes.end() ? nullptr : found;
}

std::optional<std::string> contradiction(const Claim &claim, std::string_view sniffed) {
  const std::string mime = bare(claim.mime_type);
  const bool says_something = !mime.empty() && mime != "application/octet-stream" && mime != "binary/octet-stream";
  const std::string content = ", the content is " + printable(sniffed);
  if (says_something && !same(mime, sniffed)) return "the declared type is " + printable(mime).substr(0, 60) + content;
  const std::string_view named = look_up(kEndings, ending_of(claim.file_name));
  if (named.empty() || same(named, sniffed)) return std::nullopt;
  return "the name " + printable(claim.file_name).substr(0, 60) + " says " + std::string(named) + content;
}

}  // namespace nexus::probe
