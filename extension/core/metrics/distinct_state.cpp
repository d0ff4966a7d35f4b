#include "core/metrics/distinct_state.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "core/metrics/clip.hpp"
#include "core/metrics/codec.hpp"
#include "core/metrics/sort.hpp"

namespace nexus::metrics {

namespace {

constexpr std::uint8_t kVersion = 1, kMurmur3 = 1;
constexpr std::string_view kTextHead = "v1 murmur3 ";
constexpr int kWidth = 5, kMostValue = (1 << kWidth) - 1;
constexpr std::size_t kLeastExact = 128, kFirstRoom = 16;

// The hll storage format.
constexpr std::uint8_t kSchema = 1, kUndefined = 0, kEmpty = 1, kExplicit = 2, kSparse = 3, kFull = 4;
constexpr std::uint8_t kSparseAndAutomatic = 0x7f;  // sparse form allowed, automatic limit of the explicit form

std::size_t full_bytes(int log2m) {
  return (std::size_t{1} << log2m) * kWidth / 8;
}

/// Up to how many hashes the hll extension keeps itself, with an automatic limit.
std::size_t most_explicit(int log2m) {
  return full_bytes(log2m) / sizeof(std::uint64_t);
}

/// Numbers of a few bits each, from the high bit of each byte down.
class BitWriter {
 public:
  explicit BitWriter(Writer &out) : out_(out) {}
  void put(std::uint32_t value, int bits) {
    pending_ = pending_ << bits | value;
    for (held_ += bits; held_ >= 8; held_ -= 8) out_.byte(static_cast<std::uint8_t>(pending_ >> (held_ - 8)));
  }
  void finish() {
    if (held_ > 0) put(0, 8 - held_);
  }

 private:
  Writer &out_;
  std::uint64_t pending_ = 0;
  int held_ = 0;
};

class BitReader {
 public:
  explicit BitReader(Reader &in) : in_(in) {}
  std::uint32_t get(int bits) {
    for (; held_ < bits; held_ += 8) pending_ = pending_ << 8 | in_.byte();
    held_ -= bits;
    return static_cast<std::uint32_t>(pending_ >> held_) & ((1U << bits) - 1);
  }
  /// Whether another number of that size can be read.
  bool has(int bits) const {
    return in_.left() * 8 + static_cast<std::size_t>(held_) >= static_cast<std::size_t>(bits);
  }

