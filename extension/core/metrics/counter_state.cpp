#include "core/metrics/counter_state.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/metrics/clip.hpp"
#include "core/metrics/codec.hpp"

namespace nexus::metrics {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::string_view kTextVersion = "v1", kScale = "scale=";
constexpr std::uint8_t kHasSeq = 4;  // flag beside the policy's kind in the stored form
constexpr int kInterpolatedScale = 12;
constexpr std::size_t kFirstRoom = 8;

Wide power_of_ten(int exponent) {
  Wide power = 1;
  while (exponent-- > 0) power *= 10;
  return power;
}

Wide times(Wide a, Wide b) {
  Wide product;
  if (__builtin_mul_overflow(a, b, &product)) throw Error("22003", "counter value out of range");
  return product;
}

void check_value(Wide value) {
  if (value > kLargestValue || value < -kLargestValue) throw Error("22003", "counter value out of range");
}

template <class Integer>
bool parse_integer(std::string_view text, Integer &value) {
  auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  return fault == std::errc() && end == text.data() + text.size();
}

[[noreturn]] void bad_text(std::string_view text) {
  throw Error("22P02", "invalid input syntax for type nexus.counter_state: \"" + clip(text) + "\"")
      .hint("The form is: v1 correction:0.5 scale=0 794744502000000=100 794744503000000=130");
}

}  // namespace

Decimal parse_decimal(std::string_view text) {
  std::size_t point = std::min(text.find('.'), text.size());
  std::string digits(text.substr(0, point));
  std::string_view decimals = point < text.size() ? text.substr(point + 1) : std::string_view();
  decimals = decimals.substr(0, decimals.find_last_not_of('0') + 1);
  digits += decimals;
  Decimal value;
  value.scale = static_cast<int>(std::min<std::size_t>(decimals.size(), kMostScale + 1));
  if (value.scale > kMostScale || !parse_wide(digits, value.digits))
    throw Error("22003", "counter value out of range").hint("Counters are finite and have at most 12 decimals.");
  check_value(value.digits);
  return value;
}

std::string to_string(const Decimal &value) {
  Decimal shortest = value;
  while (shortest.scale > 0 && shortest.digits % 10 == 0) {
    shortest.digits /= 10;
    --shortest.scale;
  }
  std::string text = to_string(shortest.digits);
  if (shortest.scale == 0) return text;
  bool negative = text[0] == '-';
  if (negative) text.erase(0, 1);
  auto scale = static_cast<std::size_t>(shortest.scale);
  if (text.size() <= scale) text.insert(0, scale + 1 - text.size(), '0');
  text.insert(text.size() - scale, ".");
  return negative ? "-" + text : text;
}

std::optional<double> CounterSummary::rate() const {
  if (last_time == first_time) return std::nullopt;
  long double seconds = (static_cast<long double>(last_time) - static_cast<long double>(first_time)) / 1000000;
  return static_cast<double>(static_cast<long double>(delta.digits) /
                             static_cast<long double>(power_of_ten(delta.scale)) / seconds);
}

void CounterState::use(const Policy &policy, bool has_seq) {
  if (points_.empty()) {
    policy_ = policy;
    has_seq_ = has_seq;
  }
  if (policy_ != policy) throw invalid_argument("one counter cannot have two policies");
  if (has_seq_ != has_seq) throw invalid_argument("states with and without seq cannot be merged");
}

void CounterState::rescale(int scale) {
  if (scale <= scale_) return;
  Wide factor = power_of_ten(scale - scale_);
  for (Point &point : points_) {
    point.value = times(point.value, factor);
    check_value(point.value);
  }
  scale_ = scale;
}

void CounterState::add(Instant at, const Decimal &value, std::int64_t seq) {
  if (value.scale != scale_) rescale(value.scale);
  Wide digits = value.scale == scale_ ? value.digits : times(value.digits, power_of_ten(scale_ - value.scale));
  check_value(digits);
  if (points_.empty())
    points_.reserve(kFirstRoom);
  else if (at <= points_.back().at)
    settled_ = false;
  points_.push_back({at, seq, digits});
}

