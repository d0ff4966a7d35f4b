// SQL functions of sql/install/10-recurrence.sql.
#include <algorithm>
#include <string>

#include "core/recurrence/advice.hpp"
#include "core/recurrence/occurrences.hpp"
#include "glue/datum.hpp"
#include "glue/memory.hpp"
#include "glue/settings.hpp"
#include "glue/timezone.hpp"

extern "C" {
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
}

namespace nexus::pg {

namespace {

using recurrence::Instant;
using recurrence::LocalTime;

/// From PostgreSQL's epoch, 2000-01-01, to the core's, 1970-01-01.
constexpr std::int64_t kEpochShift = INT64CONST(946684800) * 1000000;

constexpr std::size_t kMaxExrules = 100;

LocalTime local_time(Timestamp value, const char *argument) {
  if (value < recurrence::kMinLocal - kEpochShift || value > recurrence::kMaxLocal - kEpochShift)
    throw Error("22008", std::string(argument) + " must lie in the years 1 to 9999");
  return value + kEpochShift;
}

std::vector<LocalTime> local_times(FunctionCallInfo fcinfo, int index, const char *argument) {
  std::vector<LocalTime> times;
  if (fcinfo->args[index].isnull) return times;
  struct Elements {
    Datum *values;
    bool *nulls;
    int count;
  };
  auto elements = call([&]() -> Elements {
    Elements e{};
    deconstruct_array(DatumGetArrayTypeP(fcinfo->args[index].value), TIMESTAMPOID, 8, true, TYPALIGN_DOUBLE, &e.values,
                      &e.nulls, &e.count);
    return e;
  });
  times.reserve(static_cast<size_t>(elements.count));
  for (int i = 0; i < elements.count; ++i) {
    if (elements.nulls[i]) throw Error("22004", std::string(argument) + " must not contain NULL");
    times.push_back(local_time(DatumGetTimestamp(elements.values[i]), argument));
  }
  return times;
}

recurrence::Rule rule_of(std::string_view text, bool floating) {
  std::vector<recurrence::Finding> findings;
  recurrence::Rule rule = recurrence::parse_rule(text, findings);
  if (rrule_strict) recurrence::check_until_form(text, rule, floating, true, findings);
  recurrence::throw_if_error(findings);
  return rule;
}

/// What the functions have in common; positions as in their SQL declarations. `tz` is -1 for wall time without zone.
struct Positions {
  int tz, rdate;  // exdate and exrule follow rdate
};

struct Expansion {
  recurrence::Schedule schedule;
  ServerZone zone{nullptr};
  bool has_zone = false;
  std::optional<recurrence::Occurrences> set;
  std::int64_t left = 0;  // of max_count
  std::int64_t returned = 0;

