#include "core/metrics/day_state.hpp"

#include "core/metrics/codec.hpp"

namespace nexus::metrics {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr const char *kDay = "day of a metrics rollup";
constexpr const char *kCell = "cell of a metrics rollup";
constexpr const char *kValues = "values of a metrics rollup";
const Policy kPolicy;

bool has(std::uint8_t mask, std::size_t metric) {
  return mask >> metric & 1;
}
std::uint8_t bit(std::size_t metric) {
  return static_cast<std::uint8_t>(1U << metric);
}

std::int64_t narrow(Wide value, const Reader &in) {
  if (value > INT64_MAX || value < INT64_MIN) in.damaged("a value has more than 64 bits");
  return static_cast<std::int64_t>(value);
}

}  // namespace

std::string Values::encode() const {
  Writer out;
  out.byte(kVersion);
  out.byte(known);
  for (std::size_t i = 0; i < kMetrics; ++i)
    if (knows(i)) out.signed_varint(value[i]);
  return out.take();
}

Values Values::decode(std::string_view bytes) {
  Reader in(bytes, kValues);
  in.version(kVersion);
  Values values;
  std::uint8_t known = in.byte();
  for (std::size_t i = 0; i < kMetrics; ++i)
    if (has(known, i)) values.set(i, narrow(in.signed_varint(), in));
  in.end();
  return values;
}

void Cell::add(const Cell &other, int sign) {
  auto combine = [sign](Wide a, Wide b) { return sign > 0 ? metrics::add(a, b) : subtract(a, b); };
  samples += sign * other.samples;
  for (std::size_t i = 0; i < kMetrics; ++i) {
    if (other.counts[i] == 0 && other.sums[i] == 0) continue;
    sums[i] = combine(sums[i], other.sums[i]);
    counts[i] += sign * other.counts[i];
  }
  engagements = combine(engagements, other.engagements);
  denominator = combine(denominator, other.denominator);
  rated += sign * other.rated;
}

std::optional<double> Cell::engagement_rate() const {
  if (rated == 0 || denominator <= 0) return std::nullopt;
  return static_cast<double>(static_cast<long double>(engagements) / static_cast<long double>(denominator));
}

std::string Cell::encode() const {
  Writer out;
  out.byte(kVersion);
  out.signed_varint(samples);
  std::uint8_t given = 0;
  for (std::size_t i = 0; i < kMetrics; ++i)
    if (counts[i] != 0 || sums[i] != 0) given |= bit(i);
  out.byte(given);
  for (std::size_t i = 0; i < kMetrics; ++i) {
    if (!has(given, i)) continue;
    out.signed_varint(counts[i]);
    out.signed_varint(sums[i]);
  }
  out.signed_varint(engagements);
  out.signed_varint(denominator);
  out.signed_varint(rated);
  return out.take();
}

Cell Cell::decode(std::string_view bytes) {
  Reader in(bytes, kCell);
  in.version(kVersion);
  Cell cell;
  cell.samples = narrow(in.signed_varint(), in);
  std::uint8_t given = in.byte();
  for (std::size_t i = 0; i < kMetrics; ++i) {
    if (!has(given, i)) continue;
    cell.counts[i] = narrow(in.signed_varint(), in);
    cell.sums[i] = in.signed_varint();
  }
  cell.engagements = in.signed_varint();
  cell.denominator = in.signed_varint();
  cell.rated = narrow(in.signed_varint(), in);
  in.end();
  return cell;
}

void DayState::append(int hour, std::uint32_t rows, const Values &values) {
  Hour *into = nullptr;
  for (auto found = hours_.rbegin(); found != hours_.rend() && into == nullptr; ++found)
    if (found->hour == hour) into = &*found;
  if (into == nullptr) {
    into = &hours_.emplace_back();
    into->hour = static_cast<std::uint8_t>(hour);
  }
  into->samples += rows;
  into->seen |= values.known;
  for (std::size_t i = 0; i < kMetrics; ++i) {
    if (!values.knows(i)) continue;
    if (last_.knows(i)) {
      into->stepped |= bit(i);
      into->steps[i] = metrics::add(into->steps[i], step(kPolicy, last_.value[i], values.value[i]).delta);
    } else {
      first_.set(i, values.value[i]);
    }
    last_.set(i, values.value[i]);
  }
}

