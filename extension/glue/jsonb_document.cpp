#include "glue/jsonb_document.hpp"

extern "C" {
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
}

namespace nexus::pg {

namespace {

/// What JsonbIteratorNext gave; a number comes as its text.
struct Step {
  JsonbIteratorToken token;
  JsonbValue value;
  char *number;
};

constexpr int kSteps = 64;  // in one crossing of the border

int next_steps(JsonbIterator *&iterator, Step *steps) {
  for (int i = 0; i < kSteps; ++i) {
    Step &step = steps[i];
    step.token = JsonbIteratorNext(&iterator, &step.value, false);
    if (step.token == WJB_DONE) return i;
    step.number = nullptr;
    bool scalar = step.token == WJB_VALUE || step.token == WJB_ELEM;
    if (scalar && step.value.type == jbvNumeric)
      step.number = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(step.value.val.numeric)));
  }
  return kSteps;
}

std::string_view text_of(const JsonbValue &value) {
  const char *data = value.val.string.val;
  int size = value.val.string.len;
  if (GetDatabaseEncoding() == PG_UTF8) return {data, static_cast<std::size_t>(size)};
  return call([data, size]() -> std::string_view {
    const char *utf8 = pg_server_to_any(data, size, PG_UTF8);
    return {utf8, utf8 == data ? static_cast<std::size_t>(size) : std::strlen(utf8)};
  });
}

void add_scalar(const Step &step, jsonschema::Document &document) {
  switch (step.value.type) {
    case jbvNull:
      return document.null();
    case jbvBool:
      return document.boolean(step.value.val.boolean);
    case jbvString:
      return document.string(text_of(step.value));
    case jbvNumeric:
      document.number(step.number);
      return pfree(step.number);
    default:
      break;
  }
}

}  // namespace

void read_jsonb(Jsonb *value, jsonschema::Document &document, Interrupt interrupt) {
  using jsonschema::Kind;
  document.clear();
  Step steps[kSteps];
  JsonbIterator *iterator = nullptr;
  call([&] { iterator = JsonbIteratorInit(&value->root); });
  bool scalar = JsonContainerIsScalar(&value->root);
  for (int count = kSteps; count == kSteps;) {
    count = call([&] { return next_steps(iterator, steps); });
    interrupt.poll(kSteps);
    for (int i = 0; i < count; ++i) {
      const Step &step = steps[i];
      switch (step.token) {
        case WJB_KEY:
          document.key(text_of(step.value));
          break;
        case WJB_VALUE:
        case WJB_ELEM:
          add_scalar(step, document);
          break;
        case WJB_BEGIN_OBJECT:
          document.begin(Kind::object);
          break;
        case WJB_BEGIN_ARRAY:
          if (!scalar) document.begin(Kind::array);
          break;
        case WJB_END_OBJECT:
          document.end();
          break;
        case WJB_END_ARRAY:
          if (!scalar) document.end();
          break;
        default:
          break;
      }
    }
  }
}

}  // namespace nexus::pg
