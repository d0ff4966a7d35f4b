#include "core/metrics/quantile_state.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <utility>

#include "core/metrics/clip.hpp"
#include "core/metrics/sort.hpp"

namespace nexus::metrics {

namespace {

constexpr std::uint8_t kVersion = 1, kExactKind = 0, kDigestKind = 1;
constexpr std::string_view kTextVersion = "v1", kExactWord = "exact", kDigestWord = "digest";
constexpr std::uint64_t kMostValues = INT64_MAX - 4096;  // with those that are in no group yet, count() is a bigint
// A group spans 1 on a scale that is kScale / 2 long. Where many values are equal, an answer can be one and a half
// groups off; in the middle a group holds pi / kScale of all values, so 500 keeps that below 0.01.
constexpr double kScale = 500;
constexpr std::size_t kMostGroups = 640;  // compress() leaves some kScale at most

[[noreturn]] void bad_text(std::string_view text) {
  throw Error("22P02", "invalid input syntax for type nexus.quantile_state: \"" + clip(text) + "\"")
      .hint("The form is: v1 exact 1 2.5 10");
}

/// Between two numbers of any size without leaving the range of double.
double between(double low, double high, double share) {
  if (share >= 1) return high;
  double value = (low < 0) == (high < 0) ? low + (high - low) * share : low * (1 - share) + high * share;
  return std::clamp(value, low, high);
}

char *put_double(char *to, double value) {
  store64(to, std::bit_cast<std::uint64_t>(value));
  return to + sizeof(value);
}

inline double get_double(const Reader &in, const char *from) {
  auto value = std::bit_cast<double>(load64(from));
  if (!std::isfinite(value)) in.damaged("a value is not finite");
  if (value == 0 && std::signbit(value)) in.damaged("a zero is negative");
  return value;
}
inline double get_double(Reader &in) {
  return get_double(in, in.take(sizeof(double)).data());
}

std::string to_text(double value) {
  char digits[32];
  auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  return {digits, end};
}

template <class Number>
bool parse(std::string_view text, Number &value) {
  auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  return fault == std::errc() && end == text.data() + text.size();
}

bool parse_finite(std::string_view text, double &value) {
  if (!parse(text, value) || !std::isfinite(value)) return false;
  value += 0.0;  // -0 becomes 0
  return true;
}

}  // namespace

void QuantileState::group_more(std::uint64_t more) {
  if (more > kMostValues - grouped_) throw Error("22003", "number of values out of range");
  grouped_ += more;
}

void QuantileState::refuse() {
  throw invalid_argument("quantiles are of finite numbers");
}

void QuantileState::widen(double least, double largest) {
  min_ = grouped_ == 0 ? least : std::min(min_, least);
  max_ = grouped_ == 0 ? largest : std::max(max_, largest);
}

void QuantileState::widen_singles() {
  Chunks wide(singles_.memory());
  each_single([&wide](double value) { append(wide, value); });
  singles_ = std::move(wide);
  wide_ = true;
}

void QuantileState::merge(const QuantileState &other) {
  other.each_single([this](double value) { push(value); });
  if (other.groups_.empty()) return;
  widen(other.min_, other.max_);
  group_more(other.grouped_);
  auto middle = static_cast<std::ptrdiff_t>(groups_.size());
  groups_.insert(groups_.end(), other.groups_.begin(), other.groups_.end());
  std::inplace_merge(groups_.begin(), groups_.begin() + middle, groups_.end(),
                     [](const Group &a, const Group &b) { return a.mean < b.mean; });
  if (groups_.size() > kMostGroups) compress();
}

std::span<double> QuantileState::sorted_singles(double *room) const {
  double *end = room;
  each_single([&end](double value) { *end++ = value; });
  std::span<double> all(room, end);
  sort_doubles(all);
  return all;
}

std::optional<double> QuantileState::min() {
  return quantile(0);
}

std::optional<double> QuantileState::max() {
  return quantile(1);
}

void QuantileState::settle() {
  if (count() > kMostExact && (num_singles_ > 0 || groups_.size() > kMostGroups)) compress();
}

void QuantileState::compress() {
  double room[kBuffered];
  const std::span<double> singles = sorted_singles(room);
  if (!singles.empty()) {
    widen(singles.front(), singles.back());
    group_more(singles.size());
  }
  const auto total = static_cast<double>(grouped_);
  // How many values may lie before the end of a group that begins after `before` values: on the scale, the arc whose
  // sine is that share of -1 to 1, one unit further, by the sine of a sum.
  static const double kSine = std::sin(2 * std::numbers::pi / kScale),
                      kCosine = std::cos(2 * std::numbers::pi / kScale);
  auto limit_after = [total](double before) {
    double sine = std::clamp(2 * before / total - 1, -1.0, 1.0);
    if (sine >= kCosine) return total;
    return total * (sine * kCosine + std::sqrt(1 - sine * sine) * kSine + 1) / 2;
  };

  alignas(Group) std::byte packed_room[kMostGroups * sizeof(Group)];
  std::pmr::monotonic_buffer_resource packed_memory(packed_room, sizeof(packed_room));
  std::pmr::vector<Group> packed(&packed_memory);
  packed.reserve(kMostGroups);
  // The group that is being filled. Its sum has the range of long double, so that it cannot overflow, and one division
  // at the end gives the mean; rounding must not carry that beyond the first and the last value.
  long double sum = 0;
  double first = 0, latest = 0, before = 0;
  std::uint64_t held = 0;
  auto most = static_cast<std::uint64_t>(limit_after(0));  // that it may hold; the first may always be more
  auto close = [&] {
    auto mean = static_cast<double>(sum / static_cast<long double>(held));
    packed.push_back({std::clamp(mean, first, latest), held});
  };
  auto take = [&](double mean, std::uint64_t count, long double part) {
    if (held > 0 && held + count > most) {
      close();
      before += static_cast<double>(held);
      most = static_cast<std::uint64_t>(std::max(0.0, limit_after(before) - before));
      held = 0;
      sum = 0;
    }
    if (held == 0) first = mean;
    latest = mean;
    sum += part;
    held += count;
  };
  auto take_group = [&take](const Group &group) {
    take(group.mean, group.count, static_cast<long double>(group.mean) * static_cast<long double>(group.count));
  };
  auto group = groups_.begin();
  for (double single : singles) {
    for (; group != groups_.end() && group->mean <= single; ++group) take_group(*group);
    take(single, 1, single);
  }
  for (; group != groups_.end(); ++group) take_group(*group);
  close();
  groups_.assign(packed.begin(), packed.end());
  singles_ = Chunks(singles_.memory());
  num_singles_ = 0;
}

std::optional<double> QuantileState::quantile(double q) {
  if (!(q >= 0 && q <= 1)) throw invalid_argument("q must be between 0 and 1");
  if (count() == 0) return std::nullopt;
  settle();
  const double last = static_cast<double>(count() - 1), rank = q * last;
  if (groups_.empty()) {
    double room[kMostExact];
    const std::span<double> singles = sorted_singles(room);
    auto index = static_cast<std::size_t>(rank);
    if (index + 1 >= singles.size()) return singles.back();
    return between(singles[index], singles[index + 1], rank - static_cast<double>(index));
  }
  // The ends are known exactly, whatever group they went into. The mean of a group stands for the middle of its ranks.
  if (rank <= 0) return min_;
  if (rank >= last) return max_;
  double left_rank = 0, left = min_, before = 0;
  for (const Group &group : groups_) {
    double middle = before + (static_cast<double>(group.count) - 1) / 2;
    if (rank <= middle)
      return middle == left_rank ? group.mean : between(left, group.mean, (rank - left_rank) / (middle - left_rank));
    left_rank = middle;
    left = group.mean;
    before += static_cast<double>(group.count);
  }
  return between(left, max_, (rank - left_rank) / (last - left_rank));
}

std::size_t QuantileState::most_bytes() {
  settle();
  constexpr std::size_t kHead = 2 + kMostVarint64 + 2 * sizeof(double);
  return kHead + sizeof(double) * num_singles_ + (kMostVarint64 + sizeof(double)) * groups_.size();
}

std::string QuantileState::encode() {
  std::string bytes(most_bytes(), '\0');
  bytes.resize(encode(bytes.data()));
  return bytes;
}

std::size_t QuantileState::encode(char *to) const {
  char *end = to;
  *end++ = static_cast<char>(kVersion);
  if (groups_.empty()) {
    *end++ = static_cast<char>(kExactKind);
    double room[kMostExact];
    const std::span<double> singles = sorted_singles(room);
    end = put_varint(end, singles.size());
    for (double single : singles) end = put_double(end, single);
  } else {
    *end++ = static_cast<char>(kDigestKind);
    end = put_varint(end, groups_.size());
    end = put_double(end, min_);
    end = put_double(end, max_);
    for (const Group &group : groups_) {
      end = put_varint(end, group.count);
      end = put_double(end, group.mean);
    }
  }
  return static_cast<std::size_t>(end - to);
}

const char *QuantileState::fault_of_groups() const {
  if (groups_.empty() || groups_.size() > kMostGroups) return "the number of groups is wrong";
  if (grouped_ <= kMostExact) return "it holds too few values for groups";
  double previous = min_;
  for (const Group &group : groups_) {
    if (group.mean < previous) return "groups are out of order";
    previous = group.mean;
  }
  if (max_ < previous) return "groups are out of order";
  return nullptr;
}

QuantileState QuantileState::decode(std::string_view bytes, std::pmr::memory_resource *memory) {
  Reader in(bytes, "quantile_state");
  in.version(kVersion);
  QuantileState state(memory);
  std::uint8_t kind = in.byte();
  std::uint64_t size = in.varint64();
  if (size > in.left() / sizeof(double)) in.damaged("it ends early");
  if (kind == kExactKind) {
    if (size > kMostExact) in.damaged("it holds too many values");
    std::string_view values = in.take(size * sizeof(double));
    char *to = state.singles_.room(values.size());
    double previous = -std::numeric_limits<double>::infinity();
    for (std::uint64_t i = 0; i < size; ++i) {
      double value = get_double(in, values.data() + i * sizeof(double));
      if (value < previous) in.damaged("values are out of order");
      previous = value;
      std::memcpy(to + i * sizeof(value), &value, sizeof(value));
    }
    state.singles_.taken(to + values.size());
    state.num_singles_ = static_cast<std::uint32_t>(size);
    state.wide_ = true;
  } else if (kind == kDigestKind) {
    state.min_ = get_double(in);
    state.max_ = get_double(in);
    state.groups_.reserve(size);
    for (std::uint64_t i = 0; i < size; ++i) {
      std::uint64_t count = in.varint64();
      if (count == 0) in.damaged("a group is empty");
      if (count > kMostValues - state.grouped_) in.damaged("it holds too many values");
      state.group_more(count);
      state.groups_.push_back({get_double(in), count});
    }
    if (const char *fault = state.fault_of_groups()) in.damaged(fault);
  } else {
    in.damaged("its kind is unknown");
  }
  in.end();
  return state;
}

std::string QuantileState::to_text() {
  settle();
  std::string text(kTextVersion);
  text += ' ';
  if (groups_.empty()) {
    text += kExactWord;
    double room[kMostExact];
    for (double single : sorted_singles(room)) text += ' ' + metrics::to_text(single);
    return text;
  }
  text += kDigestWord;
  text += ' ' + metrics::to_text(min_) + ' ' + metrics::to_text(max_);
  for (const Group &group : groups_) text += ' ' + metrics::to_text(group.mean) + '*' + std::to_string(group.count);
  return text;
}

QuantileState QuantileState::from_text(std::string_view text) {
  std::string_view rest = text;
  auto word = [&rest] {
    std::size_t size = std::min(rest.find(' '), rest.size());
    std::string_view found = rest.substr(0, size);
    rest.remove_prefix(std::min(size + 1, rest.size()));
    return found;
  };
  if (word() != kTextVersion) bad_text(text);
  QuantileState state;
  std::string_view kind = word();
  if (kind == kExactWord) {
    while (!rest.empty()) {
      double value;
      if (!parse_finite(word(), value)) bad_text(text);
      state.add(value);
    }
    return state;
  }
  if (kind != kDigestWord || !parse_finite(word(), state.min_) || !parse_finite(word(), state.max_)) bad_text(text);
  while (!rest.empty()) {
    std::string_view pair = word();
    std::size_t sign = pair.find('*');
    Group group{};
    if (sign == std::string_view::npos || !parse_finite(pair.substr(0, sign), group.mean) ||
        !parse(pair.substr(sign + 1), group.count) || group.count == 0)
      bad_text(text);
    state.group_more(group.count);
    state.groups_.push_back(group);
  }
  if (state.fault_of_groups() != nullptr) bad_text(text);
  return state;
}

}  // namespace nexus::metrics
