// CSV in an argument, read by PostgreSQL's own reader of COPY (sql/install/26-csv.sql): what COPY takes is taken, with
// its errors.
#include <algorithm>
#include <string>

#include "glue/datum.hpp"

extern "C" {
#include "access/table.h"
#include "catalog/namespace.h"
#include "commands/copy.h"
#include "nodes/makefuncs.h"
#include "utils/lsyscache.h"
}

namespace nexus::pg {

namespace {

/// The rest of the text that is being read: COPY asks for data through a function without a context of its own.
struct Source {
  const char *at, *end;
};
Source *source = nullptr;

int read_source(void *buffer, int, int max_read) {
  auto size = std::min<std::ptrdiff_t>(source->end - source->at, max_read);
  memcpy(buffer, source->at, static_cast<std::size_t>(size));
  source->at += size;
  return static_cast<int>(size);
}

DefElem *option(const char *name, const char *value) {
  return makeDefElem(pstrdup(name), reinterpret_cast<Node *>(makeString(pstrdup(value))), -1);
}

Datum fields_datum(char **fields, int count) {
  auto *values = static_cast<Datum *>(palloc(sizeof(Datum) * static_cast<std::size_t>(count)));
  auto *nulls = static_cast<bool *>(palloc(sizeof(bool) * static_cast<std::size_t>(count)));
  for (int i = 0; i < count; ++i) {
    nulls[i] = fields[i] == nullptr;
    values[i] = nulls[i] ? Datum(0) : CStringGetTextDatum(fields[i]);
  }
  int lower_bound = 1;
  return PointerGetDatum(construct_md_array(values, nulls, 1, &count, &lower_bound, TEXTOID, -1, false, TYPALIGN_INT));
}

}  // namespace

NEXUS_FUNCTION(nexus_csv_rows) {
  Rows rows(fcinfo, true);
  text *body = call([&] { return PG_GETARG_TEXT_PP(0); });
  Source here{VARDATA_ANY(body), VARDATA_ANY(body) + VARSIZE_ANY_EXHDR(body)};
  if (here.end - here.at >= 3 && memcmp(here.at, "\xEF\xBB\xBF", 3) == 0) here.at += 3;
  int row = 0;
  try {
    source = &here;
    // The reader wants a table to fill; which one is of no matter, for its fields are taken raw.
    Relation table = call([] {
      return table_open(get_relname_relid("paused_lanes", get_namespace_oid("nexus", false)), AccessShareLock);
    });
    CopyFromState reader = call([table] {
      List *options = list_make2(option("format", "csv"), option("encoding", GetDatabaseEncodingName()));
      return BeginCopyFrom(nullptr, table, nullptr, nullptr, false, read_source, NIL, options);
    });
    for (;; ++row) {
      char **fields;
      int count;
      auto datum = call([&]() -> Datum {
        CHECK_FOR_INTERRUPTS();
        return NextCopyFromRawFields(reader, &fields, &count) ? fields_datum(fields, count) : Datum(0);
      });
      if (datum == Datum(0)) break;
      rows.add({datum});
    }
    call([=] {
      EndCopyFrom(reader);
      table_close(table, AccessShareLock);
    });
  } catch (const PgError &error) {
    if (error.data->sqlerrcode != ERRCODE_BAD_COPY_FILE_FORMAT) throw;
    throw Error("22P04", error.data->message).detail("This is in row " + std::to_string(row + 1) + " of the CSV.");
  }
  PG_RETURN_NULL();
}

}  // namespace nexus::pg
