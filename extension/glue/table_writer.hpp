// Rows of the extension's own tables, written without a statement: the many rows of a bulk load go to the table and to
// each index in one order, and the few rows of a short statement cost no executor.
#pragma once

#include <initializer_list>
#include <span>
#include <utility>

#include "glue/guard.hpp"

extern "C" {
#include "access/relscan.h"
#include "access/skey.h"
#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "utils/rel.h"
#include "utils/snapshot.h"
}

namespace nexus::pg {

/// Asks for no rights, and fires no triggers. For rows that nobody else changes meanwhile: whoever makes one holds the
/// lock that they belong to. It sees all that is committed, and what this transaction has written before; above read
/// committed, a row that was changed since the transaction's snapshot is not changed again (40001). close() ends it;
/// after an error the transaction does.
///
///     TableWriter days("metric_days");
///     if (days.find({series, day}) != nullptr) days.update({{3, state}});
///     else days.insert(columns, 1);
///     days.close();
class TableWriter {
 public:
  explicit TableWriter(const char *table);
  TableWriter(const TableWriter &) = delete;
  TableWriter &operator=(const TableWriter &) = delete;

  /// A row whose first columns of the primary key are these: integers, dates or texts of collation "C". Valid until the
  /// next call; nullptr if there is none.
  TupleTableSlot *find(std::initializer_list<Datum> key);
  /// Changes columns (by number, from 1) of the row found last.
  void update(std::initializer_list<std::pair<int, Datum>> columns);
  /// Deletes the row found last.
  void remove();
  /// Inserts rows, all columns of which are given, none NULL: `columns[c][r]`. They should come in the order of the
  /// table's text indexes; for those over integers they are sorted.
  void insert(std::span<const Datum *const> columns, size_t rows);
  void close();

 private:
  void require_unchanged();
  /// 40001 unless the row found last was still there as it was found.
  static void require_done(TM_Result result);
  void insert_into_index(int index, std::span<const Datum *const> columns, size_t rows, ItemPointerData *places);

  Relation table_ = nullptr, index_ = nullptr;
  EState *state_ = nullptr;
  ResultRelInfo *target_ = nullptr;
  SnapshotData *snapshot_ = nullptr;
  CommandId command_ = 0;
  IndexScanDescData *scan_ = nullptr;
  int keys_ = 0;
  TupleTableSlot *found_ = nullptr, *changed_ = nullptr;
};

}  // namespace nexus::pg
