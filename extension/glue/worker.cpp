// The worker does what anybody can do by SELECT nexus.tick(): it calls it again and again, and sleeps until the next
// task or lease is due. What fails is logged and tried again; a database that is not there yet, or an extension that is
// not made yet, is waited for.
#include "glue/worker.hpp"

#include <algorithm>

#include "glue/guard.hpp"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"

PGDLLEXPORT void nexus_worker_main(Datum);
}

namespace nexus::pg {

namespace {

char *worker_database = nullptr;
char *worker_role = nullptr;
int worker_interval = 1000;

// One query in a transaction of its own; its first column of the first row as a number, or `otherwise` for none and
// NULL. Plain C inside: an ERROR leaves by longjmp.
double number(const char *query, double otherwise) {
  double value = otherwise;
  SetCurrentStatementStartTimestamp();
  StartTransactionCommand();
  PushActiveSnapshot(GetTransactionSnapshot());
  SPI_connect();
  pgstat_report_activity(STATE_RUNNING, query);
  SPI_execute(query, false, 1);
  if (SPI_processed > 0) {
    bool is_null;
    Datum datum = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
    if (!is_null) value = DatumGetFloat8(datum);
  }
  SPI_finish();
  PopActiveSnapshot();
  CommitTransactionCommand();
  pgstat_report_stat(true);
  pgstat_report_activity(STATE_IDLE, nullptr);
  return value;
}

// Seconds to sleep. The extension may come and go while the worker runs.
double work() {
  double there = number(
      "SELECT 1::float8 FROM pg_catalog.pg_extension e WHERE e.extname = 'creatornexus'"
      " AND NOT pg_catalog.pg_is_in_recovery()",
      0);
  double longest = worker_interval / 1000.0;
  if (there == 0) return std::max(longest, 1.0);
  number("SELECT 0::float8 FROM nexus.tick()", 0);
  double due =
      number("SELECT extract(epoch FROM nexus.next_tick_at() - pg_catalog.clock_timestamp())::float8", longest);
  // A task that is always due must not make the worker spin.
  return std::clamp(due, 0.02, longest);
}

// An error ends the transaction, not the worker: it comes back as `false`.
bool try_work(double &seconds) {
  sigjmp_buf *outer = PG_exception_stack;
  sigjmp_buf here;
  if (sigsetjmp(here, 1) != 0) {
    PG_exception_stack = outer;
    error_context_stack = nullptr;
    HOLD_INTERRUPTS();
    disable_all_timeouts(false);
    QueryCancelPending = false;
    EmitErrorReport();
    AbortCurrentTransaction();
    MemoryContextSwitchTo(TopMemoryContext);
    FlushErrorState();
    RESUME_INTERRUPTS();
    pgstat_report_activity(STATE_IDLE, nullptr);
    return false;
  }
  PG_exception_stack = &here;
  seconds = work();
  PG_exception_stack = outer;
  return true;
}

}  // namespace

void define_worker() {
  DefineCustomIntVariable("nexus.worker_interval", "The longest time between two ticks of the background worker.",
                          nullptr, &worker_interval, 1000, 50, 600000, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr,
                          nullptr);
  if (!process_shared_preload_libraries_in_progress) {
    // Shown in every session, settable at the server's start only.
    DefineCustomStringVariable("nexus.worker_database",
                               "The database in which the background worker calls nexus.tick().", nullptr,
                               &worker_database, "", PGC_BACKEND, GUC_SUPERUSER_ONLY, nullptr, nullptr, nullptr);
    DefineCustomStringVariable("nexus.worker_role",
                               "The role as which the background worker connects; empty for the "
                               "superuser of the cluster.",
                               nullptr, &worker_role, "", PGC_BACKEND, GUC_SUPERUSER_ONLY, nullptr, nullptr, nullptr);
    return;
  }
  DefineCustomStringVariable("nexus.worker_database", "The database in which the background worker calls nexus.tick().",
                             "Empty for no worker.", &worker_database, "", PGC_POSTMASTER, GUC_SUPERUSER_ONLY, nullptr,
                             nullptr, nullptr);
  DefineCustomStringVariable("nexus.worker_role", "The role as which the background worker connects.",
                             "Empty for the superuser of the cluster; nexus_worker has all rights it needs.",
                             &worker_role, "", PGC_POSTMASTER, GUC_SUPERUSER_ONLY, nullptr, nullptr, nullptr);
  if (worker_database == nullptr || *worker_database == '\0') return;
  BackgroundWorker worker = {};
  strlcpy(worker.bgw_name, "creatornexus worker", BGW_MAXLEN);
  strlcpy(worker.bgw_type, "creatornexus worker", BGW_MAXLEN);
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
  worker.bgw_restart_time = 5;  // seconds after a crash, or while the database does not exist
  strlcpy(worker.bgw_library_name, "creatornexus", BGW_MAXLEN);
  strlcpy(worker.bgw_function_name, "nexus_worker_main", BGW_MAXLEN);
  RegisterBackgroundWorker(&worker);
}

}  // namespace nexus::pg

void nexus_worker_main(Datum) {
  using namespace nexus::pg;
  pqsignal(SIGTERM, die);
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  BackgroundWorkerUnblockSignals();
  BackgroundWorkerInitializeConnection(worker_database, *worker_role == '\0' ? nullptr : worker_role, 0);
  for (;;) {
    double seconds = 1;
    if (!try_work(seconds)) seconds = std::max(5.0, worker_interval / 1000.0);
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, static_cast<long>(seconds * 1000) + 1,
                    PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
    if (ConfigReloadPending) {
      ConfigReloadPending = false;
      ProcessConfigFile(PGC_SIGHUP);
    }
  }
}
