// Any text as a rule, any start: the parser takes or refuses it, and what it takes expands in order, the same in its
// canonical form, the same whether it is walked or entered in the middle.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/recurrence/advice.hpp"
#include "core/recurrence/occurrences.hpp"

namespace {

using namespace nexus::recurrence;

void require(bool condition) {
  if (!condition) std::abort();
}

/// A clock that goes forward and back each year, and once skips a whole day.
class FuzzZone final : public Zone {
 public:
  Offsets offsets(std::int64_t utc_seconds) const override {
    std::int64_t half_year = 182 * 86400 + 3600;
    std::int64_t index = floor_div(utc_seconds, half_year);
    auto offset = [](std::int64_t i) { return (i < 60 ? -12 : 12) * 3600 + (i % 2 != 0 ? 3600 : 0); };
    return {offset(index), true, (index + 1) * half_year, offset(index + 1)};
  }
};

/// A search that finds nothing for long would look like a hang to the fuzzer: it ends like a cancelled query.
int polls = 0;
void give_up() {
  if (++polls > 500) throw nexus::Error("57014", "canceled");
}

std::vector<Instant> first(const Schedule &schedule, const Zone *zone, Instant from) {
  Occurrences set(schedule, zone, from, kMaxInstant, 1000, nexus::Interrupt(give_up));
  std::vector<Instant> instants;
  while (instants.size() < 40) {
    std::optional<Instant> next = set.next();
    if (!next) break;
    require(*next >= from && (instants.empty() || *next > instants.back()));
    instants.push_back(*next);
  }
  return instants;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  if (size < 9) return 0;
  std::uint64_t seed;
  std::memcpy(&seed, data, sizeof seed);
  LocalTime dtstart = kMinLocal + static_cast<LocalTime>(seed % static_cast<std::uint64_t>(kMaxLocal - kMinLocal));
  std::string_view text(reinterpret_cast<const char *>(data) + 9, size - 9);
  std::vector<Finding> findings;
  Rule rule = parse_rule(text, findings);
  if (!findings.empty()) return 0;
  require(parse_rule(normalize(rule)) == rule || normalize(parse_rule(normalize(rule))) == normalize(rule));

  polls = 0;
  FuzzZone zone;
  const Zone *rules = (data[8] & 1) != 0 ? &zone : nullptr;
  Schedule schedule{rule, dtstart, {}, {}, {}};
  if ((data[8] & 2) != 0) schedule.exdates.push_back(dtstart);
  if ((data[8] & 4) != 0) schedule.rdates.push_back(dtstart + kHour > kMaxLocal ? dtstart : dtstart + kHour);
  try {
    advise(rule, dtstart, nexus::Interrupt(give_up), findings);
    std::vector<Instant> all = first(schedule, rules, kMinInstant);
    require(first({parse_rule(normalize(rule)), dtstart, schedule.rdates, schedule.exdates, {}}, rules, kMinInstant) ==
            all);
    if (all.size() < 3) return 0;
    std::size_t middle = all.size() / 2;
    std::vector<Instant> rest = first(schedule, rules, all[middle]);
    require(std::equal(all.begin() + static_cast<std::ptrdiff_t>(middle), all.end(), rest.begin()));
    Occurrences back(schedule, rules, kMinInstant, kMaxInstant, 1000, nexus::Interrupt(give_up));
    require(back.last(all[middle] - 1) == all[middle - 1]);
  } catch (const nexus::Error &error) {
    require(std::string_view(error.sqlstate()) == "57014" || std::string_view(error.sqlstate()) == "NX011");
  }
  return 0;
}
