// Any text as a calendar: it is read or refused with a named error; and any text, folded and escaped, comes back whole.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/recurrence/icalendar.hpp"

namespace {

using namespace nexus::recurrence;

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char *>(data), size);
  try {
    for (const WrittenEvent &event : parse_icalendar(text)) require(event.dtstart.has_value());
  } catch (const nexus::Error &error) {
    std::string_view state = error.sqlstate();
    require(state == "22023" || state == "0A000" || state == "54000");
  }
  std::string calendar;
  append_content_line(calendar, "DTSTART:20260101T000000Z");
  append_content_line(calendar, "SUMMARY:" + escape_text(text));
  for (std::size_t begin = 0; begin < calendar.size();) {
    std::size_t end = calendar.find("\r\n", begin);
    require(end != std::string::npos && end - begin <= 75);
    begin = end + 2;
  }
  std::string again = escape_text(parse_icalendar(calendar).at(0).summary);
  require(again == escape_text(text));
  return 0;
}
