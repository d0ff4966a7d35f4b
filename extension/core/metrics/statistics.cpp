#include "core/metrics/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.hpp"
#include "core/metrics/calendar.hpp"
#include "core/metrics/clip.hpp"

namespace nexus::metrics {

namespace {

/// The sum of a queue's items without ever subtracting: items taken out come from a stack of suffix sums, which is
/// built from the items put in since whenever it is empty. Each item is moved once.
class QueueSum {
 public:
  void push(double value) {
    in_.push_back(value);
    in_sum_ += value;
  }
  void pop() {
    if (out_.empty()) {
      for (double sum = 0; !in_.empty(); in_.pop_back()) out_.push_back(sum += in_.back());
      in_sum_ = 0;
    }
    out_.pop_back();
  }
  double sum() const { return (out_.empty() ? 0 : out_.back()) + in_sum_; }

 private:
  std::vector<double> in_, out_;
  double in_sum_ = 0;
};

double median(std::vector<double> &values) {
  auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  double below = *std::max_element(values.begin(), middle);
  return below + (*middle - below) / 2;
}

void add_to(std::int64_t &sum, std::int64_t value) {
  if (__builtin_add_overflow(sum, value, &sum)) throw Error("22003", "sum of a heat map out of range");
}

}  // namespace

Gaps parse_gaps(std::string_view name) {
  if (name == "skip") return Gaps::skip;
  if (name == "zero") return Gaps::zero;
  throw invalid_argument("unknown treatment of gaps \"" + clip(name) + "\"").hint("One of skip, zero.");
}

std::vector<DayValue> moving_average(std::vector<DayValue> days, std::int64_t window, Gaps gaps, Interrupt interrupt) {
  if (window < 1) throw invalid_argument("window_days must be at least 1");
  std::erase_if(days, [](const DayValue &day) { return !day.value; });
  std::sort(days.begin(), days.end(), [](const DayValue &a, const DayValue &b) { return a.day < b.day; });
  for (std::size_t i = 1; i < days.size(); ++i)
    if (days[i].day == days[i - 1].day) throw invalid_argument("days must not contain a day twice");
  std::vector<DayValue> averages;
  if (days.empty()) return averages;
  const std::int64_t first = days.front().day, span = days.back().day - first + 1;
  if (span > kMostDays)
    throw Error("54000", "days must not lie more than " + std::to_string(kMostDays) + " days apart");

  QueueSum sum;
  std::size_t oldest = 0;
  auto average = [&](std::size_t newest, std::int64_t day) {
    for (; oldest < newest && days[oldest].day <= day - window; ++oldest) sum.pop();
    auto count = gaps == Gaps::skip ? static_cast<std::int64_t>(newest - oldest) : std::min(window, day - first + 1);
    averages.push_back({day, sum.sum() / static_cast<double>(count)});
    interrupt.poll();
  };
  for (std::size_t i = 0; i < days.size(); ++i) {
    sum.push(*days[i].value);
    average(i + 1, days[i].day);
    if (gaps == Gaps::skip || i + 1 == days.size()) continue;
    for (std::int64_t day = days[i].day + 1; day < days[i + 1].day; ++day) average(i + 1, day);
  }
  return averages;
}

std::vector<std::optional<double>> ewma(std::span<const std::optional<double>> values, double alpha) {
  if (!(alpha > 0 && alpha <= 1)) throw invalid_argument("alpha must be above 0 and at most 1");
  std::vector<std::optional<double>> averages;
  averages.reserve(values.size());
  std::optional<double> average;
  for (const auto &value : values) {
    if (value) average = average ? alpha * *value + (1 - alpha) * *average : *value;
    averages.push_back(value ? average : std::nullopt);
  }
  return averages;
}

std::vector<std::optional<double>> modified_z_scores(std::span<const std::optional<double>> values) {
  std::vector<double> known;
  known.reserve(values.size());
  for (const auto &value : values) {
    if (value && !std::isfinite(*value)) throw invalid_argument("vals must be finite");
    if (value) known.push_back(*value);
  }
  double center = 0, scale = 0, factor = 0;
  if (!known.empty()) {
    center = median(known);
    double mean = 0;
    for (double &value : known) {
      value = std::fabs(value - center);
      mean += value / static_cast<double>(known.size());
    }
    scale = median(known);
    factor = 0.6745;
    if (scale == 0) {
      scale = mean;
      factor = 1 / 1.253314;
    }
  }
  std::vector<std::optional<double>> scores;
  scores.reserve(values.size());
  for (const auto &value : values)
    scores.push_back(value ? std::optional(scale == 0 ? 0 : factor * (*value - center) / scale) : std::nullopt);
  return scores;
}

void Heatmap::add(Instant at, std::int64_t engagements, std::int64_t views) {
  Seconds second = floor_div(at, 1000000);
  if (!era_.holds(second)) era_ = rules_->era_at(second);
  Seconds local = second + era_.offset;
  constexpr std::int64_t kSaturday = 6;  // 2000-01-01
  auto day = floor_mod(floor_div(local, 86400) + kSaturday, 7), hour = floor_mod(local, 86400) / 3600;
  HeatCell &cell = cells_[static_cast<std::size_t>(day * 24 + hour)];
  add_to(cell.engagements, engagements);
  add_to(cell.views, views);
  ++cell.posts;
}

std::vector<HeatCell> Heatmap::cells() const {
  std::vector<HeatCell> used;
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    if (cells_[i].posts == 0) continue;
    used.push_back(cells_[i]);
    used.back().day_of_week = static_cast<int>(i / 24);
    used.back().hour = static_cast<int>(i % 24);
  }
  return used;
}

}  // namespace nexus::metrics
