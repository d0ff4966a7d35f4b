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

class Layout {
 public:
  Layout(Document &document, Interrupt interrupt) : document_(document), interrupt_(interrupt) {}

  void begin(bool is_object) {
    interrupt_.poll();
    document_.begin(is_object ? Kind::object : Kind::array);
  }
  void end() { document_.end(); }
  void key(const char *data, std::size_t size) { document_.key(text_of(data, size)); }
  void string(const char *data, std::size_t size) {
    interrupt_.poll();
    document_.string(text_of(data, size));
  }
  void number(const char *stored) {
    interrupt_.poll();
    add_number(stored, document_);
  }
  void boolean(bool truth) {
    interrupt_.poll();
    document_.boolean(truth);
  }
  void null() {
    interrupt_.poll();
    document_.null();
  }

 private:
  Document &document_;
  Interrupt interrupt_;
};

}  // namespace

void read_jsonb(const Jsonb *value, JsonbWalk &walk, Document &document, Interrupt interrupt) {
  document.clear();
  walk.over(&value->root, Layout(document, interrupt));
}

}  // namespace nexus::pg
