// What the contents of an account gained in a window, one by one, the most of them, and by platform
// (sql/install/57-metrics-questions.sql).
#include "core/metrics/series.hpp"
#include "core/metrics/series_patch.hpp"
#include "core/metrics/totals.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "glue/datum.hpp"
#include "glue/metrics_account.hpp"
#include "glue/metrics_numeric.hpp"
#include "glue/metrics_owner.hpp"
#include "glue/metrics_window_gain.hpp"

extern "C" {
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
}

namespace nexus::pg {

using metrics::Cell;
using metrics::Wide;
using enum metrics::Metric;

namespace {

std::optional<Datum> increment(const Cell &cell, metrics::Metric metric) {
  return optional_numeric(cell.total(metric));
}
std::optional<Datum> engagements(const Cell &cell) {
  return cell.rated != 0 ? std::optional(numeric_datum(cell.engagements)) : std::nullopt;
}
std::optional<Datum> denominator(const Cell &cell) {
  return cell.rated != 0 ? std::optional(numeric_datum(cell.denominator)) : std::nullopt;
}

Cell sum_of(RollupReader &reader, const RollupReader::Series &series, Window window) {
  Cell sum;
  reader.gains(series, window, [&sum](std::int32_t, const Cell &cell) { sum.add(cell); });
  return sum;
}

/// Calls body(reader, contents, zone) with the owner's rights, if the caller sees any content of the user.
template <class Body>
void with_account(Datum user, Body &&body) {
  call([] { SPI_connect(); });
  std::vector<int32> contents = visible_contents(attached_schema(), user);
  if (!contents.empty()) {
    AsOwner owner;
    RollupReader reader;
    body(reader, contents, author_zone(reader.store(), std::string(stored_bytes(user))));
  }
  call([] { SPI_finish(); });
}

/// A place in the order of top_gains().
struct Rank {
  Wide value;
  int32 content_id;
  std::string_view platform;

