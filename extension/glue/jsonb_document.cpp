#include "glue/jsonb_document.hpp"

#include <optional>

extern "C" {
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
}

namespace nexus::pg {

namespace {

using jsonschema::Decimal;
using jsonschema::Document;
using jsonschema::Kind;

std::string_view text_of(const char *data, std::size_t size) {
  if (GetDatabaseEncoding() == PG_UTF8) return {data, size};
  return call([data, size]() -> std::string_view {
    const char *utf8 = pg_server_to_any(data, static_cast<int>(size), PG_UTF8);
    return {utf8, utf8 == data ? size : std::strlen(utf8)};
  });
}

/// A stored numeric of at most 16 digits or so: a header (sign, and which power of 10,000 the first digit has), then
/// digits of base 10,000. numeric.c calls this the on-disk format; the header's macros are its own, so here they are
/// again. Nothing for what is longer, or not finite.
std::optional<Decimal> short_decimal(const char *stored) {
  constexpr unsigned kLongMask = 0xC000, kShort = 0x8000, kSpecial = 0xC000, kNegative = 0x4000;
  constexpr unsigned kShortNegative = 0x2000, kShortWeightMask = 0x3F, kShortWeightSign = 0x40;
  constexpr std::size_t kMaxDigits = 4;
  std::size_t size = VARSIZE_ANY_EXHDR(stored);
  stored = VARDATA_ANY(stored);
  auto two_bytes = [&stored] {
    std::uint16_t read;
    std::memcpy(&read, stored, sizeof read);
    stored += sizeof read;
    return read;
  };
  unsigned header = two_bytes();
  size -= sizeof(std::uint16_t);
  bool negative;
  int weight;
  if ((header & kLongMask) == kSpecial) return std::nullopt;
  if ((header & kLongMask) == kShort) {
    negative = (header & kShortNegative) != 0;
    weight = static_cast<int>(header & kShortWeightMask);
    if ((header & kShortWeightSign) != 0) weight -= static_cast<int>(kShortWeightMask) + 1;
  } else {
    negative = (header & kLongMask) == kNegative;
    weight = static_cast<std::int16_t>(two_bytes());
    size -= sizeof(std::uint16_t);
  }
  std::size_t count = size / sizeof(std::uint16_t);
  if (count > kMaxDigits) return std::nullopt;
  std::uint64_t digits = 0;
  for (std::size_t i = 0; i < count; ++i) digits = digits * 10000 + two_bytes();
  return Decimal::of(negative, digits, 4 * (static_cast<std::int64_t>(weight) - static_cast<std::int64_t>(count) + 1));
}

void add_number(const char *stored, Document &document) {
  if (auto number = short_decimal(stored)) return document.number(*number);
  char *text = call([stored] {
    return DatumGetCString(DirectFunctionCall1(numeric_out, PointerGetDatum(const_cast<char *>(stored))));
  });
  document.number(text);
  pfree(text);
}

/// Where an entry that begins at `offset` ends: entries hold their length, some of them their end instead.
uint32 end_of(JEntry entry, uint32 offset) {
  return JBE_HAS_OFF(entry) ? JBE_OFFLENFLD(entry) : offset + JBE_OFFLENFLD(entry);
}

}  // namespace

void JsonbReader::open(const JsonbContainer *container) {
  level_.container = container;
  level_.is_object = JsonContainerIsObject(container);
  level_.next = 0;
  level_.count = JsonContainerSize(container);
  level_.data = reinterpret_cast<const char *>(&container->children[level_.count * (level_.is_object ? 2 : 1)]);
  level_.key_offset = 0;
  level_.value_offset = level_.is_object ? getJsonbOffset(container, static_cast<int>(level_.count)) : 0;
}

void JsonbReader::read(const Jsonb *value, Document &document, Interrupt interrupt) {
  document.clear();
  outer_.clear();
  bool scalar = JsonContainerIsScalar(&value->root);
  open(&value->root);
  if (!scalar) document.begin(level_.is_object ? Kind::object : Kind::array);
  while (true) {
    interrupt.poll();
    if (level_.next == level_.count) {
      if (scalar) return;
      document.end();
      if (outer_.empty()) return;
      level_ = outer_.back();
      outer_.pop_back();
      continue;
    }
    const JEntry *entries = level_.container->children + level_.next++;
    if (level_.is_object) {
      uint32 end = end_of(entries[0], level_.key_offset);
      document.key(text_of(level_.data + level_.key_offset, end - level_.key_offset));
      level_.key_offset = end;
      entries += level_.count;
    }
    JEntry entry = entries[0];
    uint32 begin = level_.value_offset, end = end_of(entry, begin);
    level_.value_offset = end;
    // Numbers and containers are aligned, by bytes that count as theirs.
    const char *aligned = level_.data + INTALIGN(begin);
    switch (entry & JENTRY_TYPEMASK) {
      case JENTRY_ISSTRING:
        document.string(text_of(level_.data + begin, end - begin));
        break;
      case JENTRY_ISNUMERIC:
        add_number(aligned, document);
        break;
      case JENTRY_ISBOOL_TRUE:
      case JENTRY_ISBOOL_FALSE:
        document.boolean(JBE_ISBOOL_TRUE(entry));
        break;
      case JENTRY_ISNULL:
        document.null();
        break;
      default:
        outer_.push_back(level_);
        open(reinterpret_cast<const JsonbContainer *>(aligned));
        document.begin(level_.is_object ? Kind::object : Kind::array);
        break;
    }
  }
}

}  // namespace nexus::pg