void DayState::rebase(const Values &before) {
  for (std::size_t i = 0; i < kMetrics; ++i) rebase(i, before.knows(i), before.value[i]);
}

void DayState::rebase(std::size_t metric, bool known, std::int64_t value) {
  if (known && knows(metric))
    base_.set(metric, value);
  else
    base_.forget(metric);
}

void DayState::add_hour(Cell &cell, std::size_t index) const {
  const Hour &hour = hours_[index];
  std::uint8_t before = 0;
  for (std::size_t i = 0; i < index; ++i) before |= hours_[i].seen;
  cell.samples += hour.samples;
  for (std::size_t i = 0; i < kMetrics; ++i) {
    if (!has(hour.seen, i)) continue;
    bool is_first = !has(before, i);
    if (has(hour.stepped, i)) cell.sums[i] = metrics::add(cell.sums[i], hour.steps[i]);
    if (is_first && base_.knows(i))
      cell.sums[i] = metrics::add(cell.sums[i], step(kPolicy, base_.value[i], first_.value[i]).delta);
    if (has(hour.stepped, i) || (is_first && base_.knows(i))) cell.counts[i] = 1;
  }
}

void rate_cell(Cell &cell) {
  Metric below = cell.knows(Metric::reach) ? Metric::reach : Metric::views;
  if (!cell.knows(below)) return;
  cell.denominator = *cell.total(below);
  for (Metric part : {Metric::likes, Metric::comments, Metric::shares, Metric::saves}) {
    if (!cell.knows(part)) continue;
    cell.engagements = metrics::add(cell.engagements, *cell.total(part));
    cell.rated = 1;
  }
}

Cell DayState::cell() const {
  Cell cell;
  for (std::size_t i = 0; i < hours_.size(); ++i) add_hour(cell, i);
  rate_cell(cell);
  return cell;
}

Cell DayState::hour_cell(std::size_t index) const {
  Cell cell;
  add_hour(cell, index);
  rate_cell(cell);
  return cell;
}

std::string DayState::encode() const {
  Writer out;
  out.reserve(64);
  out.byte(kVersion);
  out.byte(first_.known);
  out.byte(base_.known);
  for (std::size_t i = 0; i < kMetrics; ++i) {
    if (!knows(i)) continue;
    out.signed_varint(first_.value[i]);
    out.signed_varint(Wide(last_.value[i]) - first_.value[i]);
    if (base_.knows(i)) out.signed_varint(Wide(first_.value[i]) - base_.value[i]);
  }
  out.byte(static_cast<std::uint8_t>(hours_.size()));
  for (const Hour &hour : hours_) {
    std::uint8_t moved = 0;
    for (std::size_t i = 0; i < kMetrics; ++i)
      if (hour.steps[i] != 0) moved |= bit(i);
    out.byte(hour.hour);
    out.varint(hour.samples);
    out.byte(hour.seen);
    out.byte(hour.stepped);
    out.byte(moved);
    for (std::size_t i = 0; i < kMetrics; ++i)
      if (has(moved, i)) out.signed_varint(hour.steps[i]);
  }
  return out.take();
}

