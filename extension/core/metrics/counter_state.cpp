#include "core/metrics/counter_state.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/metrics/clip.hpp"
#include "core/metrics/codec.hpp"

namespace nexus::metrics {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr const char *kType = "counter_state";
constexpr std::string_view kTextVersion = "v1", kScale = "scale=";
constexpr std::uint8_t kHasSeq = 4;  // flag beside the policy's kind in the stored form
constexpr int kInterpolatedScale = 12;
constexpr std::size_t kMostPointBytes = 3 * kMostVarint, kMostNarrowBytes = 3 * kMostVarint64;

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

template <class Integer>
bool parse_integer(std::string_view text, Integer &value) {
  auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  return fault == std::errc() && end == text.data() + text.size();
}

[[noreturn]] void bad_text(std::string_view text) {
  throw Error("22P02", "invalid input syntax for type nexus.counter_state: \"" + clip(text) + "\"")
      .hint("The form is: v1 correction:0.5 scale=0 794744502000000=100 794744503000000=130");
}

/// Writes a sample as it is stored: as differences to the one before. The end of what was written.
template <class Point>
char *put_point(char *to, const Point &point, const Point &before, bool first, bool has_seq) {
  Wide elapsed = Wide(point.at) - before.at;
  char *end = put_varint(to, first ? zigzag(elapsed) : static_cast<UnsignedWide>(elapsed));
  end = put_varint(end, zigzag(point.value - before.value));
  if (has_seq) end = put_varint(end, zigzag(Wide(point.seq) - before.seq));
  return end;
}

/// Room that put_point() needs.
template <class Point>
std::size_t most_bytes(const Point &point, const Point &before) {
  auto narrow = [](Wide value) { return static_cast<std::int64_t>(value) == value; };
  return narrow(point.value) && narrow(before.value) ? kMostNarrowBytes : kMostPointBytes;
}

/// Turns the sample before into the next one.
template <class Point>
void get_point(Reader &in, Point &point, bool first, bool has_seq) {
  Wide elapsed = first ? in.signed_varint() : Wide(in.varint64());
  Wide change = in.signed_varint(), seq_change = has_seq ? in.signed_varint() : Wide(0), value = point.value;
  bool fits = !__builtin_add_overflow(point.at, elapsed, &point.at) && !__builtin_add_overflow(value, change, &value) &&
              !__builtin_add_overflow(point.seq, seq_change, &point.seq);
  if (!fits || (!first && elapsed == 0) || value < -kLargestValue || value > kLargestValue)
    in.damaged("a sample is out of range");
  point.value = value;
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
  if (empty()) {
    policy_ = policy;
    has_seq_ = has_seq;
  }
  if (policy_ != policy) throw invalid_argument("one counter cannot have two policies");
  if (has_seq_ != has_seq) throw invalid_argument("states with and without seq cannot be merged");
}

template <class OnPoint>
void CounterState::each_packed(OnPoint &&on_point) const {
  Point point{0, 0, 0};
  bool first = true;
  packed_.each([&](std::string_view records) {
    for (Reader in(records, kType); in.left() > 0; first = false) {
      get_point(in, point, first, has_seq_);
      on_point(point);
    }
  });
}

void CounterState::rescale(int scale) {
  if (scale <= scale_) return;
  const Wide factor = power_of_ten(scale - scale_);
  auto scaled = [factor](const Point &point) -> Point {
    Wide value = times(point.value, factor);
    check_value(value);
    return {point.at, point.seq, value};
  };
  CounterState finer(packed_.memory());
  finer.has_seq_ = has_seq_;
  each_packed([&](const Point &point) { finer.pack(scaled(point)); });
  for (Point &point : late_) point = scaled(point);
  packed_.swap(finer.packed_);
  last_ = finer.last_;
  scale_ = scale;
}

void CounterState::add(Instant at, const Decimal &value, std::int64_t seq) {
  if (value.scale != scale_) rescale(value.scale);
  Wide digits = value.scale == scale_ ? value.digits : times(value.digits, power_of_ten(scale_ - value.scale));
  check_value(digits);
  add({at, seq, digits});
}

void CounterState::add(const Point &point) {
  if (empty() || point.at > last_.at)
    pack(point);
  else
    late_.push_back(point);
}

void CounterState::pack(const Point &point) {
  packed_.taken(put_point(packed_.room(most_bytes(point, last_)), point, last_, packed_count_ == 0, has_seq_));
  last_ = point;
  ++packed_count_;
}

void CounterState::merge(const CounterState &other) {
  if (other.empty()) return;
  use(other.policy_, other.has_seq_);
  rescale(other.scale_);
  const Wide factor = power_of_ten(scale_ - other.scale_);
  auto take = [this, factor](const Point &point) {
    Wide digits = times(point.value, factor);
    check_value(digits);
    add({point.at, point.seq, digits});
  };
  other.each_packed(take);
  for (const Point &point : other.late_) take(point);
}

void CounterState::settle() {
  if (late_.empty()) return;
  auto earlier = [](const Point &a, const Point &b) { return a.at != b.at ? a.at < b.at : a.seq < b.seq; };
  if (!std::is_sorted(late_.begin(), late_.end(), earlier)) std::stable_sort(late_.begin(), late_.end(), earlier);

  CounterState all(packed_.memory());
  all.has_seq_ = has_seq_;
  all.packed_.room(packed_.size() + late_.size() * kMostPointBytes);
  auto late = late_.begin();
  Point point{0, 0, 0};
  bool first = true;
  packed_.each([&](std::string_view records) {
    // Between late samples the bytes stay as they are: all but a few are copied, not written anew.
    Reader in(records, kType);
    std::size_t copied = 0, position = 0;
    auto copy = [&](const Point &last) {
      if (position == copied) return;
      all.packed_.append(records.substr(copied, position - copied));
      all.last_ = last;
    };
    for (; in.left() > 0; first = false, position = in.position()) {
      const Point before = point;
      get_point(in, point, first, has_seq_);
      const bool follows = position > copied || all.last_ == before;
      if (follows && (late == late_.end() || late->at > point.at)) {
        ++all.packed_count_;
        continue;
      }
      copy(before);
      // Of one instant the last counts.
      for (; late != late_.end() && late->at < point.at; ++late)
        if (late + 1 == late_.end() || (late + 1)->at != late->at) all.pack(*late);
      Point kept = point;
      for (; late != late_.end() && late->at == point.at; ++late)
        if (late->seq >= kept.seq) kept = *late;
      all.pack(kept);
      copied = in.position();
    }
    copy(point);
  });
  packed_.swap(all.packed_);
  packed_count_ = all.packed_count_;
  last_ = all.last_;
  late_.clear();
}

/// Sums up samples in order of time.
class CounterState::Summing {
 public:
  Summing(const Policy &policy, int scale) : policy_(policy) {
    sums_.delta.scale = sums_.first_value.scale = sums_.last_value.scale = scale;
  }

