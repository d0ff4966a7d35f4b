// The background worker: one process for each server that loads the library at its start, which calls nexus.tick().
#pragma once

namespace nexus::pg {

/// Defines nexus.worker_database, nexus.worker_role and nexus.worker_interval, and registers the worker where the
/// library is loaded by shared_preload_libraries. Called by _PG_init().
void define_worker();

}  // namespace nexus::pg
