#include "core/validation/limits.hpp"

#include "glue/validation_draft.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "glue/datum.hpp"

extern "C" {
#include "access/xact.h"
#include "utils/fmgrprotos.h"
}

namespace nexus::pg {

namespace {

using validation::Draft;
using validation::Finding;
using validation::Media;
using validation::row_finding;

constexpr std::size_t kMaxDraftBytes = 4 << 20;
constexpr std::size_t kMaxMedia = 200;
constexpr std::size_t kMaxParts = 200;
constexpr std::size_t kMaxHashtags = 1000;

[[noreturn]] void refuse(const std::string &path, const char *wanted) {
  throw invalid_argument("draft member " + path + " is not " + wanted)
      .hint("Leave it out, or make it null, where there is none.");
}

[[noreturn]] void refuse_size(const std::string &what, std::size_t most) {
  throw Error("54000", "the draft has more than " + std::to_string(most) + " " + what).hint("Split it.");
}

std::optional<std::string_view> text_member(const JsonView &object, const std::string &prefix, const char *key) {
  auto value = object.member(key);
  if (!value) return std::nullopt;
  if (!value->is_string()) refuse(prefix + key, "a string");
  return value->text();
}

std::optional<double> number_member(const JsonView &object, const std::string &prefix, const char *key) {
  auto value = object.member(key);
  if (!value) return std::nullopt;
  if (!value->is_number() || !std::isfinite(value->number()) || value->number() < 0)
    refuse(prefix + key, "a number of 0 or more");
  return value->number();
}

std::optional<JsonView> array_member(const JsonView &object, const std::string &prefix, const char *key,
                                     std::size_t most, const char *what) {
  auto value = object.member(key);
  if (!value) return std::nullopt;
  if (!value->is_array()) refuse(prefix + key, "an array");
  if (value->size() > most) refuse_size(what, most);
  return value;
}

void report_unknown_keys(const JsonView &object, const std::string &prefix,
                         std::initializer_list<std::string_view> known, std::vector<Finding> &findings) {
  for (std::string_view key : object.keys()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    std::string list;
    for (std::string_view word : known) list.append(list.empty() ? "" : ", ").append(word);
    Finding finding = row_finding("draft.unknown_key", prefix + std::string(key.substr(0, 64)),
                                  "the draft has a member that nothing looks at", "Known members: " + list);
    finding.severity = validation::Severity::warning;
    findings.push_back(std::move(finding));
    if (findings.size() >= 100) return;
  }
}

std::vector<Media> decode_media(const JsonView &object, const std::string &prefix, std::vector<Finding> &findings,
                                bool *given = nullptr) {
  std::vector<Media> media;
  auto list = array_member(object, prefix, "media", kMaxMedia, "media");
  if (given != nullptr) *given = list.has_value();
  if (!list) return media;
  for (std::size_t i = 0; i < list->size(); ++i) {
    std::string path = prefix + "media[" + std::to_string(i) + "]";
    JsonView entry = list->element(i);
    if (!entry.is_object()) refuse(path, "an object");
    path.push_back('.');
    Media medium;
    medium.media_type = text_member(entry, path, "media_type");
    medium.mime_type = text_member(entry, path, "mime_type");
    medium.alt_text = text_member(entry, path, "alt_text");
    medium.file_size = number_member(entry, path, "file_size");
    medium.width = number_member(entry, path, "width");
    medium.height = number_member(entry, path, "height");
    medium.duration = number_member(entry, path, "duration");
    report_unknown_keys(entry, path,
                        {"media_type", "mime_type", "file_size", "width", "height", "duration", "alt_text"}, findings);
    media.push_back(medium);
  }
  return media;
}

void check_time(const JsonView &document, std::vector<Finding> &findings) {
  auto status = text_member(document, "", "status");
  auto at = text_member(document, "", "scheduled_at");
  if (status && *status == "scheduled" && !at) {
    findings.push_back(
        row_finding("scheduled_at.missing", "scheduled_at", "a scheduled post needs a time", "Set scheduled_at."));
    return;
  }
  if (!at) return;
  std::string text(*at);
  const char *input = text.c_str();
  TimestampTz when = call([input]() -> TimestampTz {
    return DatumGetTimestampTz(
        DirectFunctionCall3(timestamptz_in, CStringGetDatum(input), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
  });
  if (TIMESTAMP_NOT_FINITE(when))
    findings.push_back(row_finding("scheduled_at.infinite", "scheduled_at", "scheduled_at is infinite", "Use a date."));
  else if (status && *status == "scheduled" && when < GetCurrentTransactionStartTimestamp() - USECS_PER_MINUTE)
    findings.push_back(row_finding("scheduled_at.past", "scheduled_at", "scheduled_at is in the past",
                                   "Choose a time to come, or publish now."));
}

}  // namespace

DecodedDraft decode_draft(Jsonb *document, bool compare_time) {
  DecodedDraft decoded;
  Draft &draft = decoded.draft;
  if (VARSIZE(document) > kMaxDraftBytes) refuse_size("bytes", kMaxDraftBytes);
  JsonView root = JsonView::of(document);
  if (!root.is_object())
    throw invalid_argument("draft is not a JSON object").hint("Give an object: {\"caption\": \"...\"}");

  draft.title = text_member(root, "", "title");
  draft.caption = text_member(root, "", "caption");
  draft.description = text_member(root, "", "description");
  draft.script = text_member(root, "", "script");
  draft.content_type = text_member(root, "", "content_type");
  decoded.platform = text_member(root, "", "platform");
  if (auto tags = array_member(root, "", "hashtags", kMaxHashtags, "hashtags")) {
    for (std::size_t i = 0; i < tags->size(); ++i) {
      JsonView tag = tags->element(i);
      if (!tag.is_string()) refuse("hashtags[" + std::to_string(i) + "]", "a string");
      draft.hashtags.push_back(tag.text());
    }
  }
  auto &findings = decoded.findings;
  draft.media = decode_media(root, "", findings, &decoded.media_given);
  if (auto thread = array_member(root, "", "thread", kMaxParts, "parts of a thread")) {
    for (std::size_t i = 0; i < thread->size(); ++i) {
      std::string path = "thread[" + std::to_string(i) + "]";
      JsonView entry = thread->element(i);
      if (!entry.is_object()) refuse(path, "an object");
      path.push_back('.');
      validation::Part part;
      part.caption = text_member(entry, path, "caption");
      if (part.caption) validation::check_unseen(path + "caption", *part.caption, findings);
      part.media = decode_media(entry, path, findings);
      report_unknown_keys(entry, path, {"caption", "media"}, findings);
      draft.thread.push_back(std::move(part));
    }
  }
  report_unknown_keys(root, "",
                      {"title", "caption", "description", "script", "hashtags", "content_type", "platform", "status",
                       "scheduled_at", "metadata", "media", "thread"},
                      findings);
  if (draft.title) {
    validation::check_title("title", *draft.title, findings);
    validation::check_unseen("title", *draft.title, findings);
  }
  auto check_size = [&](const char *field, const std::optional<std::string_view> &text) {
    if (!text) return;
    validation::check_text_size(field, text->size(), findings);
    validation::check_unseen(field, *text, findings);
  };
  check_size("caption", draft.caption);
  check_size("description", draft.description);
  check_size("script", draft.script);
  if (validation::check_tag_count("hashtags", draft.hashtags.size(), findings))
    validation::check_tags("hashtags", draft.hashtags, findings);
  if (auto metadata = root.member("metadata")) {
    auto shape = metadata->shape();
    validation::check_metadata("metadata", {metadata->is_object(), metadata->bytes(), shape.depth, shape.keys},
                               findings);
  }
  if (compare_time) check_time(root, findings);
  return decoded;
}

void finding_datums(const Finding &finding, Datum *values, bool *nulls) {
  const std::string *texts[] = {&finding.platform, &finding.code, nullptr,          &finding.field,
                                &finding.message,  &finding.hint, nullptr,          nullptr,
                                nullptr,           nullptr,       &finding.rule_id, &finding.source};
  static_assert(std::size(texts) == kFindingColumns);
  std::string_view severity = validation::name(finding.severity);
  // One crossing of the border for a row, as this runs for each finding of each platform.
  call([&] {
    auto text = [](std::string_view utf8) {
      auto size = static_cast<int>(utf8.size());
      if (GetDatabaseEncoding() == PG_UTF8) return PointerGetDatum(cstring_to_text_with_len(utf8.data(), size));
      char *server = pg_any_to_server(utf8.data(), size, PG_UTF8);
      if (server == utf8.data()) return PointerGetDatum(cstring_to_text_with_len(server, size));
      return PointerGetDatum(cstring_to_text(server));
    };
    auto integer = [&](int column, const std::optional<std::int32_t> &value) {
      nulls[column] = !value;
      values[column] = Int32GetDatum(value.value_or(0));
    };
    auto numeric = [&](int column, const std::optional<double> &value) {
      nulls[column] = !value;
      if (!value) return;
      bool whole = *value == std::floor(*value) && std::abs(*value) < 9e15;
      values[column] = whole ? DirectFunctionCall1(int8_numeric, Int64GetDatum(static_cast<int64>(*value)))
                             : DirectFunctionCall1(float8_numeric, Float8GetDatum(*value));
    };
    for (int i = 0; i < kFindingColumns; ++i) {
      if (texts[i] == nullptr) continue;
      nulls[i] = texts[i]->empty();
      if (!nulls[i]) values[i] = text(*texts[i]);
    }
    nulls[2] = false;
    values[2] = text(severity);
    integer(6, finding.start_char);
    integer(7, finding.end_char);
    numeric(8, finding.actual);
    numeric(9, finding.allowed);
  });
}

}  // namespace nexus::pg
