// The trigger of the state machines (sql/install/60-workflow.sql). The machines are rows of nexus.transitions and
// nexus.initial_states, compiled once per backend and again after each change.
#include <cstdlib>
#include <map>
#include <string>

#include "core/workflow/state_machine.hpp"
#include "glue/settings.hpp"
#include "glue/table_cache.hpp"
#include "glue/trigger.hpp"

namespace nexus::pg {

namespace {

using workflow::StateMachine;
using Machines = std::map<std::string, StateMachine, std::less<>>;

const Machines &machines() {
  static TableWatch watch({"transitions", "initial_states"});
  static Machines machines;
  watch.rebuild([] {
    Machines read;
    auto machine = [&read](std::string_view name) -> StateMachine & {
      return read.try_emplace(std::string(name), std::string(name)).first->second;
    };
    TableRows first = read_own_table("initial_states");
    for (int row = 0; row < first.count; ++row)  // (tbl, state, is_default)
      machine(text_view(*first.value(row, 1)))
          .allow_first(text_view(*first.value(row, 2)), DatumGetBool(*first.value(row, 3)));
    TableRows next = read_own_table("transitions");
    for (int row = 0; row < next.count; ++row)  // (tbl, from_state, to_state)
      machine(text_view(*next.value(row, 1))).allow(text_view(*next.value(row, 2)), text_view(*next.value(row, 3)));
    machines = std::move(read);
  });
  return machines;
}

void check(RowTrigger &row, const StateMachine &machine, int column) {
  auto state = row.now(column);
  try {
    if (!state) {
      bool nullable = !TupleDescAttr(RelationGetDescr(row.relation()), column - 1)->attnotnull;
      if (row.is_insert() && nullable)
        row.set(column, text_datum(machine.default_state()));
      else if (row.before(column))
        row.fail_null(column);
      return;
    }
    if (!row.changes(column)) return;
    std::string_view to = text_view(*state);
    if (!row.is_insert()) {
      auto from = row.before(column);  // an old row without a state counts as one in the default state
      machine.check_change(from ? text_view(*from) : std::string_view(machine.default_state()), to);
    } else if (import_mode) {
      machine.check_known(to);
    } else {
      machine.check_first(to);
    }
  } catch (const Error &error) {
    row.fail(error, column);
  }
}

}  // namespace

NEXUS_FUNCTION(nexus_transition_state_trigger) {
  RowTrigger row(fcinfo);
  const Machines &known = machines();
  for (int i = 0; i < row.argument_count(); ++i) {
    std::string_view name = row.argument(i);
    auto machine = known.find(name);
    if (machine == known.end())
      throw Error("55000", "nexus.transitions has no rows for " + std::string(name))
          .hint("Restore the rows that the extension was installed with.");
    check(row, machine->second, row.column(row.argument(i) + name.rfind('.') + 1));
  }
  return row.result();
}

NEXUS_FUNCTION(nexus_is_importing) {
  PG_RETURN_BOOL(import_mode);
}

}  // namespace nexus::pg
