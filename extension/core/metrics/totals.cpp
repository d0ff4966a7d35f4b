#include "core/metrics/totals.hpp"

#include <algorithm>
#include <charconv>

#include "core/metrics/clip.hpp"
#include "core/metrics/codec.hpp"

namespace nexus::metrics {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::string_view kTextVersion = "v1";
constexpr std::string_view kSamples = "samples=";

std::string listed() {
  std::string list;
  for (const char *name : kMetricNames) list += (list.empty() ? "" : ", ") + std::string(name);
  return list;
}

std::optional<Metric> find_metric(std::string_view name) {
  for (int i = 0; i < kMetrics; ++i)
    if (name == kMetricNames[static_cast<std::size_t>(i)]) return static_cast<Metric>(i);
  return std::nullopt;
}

[[noreturn]] void bad_text(std::string_view text) {
  throw Error("22P02", "invalid input syntax for type nexus.metrics_state: \"" + clip(text) + "\"")
      .hint("The form is: v1 samples=2 views=10 likes=3");
}

/// The stored form, for sums of 64 and of 128 bits.
template <class SumOf>
std::size_t write(char *to, std::uint8_t known, std::uint64_t samples, SumOf &&sum_of) {
  char *end = to;
  *end++ = static_cast<char>(kVersion);
  *end++ = static_cast<char>(known);
  end = put_varint(end, samples);
  for (int i = 0; i < kMetrics; ++i)
    if ((known >> i & 1) != 0) end = put_varint(end, zigzag(sum_of(i)));
  return static_cast<std::size_t>(end - to);
}

}  // namespace

Metric parse_metric(std::string_view name) {
  if (auto metric = find_metric(name)) return *metric;
  throw invalid_argument("unknown metric \"" + clip(name) + "\"").hint("One of " + listed() + ".");
}

Denominator parse_denominator(std::string_view name) {
  if (name == "views") return Denominator::views;
  if (name == "reach") return Denominator::reach;
  if (name == "followers") return Denominator::followers;
  throw invalid_argument("unknown denominator \"" + clip(name) + "\"").hint("One of views, reach, followers.");
}

void Totals::merge(const Totals &other) {
  for (int i = 0; i < kMetrics; ++i) sums_[i] = metrics::add(sums_[i], other.sums_[i]);
  count_samples(other.samples_);
  known_ |= other.known_;
}

void Totals::count_samples(std::uint64_t more) {
  if (__builtin_add_overflow(samples_, more, &samples_)) throw Error("22003", "number of samples out of range");
}

std::optional<Wide> Totals::total(Metric metric) const {
  if (!knows(metric)) return std::nullopt;
  Wide sum =
      sums_[static_cast<unsigned>(metric)];  // a copy: std::optional would take a reference, and demand alignment
  return sum;
}

std::optional<long double> Totals::engagements(const Weights &weights) const {
  const struct {
    Metric metric;
    double weight;
  } parts[] = {{Metric::likes, weights.likes},
               {Metric::comments, weights.comments},
               {Metric::shares, weights.shares},
               {Metric::saves, weights.saves}};
  bool known = false;
  long double sum = 0;
  for (const auto &part : parts) {
    if (!knows(part.metric)) continue;
    known = true;
    sum += static_cast<long double>(part.weight) * static_cast<long double>(*total(part.metric));
  }
  if (!known) return std::nullopt;
  return sum;
}

std::optional<double> Totals::engagement_rate(Denominator denominator, const Weights &weights,
                                              std::optional<std::int64_t> followers) const {
  std::optional<Wide> below;
  switch (denominator) {
    case Denominator::views:
      below = total(Metric::views);
      break;
    case Denominator::reach:
      below = total(Metric::reach);
      break;
    case Denominator::followers:
      if (followers) below = Wide(*followers);
      break;
  }
  auto above = engagements(weights);
  if (!above || !below || *below == 0) return std::nullopt;
  return static_cast<double>(*above / static_cast<long double>(*below));
}

