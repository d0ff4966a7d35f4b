#include "core/metrics/hash.hpp"
#include "core/metrics/series.hpp"
#include "core/metrics/series_patch.hpp"

#include <algorithm>
#include <numeric>

#include "glue/index_scan.hpp"
#include "glue/metrics_rollup_store.hpp"
#include "glue/metrics_state.hpp"
#include "glue/table_cache.hpp"

extern "C" {
#include "access/stratnum.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
}

namespace nexus::pg {

uint16 Names::number(std::string_view name) {
  if (!names_.empty() && names_[last_] == name) return last_;
  std::string key(name);
  auto [found, is_new] = known_.try_emplace(key, static_cast<uint16>(names_.size()));
  if (is_new) {
    if (names_.size() == UINT16_MAX) throw Error("54000", "too many platforms in one statement");
    names_.push_back(key);
  }
  return last_ = found->second;
}

void Column::add_text(std::string_view text) {
  values_.push_back(
      call([text] { return PointerGetDatum(cstring_to_text_with_len(text.data(), static_cast<int>(text.size()))); }));
}

Datum Column::array() const {
  return call([this] {
    int16 size;
    bool by_value;
    char alignment;
    get_typlenbyvalalign(type_, &size, &by_value, &alignment);
    return PointerGetDatum(construct_array(const_cast<Datum *>(values_.data()), static_cast<int>(values_.size()), type_,
                                           size, by_value, alignment));
  });
}

Datum text_of(const std::string &text) {
  return call(
      [&text] { return PointerGetDatum(cstring_to_text_with_len(text.data(), static_cast<int>(text.size()))); });
}

int32 author_number(std::string_view user) {
  return static_cast<int32>(static_cast<uint32>(metrics::murmur3(user)));
}

std::string_view stored_bytes(Datum value) {
  auto *packed = reinterpret_cast<struct varlena *>(DatumGetPointer(value));
  if (VARATT_IS_COMPRESSED(packed) || VARATT_IS_EXTERNAL(packed))
    packed = call([packed] { return pg_detoast_datum_packed(packed); });
  return {VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed)};
}

metrics::Values values_of(HeapTuple row, TupleDesc descriptor, int first) {
  metrics::Values values;
  for (int i = 0; i < metrics::kMetrics; ++i) {
    bool null;
    Datum value = heap_getattr(row, first + i, descriptor, &null);
    if (!null) values.set(static_cast<size_t>(i), DatumGetInt64(value));
  }
  return values;
}

std::vector<metrics::DaySpan> spans_of(const std::vector<std::pair<Timestamp, Timestamp>> &ranges,
                                       metrics::LocalDays &days) {
  std::vector<metrics::DaySpan> spans;
  for (const auto &[from, to] : ranges) spans.push_back({days.at(from).day, days.at(to).day});
  std::sort(spans.begin(), spans.end(), [](auto a, auto b) { return a.first < b.first; });
  std::vector<metrics::DaySpan> joined;
  for (metrics::DaySpan span : spans) {
    if (!joined.empty() && span.first <= joined.back().last + 2)
      joined.back().last = std::max(joined.back().last, span.last);
    else
      joined.push_back(span);
  }
  return joined;
}

const RollupSettings &rollup_settings() {
  static RollupSettings settings;
  static TableWatch watch({"attachment", "metric_rollup_settings"});
  watch.rebuild([] {
    settings = {};
    TableRows attached = read_own_table("attachment"), set = read_own_table("metric_rollup_settings");
    if (attached.count > 0) {
      Datum name = *attached.value(0, 2);
      settings.schema = call([name] { return quote_identifier(NameStr(*DatumGetName(name))); });
    }
    if (set.count > 0) {
      settings.hot = stored_bytes(*set.value(0, 2)) == "hot";
      if (auto from = set.value(0, 3)) settings.raw_from = DatumGetTimestamp(*from);
    }
  });
  return settings;
}

Store::Store(bool read_only) : read_only_(read_only) {
  const RollupSettings &settings = rollup_settings();
  schema_ = settings.schema.empty() ? attached_schema() : settings.schema;  // 55000: nothing is attached
  hot_ = settings.hot;
  raw_from_ = settings.raw_from;
}

std::int32_t Store::first_open_day(metrics::LocalDays &days) const {
  if (raw_from_ == DT_NOBEGIN) return kAllDays.first;
  std::int32_t day = days.at(raw_from_).day;
  return days.start(day) < raw_from_ ? day + 1 : day;
}

