#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
// iCalendar (RFC 5545): a schedule as a VEVENT, a zone as a VTIMEZONE, and what a VEVENT says about its recurrence.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/recurrence/occurrences.hpp"

namespace nexus::recurrence {

/// Appends one content line with CRLF, folded so that no physical line has more than 75 octets and no character is cut.
void append_content_line(std::string &calendar, std::string_view line);

/// A value of type TEXT: backslash, semicolon, comma and newline escaped, other control characters left out.
std::string escape_text(std::string_view text);

/// The text properties of an event; empty ones are left out.
struct EventText {
  std::string uid, summary, description, categories, status;
  Instant stamp;  // DTSTAMP
};

/// The VEVENT of a schedule that fires up to `last`, its rule kept as a rule. DTSTART is the first instance, as RFC
/// 5545 3.8.5.3 wants it; UNTIL is in UTC; a rule that is bounded by COUNT and by a date gets the UNTIL that says both.
/// Empty where the rule has no instance. `tzid` is left unused for UTC (`zone` null).
std::string write_event(const Schedule &schedule, const Zone *zone, std::string_view tzid, Instant last,
                        const EventText &text, Interrupt interrupt);

/// The VTIMEZONE of a zone from `from` on: its changes up to `to`, and as yearly rules those that go on like that.
std::string write_timezone(std::string_view tzid, const Zone &zone, Instant from, Instant to);

/// A DATE or DATE-TIME as it was written.
struct WrittenTime {
  LocalTime at;
  bool is_utc = false;
  std::string tzid;  // empty: floating
};

/// What a VEVENT says about when it takes place.
struct WrittenEvent {
  std::string uid, summary, rrule;
  std::optional<WrittenTime> dtstart, recurrence_id;
  std::vector<WrittenTime> rdates, exdates;
  std::vector<std::string> exrules;
};

inline constexpr std::size_t kMaxCalendarBytes = 4 << 20;
inline constexpr std::size_t kMaxDates = 10000;

/// The events of a calendar, or of a text that has only the properties of one. 22023 names the line at fault. A TZID
/// whose VTIMEZONE has an X-LIC-LOCATION is replaced by that.
///
///     parse_icalendar("DTSTART;TZID=Europe/Berlin:20260105T090000\nRRULE:FREQ=WEEKLY")[0].rrule   // "FREQ=WEEKLY"
std::vector<WrittenEvent> parse_icalendar(std::string_view text);

}  // namespace nexus::recurrence
