// Text functions (sql/install/20-text.sql).
#include <algorithm>
#include <array>
#include <optional>
#include <unordered_set>

#include "core/text/analysis.hpp"
#include "core/text/entities.hpp"
#include "core/text/graphemes.hpp"
#include "core/text/identifiers.hpp"
#include "core/text/normalize.hpp"
#include "core/text/stats.hpp"
#include "core/text/unicode.hpp"
#include "core/text/x_length.hpp"
#include "glue/datum.hpp"

namespace nexus::pg {

namespace {

/// Text values one after the other in the same place: short ones take no memory, and each is gone with the next.
class ShortText {
 public:
  Datum datum(std::string_view utf8) {
    std::size_t size = utf8.size() + VARHDRSZ_SHORT;
    if (size > sizeof bytes_ || GetDatabaseEncoding() != PG_UTF8) return text_datum(utf8);
    SET_VARSIZE_SHORT(bytes_, size);
    utf8.copy(bytes_ + VARHDRSZ_SHORT, utf8.size());
    return PointerGetDatum(bytes_);
  }

 private:
  char bytes_[VARATT_SHORT_MAX];
};

}  // namespace

NEXUS_FUNCTION(nexus_unicode_version) {
  PG_RETURN_DATUM(text_datum(text::unicode_version()));
}

NEXUS_FUNCTION(nexus_text_stats) {
  text::Stats stats = text::text_stats(text_arg(fcinfo, 0), interrupt());
  auto integer = [](std::int64_t value) { return Int32GetDatum(static_cast<int32>(value)); };
  PG_RETURN_DATUM(row_datum(fcinfo, {integer(stats.bytes), integer(stats.codepoints), integer(stats.utf16_units),
                                     integer(stats.graphemes), integer(stats.x_weight), integer(stats.mastodon_length),
                                     integer(stats.lines), BoolGetDatum(stats.bidi_controls)}));
}

NEXUS_FUNCTION(nexus_x_length) {
  text::XConfig config = text::parse_x_config(text_arg(fcinfo, 1));
  text::XLength length = text::x_length(text_arg(fcinfo, 0), config, interrupt());
  auto integer = [](std::int64_t value) { return Int32GetDatum(static_cast<int32>(value)); };
  PG_RETURN_DATUM(
      row_datum(fcinfo, {integer(length.weight), Int64GetDatum(length.permillage), BoolGetDatum(length.valid),
                         Int32GetDatum(length.fits.codepoint), Int32GetDatum(length.fits.utf16),
                         Int32GetDatum(length.fits.byte), integer(length.valid_range_end)}));
}

NEXUS_FUNCTION(nexus_entities) {
  text::Dialect dialect = text::parse_dialect(text_arg(fcinfo, 1));
  text::Analysis analysis(text_arg(fcinfo, 0), interrupt());
  text::EntityReader reader(analysis.text(), analysis.links(dialect));
  // There may be a row for each three bytes: what can be shared is made once, and short values need no memory.
  std::array<std::optional<Datum>, text::kEntityKinds> kinds;
  ShortText short_value, short_canonical;
  Rows rows(fcinfo);
  for (text::Entity entity; reader.next(entity);) {
    analysis.interrupt().poll(16);
    std::optional<Datum> &kind = kinds.at(static_cast<std::size_t>(entity.kind));
    if (!kind) kind = text_datum(text::name(entity.kind));
    Datum value = short_value.datum(entity.value);
    Datum canonical = entity.canonical == entity.value ? value : short_canonical.datum(entity.canonical);
    rows.add({kind, value, canonical, Int32GetDatum(entity.start.codepoint), Int32GetDatum(entity.end.codepoint),
              Int32GetDatum(entity.start.utf16), Int32GetDatum(entity.end.utf16), Int32GetDatum(entity.start.byte),
              Int32GetDatum(entity.end.byte)});
  }
  PG_RETURN_NULL();
}

NEXUS_FUNCTION(nexus_hashtags) {
  text::Dialect dialect = text::parse_dialect(text_arg(fcinfo, 1));
  std::vector<text::Entity> found = text::entities(text_arg(fcinfo, 0), dialect, interrupt());
  std::vector<std::string_view> tags;
  std::unordered_set<std::string_view> seen;
  for (const text::Entity &entity : found)
    if (entity.kind == text::EntityKind::hashtag && seen.insert(entity.canonical).second)
      tags.push_back(entity.canonical);
  PG_RETURN_DATUM(text_array_datum(tags));
}

NEXUS_FUNCTION(nexus_canonical_hashtag) {
  PG_RETURN_DATUM(text_datum(text::canonical_hashtag(text_arg(fcinfo, 0), interrupt())));
}

NEXUS_FUNCTION(nexus_is_valid) {
  PG_RETURN_BOOL(text::is_valid(text_arg(fcinfo, 0), text_arg(fcinfo, 1)));
}

NEXUS_FUNCTION(nexus_grapheme_breaks) {
  std::vector<std::int32_t> breaks = text::grapheme_breaks(text_arg(fcinfo, 0), interrupt());
  auto count = static_cast<int>(breaks.size());
  const std::int32_t *values = breaks.data();
  PG_RETURN_DATUM(call([values, count]() -> Datum {
    auto *datums = static_cast<Datum *>(palloc_extended(sizeof(Datum) * static_cast<Size>(count), MCXT_ALLOC_HUGE));
    for (int i = 0; i < count; ++i) datums[i] = Int32GetDatum(values[i]);
    return PointerGetDatum(construct_array(datums, count, INT4OID, sizeof(int32), true, TYPALIGN_INT));
  }));
}

}  // namespace nexus::pg