DayState DayState::decode(std::string_view bytes) {
  Reader in(bytes, kDay);
  in.version(kVersion);
  DayState day;
  std::uint8_t known = in.byte(), based = in.byte();
  if ((based & ~known) != 0) in.damaged("a base of an unknown counter");
  for (std::size_t i = 0; i < kMetrics; ++i) {
    if (!has(known, i)) continue;
    std::int64_t first = narrow(in.signed_varint(), in);
    day.first_.set(i, first);
    day.last_.set(i, narrow(add(in.signed_varint(), first), in));
    if (has(based, i)) day.base_.set(i, narrow(subtract(first, in.signed_varint()), in));
  }
  std::size_t count = in.byte();
  if (count > 24) in.damaged("a day of more than 24 hours on the wall");
  day.hours_.resize(count);
  for (Hour &hour : day.hours_) {
    hour.hour = in.byte();
    std::uint64_t samples = in.varint64();
    if (hour.hour > 23 || samples > UINT32_MAX) in.damaged("an impossible hour");
    hour.samples = static_cast<std::uint32_t>(samples);
    hour.seen = in.byte();
    hour.stepped = in.byte();
    std::uint8_t moved = in.byte();
    for (std::size_t i = 0; i < kMetrics; ++i)
      if (has(moved, i)) hour.steps[i] = in.signed_varint();
  }
  in.end();
  return day;
}

std::optional<DayState::Ends> DayState::decode_ends(std::string_view bytes, Metric metric) {
  Reader in(bytes, kDay);
  in.version(kVersion);
  std::uint8_t known = in.byte(), based = in.byte();
  auto wanted = static_cast<std::size_t>(metric);
  if (!has(known, wanted)) return std::nullopt;
  for (std::size_t i = 0; i < wanted; ++i) {
    if (!has(known, i)) continue;
    in.signed_varint();
    in.signed_varint();
    if (has(based, i)) in.signed_varint();
  }
  Ends ends;
  ends.based = has(based, wanted);
  ends.first = narrow(in.signed_varint(), in);
  ends.last = narrow(add(in.signed_varint(), ends.first), in);
  if (ends.based) ends.before = narrow(subtract(ends.first, in.signed_varint()), in);
  return ends;
}

bool DayState::resets(const Cell &gained) const {
  for (std::size_t i = 0; i < kMetrics; ++i) {
    if (!knows(i)) continue;
    std::int64_t before = base_.knows(i) ? base_.value[i] : first_.value[i];
    if (gained.sums[i] != Wide(last_.value[i]) - before) return true;
  }
  return false;
}

Cell DayState::decode_cell(std::string_view bytes) {
  Reader in(bytes, kDay);
  in.version(kVersion);
  Cell cell;
  std::uint8_t known = in.byte(), based = in.byte(), seen = 0, stepped = 0;
  if ((based & ~known) != 0) in.damaged("a base of an unknown counter");
  std::array<Wide, kMetrics> from_base;
  for (std::size_t i = 0; i < kMetrics; ++i) {
    if (!has(known, i)) continue;
    std::int64_t first = narrow(in.signed_varint(), in);
    narrow(add(in.signed_varint(), first), in);
    if (has(based, i)) from_base[i] = step(kPolicy, narrow(subtract(first, in.signed_varint()), in), first).delta;
  }
  std::size_t count = in.byte();
  if (count > 24) in.damaged("a day of more than 24 hours on the wall");
  while (count-- > 0) {
    std::uint8_t hour = in.byte();
    std::uint64_t samples = in.varint64();
    if (hour > 23 || samples > UINT32_MAX) in.damaged("an impossible hour");
    cell.samples += static_cast<std::int64_t>(samples);
    seen |= in.byte();
    std::uint8_t steps = in.byte(), moved = in.byte();
    stepped |= steps;
    for (std::size_t i = 0; i < kMetrics; ++i) {
      if (!has(moved, i)) continue;
      Wide change = in.signed_varint();
      if (has(steps, i)) cell.sums[i] = metrics::add(cell.sums[i], change);
    }
  }
  in.end();
  stepped &= seen;
  for (std::size_t i = 0; i < kMetrics; ++i) {
    if (has(based & seen, i)) cell.sums[i] = metrics::add(cell.sums[i], from_base[i]);
    cell.counts[i] = has(stepped | (based & seen), i) ? 1 : 0;
  }
  rate_cell(cell);
  return cell;
}

}  // namespace nexus::metrics
