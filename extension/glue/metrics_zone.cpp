#include "core/metrics/clip.hpp"
#include "core/metrics/zone.hpp"
#include "core/recurrence/zone.hpp"

#include <string>
#include <unordered_map>
#include <vector>

#include "glue/metrics_zone.hpp"
#include "glue/timezone.hpp"

namespace nexus::pg {

namespace {

constexpr pg_time_t kEpoch = 946684800;          // 2000-01-01, PostgreSQL's epoch, in Unix time
constexpr pg_time_t kFirstProbe = -5364662400;   // 1800-01-01: no zone left its local mean time before
constexpr pg_time_t kHorizon = 14831769600;      // 2440-01-01: the rules of 2038 and later for a whole cycle
constexpr pg_time_t kMargin = 2 * 366 * 86400L;  // so that the last era below the horizon knows its end

metrics::ZoneRules read_rules(const pg_tz *zone) {
  std::vector<metrics::Transition> transitions;
  pg_time_t probe = kFirstProbe;
  std::int32_t first = 0;
  for (;;) {
    long before, after;
    int before_dst, after_dst;
    pg_time_t boundary;
    int found = pg_next_dst_boundary(&probe, &before, &before_dst, &boundary, &after, &after_dst, zone);
    if (found < 0) throw Error("XX000", "time zone rules cannot be read");
    if (probe == kFirstProbe) first = static_cast<std::int32_t>(before);
    if (found == 0) return {first, transitions};
    transitions.push_back({boundary - kEpoch, static_cast<std::int32_t>(after)});
    if (boundary > kHorizon + kMargin) return {first, transitions, kHorizon - kEpoch};
    probe = boundary;
  }
}

}  // namespace

const metrics::ZoneRules &zone_rules(std::string_view name) {
  static std::unordered_map<std::string, metrics::ZoneRules> known;  // by the name as given: few spellings occur
  constexpr std::size_t kMostKnown = 4096;
  std::string key(name);
  if (auto found = known.find(key); found != known.end()) return found->second;
  const pg_tz *zone = find_timezone(name);
  if (zone == nullptr)
    throw invalid_argument("unknown time zone \"" + metrics::clip(name) + "\"")
        .hint("Names stand in pg_timezone_names.");
  if (known.size() >= kMostKnown) throw Error("53000", "too many spellings of time zones in one session");
  return known.emplace(std::move(key), read_rules(zone)).first->second;
}

}  // namespace nexus::pg
