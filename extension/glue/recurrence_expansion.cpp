// See recurrence.hpp.
#include "glue/recurrence.hpp"

#include <algorithm>
#include <functional>

#include "glue/settings.hpp"

extern "C" {
#include "nodes/execnodes.h"
}

namespace nexus::pg {

using recurrence::Instant;
using recurrence::LocalTime;

LocalTime local_time(Timestamp value, const char *argument) {
  if (value < recurrence::kMinLocal - kEpochShift || value > recurrence::kMaxLocal - kEpochShift)
    throw Error("22008", std::string(argument != nullptr ? argument : "exdates") + " must lie in the years 1 to 9999");
  return value + kEpochShift;
}

std::vector<LocalTime> local_times(Datum array, const char *argument) {
  std::vector<LocalTime> times;
  struct Elements {
    Datum *values;
    bool *nulls;
    int count;
  };
  auto elements = call([&]() -> Elements {
    Elements e{};
    ArrayType *values = DatumGetArrayTypeP(array);
    if (ARR_NDIM(values) == 0) return e;
    deconstruct_array(values, TIMESTAMPOID, 8, true, TYPALIGN_DOUBLE, &e.values, &e.nulls, &e.count);
    return e;
  });
  times.reserve(static_cast<size_t>(elements.count));
  for (int i = 0; i < elements.count; ++i) {
    if (argument == nullptr && (elements.nulls[i] || TIMESTAMP_NOT_FINITE(DatumGetTimestamp(elements.values[i]))))
      continue;
    if (elements.nulls[i]) throw Error("22004", std::string(argument) + " must not contain NULL");
    times.push_back(local_time(DatumGetTimestamp(elements.values[i]), argument));
  }
  return times;
}

RuleCache &RuleCache::of(FunctionCallInfo fcinfo) {
  if (fcinfo->flinfo == nullptr) return *make_in<RuleCache>(CurrentMemoryContext);
  if (fcinfo->flinfo->fn_extra == nullptr) fcinfo->flinfo->fn_extra = make_in<RuleCache>(fcinfo->flinfo->fn_mcxt);
  return *static_cast<RuleCache *>(fcinfo->flinfo->fn_extra);
}

const recurrence::Rule &RuleCache::rule(std::string_view text, bool floating) {
  std::unique_ptr<ParsedRule> &place = rules_[std::hash<std::string_view>()(text) % rules_.size()];
  if (place && place->text == text && !rrule_strict) return place->rule;
  std::vector<recurrence::Finding> findings;
  auto parsed = std::make_unique<ParsedRule>(ParsedRule{std::string(text), recurrence::parse_rule(text, findings)});
  if (rrule_strict) recurrence::check_until_form(text, parsed->rule, floating, true, findings);
  recurrence::throw_if_error(findings);
  place = std::move(parsed);
  return place->rule;
}

pg_tz *RuleCache::zone(std::string_view name) {
  FoundZone &place = zones_[std::hash<std::string_view>()(name) % zones_.size()];
  if (place.zone == nullptr || place.name != name) {
    place.zone = nullptr;
    place.name = name;
    place.zone = require_timezone(name);
  }
  return place.zone;
}

void Expansion::set_zone(pg_tz *found) {
  has_zone = std::strcmp(pg_get_timezone_name(found), "UTC") != 0;
  zone = ServerZone(found);
}

void Expansion::open(Instant from, Instant to) {
  set.emplace(schedule, rules(), from, to, max_occurrences, interrupt());
}

Instant bound(FunctionCallInfo fcinfo, int index, Instant open) {
  if (fcinfo->args[index].isnull) return open;
  TimestampTz value = DatumGetTimestampTz(fcinfo->args[index].value);
  if (TIMESTAMP_IS_NOBEGIN(value)) return recurrence::kMinInstant;
  if (TIMESTAMP_IS_NOEND(value)) return recurrence::kMaxInstant;
  return std::clamp(value, recurrence::kMinInstant - kEpochShift, recurrence::kMaxInstant - kEpochShift) + kEpochShift;
}

Error too_many_occurrences(const char *remedy) {
  return Error("NX011", "the rule has more than " + std::to_string(max_occurrences) + " occurrences here").hint(remedy);
}

RowState &row_state(FunctionCallInfo fcinfo) {
  auto *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
  if (result == nullptr || !IsA(result, ReturnSetInfo) || (result->allowedModes & SFRM_ValuePerCall) == 0)
    throw Error("0A000", "set-valued function called in context that cannot accept a set");
  if (fcinfo->flinfo->fn_extra == nullptr) fcinfo->flinfo->fn_extra = make_in<RowState>(fcinfo->flinfo->fn_mcxt);
  return *static_cast<RowState *>(fcinfo->flinfo->fn_extra);
}

namespace {
void forget_rows(Datum state) {
  reinterpret_cast<RowState *>(DatumGetPointer(state))->expansion.reset();
}
}  // namespace

void begin_rows(FunctionCallInfo fcinfo, RowState &state) {
  auto *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
  call([&] { RegisterExprContextCallback(result->econtext, forget_rows, PointerGetDatum(&state)); });
}

Datum next_row(FunctionCallInfo fcinfo, RowState &state) {
  auto *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
  Expansion &expansion = *state.expansion;
  std::optional<Instant> next;
  if (expansion.left > 0 && expansion.set) next = expansion.set->next();
  if (!next) {
    call([&] { UnregisterExprContextCallback(result->econtext, forget_rows, PointerGetDatum(&state)); });
    state.expansion.reset();
    result->isDone = ExprEndResult;
    PG_RETURN_NULL();
  }
  if (expansion.returned == max_occurrences)
    throw too_many_occurrences("Give before or max_count, or raise nexus.max_occurrences.");
  --expansion.left;
  ++expansion.returned;
  result->isDone = ExprMultipleResult;
  return TimestampGetDatum(*next - kEpochShift);
}

}  // namespace nexus::pg
