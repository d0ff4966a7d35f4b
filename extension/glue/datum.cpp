#include "glue/datum.hpp"

#include <string>

namespace nexus::pg {

namespace {

constexpr int kMaxColumns = 64;

void spread(std::initializer_list<std::optional<Datum>> values, Datum *datums, bool *nulls) {
  if (values.size() > kMaxColumns) throw Error("XX000", "too many columns in a result row");
  int column = 0;
  for (const auto &value : values) {
    datums[column] = value.value_or(0);
    nulls[column] = !value.has_value();
    ++column;
  }
}

}  // namespace

std::string_view text_view(Datum value) {
  // Most values are here as they are: nothing can fail, and nothing needs the border.
  const auto *stored = reinterpret_cast<const struct varlena *>(DatumGetPointer(value));
  const bool is_plain = VARATT_IS_4B_U(stored) || (VARATT_IS_SHORT(stored) && !VARATT_IS_EXTERNAL(stored));
  if (is_plain && GetDatabaseEncoding() == PG_UTF8) return {VARDATA_ANY(stored), VARSIZE_ANY_EXHDR(stored)};
  return call([value]() -> std::string_view {
    text *packed = DatumGetTextPP(value);
    const char *data = VARDATA_ANY(packed);
    int size = static_cast<int>(VARSIZE_ANY_EXHDR(packed));
    if (GetDatabaseEncoding() == PG_UTF8) return {data, static_cast<size_t>(size)};
    // The conversion gives back its input where nothing had to change; only a new string is NUL-terminated.
    const char *utf8 = pg_server_to_any(data, size, PG_UTF8);
    return {utf8, utf8 == data ? static_cast<size_t>(size) : std::strlen(utf8)};
  });
}

std::vector<std::string_view> text_array_arg(FunctionCallInfo fcinfo, int index, const char *name) {
  struct Elements {
    Datum *values;
    bool *nulls;
    int count;
  };
  auto elements = call([&]() -> Elements {
    Elements e{};
    deconstruct_array(PG_GETARG_ARRAYTYPE_P(index), TEXTOID, -1, false, TYPALIGN_INT, &e.values, &e.nulls, &e.count);
    return e;
  });
  std::vector<std::string_view> views;
  views.reserve(static_cast<size_t>(elements.count));
  for (int i = 0; i < elements.count; ++i) {
    if (elements.nulls[i]) throw Error("22004", std::string(name) + " must not contain NULL");
    views.push_back(text_view(elements.values[i]));
  }
  return views;
}

Datum text_datum(std::string_view utf8) {
  return call([utf8]() -> Datum {
    int size = static_cast<int>(utf8.size());
    if (GetDatabaseEncoding() == PG_UTF8) return PointerGetDatum(cstring_to_text_with_len(utf8.data(), size));
    char *server = pg_any_to_server(utf8.data(), size, PG_UTF8);
    if (server == utf8.data()) return PointerGetDatum(cstring_to_text_with_len(server, size));
    return PointerGetDatum(cstring_to_text(server));
  });
}

Datum text_array_datum(const std::vector<std::string_view> &values) {
  auto *datums = call([&] { return static_cast<Datum *>(palloc(sizeof(Datum) * (values.size() + 1))); });
  for (size_t i = 0; i < values.size(); ++i) datums[i] = text_datum(values[i]);
  return call([&]() -> Datum {
    return PointerGetDatum(construct_array(datums, static_cast<int>(values.size()), TEXTOID, -1, false, TYPALIGN_INT));
  });
}

void refuse_null(const char *argument) {
  throw Error("22004", std::string(argument) + " must not be NULL");
}

Rows::Rows(FunctionCallInfo fcinfo, bool scalar) : result_(reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo)) {
  call([&] { InitMaterializedSRF(fcinfo, scalar ? MAT_SRF_USE_EXPECTED_DESC : 0); });
}

void Rows::add(std::initializer_list<std::optional<Datum>> values) {
  Datum datums[kMaxColumns];
  bool nulls[kMaxColumns];
  spread(values, datums, nulls);
  call([&] { tuplestore_putvalues(result_->setResult, result_->setDesc, datums, nulls); });
}

Datum row_datum(FunctionCallInfo fcinfo, std::initializer_list<std::optional<Datum>> values) {
  Datum datums[kMaxColumns];
  bool nulls[kMaxColumns];
  spread(values, datums, nulls);
  return call([&]() -> Datum {
    TupleDesc descriptor;
    if (get_call_result_type(fcinfo, nullptr, &descriptor) != TYPEFUNC_COMPOSITE)
      elog(ERROR, "return type must be a row type");
    return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), datums, nulls));
  });
}

}  // namespace nexus::pg
