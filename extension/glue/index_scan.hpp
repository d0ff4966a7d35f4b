// Rows of the extension's own tables by one of their indexes, without a statement: where thousands of short ranges are
// read, starting a plan for each would cost more than the rows.
#pragma once

#include <optional>

#include "glue/guard.hpp"
#include "glue/table_cache.hpp"

extern "C" {
#include "access/genam.h"
#include "access/itup.h"
#include "access/relscan.h"
#include "access/skey.h"
#include "access/table.h"
#include "access/tableam.h"
#include "executor/tuptable.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
}

namespace nexus::pg {

/// Reads with the active snapshot, as a read-only statement of a function does, and asks for no rights: whoever makes
/// one has asked before. close() ends it; after an error the transaction does.
///
///     IndexScan days("metric_days", "metric_days_pkey", 1);
///     ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(series));
///     days.find(&key);
///     while (TupleTableSlot *row = days.next()) ... slot_getattr(row, 2, &null) ...
///     days.close();
class IndexScan {
 public:
  IndexScan(const char *table, const char *index, int keys) : keys_(keys) {
    Oid table_oid = own_table(table), index_oid = own_table(index);
    call([this, table_oid, index_oid] {
      table_ = table_open(table_oid, AccessShareLock);
      index_ = index_open(index_oid, AccessShareLock);
      slot_ = table_slot_create(table_, nullptr);
      scan_ = index_beginscan(table_, index_, GetActiveSnapshot(), keys_, 0);
    });
  }
  IndexScan(const IndexScan &) = delete;
  IndexScan &operator=(const IndexScan &) = delete;

  /// Starts over, with the rows for which all keys hold. `places`: for next_place().
  void find(ScanKeyData *keys, bool places = false) {
    scan_->xs_want_itup = places;
    call([this, keys] { index_rescan(scan_, keys, keys_, nullptr, 0); });
  }
  /// The next row in the order of the index, valid until the next call; nullptr after the last one.
  TupleTableSlot *next() {
    return call([this]() -> TupleTableSlot * {
      if (!index_getnext_slot(scan_, ForwardScanDirection, slot_)) return nullptr;
      slot_getallattrs(slot_);
      return slot_;
    });
  }
  /// Where the next row is, without reading it: it may turn out to be invisible. `number` (from 1) is a column of the
  /// index that holds an integer; the result has what stands in it.
  struct Place {
    ItemPointerData tid;
    int32 number;
  };
  std::optional<Place> next_place(int number, ScanDirection direction = ForwardScanDirection) {
    std::optional<Place> place;
    call([this, number, direction, &place] {
      ItemPointer tid = index_getnext_tid(scan_, direction);
      if (tid == nullptr) return;
      bool null;
      Datum value = index_getattr(scan_->xs_itup, number, scan_->xs_itupdesc, &null);
      place = Place{*tid, DatumGetInt32(value)};
    });
    return place;
  }
  /// The row at a place, valid until the next call; nullptr if the snapshot does not see one.
  TupleTableSlot *at(ItemPointerData place) {
    return call([this, &place]() -> TupleTableSlot * {
      bool again = false;
      if (!table_index_fetch_tuple(scan_->xs_heapfetch, &place, scan_->xs_snapshot, slot_, &again, nullptr))
        return nullptr;
      slot_getallattrs(slot_);
      return slot_;
    });
  }
  void close() {
    call([this] {
      index_endscan(scan_);
      ExecDropSingleTupleTableSlot(slot_);
      index_close(index_, AccessShareLock);
      table_close(table_, AccessShareLock);
    });
  }

 private:
  int keys_;
  Relation table_ = nullptr, index_ = nullptr;
  TupleTableSlot *slot_ = nullptr;
  IndexScanDesc scan_ = nullptr;
};

}  // namespace nexus::pg