uint64 Store::run(const std::string &statement, std::span<const Oid> types, const Datum *parameters) const {
  SPIPlanPtr prepared = plan(statement, types);
  spi_call([=, this] {
    if (SPI_execute_plan(prepared, const_cast<Datum *>(parameters), nullptr, read_only_, 0) < 0)
      elog(ERROR, "a statement over rollups failed");
    if (SPI_tuptable != nullptr) SPI_freetuptable(SPI_tuptable);
  });
  return SPI_processed;
}

std::vector<SeriesHead> Store::heads(const std::string &condition, std::span<const Oid> types,
                                     const Datum *parameters) const {
  std::vector<SeriesHead> found;
  std::string statement =
      "SELECT s.series, s.content_id, s.platform, s.user_id, s.tz, s.last_at, s.latest FROM nexus.metric_series s" +
      condition + " ORDER BY s.content_id, s.platform";
  for_rows(plan(statement, types), parameters, read_only_, true, [&found](HeapTuple row, TupleDesc descriptor) {
    SeriesHead head;
    bool null;
    head.series = DatumGetInt32(column(row, descriptor, 1));
    head.key = {DatumGetInt32(column(row, descriptor, 2)), std::string(stored_bytes(column(row, descriptor, 3)))};
    head.user = stored_bytes(column(row, descriptor, 4));
    head.zone = stored_bytes(column(row, descriptor, 5));
    Datum last = column(row, descriptor, 6, &null);
    if (!null) head.last_at = DatumGetTimestamp(last);
    head.latest = metrics::Values::decode(stored_bytes(column(row, descriptor, 7)));
    found.push_back(std::move(head));
  });
  return found;
}

namespace {

SeriesHead head_of(const TupleTableSlot *row) {
  const Datum *values = row->tts_values;  // in the order of the table's columns; only last_at may be NULL
  SeriesHead head;
  head.series = DatumGetInt32(values[0]);
  head.key = {DatumGetInt32(values[1]), std::string(stored_bytes(values[2]))};
  head.user = stored_bytes(values[3]);
  head.zone = stored_bytes(values[4]);
  if (!row->tts_isnull[5]) head.last_at = DatumGetTimestamp(values[5]);
  head.latest = metrics::Values::decode(stored_bytes(values[6]));
  return head;
}

/// Appends the heads of keys that have one; returns the numbers of the others.
std::vector<size_t> find_heads(const std::vector<SeriesKey> &keys, const std::vector<size_t> &wanted,
                               std::vector<SeriesHead> &heads) {
  std::vector<size_t> missing;
  with_one_snapshot([&] {
    IndexScan scan("metric_series", "metric_series_content_id_platform_key", 2);
    for (size_t number : wanted) {
      check_interrupts();
      ScanKeyData conditions[2];
      ScanKeyInit(&conditions[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(keys[number].content_id));
      ScanKeyInit(&conditions[1], 2, BTEqualStrategyNumber, F_TEXTEQ, text_of(keys[number].platform));
      scan.find(conditions);
      if (TupleTableSlot *row = scan.next(); row != nullptr)
        heads.push_back(head_of(row));
      else
        missing.push_back(number);
    }
    scan.close();
  });
  return missing;
}

}  // namespace

void Store::heads_of_user(Datum user, const std::function<void(SeriesHead &&)> &on_head) {
  ScanKeyData key;
  ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_TEXTEQ, user);
  IndexScan scan("metric_series", "metric_series_user_idx", 1);
  scan.find(&key);
  while (TupleTableSlot *row = scan.next()) {
    check_interrupts();
    on_head(head_of(row));
  }
  scan.close();
}

std::vector<SeriesHead> Store::make_heads(const std::vector<SeriesKey> &keys,
                                          const std::vector<std::string> &owners) const {
  std::vector<SeriesHead> heads;
  heads.reserve(keys.size());
  std::vector<size_t> wanted(keys.size());
  std::iota(wanted.begin(), wanted.end(), size_t{0});
  std::vector<size_t> missing = find_heads(keys, wanted, heads);
  if (missing.empty()) return heads;
  Column contents(INT4OID), platforms(TEXTOID), users(TEXTOID);
  for (size_t number : missing) {
    contents.add(Int32GetDatum(keys[number].content_id));
    platforms.add_text(keys[number].platform);
    users.add_text(owners[number]);
  }
  constexpr Oid kTypes[] = {INT4ARRAYOID, TEXTARRAYOID, TEXTARRAYOID};
  Datum parameters[] = {contents.array(), platforms.array(), users.array()};
  run("INSERT INTO nexus.metric_series (content_id, platform, user_id, tz, latest)"
      " SELECT k.id, k.platform, k.owner, coalesce((SELECT z.tz FROM nexus.metric_zones z"
      " WHERE z.user_id = k.owner COLLATE \"C\"), 'UTC'), '\\x0100'"
      " FROM unnest($1, $2, $3) k(id, platform, owner) JOIN " +
          schema_ +
          ".content c ON c.id = k.id AND coalesce(c.user_id, '') = k.owner"
          " ORDER BY k.id, k.platform COLLATE \"C\" ON CONFLICT DO NOTHING",
      kTypes, parameters);
  find_heads(keys, missing, heads);
  std::sort(heads.begin(), heads.end(), [](const SeriesHead &a, const SeriesHead &b) { return a.key < b.key; });
  return heads;
}

