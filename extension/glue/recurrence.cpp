// SQL functions of sql/install/10-recurrence.sql.
#include <algorithm>
#include <string>

#include "core/recurrence/advice.hpp"
#include "core/recurrence/describe.hpp"
#include "glue/recurrence.hpp"
#include "glue/settings.hpp"

extern "C" {
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
}

namespace nexus::pg {

namespace {

using recurrence::Instant;

constexpr std::size_t kMaxExrules = 100;

/// What the functions have in common; positions as in their SQL declarations. `tz` is -1 for wall time without zone.
struct Positions {
  int tz, rdate;  // exdate and exrule follow rdate
};

/// False where rrule, dtstart or tz is NULL: then there is nothing to expand.
bool read_schedule(FunctionCallInfo fcinfo, Positions at, Expansion &expansion, RuleCache &cache) {
  if (fcinfo->args[0].isnull || fcinfo->args[1].isnull || (at.tz >= 0 && fcinfo->args[at.tz].isnull)) return false;
  if (at.tz >= 0) expansion.set_zone(cache.zone(text_arg(fcinfo, at.tz)));
  recurrence::Schedule &schedule = expansion.schedule;
  schedule.rule = cache.rule(text_arg(fcinfo, 0), at.tz < 0);
  schedule.dtstart = local_time(DatumGetTimestamp(fcinfo->args[1].value), "dtstart");
  const NullableDatum &rdate = fcinfo->args[at.rdate], &exdate = fcinfo->args[at.rdate + 1];
  if (!rdate.isnull) schedule.rdates = local_times(rdate.value, "rdate");
  if (!exdate.isnull) schedule.exdates = local_times(exdate.value, "exdate");
  if (fcinfo->args[at.rdate + 2].isnull) return true;
  // Each of them is walked beside the rule: their number multiplies the work.
  std::vector<std::string_view> exrules = text_array_arg(fcinfo, at.rdate + 2, "exrule");
  if (exrules.size() > kMaxExrules)
    throw Error("54000", "exrule must not have more than " + std::to_string(kMaxExrules) + " rules");
  for (std::string_view text : exrules) schedule.exrules.push_back(cache.rule(text, at.tz < 0));
  return true;
}

bool flag(FunctionCallInfo fcinfo, int index) {
  return !fcinfo->args[index].isnull && DatumGetBool(fcinfo->args[index].value);
}

/// Opens the set between after and before; `after` is the position of that argument, followed by before and inclusive.
void open_between(FunctionCallInfo fcinfo, int after, Expansion &expansion) {
  const int before = after + 1;
  Instant from = bound(fcinfo, after, recurrence::kMinInstant), to = bound(fcinfo, before, recurrence::kMaxInstant);
  if (!flag(fcinfo, after + 2)) {
    if (!fcinfo->args[after].isnull) ++from;
    if (!fcinfo->args[before].isnull) --to;
  }
  expansion.open(from, to);
}

/// Reads the arguments of occurrences() or local_occurrences(). False where there is nothing to expand: no set is open.
bool open_window(FunctionCallInfo fcinfo, Positions at, int after, Expansion &expansion, RuleCache &cache) {
  if (!read_schedule(fcinfo, at, expansion, cache)) return false;
  const int max_count = after + 3;
  if (!fcinfo->args[max_count].isnull) expansion.left = DatumGetInt32(fcinfo->args[max_count].value);
  if (expansion.left < 0) throw invalid_argument("max_count must not be negative");
  open_between(fcinfo, after, expansion);
  return true;
}

Datum expand(FunctionCallInfo fcinfo, Positions at, int after) {
  return rows_of(fcinfo,
                 [&](Expansion &expansion, RuleCache &cache) { open_window(fcinfo, at, after, expansion, cache); });
}

/// How many rows a call gives: counted if they are few, else guessed from how close together the first of them lie.
double count_or_guess(recurrence::Occurrences &set, const Expansion &expansion, Instant before) {
  constexpr std::int64_t kWorthCounting = 100;
  std::int64_t count = 0;
  Instant first = 0, last = 0;
  for (const std::int64_t most = std::min(expansion.left, kWorthCounting); count < most; ++count) {
    std::optional<Instant> at = set.next();
    if (!at) break;
    if (count == 0) first = *at;
    last = *at;
  }
  if (count < kWorthCounting) return static_cast<double>(count);
  recurrence::WallClock clock(expansion.rules());
  const Instant end = recurrence::last_instant(expansion.schedule.rule, clock, before);
  double guess = static_cast<double>(count) +
                 static_cast<double>(end - last) * static_cast<double>(count - 1) / static_cast<double>(last - first);
  if (expansion.schedule.rule.count) guess = std::min(guess, static_cast<double>(*expansion.schedule.rule.count));
  return std::min({guess, static_cast<double>(expansion.left), static_cast<double>(max_occurrences)});
}

std::optional<double> estimate_rows(SupportRequestRows *request) {
  constexpr int kArguments = 10;
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
    RuleCache cache;
    if (!open_window(values, at, after, expansion, cache)) return 0;
    return count_or_guess(*expansion.set, expansion, bound(values, after + 1, recurrence::kMaxInstant));
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
  if (!read_schedule(fcinfo, {.tz = 2, .rdate = 5}, expansion, RuleCache::of(fcinfo))) PG_RETURN_NULL();
  Instant from = bound(fcinfo, 3, recurrence::kMinInstant);
  if (!fcinfo->args[3].isnull && !flag(fcinfo, 4)) ++from;
  expansion.open(from, recurrence::kMaxInstant);
  return instant_or_null(fcinfo, expansion.set->next());
}

NEXUS_FUNCTION(nexus_previous_occurrence) {
  Expansion expansion;
  if (!read_schedule(fcinfo, {.tz = 2, .rdate = 5}, expansion, RuleCache::of(fcinfo))) PG_RETURN_NULL();
  Instant to = bound(fcinfo, 3, recurrence::kMaxInstant);
  if (!fcinfo->args[3].isnull && !flag(fcinfo, 4)) --to;
  expansion.open(recurrence::kMinInstant, recurrence::kMaxInstant);
  return instant_or_null(fcinfo, expansion.set->last(to));
}

NEXUS_FUNCTION(nexus_occurrence_count) {
  Expansion expansion;
  if (!read_schedule(fcinfo, {.tz = 2, .rdate = 6}, expansion, RuleCache::of(fcinfo))) PG_RETURN_NULL();
  open_between(fcinfo, 3, expansion);
  std::int64_t count = 0;
  while (expansion.set->next())
    if (++count > max_occurrences) throw too_many_occurrences("Give before, or raise nexus.max_occurrences.");
  PG_RETURN_INT64(count);
}

NEXUS_FUNCTION(nexus_is_occurrence) {
  Expansion expansion;
  if (!read_schedule(fcinfo, {.tz = 3, .rdate = 4}, expansion, RuleCache::of(fcinfo)) || fcinfo->args[2].isnull)
    PG_RETURN_NULL();
  Instant at = bound(fcinfo, 2, recurrence::kMinInstant);
  expansion.open(at, at);
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

NEXUS_FUNCTION(nexus_describe_rrule) {
  return text_datum(recurrence::describe(RuleCache::of(fcinfo).rule(text_arg(fcinfo, 0), false), text_arg(fcinfo, 1)));
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
