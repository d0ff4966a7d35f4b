#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace nexus::jsonschema {

/// A decimal number, exact at any size: significant digits times a power of ten. There is one form for each value (no
/// zeros at the ends of the digits), so 1, 1.0 and 1e0 are equal member by member.
class Decimal {
 public:
  Decimal() = default;

  /// Reads what JSON or a numeric prints (-12.50, 1e-7). Digits beyond 18 are kept in `store`, which must outlive it.
  ///
  ///     Decimal half = Decimal::parse("0.50", store);   // 5 * 10^-1
  static Decimal parse(std::string_view text, std::deque<std::string> &store);

  /// digits * 10^exponent, of at most 18 digits.
  ///
  ///     Decimal half = Decimal::of(false, 50, -2);
  static Decimal of(bool negative, std::uint64_t digits, std::int64_t exponent);

  bool is_integer() const { return exponent_ >= 0; }
  bool is_zero() const { return long_digits_.empty() && mantissa_ == 0; }
  bool is_negative() const { return negative_; }

  /// The value if it is an integer that fits, else false.
  bool to_int64(std::int64_t &value) const;

  /// Less than 0, 0 or more than 0, as the value is less than, equal to or greater than `other`.
  int compare(const Decimal &other) const;
  bool operator==(const Decimal &other) const {
    return negative_ == other.negative_ && exponent_ == other.exponent_ && mantissa_ == other.mantissa_ &&
           long_digits_ == other.long_digits_;
  }

  /// As JSON writes it: 12.5, or 125E+40 where zeros would be many.
  std::string text() const;

  /// True if this is an integer times `divisor`, which must be greater than 0 and have at most 18 significant digits
  /// (0A000 else).
  bool is_multiple_of(const Decimal &divisor) const;

 private:
  std::string digits() const;

  std::uint64_t mantissa_ = 0;    // the digits where there are at most 18
  std::string_view long_digits_;  // else here
  std::int64_t exponent_ = 0;
  bool negative_ = false;
};

}  // namespace nexus::jsonschema
