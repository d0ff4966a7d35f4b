#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/validation/rules.hpp"

namespace nexus::validation {

/// An attached file, as far as its facts are known. The views belong to the caller.
struct Media {
  std::optional<std::string_view> media_type = {}, mime_type = {}, alt_text = {};
  std::optional<double> file_size = {}, width = {}, height = {}, duration = {};  ///< bytes, pixels, seconds
};

/// A further part of a thread.
struct Part {
  std::optional<std::string_view> caption = {};
  std::vector<Media> media = {};
};

/// A post before it is one. All texts are valid UTF-8 that the caller keeps alive.
struct Draft {
  std::optional<std::string_view> title = {}, caption = {}, description = {}, script = {}, content_type = {};
  std::vector<std::string_view> hashtags = {};
  std::vector<Media> media = {};
  bool complete = true;  ///< false where other parts of it are kept elsewhere: then nothing counts as missing
  std::vector<Part> thread = {};
};

/// Something to know about a draft: what, where, how much, and by which rule.
struct Finding {
  std::string platform;  ///< slug; empty where it is not a platform that minds
  std::string code;      ///< stable: caption.too_long, media.mime_type ...
  Severity severity = Severity::error;
  std::string field;    ///< path in the draft: caption, media[2].duration, thread[1].caption
  std::string message;  ///< one sentence without a period, never with the draft's own text in it
  std::string hint;
  std::optional<std::int32_t> start_char, end_char;  ///< the part at fault in characters, half open
  std::optional<double> actual, allowed;
  std::string rule_id, source;
};

/// A JSON array of objects with the members of nexus.finding; absent members are left out.
std::string to_json(const std::vector<Finding> &findings);

/// 12, 0.5625: whole numbers without a point, others with four decimals at most.
std::string number_text(double value);

}  // namespace nexus::validation
