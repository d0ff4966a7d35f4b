// Samples from JSON: the first half of ingest_metrics (sql/install/51-metrics-content.sql).
#include <string>

#include "core/metrics/sample.hpp"
#include "glue/datum.hpp"
#include "glue/metrics_numeric.hpp"
#include "glue/settings.hpp"

extern "C" {
#include "access/xact.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
}

namespace nexus::pg {

using metrics::Scalar;

namespace {

/// Walks the elements of a JSON array; `element` gives the next one's pairs. All texts live until the next element.
class Elements {
 public:
  MemoryContext scratch() const { return scratch_; }
  struct Pair {
    const char *key, *text;
    size_t key_size, text_size;
    Scalar::Kind kind;
  };
  struct Element {
    const Pair *pairs;
    int count;
    bool object;
  };

  explicit Elements(const Jsonb *json) {
    JsonbContainer *root = const_cast<JsonbContainer *>(&json->root);
    call([this, root] {
      scratch_ = AllocSetContextCreate(CurrentMemoryContext, "sample", ALLOCSET_DEFAULT_SIZES);
      iterator_ = JsonbIteratorInit(root);
      JsonbValue value;
      JsonbIteratorNext(&iterator_, &value, true);  // the array's begin
    });
  }

  bool next(Element &element) {
    return call([this, &element] {
      MemoryContextReset(scratch_);
      JsonbValue value;
      if (JsonbIteratorNext(&iterator_, &value, true) != WJB_ELEM) return false;
      MemoryContext outer = MemoryContextSwitchTo(scratch_);
      element = {nullptr, 0, false};
      if (value.type == jbvBinary && JsonContainerIsObject(value.val.binary.data)) read(value.val.binary.data, element);
      MemoryContextSwitchTo(outer);
      return true;
    });
  }

 private:
  static const char *utf8(const char *text, int size, size_t &utf8_size) {
    const char *converted = pg_server_to_any(text, size, PG_UTF8);
    utf8_size = converted == text ? static_cast<size_t>(size) : std::strlen(converted);
    return converted;
  }

  static void read(JsonbContainer *object, Element &element) {
    auto *pairs = static_cast<Pair *>(palloc(sizeof(Pair) * (JsonContainerSize(object) + 1)));
    JsonbIterator *iterator = JsonbIteratorInit(object);
    JsonbValue value;
    for (JsonbIteratorToken token; (token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE;) {
      Pair &pair = pairs[element.count];
      if (token == WJB_KEY) {
        pair.key = utf8(value.val.string.val, value.val.string.len, pair.key_size);
      } else if (token == WJB_VALUE) {
        pair.text = "";
        pair.text_size = 0;
        pair.kind = Scalar::Kind::other;
        if (value.type == jbvNull) {
          pair.kind = Scalar::Kind::null;
        } else if (value.type == jbvString) {
          pair.kind = Scalar::Kind::string;
          pair.text = utf8(value.val.string.val, value.val.string.len, pair.text_size);
        } else if (value.type == jbvNumeric) {
          pair.kind = Scalar::Kind::number;
          pair.text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value.val.numeric)));
          pair.text_size = std::strlen(pair.text);
        }
        ++element.count;
      }
    }
    element.pairs = pairs;
    element.object = true;
  }

  MemoryContext scratch_;
  JsonbIterator *iterator_;
};

std::optional<Datum> optional_int8(const std::optional<std::int64_t> &value) {
  if (!value) return std::nullopt;
  return Int64GetDatum(*value);
}
std::optional<Datum> optional_int4(const std::optional<std::int32_t> &value) {
  if (!value) return std::nullopt;
  return Int32GetDatum(*value);
}
std::optional<Datum> optional_decimal(const std::optional<std::string_view> &value) {
  if (!value) return std::nullopt;
  return numeric_datum(std::string(*value));
}

}  // namespace

NEXUS_FUNCTION(nexus_metric_samples) {
  auto *json = call([fcinfo] { return PG_GETARG_JSONB_P(0); });
  if (!JB_ROOT_IS_ARRAY(json) || JB_ROOT_IS_SCALAR(json))
    throw invalid_argument("samples must be a JSON array of objects");
  Rows rows(fcinfo);
  Elements elements(json);
  TimestampTz latest = GetCurrentTransactionStartTimestamp() + int64{metrics_clock_tolerance} * USECS_PER_SEC;
  Interrupt interrupt = pg::interrupt();
  MemoryContext outer = MemoryContextSwitchTo(elements.scratch());
  Elements::Element element;
  for (int32 index = 0; elements.next(element); ++index) {
    interrupt.poll(64);
    std::optional<metrics::SampleFault> fault;
    metrics::SampleReader reader(latest);
    if (element.object) {
      for (int i = 0; i < element.count; ++i) {
        const Elements::Pair &pair = element.pairs[i];
        reader.set({pair.key, pair.key_size}, {pair.kind, {pair.text, pair.text_size}});
      }
      reader.finish();
      fault = reader.fault();
    } else {
      fault = metrics::SampleFault{"", "wrong_type", "a sample must be a JSON object"};
    }
    if (fault) {
      std::optional<Datum> none;
      rows.add({Int32GetDatum(index),
                text_datum(fault->field),
                text_datum(fault->code),
                text_datum(fault->message),
                none,
                none,
                none,
                none,
                none,
                none,
                none,
                none,
                none,
                none,
                none,
                none,
                none,
                none,
                none,
                none});
      continue;
    }
    const metrics::Sample &sample = reader.sample();
    const auto &counters = sample.counters;
    rows.add({Int32GetDatum(index),
              std::nullopt,
              std::nullopt,
              std::nullopt,
              Int32GetDatum(sample.content_id),
              text_datum(sample.platform),
              TimestampGetDatum(sample.captured_at),
              text_datum(sample.source),
              optional_int8(counters[0]),
              optional_int8(counters[1]),
              optional_int8(counters[2]),
              optional_int8(counters[3]),
              optional_int8(counters[4]),
              optional_int8(counters[5]),
              optional_int8(counters[6]),
              optional_int8(counters[7]),
              optional_int8(sample.impressions),
              optional_int4(sample.followers_gained),
              optional_int4(sample.platform_post_row_id),
              optional_decimal(sample.revenue)});
  }
  MemoryContextSwitchTo(outer);
  return Datum(0);
}

}  // namespace nexus::pg
