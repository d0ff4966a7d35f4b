#include "core/metrics/timestamp.hpp"

#include "core/metrics/calendar.hpp"

namespace nexus::metrics {

namespace {

/// Reads fixed pieces from the front of a text; one that does not fit leaves `ok` false.
struct Scanner {
  std::string_view rest;
  bool ok = true;

  int digits(std::size_t count) {
    if (rest.size() < count) return fail();
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (rest[i] < '0' || rest[i] > '9') return fail();
      value = value * 10 + (rest[i] - '0');
    }
    rest.remove_prefix(count);
    return value;
  }
  bool take(char c) {
    if (!rest.starts_with(c)) return false;
    rest.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail();
  }
  int fail() {
    ok = false;
    return 0;
  }
};

/// The digits after the point, rounded to microseconds.
int fraction(Scanner &in) {
  int micros = 0;
  std::size_t count = 0;
  for (; !in.rest.empty() && in.rest[0] >= '0' && in.rest[0] <= '9'; ++count, in.rest.remove_prefix(1)) {
    if (count < 6) micros = micros * 10 + (in.rest[0] - '0');
    if (count == 6 && in.rest[0] >= '5') ++micros;
  }
  if (count == 0) in.fail();
  for (; count < 6; ++count) micros *= 10;
  return micros;
}

/// Seconds east of UTC.
int offset(Scanner &in) {
  if (in.take('Z') || in.take('z') || in.rest.empty()) return 0;
  int sign = in.take('-') ? -1 : 1;
  if (sign == 1) in.expect('+');
  int hours = in.digits(2);
  bool colon = in.take(':');
  int minutes = colon || !in.rest.empty() ? in.digits(2) : 0;
  if (hours > 15 || minutes > 59) in.fail();
  return sign * (hours * 3600 + minutes * 60);
}

}  // namespace

std::optional<Instant> parse_timestamp(std::string_view text) {
  Scanner in{text};
  int year = in.digits(4);
  in.expect('-');
  int month = in.digits(2);
  in.expect('-');
  int day = in.digits(2);
  if (!in.take('T') && !in.take('t')) in.expect(' ');
  int hour = in.digits(2);
  in.expect(':');
  int minute = in.digits(2);
  int second = in.take(':') ? in.digits(2) : 0;
  int micros = in.ok && in.take('.') ? fraction(in) : 0;
  int east = in.ok ? offset(in) : 0;
  if (!in.ok || !in.rest.empty()) return std::nullopt;
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return std::nullopt;
  if (hour > 23 || minute > 59 || second > 59) return std::nullopt;
  std::int64_t seconds =
      day_number(year, month, day) * 86400 + std::int64_t{hour} * 3600 + std::int64_t{minute} * 60 + second - east;
  return seconds * 1000000 + micros;
}

}  // namespace nexus::metrics
