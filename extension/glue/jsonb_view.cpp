#include "glue/jsonb_view.hpp"

#include <algorithm>

#include "glue/jsonb_walk.hpp"

extern "C" {
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
}

namespace nexus::pg {

namespace {

std::string_view to_utf8(const char *data, int size) {
  if (GetDatabaseEncoding() == PG_UTF8) return {data, static_cast<std::size_t>(size)};
  return call([&]() -> std::string_view {
    const char *utf8 = pg_server_to_any(data, size, PG_UTF8);
    return {utf8, utf8 == data ? static_cast<std::size_t>(size) : std::strlen(utf8)};
  });
}

}  // namespace

JsonView JsonView::of(Jsonb *document) {
  JsonbValue value;
  if (JsonContainerIsScalar(&document->root)) {
    call([&] { value = *getIthJsonbValueFromContainer(&document->root, 0); });
  } else {
    value.type = jbvBinary;
    value.val.binary.data = &document->root;
    value.val.binary.len = static_cast<int>(VARSIZE(document) - VARHDRSZ);
  }
  return JsonView(value);
}

std::string_view JsonView::text() const {
  return to_utf8(value_.val.string.val, value_.val.string.len);
}

double JsonView::number() const {
  return call([this] {
    return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(value_.val.numeric)));
  });
}

std::size_t JsonView::size() const {
  return JsonContainerSize(container());
}

std::optional<JsonView> JsonView::member(const char *key) const {
  JsonbValue found;
  bool present = call([&]() -> bool {
    return getKeyJsonValueFromContainer(container(), key, static_cast<int>(std::strlen(key)), &found) != nullptr;
  });
  if (!present || found.type == jbvNull) return std::nullopt;
  return JsonView(found);
}

JsonView JsonView::element(std::size_t index) const {
  JsonbValue found;
  call([&] { found = *getIthJsonbValueFromContainer(container(), static_cast<uint32>(index)); });
  return JsonView(found);
}

std::vector<std::string_view> JsonView::keys() const {
  std::vector<std::string_view> keys;
  keys.reserve(size());
  JsonbIterator *iterator = nullptr;
  JsonbValue value;
  call([&] { iterator = JsonbIteratorInit(container()); });
  while (true) {
    JsonbIteratorToken token = call([&] { return JsonbIteratorNext(&iterator, &value, true); });
    if (token == WJB_DONE) break;
    if (token == WJB_KEY) keys.push_back(to_utf8(value.val.string.val, value.val.string.len));
  }
  return keys;
}

std::size_t JsonView::bytes() const {
  return container() != nullptr ? static_cast<std::size_t>(value_.val.binary.len) : 0;
}

JsonView::Shape JsonView::shape() const {
  if (container() == nullptr) return {};
  struct Measure {
    Shape shape;
    int depth = 0;
    void begin(bool) { shape.depth = std::max(shape.depth, ++depth); }
    void end() { --depth; }
    void key(const char *, std::size_t) { ++shape.keys; }
    void string(const char *, std::size_t) {}
    void number(const char *) {}
    void boolean(bool) {}
    void null() {}
  } measure;
  JsonbWalk().over(container(), measure);
  return measure.shape;
}

}  // namespace nexus::pg