std::optional<std::int64_t> Totals::engagement_percent_hundredths() const {
  constexpr Wide kMost = 99999;
  Wide engagements = 0;
  bool known = false;
  for (Metric part : {Metric::likes, Metric::comments, Metric::shares, Metric::saves}) {
    if (!knows(part)) continue;
    known = true;
    engagements = metrics::add(engagements, *total(part));
  }
  auto views = total(Metric::views);
  if (!known || !views || *views == 0) return std::nullopt;
  // Above ten times the views the answer is the limit anyway, so the product cannot overflow.
  if (engagements / 10 > *views) return static_cast<std::int64_t>(kMost);
  Wide doubled = engagements * 20000 + *views;
  return static_cast<std::int64_t>(std::min(doubled / (*views * 2), kMost));
}

std::string Totals::encode() const {
  char bytes[kMostBytes];
  return {bytes, encode(bytes)};
}

std::size_t Totals::encode(char *to) const {
  return write(to, known_, samples_, [this](int i) -> Wide { return sums_[i]; });
}

std::int64_t RunningTotals::widen(Metric metric, std::int64_t value) {
  wide_->add(metric, sum_of(static_cast<unsigned>(metric)));
  if (is_narrow(value)) return value;
  wide_->add(metric, value);
  return 0;
}

Totals RunningTotals::totals() const {
  Totals totals;
  if (wide_ != nullptr) totals = *wide_;
  for (unsigned i = 0; i < kMetrics; ++i) totals.sums_[i] = metrics::add(totals.sums_[i], sum_of(i));
  totals.count_samples(samples_and_known_ >> kKnownBits);
  totals.known_ = known();
  return totals;
}

std::size_t RunningTotals::encode(char *to) const {
  if (wide_ != nullptr) return totals().encode(to);
  return write(to, known(), samples_and_known_ >> kKnownBits,
               [this](int i) { return sum_of(static_cast<unsigned>(i)); });
}

Totals Totals::decode(std::string_view bytes) {
  Reader in(bytes, "metrics_state");
  in.version(kVersion);
  Totals totals;
  totals.known_ = in.byte();
  totals.samples_ = in.varint64();
  for (int i = 0; i < kMetrics; ++i)
    if (totals.knows(static_cast<Metric>(i))) totals.sums_[i] = in.signed_varint();
  in.end();
  return totals;
}

std::string Totals::to_text() const {
  std::string text(kTextVersion);
  text += ' ';
  text += kSamples;
  text += std::to_string(samples_);
  for (int i = 0; i < kMetrics; ++i) {
    if (!knows(static_cast<Metric>(i))) continue;
    text += ' ';
    text += kMetricNames[static_cast<std::size_t>(i)];
    text += '=';
    text += to_string(sums_[i]);
  }
  return text;
}

Totals Totals::from_text(std::string_view text) {
  std::string_view rest = text;
  auto word = [&rest] {
    std::size_t size = std::min(rest.find(' '), rest.size());
    std::string_view found = rest.substr(0, size);
    rest.remove_prefix(std::min(size + 1, rest.size()));
    return found;
  };
  if (word() != kTextVersion) bad_text(text);
  std::string_view samples = word();
  if (!samples.starts_with(kSamples)) bad_text(text);
  samples.remove_prefix(kSamples.size());
  Totals totals;
  auto [end, fault] = std::from_chars(samples.data(), samples.data() + samples.size(), totals.samples_);
  if (fault != std::errc() || end != samples.data() + samples.size()) bad_text(text);
  while (!rest.empty()) {
    std::string_view pair = word();
    std::size_t sign = pair.find('=');
    if (sign == std::string_view::npos) bad_text(text);
    auto metric = find_metric(pair.substr(0, sign));
    Wide sum;
    if (!metric || totals.knows(*metric) || !parse_wide(pair.substr(sign + 1), sum)) bad_text(text);
    totals.add(*metric, sum);
  }
  return totals;
}

}  // namespace nexus::metrics