TableSource::TableSource(const Store &store, const SeriesHead &head, bool one_snapshot)
    : store_(&store), head_(&head), read_only_(one_snapshot || store.read_only()) {}

std::vector<metrics::DayRow> TableSource::read_days(const char *condition, int32 a, int32 b) const {
  std::vector<metrics::DayRow> rows;
  if (head_->series == 0) return rows;
  constexpr Oid kTypes[] = {INT4OID, DATEOID, DATEOID};
  Datum parameters[] = {Int32GetDatum(head_->series), DateADTGetDatum(a), DateADTGetDatum(b)};
  std::string statement = std::string("SELECT day, state FROM nexus.metric_days WHERE series = $1 AND ") + condition;
  for_rows(store_->plan(statement, kTypes), parameters, read_only_, false,
           [&rows](HeapTuple row, TupleDesc descriptor) {
             rows.push_back({DatumGetDateADT(column(row, descriptor, 1)),
                             metrics::DayState::decode(stored_bytes(column(row, descriptor, 2)))});
           });
  return rows;
}

std::vector<metrics::DayRow> TableSource::days(metrics::DaySpan span) {
  return read_days("day BETWEEN $2 AND $3 ORDER BY day", span.first, span.last);
}
std::vector<metrics::DayRow> TableSource::days_after(std::int32_t day) {
  return read_days("day > $2 AND $3 IS NOT NULL ORDER BY day LIMIT 8", day, day);
}
std::vector<metrics::DayRow> TableSource::days_before(std::int32_t day) {
  return read_days("day < $2 AND $3 IS NOT NULL ORDER BY day DESC LIMIT 8", day, day);
}

void TableSource::samples(metrics::Instant from, metrics::Instant to,
                          const std::function<void(metrics::Instant, const metrics::Values &)> &on_sample) {
  constexpr Oid kTypes[] = {INT4OID, TEXTOID, TIMESTAMPOID, TIMESTAMPOID};
  Datum platform = call([this] {
    return PointerGetDatum(
        cstring_to_text_with_len(head_->key.platform.data(), static_cast<int>(head_->key.platform.size())));
  });
  Datum parameters[] = {Int32GetDatum(head_->key.content_id), platform, TimestampGetDatum(from), TimestampGetDatum(to)};
  std::string statement = "SELECT captured_at, id" + counters_of("") + " FROM " + store_->schema() +
                          ".content_metrics WHERE content_id = $1 AND platform = $2 AND captured_at >= $3 AND "
                          "captured_at < $4 ORDER BY captured_at, id";
  for_rows(store_->plan(statement, kTypes), parameters, read_only_, true,
           [&on_sample](HeapTuple row, TupleDesc descriptor) {
             on_sample(DatumGetTimestamp(column(row, descriptor, 1)), values_of(row, descriptor, 3));
           });
}

Timestamp TableSource::last_at() const {
  constexpr Oid kTypes[] = {INT4OID, TEXTOID};
  Datum platform = call([this] {
    return PointerGetDatum(
        cstring_to_text_with_len(head_->key.platform.data(), static_cast<int>(head_->key.platform.size())));
  });
  Datum parameters[] = {Int32GetDatum(head_->key.content_id), platform};
  Timestamp last = DT_NOBEGIN;
  std::string statement = "SELECT captured_at FROM " + store_->schema() +
                          ".content_metrics WHERE content_id = $1 AND platform = $2 ORDER BY captured_at DESC LIMIT 1";
  for_rows(store_->plan(statement, kTypes), parameters, read_only_, false,
           [&last](HeapTuple row, TupleDesc descriptor) { last = DatumGetTimestamp(column(row, descriptor, 1)); });
  return last;
}

}  // namespace nexus::pg