  bool operator<(const Rank &other) const {
    return std::tie(other.value, content_id, platform) < std::tie(value, other.content_id, other.platform);
  }
};

Wide wide_arg(FunctionCallInfo fcinfo, int index) {
  const char *text = call([=] { return DatumGetCString(DirectFunctionCall1(numeric_out, fcinfo->args[index].value)); });
  Wide value;
  if (!metrics::parse_wide(text, value)) throw invalid_argument("last_value must be a whole number");
  return value;
}

}  // namespace

NEXUS_FUNCTION(nexus_account_gains) {
  require_arg(fcinfo, 0, "user_id");
  require_arg(fcinfo, 1, "after");
  require_arg(fcinfo, 2, "before");
  Datum user = PG_GETARG_DATUM(0);
  Window window{PG_GETARG_TIMESTAMPTZ(1), PG_GETARG_TIMESTAMPTZ(2)};
  Rows rows(fcinfo);
  with_account(user, [&](RollupReader &reader, const std::vector<int32> &contents, const std::string &zone) {
    reader.read_user(user, contents, zone, window);
    for (const RollupReader::Series &series : reader.series()) {
      Cell sum = sum_of(reader, series, window);
      if (sum.samples == 0) continue;
      rows.add({Int32GetDatum(series.head.key.content_id), text_datum(series.head.key.platform), increment(sum, views),
                increment(sum, likes), increment(sum, comments), increment(sum, shares), increment(sum, saves),
                increment(sum, reach), increment(sum, clicks), increment(sum, watch_time_seconds), engagements(sum),
                denominator(sum)});
    }
  });
  return Datum(0);
}

NEXUS_FUNCTION(nexus_top_gains) {
  require_arg(fcinfo, 0, "user_id");
  require_arg(fcinfo, 1, "after");
  require_arg(fcinfo, 2, "before");
  require_arg(fcinfo, 3, "metric");
  require_arg(fcinfo, 4, "max_count");
  Datum user = PG_GETARG_DATUM(0);
  Window window{PG_GETARG_TIMESTAMPTZ(1), PG_GETARG_TIMESTAMPTZ(2)};
  metrics::Metric metric = metrics::parse_metric(text_arg(fcinfo, 3));
  if (PG_GETARG_INT32(4) < 1) throw invalid_argument("max_count must be 1 or more");
  auto most = static_cast<size_t>(PG_GETARG_INT32(4));
  std::optional<Rank> last;
  if (!PG_ARGISNULL(5))
    last = Rank{wide_arg(fcinfo, 5), PG_ARGISNULL(6) ? INT32_MAX : PG_GETARG_INT32(6),
                PG_ARGISNULL(7) ? std::string_view() : stored_bytes(PG_GETARG_DATUM(7))};
  struct Found {
    Rank rank;
    RollupReader::Series *series;
  };
  std::vector<Found> found;
  auto first = [](const Found &a, const Found &b) { return a.rank < b.rank; };
  Rows rows(fcinfo);
  with_account(user, [&](RollupReader &reader, const std::vector<int32> &contents, const std::string &zone) {
    reader.read_user(user, contents, zone, window, false);
    WindowGain gain(reader, window, metric);
    gain.find_ends(stored_bytes(user));
    for (RollupReader::Series &series : reader.series()) {
      std::optional<Wide> value = gain.of(series);
      if (!value) continue;
      Rank rank{*value, series.head.key.content_id, series.head.key.platform};
      if (!last || *last < rank) found.push_back({rank, &series});
    }
    auto end = found.begin() + static_cast<std::ptrdiff_t>(std::min(most, found.size()));
    std::partial_sort(found.begin(), end, found.end(), first);
    for (auto one = found.begin(); one != end; ++one) {
      Cell sum = gain.all_of(*one->series);
      rows.add({Int32GetDatum(one->rank.content_id), text_datum(one->rank.platform), numeric_datum(one->rank.value),
                engagements(sum), denominator(sum)});
    }
    gain.close();
  });
  return Datum(0);
}

NEXUS_FUNCTION(nexus_platform_gains) {
  require_arg(fcinfo, 0, "user_id");
  require_arg(fcinfo, 1, "after");
  require_arg(fcinfo, 2, "before");
  Datum user = PG_GETARG_DATUM(0);
  Window window{PG_GETARG_TIMESTAMPTZ(1), PG_GETARG_TIMESTAMPTZ(2)};
  std::optional<Window> earlier;
  if (!PG_ARGISNULL(3)) earlier = {PG_GETARG_TIMESTAMPTZ(3), window.after};
  struct Platform {
    int64 posts = 0;
    Cell now, earlier;
  };
  std::map<std::string, Platform, std::less<>> platforms;
  Rows rows(fcinfo);
  with_account(user, [&](RollupReader &reader, const std::vector<int32> &contents, const std::string &zone) {
    // The window before is asked for its sums only, which the account has by day already.
    RollupReader sums;
    const bool from_sums =
        earlier && sees_all(sums, user, contents.size()) && in_whole_days(sums, user, contents, zone, *earlier);
    if (from_sums)
      read_user_days(sums, user, sums.days_of(zone), *earlier,
                     [&](std::string_view of, std::int32_t, const Cell &cell, int sign) {
                       platforms[std::string(of)].earlier.add(cell, sign);
                     });
    const bool from_series = earlier && !from_sums;
    reader.read_user(user, contents, zone,
                     {from_series ? std::min(window.after, earlier->after) : window.after, window.before});
    for (const RollupReader::Series &series : reader.series()) {
      Platform &platform = platforms[series.head.key.platform];
      if (from_series) platform.earlier.add(sum_of(reader, series, *earlier));
      Cell sum = sum_of(reader, series, window);
      if (sum.samples == 0) continue;
      ++platform.posts;
      if (sum.rated == 0) sum.engagements = sum.denominator = 0;
      platform.now.add(sum);
    }
  });
  for (const auto &[name, platform] : platforms) {
    if (platform.posts == 0) continue;
    const Cell &sum = platform.now;
    rows.add({text_datum(name), Int64GetDatum(platform.posts), increment(sum, views), increment(sum, likes),
              increment(sum, comments), increment(sum, shares), increment(sum, saves), increment(sum, reach),
              increment(sum, clicks), increment(sum, watch_time_seconds), engagements(sum), denominator(sum),
              increment(platform.earlier, views)});
  }
  return Datum(0);
}

}  // namespace nexus::pg
