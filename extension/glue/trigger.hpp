// What the row triggers of the extension share: the row before and after, its columns by name, errors that name them.
#pragma once

#include <cstdlib>
#include <optional>
#include <string_view>

#include "glue/datum.hpp"

extern "C" {
#include "access/sysattr.h"
#include "commands/trigger.h"
#include "utils/rel.h"
}

namespace nexus::pg {

/// Equal bytes of two values of a column. Values stored out of line are equal if they are the same stored value: only
/// other ones are read.
bool same_value(Datum left, Datum right, Form_pg_attribute attribute);

/// A BEFORE INSERT OR UPDATE trigger FOR EACH ROW at work.
class RowTrigger {
 public:
  /// 39P01 where the function is called otherwise.
  explicit RowTrigger(FunctionCallInfo fcinfo);

  bool is_insert() const noexcept { return old_row_ == nullptr; }
  Relation relation() const noexcept { return data_->tg_relation; }
  const char *table() const noexcept { return RelationGetRelationName(data_->tg_relation); }
  int argument_count() const noexcept { return data_->tg_trigger->tgnargs; }
  const char *argument(int index) const noexcept { return data_->tg_trigger->tgargs[index]; }

  /// The number of a column; 0 if there is none of this name.
  int find_column(const char *name) const noexcept;
  /// The same, 55000 if there is none.
  int column(const char *name) const;

  std::optional<Datum> now(int column) const;     // the row that is to be stored
  std::optional<Datum> before(int column) const;  // the stored row; INSERT has none
  /// True unless UPDATE leaves the stored value as it is, byte for byte.
  bool changes(int column) const;
  /// Whether the UPDATE statement itself sets the column; triggers before this one may have set others.
  bool names(int column) const noexcept {
    return bms_is_member(column - FirstLowInvalidHeapAttributeNumber, data_->tg_updatedcols);
  }
  /// How many columns the UPDATE statement sets.
  int named_count() const noexcept { return bms_num_members(data_->tg_updatedcols); }
  void set(int column, std::optional<Datum> value);

  Datum result() const noexcept { return PointerGetDatum(new_row_); }

  /// Raises the error with the fields table and column filled.
  [[noreturn]] void fail(const Error &error, int column) const;
  /// 23502, in PostgreSQL's own words.
  [[noreturn]] void fail_null(int column) const;

 private:
  TriggerData *data_;
  HeapTuple old_row_, new_row_;
};

}  // namespace nexus::pg
