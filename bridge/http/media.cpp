#include "bridge/http/media.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "bridge/http/error.hpp"
#include "bridge/http/text.hpp"

namespace nexus::bridge {
namespace {

std::string with_charset(const std::string &type) {
  return type == "text/plain" || type == "text/xml" ? type + "; charset=utf-8" : type;
}

std::optional<Media> answer_as(const MediaType &wanted, const Function &function) {
  const bool stripped = wanted.has("nulls=stripped");
  if (wanted.name == "application/vnd.pgrst.object+json" || wanted.name == "application/vnd.pgrst.object") {
    std::string type = "application/vnd.pgrst.object+json";
    if (stripped) type += ";nulls=stripped";
    return Media{Shape::kSingular, stripped, type + "; charset=utf-8"};
  }
  if (wanted.name == "application/vnd.pgrst.array+json" || wanted.name == "application/vnd.pgrst.array") {
    if (!stripped) return Media{};
    return Media{Shape::kJson, true, "application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8"};
  }
  if (function.media_type == "*/*") return Media{Shape::kRaw, false, "application/octet-stream"};
  if (!function.media_type.empty() && function.media_type == wanted.name) {
    return Media{Shape::kRaw, false, with_charset(wanted.name)};
  }
  if (wanted.name == "*/*" || wanted.name == "application/json") return Media{};
  if (wanted.name == "text/csv") return Media{Shape::kCsv, false, "text/csv; charset=utf-8"};
  if (wanted.name == "application/x-ndjson") {
    return function.returns == Returns::kVoid ? Media{} : Media{Shape::kLines, false, "application/x-ndjson"};
  }
  return std::nullopt;
}

}  // namespace

bool MediaType::has(std::string_view parameter) const {
  return std::find(parameters.begin(), parameters.end(), parameter) != parameters.end();
}

MediaType parse_media_type(std::string_view text) {
  MediaType type;
  for (auto &part : split_trimmed(text, ';')) {
    if (type.name.empty()) {
      type.name = lower_case(part);
    } else {
      type.parameters.push_back(lower_case(part));
    }
  }
  return type;
}

Media choose_media(const std::string &accept, const Function &function) {
  struct Offer {
    MediaType type;
    double q;
  };
  std::vector<Offer> offers;
  for (const auto &entry : split_trimmed(accept, ',')) {
    Offer offer{parse_media_type(entry), 1.0};
    for (const auto &parameter : offer.type.parameters) {
      if (parameter.compare(0, 2, "q=") == 0) offer.q = std::strtod(parameter.c_str() + 2, nullptr);
    }
    offers.push_back(std::move(offer));
  }
  if (offers.empty()) offers.push_back({MediaType{"*/*", {}}, 1.0});
  std::stable_sort(offers.begin(), offers.end(), [](const Offer &a, const Offer &b) { return a.q > b.q; });
  for (const auto &offer : offers) {
    if (auto media = answer_as(offer.type, function)) return *media;
  }
  throw HttpError(406, "PGRST107",
                  "None of these media types are available: " + joined(split_trimmed(accept, ','), ", "));
}

}  // namespace nexus::bridge
