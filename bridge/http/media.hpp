#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bridge/http/catalogue.hpp"

namespace nexus::bridge {

constexpr const char *kJsonType = "application/json; charset=utf-8";

/// How the rows become the body.
enum class Shape { kJson, kSingular, kCsv, kRaw, kLines };

/// The form of the answer that a request and a function agreed on.
struct Media {
  Shape shape = Shape::kJson;
  bool strip_nulls = false;
  std::string content_type = kJsonType;
};

/// A media type in lower case and its parameters, without white space: "text/csv", {"charset=utf-8"}.
struct MediaType {
  std::string name;
  std::vector<std::string> parameters;

  bool has(std::string_view parameter) const;
};

MediaType parse_media_type(std::string_view text);

/// The form of the answer for an Accept header (empty: anything). Higher q comes first. Throws 406 PGRST107.
///
///     choose_media("text/html, */*;q=0.8", function).shape == Shape::kJson
Media choose_media(const std::string &accept, const Function &function);

}  // namespace nexus::bridge
