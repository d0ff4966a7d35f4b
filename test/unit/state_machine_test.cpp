#include "core/workflow/state_machine.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"

namespace nexus::workflow {
namespace {

StateMachine content() {
  StateMachine machine("content.status");
  machine.allow_first("draft", true);
  machine.allow_first("scheduled", false);
  machine.allow("draft", "scheduled");
  machine.allow("draft", "published");
  machine.allow("scheduled", "draft");
  machine.allow("scheduled", "published");
  return machine;
}

Error failure(void (*body)(const StateMachine &)) {
  StateMachine machine = content();
  try {
    body(machine);
  } catch (const Error &error) {
    return error;
  }
  return {"00000", "no error"};
}

TEST(StateMachine, AllowsWhatIsListedAndTheSameState) {
  StateMachine machine = content();
  EXPECT_NO_THROW(machine.check_change("draft", "published"));
  EXPECT_NO_THROW(machine.check_change("published", "published"));
  EXPECT_NO_THROW(machine.check_first("scheduled"));
  EXPECT_EQ(machine.default_state(), "draft");
}

TEST(StateMachine, NamesBothStatesAndWhatMayFollow) {
  Error error = failure([](const StateMachine &machine) { machine.check_change("published", "draft"); });
  EXPECT_STREQ(error.sqlstate(), "NX002");
  EXPECT_EQ(error.message(), "illegal transition of content.status from published to draft");
  EXPECT_EQ(error.hint(), "The state published is final.");
}

TEST(StateMachine, ListsTheStatesThatMayFollow) {
  StateMachine machine = content();
  machine.allow("paused", "draft");
  try {
    machine.check_change("draft", "paused");
    FAIL();
  } catch (const Error &error) {
    EXPECT_EQ(error.hint(), "From draft it can go to: scheduled, published.");
  }
}

TEST(StateMachine, RefusesAFirstState) {
  Error error = failure([](const StateMachine &machine) { machine.check_first("published"); });
  EXPECT_STREQ(error.sqlstate(), "NX002");
  EXPECT_EQ(error.hint(), "A new row begins as: draft, scheduled.");
}

TEST(StateMachine, AnUnknownStateIsNoTransition) {
  Error error = failure([](const StateMachine &machine) { machine.check_change("draft", "Draft"); });
  EXPECT_STREQ(error.sqlstate(), "23514");
  EXPECT_EQ(error.message(), "\"Draft\" is not a state of content.status");
}

TEST(StateMachine, ShowsALongValueShortenedBetweenCharacters) {
  Error error = failure([](const StateMachine &machine) {
    std::string state(39, 'a');
    for (int i = 0; i < 1000; ++i) state += "\xC3\xA9";
    machine.check_first(state);
  });
  EXPECT_EQ(error.message(), "\"" + std::string(39, 'a') + "...\" is not a state of content.status");
}

}  // namespace
}  // namespace nexus::workflow
