#include "glue/hashtags_spi.hpp"

namespace nexus::pg {

Spi::Spi() {
  call([] {
    if (SPI_connect() != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed");
  });
}

void Spi::finish() {
  call([] { SPI_finish(); });
}

std::optional<Datum> SpiRows::get(std::uint64_t row, int column) const {
  bool isnull = false;
  Datum value = call([&] { return SPI_getbinval(table_->vals[row], table_->tupdesc, column, &isnull); });
  if (isnull) return std::nullopt;
  return value;
}

std::int64_t SpiRows::integer(std::uint64_t row, int column) const {
  auto value = get(row, column);
  if (!value) return 0;
  switch (SPI_gettypeid(table_->tupdesc, column)) {
    case INT4OID:
      return DatumGetInt32(*value);
    case OIDOID:
      return DatumGetObjectId(*value);
    case BOOLOID:
      return DatumGetBool(*value) ? 1 : 0;
    default:
      return DatumGetInt64(*value);
  }
}

std::string_view SpiRows::text(std::uint64_t row, int column) const {
  auto value = get(row, column);
  return value ? text_view(*value) : std::string_view();
}

std::string_view SpiRows::bytes(std::uint64_t row, int column) const {
  auto value = get(row, column);
  return value ? bytes_view(*value) : std::string_view();
}

std::vector<std::string_view> SpiRows::texts(std::uint64_t row, int column) const {
  auto value = get(row, column);
  if (!value) return {};
  Datum *elements;
  int count;
  call([&] {
    deconstruct_array(DatumGetArrayTypeP(*value), TEXTOID, -1, false, TYPALIGN_INT, &elements, nullptr, &count);
  });
  std::vector<std::string_view> views;
  for (int i = 0; i < count; ++i) views.push_back(text_view(elements[i]));
  return views;
}

std::vector<std::uint32_t> SpiRows::integers(std::uint64_t row, int column) const {
  auto value = get(row, column);
  if (!value) return {};
  Datum *elements;
  int count;
  call([&] {
    deconstruct_array(DatumGetArrayTypeP(*value), INT4OID, 4, true, TYPALIGN_INT, &elements, nullptr, &count);
  });
  std::vector<std::uint32_t> numbers;
  numbers.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) numbers.push_back(static_cast<std::uint32_t>(DatumGetInt32(elements[i])));
  return numbers;
}

SpiStatement::SpiStatement(const char *sql, std::initializer_list<Oid> types)
    : sql_(sql), count_(static_cast<int>(types.size())) {
  int at = 0;
  for (Oid type : types) types_[at++] = type;
}

SpiRows SpiStatement::run(std::initializer_list<std::optional<Datum>> values, bool read_only) {
  if (static_cast<int>(values.size()) != count_) throw Error("XX000", "wrong number of values for a statement");
  Datum datums[kMaxArguments];
  char nulls[kMaxArguments];
  int at = 0;
  for (const auto &value : values) {
    datums[at] = value.value_or(0);
    nulls[at++] = value ? ' ' : 'n';
  }
  return call([&]() -> SpiRows {
    if (plan_ == nullptr) {
      SPIPlanPtr plan = SPI_prepare(sql_, count_, types_);
      if (plan == nullptr || SPI_keepplan(plan) != 0) elog(ERROR, "SPI_prepare failed: %d", SPI_result);
      plan_ = plan;
    }
    int result = SPI_execute_plan(plan_, datums, nulls, read_only, 0);
    if (result < 0) elog(ERROR, "SPI_execute_plan failed: %d", result);
    return {SPI_tuptable, SPI_processed};
  });
}

std::string_view bytes_view(Datum value) {
  return call([value]() -> std::string_view {
    bytea *packed = DatumGetByteaPP(value);
    return {VARDATA_ANY(packed), static_cast<size_t>(VARSIZE_ANY_EXHDR(packed))};
  });
}

Datum bytes_datum(std::string_view bytes) {
  return call([bytes]() -> Datum {
    auto *value = static_cast<bytea *>(palloc(VARHDRSZ + bytes.size()));
    SET_VARSIZE(value, VARHDRSZ + bytes.size());
    std::memcpy(VARDATA(value), bytes.data(), bytes.size());
    return PointerGetDatum(value);
  });
}

namespace {

Datum array_of(Datum *datums, size_t count, Oid type, int16 size, bool by_value, char align) {
  return call([=]() -> Datum {
    return PointerGetDatum(construct_array(datums, static_cast<int>(count), type, size, by_value, align));
  });
}

Datum *room_for(size_t count) {
  return call([count] { return static_cast<Datum *>(palloc(sizeof(Datum) * (count + 1))); });
}

}  // namespace

Datum bytes_array_datum(const std::vector<std::string> &values) {
  Datum *datums = room_for(values.size());
  for (size_t i = 0; i < values.size(); ++i) datums[i] = bytes_datum(values[i]);
  return array_of(datums, values.size(), BYTEAOID, -1, false, TYPALIGN_INT);
}

Datum bigint_array_datum(const std::vector<std::int64_t> &values) {
  Datum *datums = room_for(values.size());
  for (size_t i = 0; i < values.size(); ++i) datums[i] = Int64GetDatum(values[i]);
  return array_of(datums, values.size(), INT8OID, 8, true, TYPALIGN_DOUBLE);
}

Datum tid_array_datum(const std::vector<Datum> &places) {
  Datum *datums = room_for(places.size());
  for (size_t i = 0; i < places.size(); ++i) datums[i] = places[i];
  return array_of(datums, places.size(), TIDOID, sizeof(ItemPointerData), false, TYPALIGN_SHORT);
}

}  // namespace nexus::pg
