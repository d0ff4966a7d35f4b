// SQL from C++ for the hashtag model: plans kept per backend, results read as plain values.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "glue/datum.hpp"

namespace nexus::pg {

/// An SPI connection. It is closed by finish(); an error closes it with the transaction.
class Spi {
 public:
  Spi();
  void finish();
};

/// The rows of the last statement; valid until the Spi is finished.
class SpiRows {
 public:
  SpiRows(SPITupleTable *table, std::uint64_t count) : table_(table), count_(count) {}

  std::uint64_t size() const { return count_; }
  std::optional<Datum> get(std::uint64_t row, int column) const;  // columns from 1
  std::int64_t integer(std::uint64_t row, int column) const;      // NULL is 0
  bool is_null(std::uint64_t row, int column) const { return !get(row, column).has_value(); }
  std::string_view text(std::uint64_t row, int column) const;   // NULL is ''
  std::string_view bytes(std::uint64_t row, int column) const;  // NULL is ''
  std::vector<std::string_view> texts(std::uint64_t row, int column) const;
  std::vector<std::uint32_t> integers(std::uint64_t row, int column) const;  // an integer[]

 private:
  SPITupleTable *table_;
  std::uint64_t count_;
};

/// A statement planned at its first run and kept: make it a static variable.
///
///     static SpiStatement words("SELECT df FROM nexus.x WHERE word = ANY ($1)", {TEXTARRAYOID});
///     SpiRows rows = words.read({text_array_datum(names)});
class SpiStatement {
 public:
  SpiStatement(const char *sql, std::initializer_list<Oid> types);

  /// Sees the snapshot of the calling query.
  SpiRows read(std::initializer_list<std::optional<Datum>> values) { return run(values, true); }
  /// Sees a snapshot of its own, and what ran before it.
  SpiRows write(std::initializer_list<std::optional<Datum>> values) { return run(values, false); }

 private:
  static constexpr int kMaxArguments = 16;
  SpiRows run(std::initializer_list<std::optional<Datum>> values, bool read_only);

  const char *sql_;
  Oid types_[kMaxArguments];
  int count_;
  SPIPlanPtr plan_ = nullptr;
};

std::string_view bytes_view(Datum value);
Datum bytes_datum(std::string_view bytes);
Datum bytes_array_datum(const std::vector<std::string> &values);
Datum bigint_array_datum(const std::vector<std::int64_t> &values);
Datum tid_array_datum(const std::vector<Datum> &places);  // of ctid columns; valid as long as their rows

}  // namespace nexus::pg
