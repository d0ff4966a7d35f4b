// A row on its way into a guarded table, seen from a trigger.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/validation/draft.hpp"
#include "glue/guard.hpp"

extern "C" {
#include "commands/trigger.h"
}

namespace nexus::pg {

/// What any value of a column must keep.
enum class Shape { none, title, line, text, tags, url, urls, file, metadata, time, times };

struct GuardedColumn {
  std::string_view name;
  Shape shape;
  bool judged;  ///< the platforms' rules look at it
};

/// The texts of an array without its NULLs; empty for one that is too long to be looked at.
std::vector<std::string_view> texts_of(Datum array);

/// The new row of an INSERT or UPDATE trigger, and the old one. Columns that the table lacks, or has in a type that was
/// not meant, are as if NULL and unchanged: the table is an application's.
class GuardedRow {
 public:
  /// Columns are found by name once for each statement.
  GuardedRow(FunctionCallInfo fcinfo, std::span<const GuardedColumn> columns);
  /// All columns of the table, each with the shape that its type and name ask for.
  explicit GuardedRow(FunctionCallInfo fcinfo);

  bool before() const { return TRIGGER_FIRED_BEFORE(trigger_->tg_event); }
  bool inserted() const { return TRIGGER_FIRED_BY_INSERT(trigger_->tg_event); }
  Datum result() const;  ///< for the trigger to return: the row as it came
  Relation relation() const { return trigger_->tg_relation; }
  const char *table() const { return table_; }  ///< its name, for a partition that of the table that it is part of

  std::optional<Datum> datum(std::string_view column) const { return value(new_slot(), known(column)); }
  std::optional<std::string_view> text(std::string_view column) const { return as_text(new_slot(), column); }
  std::optional<std::string_view> old_text(std::string_view column) const {
    return inserted() ? std::nullopt : as_text(trigger_->tg_trigslot, column);
  }
  std::optional<std::int32_t> integer(std::string_view column) const;
  std::optional<Timestamp> timestamp(std::string_view column) const;
  std::vector<std::string_view> texts(
      std::string_view column) const;  ///< of an array; empty for what check_shape refuses

  bool changed(std::string_view column) const { return changed(known(column)); }
  bool judged_changed() const;
  /// True for an UPDATE that changes something that findings can come from; marks of time that background work leaves
  /// are none.
  bool relevant_changed() const;
  AttrNumber number_of(std::string_view column) const;  ///< 0 for a name that is no guarded column

  /// What is wrong with the row itself; `changed_only` leaves out what an UPDATE does not touch.
  void check_shape(std::vector<validation::Finding> &findings, bool changed_only) const;
  /// What nobody sees in the texts of a post, as a draft is judged.
  void check_unseen(std::vector<validation::Finding> &findings) const;

 private:
  /// What is known of the table; lives as long as the statement.
  struct Columns {
    Oid relation;
    const char *table;
    std::size_t count;
    const GuardedColumn *columns;
    AttrNumber *number;
  };

  void begin(FunctionCallInfo fcinfo);
  Columns *known_columns(FunctionCallInfo fcinfo) const;
  void use(const Columns *columns);
  int index_of(std::string_view column) const;  // -1 for a name that is no guarded column
  int known(std::string_view column) const;     // the same, but that is a fault of the guard
  bool changed(int index) const;
  TupleTableSlot *new_slot() const { return inserted() ? trigger_->tg_trigslot : trigger_->tg_newslot; }
  std::optional<Datum> value(TupleTableSlot *slot, int index) const;
  std::optional<std::string_view> as_text(TupleTableSlot *slot, std::string_view column) const;
  void check_column(int index, Datum datum, std::vector<validation::Finding> &findings) const;
  void check_array(const GuardedColumn &column, Datum datum, std::vector<validation::Finding> &findings) const;

  void check_times(const std::string &name, Datum datum, std::vector<validation::Finding> &findings) const;

  TriggerData *trigger_;
  std::span<const GuardedColumn> columns_;
  const AttrNumber *number_ = nullptr;
  const char *table_ = nullptr;
};

}  // namespace nexus::pg
