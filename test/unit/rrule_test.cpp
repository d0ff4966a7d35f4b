#include "core/recurrence/rule.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "core/recurrence/advice.hpp"

namespace {

using nexus::Error;
using namespace nexus::recurrence;

std::vector<Finding> findings_of(std::string_view text) {
  std::vector<Finding> findings;
  parse_rule(text, findings);
  return findings;
}

std::string canonical(std::string_view text) {
  return normalize(parse_rule(text));
}

TEST(Rule, Aliases) {
  EXPECT_EQ(canonical("none"), "FREQ=DAILY;COUNT=1");
  EXPECT_EQ(canonical("Weekdays"), "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR");
  EXPECT_EQ(canonical("yearly"), "FREQ=YEARLY");
  EXPECT_FALSE(findings_of("custom").empty());
}

TEST(Rule, CanonicalText) {
  EXPECT_EQ(canonical("RRULE:wkst=su;byday=we,+2mo,-1fr,WE;interval=01;freq=monthly;until=20260203T040506Z"),
            "FREQ=MONTHLY;UNTIL=20260203T040506Z;BYDAY=-1FR,WE,2MO");
  EXPECT_EQ(canonical("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=SU"), "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=SU");
  EXPECT_EQ(canonical("RSCALE=gregorian;FREQ=YEARLY;SKIP=OMIT"), "FREQ=YEARLY");
  EXPECT_EQ(canonical("RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=FORWARD"), "RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=FORWARD");
  EXPECT_EQ(canonical("FREQ=DAILY;UNTIL=00010203"), "FREQ=DAILY;UNTIL=00010203");
  EXPECT_EQ(canonical("FREQ=MINUTELY;BYSECOND=60,0"), "FREQ=MINUTELY;BYSECOND=0,59");
  for (const char *text : {"FREQ=YEARLY;BYMONTH=2,1;BYYEARDAY=-1,5;BYHOUR=23,0;BYMINUTE=9;BYSETPOS=-1,1;COUNT=4",
                           "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;WKST=TH"})
    EXPECT_EQ(canonical(canonical(text)), canonical(text));
}

struct Bad {
  const char *text, *part;
  int start;
};

TEST(Rule, ForbiddenRulesNameTheirPart) {
  const Bad bad[] = {
      {"INTERVAL=2", "FREQ", 0},
      {"", "", 0},
      {";FREQ=DAILY", "", 0},
      {"FREQ=DAILY;", "", 11},
      {"FREQ=DAILY;COUNT=0", "COUNT", 11},
      {"FREQ=DAILY;COUNT=99999999999", "COUNT", 11},
      {"FREQ=DAILY;INTERVAL=2 ", "INTERVAL", 11},
      {"FREQ=DAILY;UNTIL=20260230", "UNTIL", 11},
      {"FREQ=DAILY;UNTIL=20260228T000000z", "UNTIL", 11},
      {"FREQ=DAILY;UNTIL=20260228T240000", "UNTIL", 11},
      {"FREQ=DAILY;COUNT=1;UNTIL=20260228", "UNTIL", 19},
      {"FREQ=DAILY;BYSETPOS=1", "BYSETPOS", 11},
      {"FREQ=WEEKLY;BYDAY=1MO", "BYDAY", 12},
      {"FREQ=YEARLY;BYWEEKNO=3;BYDAY=1MO", "BYDAY", 23},
      {"FREQ=MONTHLY;BYDAY=0MO", "BYDAY", 13},
      {"FREQ=MONTHLY;BYDAY=MO,", "BYDAY", 13},
      {"FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY", 13},
      {"FREQ=MONTHLY;BYMONTHDAY=-32", "BYMONTHDAY", 13},
      {"FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY", 12},
      {"FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO", 13},
      {"FREQ=DAILY;BYYEARDAY=1", "BYYEARDAY", 11},
      {"FREQ=DAILY;BYMONTH=-1", "BYMONTH", 11},
      {"FREQ=DAILY;BYMONTH=1;BYMONTH=2", "BYMONTH", 21},
      {"FREQ=DAILY;WKST=MO,TU", "WKST", 11},
      {"FREQ=YEARLY;SKIP=FORWARD", "SKIP", 12},
      {"FREQ=DAILY;Füü=1;BYHOUR=24", "Füü", 11},
      {"FREQ=DAILY;XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXÜ", "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX", 11}};
  for (const Bad &rule : bad) {
    std::vector<Finding> findings = findings_of(rule.text);
    ASSERT_FALSE(findings.empty()) << rule.text;
    EXPECT_EQ(findings[0].part, rule.part) << rule.text;
    EXPECT_EQ(findings[0].start_char, rule.start) << rule.text;
    EXPECT_FALSE(findings[0].hint.empty()) << rule.text;
    try {
      parse_rule(rule.text);
      ADD_FAILURE() << rule.text;
    } catch (const Error &error) {
      EXPECT_STREQ(error.sqlstate(), "NX010");
    }
  }
  EXPECT_EQ(findings_of("FREQ=DAILY;Füü=1;BYHOUR=24")[1].start_char, 17);
}

TEST(Rule, LimitsComeBeforeWork) {
  std::string many = "FREQ=DAILY;BYHOUR=1";
  for (int i = 0; i < 366; ++i) many += ",1";
  EXPECT_EQ(findings_of(many).at(0).part, "BYHOUR");
  std::string huge = "FREQ=DAILY;BYDAY=MO";
  for (int i = 0; i < 3000; ++i) huge += ",MO";
  EXPECT_EQ(findings_of(huge).at(0).part, "BYDAY");
  EXPECT_EQ(findings_of(std::string(1 << 20, 'x')).size(), 1u);
  // Of very many faults the first hundred are told.
  std::vector<Finding> faults = findings_of(std::string(4000, ';'));
  ASSERT_EQ(faults.size(), 100u);
  EXPECT_EQ(faults.back().start_char, 99);
}

TEST(Rule, OtherCalendarsAreUnsupportedNotWrong) {
  try {
    parse_rule("RSCALE=CHINESE;FREQ=YEARLY");
    FAIL();
  } catch (const Error &error) {
    EXPECT_STREQ(error.sqlstate(), "0A000");
    EXPECT_NE(error.message().find("RSCALE"), std::string::npos);
  }
}

TEST(Rule, SeveralErrorsAreListedInTheDetail) {
  try {
    parse_rule("FREQ=DAILY;BYHOUR=\"24\";BYMINUTE=60");
    FAIL();
  } catch (const Error &error) {
    EXPECT_NE(error.message().find("BYHOUR"), std::string::npos);
    EXPECT_NE(error.detail().find("\"part\": \"BYMINUTE\""), std::string::npos);
    EXPECT_NE(error.detail().find("\\\"24\\\""), std::string::npos);
  }
}

TEST(Rule, UntilFormIsJudgedAgainstTheStart) {
  auto judged = [](const char *text, bool floating) {
    std::vector<Finding> findings;
    check_until_form(text, parse_rule(text), floating, true, findings);
    return findings.size();
  };
  EXPECT_EQ(judged("FREQ=DAILY;UNTIL=20260101T000000Z", false), 0u);
  EXPECT_EQ(judged("FREQ=DAILY;UNTIL=20260101T000000", false), 1u);
  EXPECT_EQ(judged("FREQ=DAILY;UNTIL=20260101T000000", true), 0u);
  EXPECT_EQ(judged("FREQ=DAILY;UNTIL=20260101", true), 1u);
}

TEST(Advice, WhatIsRarelyMeant) {
  auto parts = [](const char *text, LocalTime dtstart) {
    std::vector<Finding> findings;
    advise(parse_rule(text), dtstart, nexus::Interrupt(), findings);
    std::string all;
    for (const Finding &finding : findings) all += finding.part + ";";
    return all;
  };
  LocalTime january31 = to_day(2026, 1, 31) * kDay;  // a Saturday
  EXPECT_EQ(parts("FREQ=MONTHLY", january31), "BYMONTHDAY;");
  EXPECT_EQ(parts("FREQ=MONTHLY;BYMONTHDAY=-1", january31), "");
  EXPECT_EQ(parts("FREQ=WEEKLY;BYDAY=MO", january31), "DTSTART;");
  EXPECT_EQ(parts("FREQ=DAILY;UNTIL=20250101", january31), "UNTIL;");
  EXPECT_EQ(parts("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", january31), ";");
}

}  // namespace