  void take(const Point &point) {
    if (sums_.samples++ == 0) {
      sums_.first_time = point.at;
      sums_.first_value.digits = point.value;
    } else {
      const Step to_next = step(policy_, sums_.last_value.digits, point.value);
      sums_.delta.digits = metrics::add(sums_.delta.digits, to_next.delta);
      sums_.changes += to_next.kind != StepKind::same;
      sums_.resets += to_next.kind == StepKind::reset;
      sums_.corrections += to_next.kind == StepKind::correction;
    }
    sums_.last_time = point.at;
    sums_.last_value.digits = point.value;
  }
  const CounterSummary &sums() const { return sums_; }

 private:
  Policy policy_;
  CounterSummary sums_;
};

CounterSummary CounterState::summary() {
  settle();
  Summing summing(policy_, scale_);
  each_packed([&summing](const Point &point) { summing.take(point); });
  return summing.sums();
}

CounterSummary CounterState::summary_of(std::string_view bytes) {
  Reader in(bytes, kType);
  const Header header = read_header(in);
  Summing summing(header.policy, header.scale);
  Point point{0, 0, 0};
  for (std::uint64_t i = 0; i < header.count; ++i) {
    get_point(in, point, i == 0, header.has_seq);
    summing.take(point);
  }
  in.end();
  return summing.sums();
}

std::string CounterState::encode() {
  settle();
  Writer out;
  out.reserve(32 + packed_.size());
  out.byte(kVersion);
  out.byte(static_cast<std::uint8_t>(static_cast<std::uint8_t>(policy_.kind()) | (has_seq_ ? kHasSeq : 0)));
  if (policy_.kind() == Policy::Kind::correction) out.varint(static_cast<std::uint64_t>(policy_.kept()));
  out.byte(static_cast<std::uint8_t>(scale_));
  out.varint(packed_count_);
  packed_.each([&out](std::string_view records) { out.append(records); });
  return out.take();
}

CounterState::Header CounterState::read_header(Reader &in) {
  in.version(kVersion);
  const std::uint8_t byte = in.byte(), kind = byte & static_cast<std::uint8_t>(~kHasSeq);
  auto policy = Policy::stored(
      kind, kind == static_cast<std::uint8_t>(Policy::Kind::correction) ? std::optional(in.varint64()) : std::nullopt);
  if (!policy) in.damaged("its policy is unknown");
  Header header{*policy, (byte & kHasSeq) != 0, in.byte(), 0};
  if (header.scale > kMostScale) in.damaged("its scale is out of range");
  header.count = in.varint64();
  if (header.count > in.left() / (header.has_seq ? 3 : 2)) in.damaged("it ends early");
  return header;
}

CounterState CounterState::decode(std::string_view bytes, std::pmr::memory_resource *memory) {
  Reader in(bytes, kType);
  const Header header = read_header(in);
  CounterState state(memory);
  state.policy_ = header.policy;
  state.has_seq_ = header.has_seq;
  state.scale_ = header.scale;
  state.packed_count_ = header.count;
  const std::size_t start = in.position();
  for (std::uint64_t i = 0; i < header.count; ++i) get_point(in, state.last_, i == 0, header.has_seq);
  in.end();
  if (header.count > 0) state.packed_.append(bytes.substr(start));
  return state;
}

std::string CounterState::to_text() {
  settle();
  std::string text(kTextVersion);
  text += ' ' + policy_.name() + ' ' + std::string(kScale) + std::to_string(scale_);
  each_packed([this, &text](const Point &point) {
    text += ' ' + std::to_string(point.at) + '=' + to_string(point.value);
    if (has_seq_) text += '@' + std::to_string(point.seq);
  });
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
