// Reading and writing the machinery tables of metrics with the rights of their owner.
#pragma once

#include "glue/guard.hpp"

extern "C" {
#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
}

namespace nexus::pg {

/// For as long as it lives, statements run as the owner of the rollups, as in a SECURITY DEFINER function. A function
/// that uses it has asked first, with the caller's rights, what the caller may see. After an error the transaction
/// takes the rights back.
class AsOwner {
 public:
  AsOwner() {
    Oid owner = call([] {
      Oid table = get_relname_relid("metric_series", get_namespace_oid("nexus", false));
      HeapTuple row = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
      if (!HeapTupleIsValid(row)) elog(ERROR, "the rollups of metrics are not installed");
      Oid found = (reinterpret_cast<Form_pg_class>(GETSTRUCT(row)))->relowner;
      ReleaseSysCache(row);
      return found;
    });
    GetUserIdAndSecContext(&user_, &context_);
    SetUserIdAndSecContext(owner, context_ | SECURITY_LOCAL_USERID_CHANGE);
  }
  ~AsOwner() { SetUserIdAndSecContext(user_, context_); }
  AsOwner(const AsOwner &) = delete;
  AsOwner &operator=(const AsOwner &) = delete;

 private:
  Oid user_;
  int context_;
};

}  // namespace nexus::pg