 private:
  Reader &in_;
  std::uint64_t pending_ = 0;
  int held_ = 0;
};

double sigma(double x) {
  if (x == 1) return std::numeric_limits<double>::infinity();
  double power = 1, sum = x, before;
  do {
    x *= x;
    before = sum;
    sum += x * power;
    power *= 2;
  } while (sum != before);
  return sum;
}

double tau(double x) {
  if (x == 0 || x == 1) return 0;
  double power = 1, sum = 1 - x, before;
  do {
    x = std::sqrt(x);
    before = sum;
    power /= 2;
    sum -= (1 - x) * (1 - x) * power;
  } while (sum != before);
  return sum / 3;
}

[[noreturn]] void bad_text(std::string_view text) {
  throw Error("22P02", "invalid input syntax for type nexus.distinct_state: \"" + clip(text) + "\"")
      .hint("The form is: v1 murmur3 and the bytes of the hll storage format in hexadecimal digits.");
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::size_t DistinctState::most_exact() const {
  return std::max(kLeastExact, most_explicit(log2m_));
}

void DistinctState::use(int log2m) {
  if (log2m == log2m_) return;
  if (log2m < kLeastLog2m || log2m > kMostLog2m)
    throw invalid_argument("log2m must be between " + std::to_string(kLeastLog2m) + " and " +
                           std::to_string(kMostLog2m));
  if (!empty()) throw invalid_argument("one distinct count cannot have two log2m");
  log2m_ = log2m;
}

void DistinctState::settle() {
  if (!registers_.empty()) return;
  sort_hashes(hashes_);
  if (hashes_.size() > most_exact()) start_registers();
}

void DistinctState::add_beyond_room(std::uint64_t hash) {
  settle();
  if (!registers_.empty()) {
    raise(hash);
    return;
  }
  // At least as much room for new hashes as there are old ones, so that settling is cheap for each of them.
  if (hashes_.size() * 2 >= hashes_.capacity()) hashes_.reserve(std::max(kFirstRoom, hashes_.capacity() * 2));
  hashes_.push_back(hash);
}

void DistinctState::raise(std::uint32_t index, std::uint8_t value) {
  registers_[index] = std::max(registers_[index], value);
}

void DistinctState::raise(std::uint64_t hash) {
  std::uint64_t rest = hash >> log2m_;
  if (rest == 0) return;
  auto index = static_cast<std::uint32_t>(hash & ((std::uint64_t{1} << log2m_) - 1));
  raise(index, static_cast<std::uint8_t>(std::min(std::countr_zero(rest) + 1, kMostValue)));
}

void DistinctState::start_registers() {
  registers_.assign(std::size_t{1} << log2m_, 0);
  for (std::uint64_t hash : hashes_) raise(hash);
  std::pmr::vector<std::uint64_t>(hashes_.get_allocator()).swap(hashes_);
}

void DistinctState::coarsen(int log2m) {
  const int dropped = log2m_ - log2m;
  log2m_ = log2m;
  if (registers_.empty()) {
    settle();
    return;
  }
  std::pmr::vector<std::uint8_t> fine(registers_.get_allocator());
  fine.swap(registers_);
  registers_.assign(std::size_t{1} << log2m, 0);
  // The upper bits of the old index now stand before the rest of the hash.
  for (std::uint32_t index = 0; index < fine.size(); ++index) {
    if (fine[index] == 0) continue;
    std::uint32_t upper = index >> log2m;
    int value = upper != 0 ? std::countr_zero(upper) + 1 : std::min(fine[index] + dropped, kMostValue);
    raise(index & ((1U << log2m) - 1), static_cast<std::uint8_t>(value));
  }
}

void DistinctState::merge(const DistinctState &other) {
  if (other.empty()) return;
  if (empty()) log2m_ = other.log2m_;
  if (other.log2m_ < log2m_) coarsen(other.log2m_);
  if (other.registers_.empty()) {
    for (std::uint64_t hash : other.hashes_) add(hash);
    return;
  }
  if (other.log2m_ > log2m_) {
    DistinctState coarse(registers_.get_allocator().resource());
    coarse.log2m_ = other.log2m_;
    coarse.registers_ = other.registers_;
    coarse.coarsen(log2m_);
    merge(coarse);
    return;
  }
  if (registers_.empty()) start_registers();
  for (std::uint32_t index = 0; index < registers_.size(); ++index) raise(index, other.registers_[index]);
}

std::uint64_t DistinctState::count() {
  settle();
  if (registers_.empty()) return hashes_.size();
  std::size_t with[kMostValue + 1] = {};
  for (std::uint8_t value : registers_) ++with[value];
  const auto size = static_cast<double>(registers_.size());
  double z = size * tau(1 - static_cast<double>(with[kMostValue]) / size);
  for (int value = kMostValue - 1; value >= 1; --value) z = 0.5 * (z + static_cast<double>(with[value]));
  z += size * sigma(static_cast<double>(with[0]) / size);
  double estimate = size * size / (2 * std::log(2.0)) / z;
  // All registers full: more than can be told apart, and more than 64 bits of hashes can hold.
  if (!(estimate < 0x1p63)) return INT64_MAX;
  return static_cast<std::uint64_t>(std::llround(estimate));
}

std::string DistinctState::registers_body() const {
  auto filled = static_cast<std::size_t>(
      std::count_if(registers_.begin(), registers_.end(), [](std::uint8_t value) { return value != 0; }));
  const int entry_bits = log2m_ + kWidth;
  bool sparse = (filled * static_cast<std::size_t>(entry_bits) + 7) / 8 < full_bytes(log2m_);
  Writer out;
  out.byte(static_cast<std::uint8_t>(kSchema << 4 | (sparse ? kSparse : kFull)));
  out.byte(static_cast<std::uint8_t>((kWidth - 1) << 5 | log2m_));
  out.byte(kSparseAndAutomatic);
  BitWriter bits(out);
  for (std::uint32_t index = 0; index < registers_.size(); ++index) {
    if (!sparse)
      bits.put(registers_[index], kWidth);
    else if (registers_[index] != 0)
      bits.put(index << kWidth | registers_[index], entry_bits);
  }
  bits.finish();
  return out.take();
}

std::string DistinctState::to_hll() {
  settle();
  if (!registers_.empty()) return registers_body();
  if (hashes_.size() > most_explicit(log2m_)) {
    DistinctState dense = *this;
    dense.start_registers();
    return dense.registers_body();
  }
  return encode().substr(2);
}

std::string DistinctState::encode() {
  settle();
  Writer out;
  out.byte(kVersion);
  out.byte(kMurmur3);
  if (!registers_.empty()) return out.take() + registers_body();
  out.reserve(8 + sizeof(std::uint64_t) * hashes_.size());
  out.byte(static_cast<std::uint8_t>(kSchema << 4 | (hashes_.empty() ? kEmpty : kExplicit)));
  out.byte(static_cast<std::uint8_t>((kWidth - 1) << 5 | log2m_));
  out.byte(kSparseAndAutomatic);
  for (std::uint64_t hash : hashes_) out.fixed64_reversed(hash);
  return out.take();
}

DistinctState DistinctState::from_hll(std::string_view bytes, std::pmr::memory_resource *memory) {
  Reader in(bytes, "hll");
  std::uint8_t head = in.byte();
  if (head >> 4 != kSchema) throw Error("0A000", "this schema version of hll is not supported yet");
  std::uint8_t size = in.byte();
  in.byte();  // how the writer chose between its forms; this side chooses anew
  const int width = (size >> 5) + 1, log2m = size & 31;
  if (width < kWidth) throw Error("0A000", "hll registers of less than 5 bits are not supported yet");
  if (log2m < kLeastLog2m || log2m > kMostLog2m)
    throw Error("0A000", "hll with log2m " + std::to_string(log2m) + " is not supported yet");
  DistinctState state(memory);
  state.log2m_ = log2m;
  auto fit = [](std::uint32_t value) {
    return static_cast<std::uint8_t>(std::min<std::uint32_t>(value, static_cast<std::uint32_t>(kMostValue)));
  };
  switch (head & 15) {
    case kUndefined:
      throw Error("0A000", "an undefined hll is not supported yet");
    case kEmpty:
      break;
    case kExplicit:
      if (in.left() == 0 || in.left() % 8 != 0) in.damaged("its hashes are not of eight bytes");
      state.hashes_.reserve(in.left() / sizeof(std::uint64_t));
      for (std::int64_t before = 0; in.left() > 0;) {
        bool first = in.left() == bytes.size() - 3;
        std::uint64_t hash = in.fixed64_reversed();
        if (!first && static_cast<std::int64_t>(hash) <= before) in.damaged("its hashes are out of order");
        before = static_cast<std::int64_t>(hash);
        state.hashes_.push_back(hash);
      }
      state.settle();
      break;
    case kSparse: {
      state.registers_.assign(std::size_t{1} << log2m, 0);
      BitReader bits(in);
      bool first = true;
      for (std::uint32_t before = 0; bits.has(log2m + width); first = false) {
        std::uint32_t index = bits.get(log2m);
        if (!first && index <= before) in.damaged("its registers are out of order");
        before = index;
        state.raise(index, fit(bits.get(width)));
      }
      break;
    }
    case kFull: {
      if (in.left() != (std::size_t{1} << log2m) * static_cast<std::size_t>(width) / 8)
        in.damaged("it has not the size of its registers");
      state.registers_.assign(std::size_t{1} << log2m, 0);
      BitReader bits(in);
      for (std::uint32_t index = 0; index < state.registers_.size(); ++index) state.raise(index, fit(bits.get(width)));
      break;
    }
    default:
      in.damaged("its type is unknown");
  }
  in.end();
  return state;
}

DistinctState DistinctState::decode(std::string_view bytes, std::pmr::memory_resource *memory) {
  Reader in(bytes, "distinct_state");
  in.version(kVersion);
  if (in.byte() != kMurmur3) throw Error("0A000", "distinct_state of another hash function is not supported yet");
  DistinctState state = from_hll(bytes.substr(2), memory);
  // While exact, hashes in order leave only one way to write them after this head.
  bool as_written = state.registers_.empty() ? static_cast<std::uint8_t>(bytes[3]) >> 5 == kWidth - 1 &&
                                                   static_cast<std::uint8_t>(bytes[4]) == kSparseAndAutomatic
                                             : state.encode() == bytes;
  if (!as_written) in.damaged("it is not written as its version demands");
  return state;
}

std::string DistinctState::to_text() {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text(kTextHead);
  for (char c : encode().substr(2)) {
    auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

DistinctState DistinctState::from_text(std::string_view text) {
  if (!text.starts_with(kTextHead)) bad_text(text);
  std::string_view digits = text.substr(kTextHead.size());
  if (digits.size() % 2 != 0) bad_text(text);
  std::string bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    int high = hex_digit(digits[i]), low = hex_digit(digits[i + 1]);
    if (high < 0 || low < 0) bad_text(text);
    bytes += static_cast<char>(high << 4 | low);
  }
  return from_hll(bytes);
}

}  // namespace nexus::metrics
