#include "core/jsonschema/decimal.hpp"

#include <array>
#include <limits>

#include "core/error.hpp"

namespace nexus::jsonschema {

namespace {

constexpr std::size_t kMantissaDigits = 18;  // fit in 64 bits, and their product in 128

__extension__ using Wide = unsigned __int128;

std::int64_t parse_exponent(std::string_view text) {
  bool negative = text.substr(0, 1) == "-";
  if (negative || text.substr(0, 1) == "+") text.remove_prefix(1);
  std::int64_t value = 0;
  for (char c : text)
    if (value < std::numeric_limits<std::int32_t>::max()) value = value * 10 + (c - '0');
  return negative ? -value : value;
}

constexpr auto kPowersOfTen = [] {
  std::array<std::uint64_t, kMantissaDigits + 1> powers{1};
  for (std::size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 10;
  return powers;
}();

/// The number of digits of a mantissa, which is not 0.
int digits_of(std::uint64_t mantissa) {
  int count = 1;
  while (mantissa >= kPowersOfTen[static_cast<std::size_t>(count)]) ++count;
  return count;
}

/// base * 10^power mod modulus
std::uint64_t shifted(std::uint64_t base, std::int64_t power, std::uint64_t modulus) {
  std::uint64_t result = base % modulus, ten = 10 % modulus;
  for (; power > 0; power >>= 1) {
    if ((power & 1) != 0) result = static_cast<std::uint64_t>(Wide{result} * ten % modulus);
    ten = static_cast<std::uint64_t>(Wide{ten} * ten % modulus);
  }
  return result;
}

}  // namespace

Decimal Decimal::parse(std::string_view text, std::deque<std::string> &store) {
  Decimal number;
  if (text.substr(0, 1) == "-") {
    number.negative_ = true;
    text.remove_prefix(1);
  }
  if (std::size_t e = text.find_first_of("eE"); e != std::string_view::npos) {
    number.exponent_ = parse_exponent(text.substr(e + 1));
    text = text.substr(0, e);
  }
  std::size_t point = text.find('.');
  if (point == std::string_view::npos) point = text.size();
  std::size_t first = text.find_first_not_of("0."), last = text.find_last_not_of("0.");
  if (first == std::string_view::npos) return {};
  number.exponent_ +=
      last < point ? static_cast<std::int64_t>(point - last - 1) : -static_cast<std::int64_t>(last - point);
  bool spans_point = first < point && point < last;
  if (last - first + 1 - (spans_point ? 1 : 0) <= kMantissaDigits) {
    for (std::size_t i = first; i <= last; ++i)
      if (text[i] != '.') number.mantissa_ = number.mantissa_ * 10 + static_cast<std::uint64_t>(text[i] - '0');
    return number;
  }
  std::string &digits = store.emplace_back(text.substr(first, last - first + 1));
  if (spans_point) digits.erase(point - first, 1);
  number.long_digits_ = digits;
  return number;
}

Decimal Decimal::of(bool negative, std::uint64_t digits, std::int64_t exponent) {
  Decimal number;
  if (digits == 0) return number;
  for (; digits % 10 == 0; digits /= 10) ++exponent;
  number.mantissa_ = digits;
  number.exponent_ = exponent;
  number.negative_ = negative;
  return number;
}

bool Decimal::to_int64(std::int64_t &value) const {
  if (!is_integer() || !long_digits_.empty() || exponent_ > static_cast<std::int64_t>(kMantissaDigits)) return false;
  Wide wide = mantissa_;
  for (std::int64_t i = 0; i < exponent_; ++i) wide *= 10;
  if (wide > static_cast<Wide>(std::numeric_limits<std::int64_t>::max())) return false;
  value = static_cast<std::int64_t>(wide);
  if (negative_) value = -value;
  return true;
}

std::string Decimal::digits() const {
  return long_digits_.empty() ? std::to_string(mantissa_) : std::string(long_digits_);
}

int Decimal::compare(const Decimal &other) const {
  if (is_zero() || other.is_zero() || negative_ != other.negative_) {
    int mine = is_zero() ? 0 : negative_ ? -1 : 1, theirs = other.is_zero() ? 0 : other.negative_ ? -1 : 1;
    return mine - theirs;
  }
  int sign = negative_ ? -1 : 1;
  if (long_digits_.empty() && other.long_digits_.empty()) {
    std::uint64_t mine = mantissa_, theirs = other.mantissa_;
    if (exponent_ != other.exponent_) {
      int my_digits = digits_of(mine), their_digits = digits_of(theirs);
      std::int64_t my_size = exponent_ + my_digits, their_size = other.exponent_ + their_digits;
      if (my_size != their_size) return my_size < their_size ? -sign : sign;
      // As many digits before the point: the shorter one is brought to the length of the other.
      if (my_digits < their_digits) mine *= kPowersOfTen[static_cast<std::size_t>(their_digits - my_digits)];
      if (their_digits < my_digits) theirs *= kPowersOfTen[static_cast<std::size_t>(my_digits - their_digits)];
    }
    return mine == theirs ? 0 : mine < theirs ? -sign : sign;
  }
  std::string mine = digits(), theirs = other.digits();
  std::int64_t my_size = exponent_ + static_cast<std::int64_t>(mine.size());
  std::int64_t their_size = other.exponent_ + static_cast<std::int64_t>(theirs.size());
  if (my_size != their_size) return my_size < their_size ? -sign : sign;
  int order = mine.compare(theirs);  // left-aligned: a prefix is the smaller one
  return order == 0 ? 0 : order < 0 ? -sign : sign;
}

std::string Decimal::text() const {
  std::string text = digits();
  constexpr std::int64_t kMostZeros = 20;
  auto size = static_cast<std::int64_t>(text.size());
  if (exponent_ > kMostZeros || -exponent_ > size + kMostZeros) {
    text += (exponent_ < 0 ? "E" : "E+") + std::to_string(exponent_);
  } else if (exponent_ >= 0) {
    text.append(static_cast<std::size_t>(exponent_), '0');
  } else {
    if (-exponent_ >= size) text.insert(0, static_cast<std::size_t>(1 - exponent_ - size), '0');
    text.insert(text.size() - static_cast<std::size_t>(-exponent_), ".");
  }
  return negative_ ? "-" + text : text;
}

bool Decimal::is_multiple_of(const Decimal &divisor) const {
  if (!divisor.long_digits_.empty())
    throw Error("0A000", "multipleOf with more than 18 significant digits is not supported yet");
  if (is_zero()) return true;
  std::int64_t power = exponent_ - divisor.exponent_;
  if (power < 0) return false;  // the quotient would end in a digit behind the point: our last digit is not 0
  std::uint64_t modulus = divisor.mantissa_, rest = mantissa_ % modulus;
  for (char c : long_digits_)
    rest = static_cast<std::uint64_t>((Wide{rest} * 10 + static_cast<unsigned>(c - '0')) % modulus);
  return shifted(rest, power, modulus) == 0;
}

}  // namespace nexus::jsonschema