void CounterState::merge(const CounterState &other) {
  if (other.points_.empty()) return;
  use(other.policy_, other.has_seq_);
  rescale(other.scale_);
  Wide factor = power_of_ten(scale_ - other.scale_);
  if (!other.settled_ || (!points_.empty() && other.points_.front().at <= points_.back().at)) settled_ = false;
  points_.reserve(points_.size() + other.points_.size());
  for (const Point &point : other.points_) {
    Wide digits = times(point.value, factor);
    check_value(digits);
    points_.push_back({point.at, point.seq, digits});
  }
}

void CounterState::settle() {
  if (settled_) return;
  auto earlier = [](const Point &a, const Point &b) { return a.at != b.at ? a.at < b.at : a.seq < b.seq; };
  // Often only a few late samples stand behind many in order.
  auto late = std::is_sorted_until(points_.begin(), points_.end(), earlier);
  std::stable_sort(late, points_.end(), earlier);
  std::inplace_merge(points_.begin(), late, points_.end(), earlier);
  // The last of each instant counts.
  std::size_t kept = 0;
  for (std::size_t i = 0; i < points_.size(); ++i)
    if (i + 1 == points_.size() || points_[i + 1].at != points_[i].at) points_[kept++] = points_[i];
  points_.resize(kept);
  settled_ = true;
}

CounterSummary CounterState::summary() {
  CounterSummary sums;
  sums.delta.scale = scale_;
  each([&sums](Instant, const Step &step) {
    ++sums.samples;
    sums.delta.digits = metrics::add(sums.delta.digits, step.delta);
    sums.changes += step.kind != StepKind::same;
    sums.resets += step.kind == StepKind::reset;
    sums.corrections += step.kind == StepKind::correction;
  });
  if (points_.empty()) return sums;
  sums.first_time = points_.front().at;
  sums.last_time = points_.back().at;
  sums.first_value = {points_.front().value, scale_};
  sums.last_value = {points_.back().value, scale_};
  return sums;
}

std::string CounterState::encode() {
  settle();
  Writer out;
  out.byte(kVersion);
  out.byte(static_cast<std::uint8_t>(static_cast<std::uint8_t>(policy_.kind()) | (has_seq_ ? kHasSeq : 0)));
  if (policy_.kind() == Policy::Kind::correction) out.varint(static_cast<std::uint64_t>(policy_.kept()));
  out.byte(static_cast<std::uint8_t>(scale_));
  out.varint(points_.size());
  out.reserve(32 + points_.size() * (has_seq_ ? 12 : 8));
  Point before{0, 0, 0};
  for (std::size_t i = 0; i < points_.size(); ++i) {
    const Point &point = points_[i];
    Wide elapsed = Wide(point.at) - before.at;
    char bytes[3 * kMostVarint];
    char *end = put_varint(bytes, i == 0 ? zigzag(elapsed) : static_cast<UnsignedWide>(elapsed));
    end = put_varint(end, zigzag(point.value - before.value));
    if (has_seq_) end = put_varint(end, zigzag(Wide(point.seq) - before.seq));
    out.append({bytes, static_cast<std::size_t>(end - bytes)});
    before = point;
  }
  return out.take();
}

CounterState CounterState::decode(std::string_view bytes, std::pmr::memory_resource *memory) {
  Reader in(bytes, "counter_state");
  in.version(kVersion);
  CounterState state(memory);
  std::uint8_t kind = in.byte();
  state.has_seq_ = (kind & kHasSeq) != 0;
  auto policy = Policy::stored(static_cast<std::uint8_t>(kind & ~kHasSeq),
                               (kind & ~kHasSeq) == static_cast<std::uint8_t>(Policy::Kind::correction)
                                   ? std::optional(in.varint64())
                                   : std::nullopt);
  if (!policy) in.damaged("its policy is unknown");
  state.policy_ = *policy;
  state.scale_ = in.byte();
  if (state.scale_ > kMostScale) in.damaged("its scale is out of range");
  std::uint64_t count = in.varint64();
  if (count > in.left() / (state.has_seq_ ? 3 : 2)) in.damaged("it ends early");
  state.points_.reserve(count);
  Point point{0, 0, 0};
  Wide value = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    Wide elapsed = i == 0 ? in.signed_varint() : Wide(in.varint64());
    Wide change = in.signed_varint(), seq_change = state.has_seq_ ? in.signed_varint() : Wide(0);
    bool fits = !__builtin_add_overflow(point.at, elapsed, &point.at) &&
                !__builtin_add_overflow(value, change, &value) &&
                !__builtin_add_overflow(point.seq, seq_change, &point.seq);
    if (!fits || (i > 0 && elapsed == 0) || value < -kLargestValue || value > kLargestValue)
      in.damaged("a sample is out of range");
    point.value = value;
    state.points_.push_back(point);
  }
  in.end();
  return state;
}