  const recurrence::Zone *rules() const { return has_zone ? &zone : nullptr; }
};

/// False where rrule, dtstart or tz is NULL: then there is nothing to expand.
bool read_schedule(FunctionCallInfo fcinfo, Positions at, Expansion &expansion) {
  if (fcinfo->args[0].isnull || fcinfo->args[1].isnull || (at.tz >= 0 && fcinfo->args[at.tz].isnull)) return false;
  if (at.tz >= 0) {
    pg_tz *zone = require_timezone(text_arg(fcinfo, at.tz));
    expansion.has_zone = std::strcmp(pg_get_timezone_name(zone), "UTC") != 0;
    expansion.zone = ServerZone(zone);
  }
  recurrence::Schedule &schedule = expansion.schedule;
  schedule.rule = rule_of(text_arg(fcinfo, 0), at.tz < 0);
  schedule.dtstart = local_time(DatumGetTimestamp(fcinfo->args[1].value), "dtstart");
  schedule.rdates = local_times(fcinfo, at.rdate, "rdate");
  schedule.exdates = local_times(fcinfo, at.rdate + 1, "exdate");
  if (fcinfo->args[at.rdate + 2].isnull) return true;
  // Each of them is walked beside the rule: their number multiplies the work.
  std::vector<std::string_view> exrules = text_array_arg(fcinfo, at.rdate + 2, "exrule");
  if (exrules.size() > kMaxExrules)
    throw Error("54000", "exrule must not have more than " + std::to_string(kMaxExrules) + " rules");
  for (std::string_view text : exrules) schedule.exrules.push_back(rule_of(text, at.tz < 0));
  return true;
}

/// A bound as an instant of the core; NULL and the infinities are open or leave nothing over.
Instant bound(FunctionCallInfo fcinfo, int index, Instant open) {
  if (fcinfo->args[index].isnull) return open;
  TimestampTz value = DatumGetTimestampTz(fcinfo->args[index].value);
  if (TIMESTAMP_IS_NOBEGIN(value)) return recurrence::kMinInstant;
  if (TIMESTAMP_IS_NOEND(value)) return recurrence::kMaxInstant;
  return std::clamp(value, recurrence::kMinInstant - kEpochShift, recurrence::kMaxInstant - kEpochShift) + kEpochShift;
}
bool flag(FunctionCallInfo fcinfo, int index) {
  return !fcinfo->args[index].isnull && DatumGetBool(fcinfo->args[index].value);
}

void open_set(Expansion &expansion, Instant from, Instant to) {
  expansion.set.emplace(expansion.schedule, expansion.rules(), from, to, max_occurrences, interrupt());
}

/// Opens the set between after and before; `after` is the position of that argument, followed by before and inclusive.
void open_between(FunctionCallInfo fcinfo, int after, Expansion &expansion) {
  const int before = after + 1;
  Instant from = bound(fcinfo, after, recurrence::kMinInstant), to = bound(fcinfo, before, recurrence::kMaxInstant);
  if (!flag(fcinfo, after + 2)) {
    if (!fcinfo->args[after].isnull) ++from;
    if (!fcinfo->args[before].isnull) --to;
  }
  expansion.set.emplace(expansion.schedule, expansion.rules(), from, to, max_occurrences, interrupt());
}

/// Reads the arguments of occurrences() or local_occurrences(). False where there is nothing to expand: `left` is 0.
bool open_window(FunctionCallInfo fcinfo, Positions at, int after, Expansion &expansion) {
  if (!read_schedule(fcinfo, at, expansion)) return false;
  const int max_count = after + 3;
  expansion.left = PG_INT64_MAX;
  if (!fcinfo->args[max_count].isnull) expansion.left = DatumGetInt32(fcinfo->args[max_count].value);
  if (expansion.left < 0) throw invalid_argument("max_count must not be negative");
  open_between(fcinfo, after, expansion);
  return true;
}

Error too_many(const char *remedy) {
  return Error("NX011", "the rule has more than " + std::to_string(max_occurrences) + " occurrences here").hint(remedy);
}

/// The rows of occurrences() and local_occurrences(), one for each call: LIMIT ends the expansion early.
Datum expand(FunctionCallInfo fcinfo, Positions at, int after) {
  FuncCallContext *context;
  if (SRF_IS_FIRSTCALL()) {
    context = call([&] { return SRF_FIRSTCALL_INIT(); });
    auto *expansion = make_in<Expansion>(context->multi_call_memory_ctx);
    context->user_fctx = expansion;
    open_window(fcinfo, at, after, *expansion);
  }
  context = call([&] { return SRF_PERCALL_SETUP(); });
  auto *expansion = static_cast<Expansion *>(context->user_fctx);
  std::optional<Instant> next;
  if (expansion->left > 0) next = expansion->set->next();
  if (!next) {
    return call([&]() -> Datum { SRF_RETURN_DONE(context); });
  }
  if (expansion->returned == max_occurrences)
    throw too_many("Give before or max_count, or raise nexus.max_occurrences.");
  --expansion->left;
  ++expansion->returned;
  Timestamp value = *next - kEpochShift;
  return call([&]() -> Datum { SRF_RETURN_NEXT(context, TimestampGetDatum(value)); });
}

std::optional<double> estimate_rows(SupportRequestRows *request) {
  constexpr int kArguments = 10, kWorthKnowing = 1000;
  auto *expression = reinterpret_cast<FuncExpr *>(request->node);
  const int arguments = list_length(expression->args);
  if (arguments > kArguments) return std::nullopt;
  const bool floating = arguments < kArguments;  // local_occurrences has no tz

  // The arguments as a call would see them, and which of them are known.
  LOCAL_FCINFO(values, kArguments);
  bool known[kArguments] = {}, all_known = true;
  call([&] {
    InitFunctionCallInfoData(*values, nullptr, static_cast<short>(arguments), InvalidOid, nullptr, nullptr);
    for (int i = 0; i < arguments; ++i) {
      Node *value = estimate_expression_value(request->root, static_cast<Node *>(list_nth(expression->args, i)));
      known[i] = IsA(value, Const);
      values->args[i].isnull = !known[i] || reinterpret_cast<Const *>(value)->constisnull;
      values->args[i].value = values->args[i].isnull ? 0 : reinterpret_cast<Const *>(value)->constvalue;
      all_known = all_known && known[i];
    }
  });
  const Positions at = floating ? Positions{.tz = -1, .rdate = 6} : Positions{.tz = 2, .rdate = 7};
  const int after = floating ? 2 : 3, max_count = after + 3;
  if (all_known) {
    Expansion expansion;
    if (!open_window(values, at, after, expansion)) return 0;
    std::int64_t count = 0, most = std::min<std::int64_t>(expansion.left, kWorthKnowing);
    while (count < most && expansion.set->next()) ++count;
    // A search that was given up says only that there are many.
    if (count < kWorthKnowing) return static_cast<double>(count);
    return std::min<double>(static_cast<double>(expansion.left), max_occurrences);
  }
  std::optional<double> estimate;
  if (!values->args[max_count].isnull) estimate = DatumGetInt32(values->args[max_count].value);
  if (!values->args[0].isnull) {
    recurrence::Rule rule = recurrence::parse_rule(text_arg(values, 0));
    if (rule.count) estimate = std::min(estimate.value_or(max_occurrences), static_cast<double>(*rule.count));
  }
  return estimate;
}

Datum instant_or_null(FunctionCallInfo fcinfo, std::optional<Instant> instant) {
  if (!instant) PG_RETURN_NULL();
  PG_RETURN_TIMESTAMPTZ(*instant - kEpochShift);
}

}  // namespace

NEXUS_FUNCTION(nexus_occurrences) {
  return expand(fcinfo, {.tz = 2, .rdate = 7}, 3);
}

NEXUS_FUNCTION(nexus_local_occurrences) {
  return expand(fcinfo, {.tz = -1, .rdate = 6}, 2);
}

NEXUS_FUNCTION(nexus_next_occurrence) {
  Expansion expansion;
  if (!read_schedule(fcinfo, {.tz = 2, .rdate = 5}, expansion)) PG_RETURN_NULL();
  Instant from = bound(fcinfo, 3, recurrence::kMinInstant);
  if (!fcinfo->args[3].isnull && !flag(fcinfo, 4)) ++from;
  open_set(expansion, from, recurrence::kMaxInstant);
  return instant_or_null(fcinfo, expansion.set->next());
}

NEXUS_FUNCTION(nexus_previous_occurrence) {
  Expansion expansion;
  if (!read_schedule(fcinfo, {.tz = 2, .rdate = 5}, expansion)) PG_RETURN_NULL();
  Instant to = bound(fcinfo, 3, recurrence::kMaxInstant);
  if (!fcinfo->args[3].isnull && !flag(fcinfo, 4)) --to;
  open_set(expansion, recurrence::kMinInstant, recurrence::kMaxInstant);
  return instant_or_null(fcinfo, expansion.set->last(to));
}

NEXUS_FUNCTION(nexus_occurrence_count) {
  Expansion expansion;
  if (!read_schedule(fcinfo, {.tz = 2, .rdate = 6}, expansion)) PG_RETURN_NULL();
  open_between(fcinfo, 3, expansion);
  std::int64_t count = 0;
  while (expansion.set->next())
    if (++count > max_occurrences) throw too_many("Give before, or raise nexus.max_occurrences.");
  PG_RETURN_INT64(count);
}

NEXUS_FUNCTION(nexus_is_occurrence) {
  Expansion expansion;
  if (!read_schedule(fcinfo, {.tz = 3, .rdate = 4}, expansion) || fcinfo->args[2].isnull) PG_RETURN_NULL();
  Instant at = bound(fcinfo, 2, recurrence::kMinInstant);
  open_set(expansion, at, at);
  PG_RETURN_BOOL(expansion.set->next().has_value());
}

/// For SupportRequestRows: constant calls are expanded, up to what is worth knowing; for others COUNT and max_count are
/// bounds. Whatever is wrong with the arguments is left for the execution to say.
NEXUS_FUNCTION(nexus_occurrences_support) {
  auto *request = reinterpret_cast<Node *>(PG_GETARG_POINTER(0));
  if (!IsA(request, SupportRequestRows)) PG_RETURN_POINTER(nullptr);
  auto *rows = reinterpret_cast<SupportRequestRows *>(request);
  if (rows->node == nullptr || !IsA(rows->node, FuncExpr)) PG_RETURN_POINTER(nullptr);
  std::optional<double> estimate;
  try {
    estimate = estimate_rows(rows);
  } catch (const Error &) {
    PG_RETURN_POINTER(nullptr);
  }
  if (!estimate) PG_RETURN_POINTER(nullptr);
  rows->rows = std::max(*estimate, 1.0);
  PG_RETURN_POINTER(rows);
}

NEXUS_FUNCTION(nexus_normalize_rrule) {
  return text_datum(recurrence::normalize(recurrence::parse_rule(text_arg(fcinfo, 0))));
}

NEXUS_FUNCTION(nexus_rrule_errors) {
  using recurrence::Finding;
  Rows rows(fcinfo);
  if (fcinfo->args[0].isnull) return 0;
  std::string_view text = text_arg(fcinfo, 0);
  std::vector<Finding> findings;
  recurrence::Rule rule = recurrence::parse_rule(text, findings);
  bool has_start = !fcinfo->args[1].isnull, has_zone = !fcinfo->args[2].isnull;
  if (findings.empty()) {
    if (has_start || has_zone) recurrence::check_until_form(text, rule, !has_zone, rrule_strict, findings);
    if (has_start)
      recurrence::advise(rule, local_time(DatumGetTimestamp(fcinfo->args[1].value), "dtstart"), interrupt(), findings);
  }
  if (has_zone && find_timezone(text_arg(fcinfo, 2)) == nullptr)
    findings.push_back({Finding::Severity::kError, "TZID", -1, "the time zone is not known",
                        "Use a name of pg_timezone_names, such as America/New_York."});
  for (const Finding &finding : findings) {
    auto optional_text = [](std::string_view value) {
      return value.empty() ? std::optional<Datum>() : std::optional<Datum>(text_datum(value));
    };
    rows.add({text_datum(finding.severity == Finding::Severity::kError ? "error" : "advice"),
              optional_text(finding.part),
              finding.start_char < 0 ? std::optional<Datum>() : Int32GetDatum(finding.start_char),
              text_datum(finding.message), optional_text(finding.hint)});
  }
  return 0;
}

}  // namespace nexus::pg
