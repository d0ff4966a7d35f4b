#include "core/recurrence/describe.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"

namespace {

using namespace nexus::recurrence;

std::string said(const char *rule, const char *locale = "en") {
  return describe(parse_rule(rule), locale);
}

TEST(Describe, English) {
  EXPECT_EQ(said("daily"), "every day");
  EXPECT_EQ(said("none"), "every day, once");
  EXPECT_EQ(said("weekdays"), "every week on Monday to Friday");
  EXPECT_EQ(said("FREQ=WEEKLY;INTERVAL=2;BYDAY=FR,MO,WE;WKST=SU;BYHOUR=9,17;BYMINUTE=30"),
            "every 2 weeks on Monday, Wednesday and Friday at 09:30 and 17:30, weeks beginning on Sunday");
  EXPECT_EQ(said("FREQ=MONTHLY;BYDAY=-1FR,2TU,-2MO;COUNT=5"),
            "every month on the 2nd Tuesday, the 2nd to last Monday and the last Friday, 5 times");
  EXPECT_EQ(said("FREQ=MONTHLY;BYMONTHDAY=1,11,22,-1;UNTIL=20261231T225959Z"),
            "every month on the 1st day, the 11th day, the 22nd day and the last day, until 2026-12-31 22:59:59 UTC");
  EXPECT_EQ(said("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"),
            "every month on Monday to Friday taking only the last of these times");
  EXPECT_EQ(said("FREQ=YEARLY;BYMONTH=11;BYDAY=4TH"), "every year in November on the 4th Thursday of the month");
  EXPECT_EQ(said("FREQ=YEARLY;BYYEARDAY=1,-3;UNTIL=20300101"),
            "every year on the 1st day and the 3rd to last day of the year, until 2030-01-01");
  EXPECT_EQ(said("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO"), "every year in calendar week 20 on Monday");
  EXPECT_EQ(said("FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10"), "every 20 minutes in hour 9 and 10");
  EXPECT_EQ(said("RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=BACKWARD"), "every month, a missing day moving to the one before");
}

TEST(Describe, OtherLanguages) {
  const char *rule = "FREQ=MONTHLY;INTERVAL=3;BYDAY=1MO,-1FR;BYHOUR=9;BYMINUTE=0;COUNT=4";
  EXPECT_EQ(said(rule, "de-AT"), "alle 3 Monate am 1. Montag und letzten Freitag um 09:00, 4-mal");
  EXPECT_EQ(said(rule, "es"), "cada 3 meses el 1.er lunes y el último viernes a las 09:00, 4 veces");
  EXPECT_EQ(said(rule, "fr_FR.UTF-8"), "tous les 3 mois le 1er lundi et le dernier vendredi à 09:00, 4 fois");
  EXPECT_EQ(said(rule, "ja"), "3か月ごと、1番目の月曜日・最後の金曜日、09:00、4回");
}

/// Every word of every language is there, and no template is left unfilled.
TEST(Describe, LanguagesAreComplete) {
  for (const Language &language : languages()) {
    for (const char *rule :
         {"FREQ=SECONDLY;INTERVAL=7;BYHOUR=1;BYMINUTE=2;BYSECOND=3", "FREQ=YEARLY;BYWEEKNO=3;WKST=TU;COUNT=1",
          "RSCALE=GREGORIAN;FREQ=YEARLY;BYMONTH=1,2,3;BYMONTHDAY=-5,4;BYYEARDAY=9;SKIP=FORWARD;UNTIL=20300101T101112",
          "FREQ=YEARLY;BYDAY=SU,3SA,-3SA;BYSETPOS=2,-2;COUNT=9"}) {
      std::string text = describe(parse_rule(rule), language.code);
      EXPECT_EQ(text.find_first_of("{}"), std::string::npos) << text;
      EXPECT_EQ(text.find("  "), std::string::npos) << text;
    }
    for (std::string_view word : language.weekdays) EXPECT_FALSE(word.empty());
    for (std::string_view word : language.months) EXPECT_FALSE(word.empty());
    for (std::string_view word : language.every) EXPECT_FALSE(word.empty());
    for (std::string_view word : language.every_nth) EXPECT_NE(word.find("{n}"), std::string_view::npos);
  }
}

TEST(Describe, UnknownLanguageIsNamed) {
  try {
    said("daily", "tlh");
    FAIL();
  } catch (const nexus::Error &error) {
    EXPECT_STREQ(error.sqlstate(), "0A000");
    EXPECT_NE(error.hint().find("en, de, es, fr, ja"), std::string::npos);
  }
}

}  // namespace
