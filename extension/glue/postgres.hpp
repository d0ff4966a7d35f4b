// PostgreSQL's headers, for glue files only and always after core and standard headers: postgres.h defines macros
// (ERROR, Max, snprintf ...) that break what is included after it.
#pragma once
#pragma GCC system_header  // their warnings are not ours

extern "C" {
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
}