std::string CounterState::to_text() {
  settle();
  std::string text(kTextVersion);
  text += ' ' + policy_.name() + ' ' + std::string(kScale) + std::to_string(scale_);
  for (const Point &point : points_) {
    text += ' ' + std::to_string(point.at) + '=' + to_string(point.value);
    if (has_seq_) text += '@' + std::to_string(point.seq);
  }
  return text;
}

CounterState CounterState::from_text(std::string_view text) {
  std::string_view rest = text;
  auto word = [&rest] {
    std::size_t size = std::min(rest.find(' '), rest.size());
    std::string_view found = rest.substr(0, size);
    rest.remove_prefix(std::min(size + 1, rest.size()));
    return found;
  };
  if (word() != kTextVersion) bad_text(text);
  CounterState state;
  Policy policy;
  try {
    policy = Policy::parse(word());
  } catch (const Error &) {
    bad_text(text);
  }
  std::string_view scale = word();
  if (!scale.starts_with(kScale) || !parse_integer(scale.substr(kScale.size()), state.scale_)) bad_text(text);
  if (state.scale_ < 0 || state.scale_ > kMostScale) bad_text(text);
  state.use(policy, text.find('@') != std::string_view::npos);
  while (!rest.empty()) {
    std::string_view point = word();
    std::size_t equals = std::min(point.find('='), point.size()), sign = std::min(point.find('@'), point.size());
    Instant at;
    Wide value;
    std::int64_t seq = 0;
    if (equals >= sign || !parse_integer(point.substr(0, equals), at) ||
        !parse_wide(point.substr(equals + 1, sign - equals - 1), value) || (sign < point.size()) != state.has_seq_ ||
        (state.has_seq_ && !parse_integer(point.substr(sign + 1), seq)))
      bad_text(text);
    state.add(at, {value, state.scale_}, seq);
  }
  return state;
}

std::vector<BucketDelta> bucket_steps(CounterState &state, Buckets buckets) {
  std::vector<BucketDelta> deltas;
  state.each([&](Instant at, const Step &step) {
    Instant bucket = buckets.at(at).start;
    // In order of time, but where a clock is set back over midnight a bucket may come back once.
    auto place = std::lower_bound(deltas.begin(), deltas.end(), bucket,
                                  [](const BucketDelta &delta, Instant start) { return delta.bucket < start; });
    if (place == deltas.end() || place->bucket != bucket) place = deltas.insert(place, {bucket, {0, state.scale()}});
    place->delta.digits = add(place->delta.digits, step.delta);
  });
  return deltas;
}

std::vector<BucketDelta> bucket_interpolation(CounterState &state, Buckets buckets) {
  std::vector<BucketDelta> deltas;
  const Wide unit = power_of_ten(kInterpolatedScale);
  const int scale = state.scale() + kInterpolatedScale;
  Wide curve = 0, at_start = 0;  // the curve at the last sample and at the open bucket's start, in units of 10^-scale
  Instant before = 0, end = 0;
  state.each([&](Instant at, const Step &step) {
    if (deltas.empty()) {
      Buckets::Bucket first = buckets.at(at);
      deltas.push_back({first.start, {0, scale}});
      end = first.end;
      before = at;
      return;
    }
    Wide rise = times(step.delta, unit);
    for (; end <= at; end = buckets.at(end).end) {
      // Rounding the curve, not the pieces, keeps the sum of all buckets exact.
      long double part = (static_cast<long double>(end) - static_cast<long double>(before)) /
                         (static_cast<long double>(at) - static_cast<long double>(before));
      Wide edge = add(curve, end == at ? rise : static_cast<Wide>(std::round(static_cast<long double>(rise) * part)));
      deltas.back().delta.digits = edge - at_start;
      at_start = edge;
      if (deltas.size() == kMostBuckets)
        throw Error("54000", "more than " + std::to_string(kMostBuckets) + " buckets between first and last sample");
      deltas.push_back({end, {0, scale}});
    }
    curve = add(curve, rise);
    before = at;
  });
  if (!deltas.empty()) deltas.back().delta.digits = curve - at_start;
  return deltas;
}

}  // namespace nexus::metrics
