// One event for each transaction and user: pg_notify for every row would make commits queue behind each other.
#include <set>
#include <string>

#include "glue/guard.hpp"
#include "glue/trigger.hpp"

extern "C" {
#include "access/xact.h"
#include "commands/async.h"
#include "utils/builtins.h"
#include "utils/json.h"
}

namespace nexus::pg {

namespace {

constexpr const char *kChannel = "nexus_notifications";

// Whom this transaction has told. An aborted subtransaction may have taken its event along: all are forgotten then, and
// one too many is sent rather than one too few.
std::set<std::string, std::less<>> told;

void forget(XactEvent, void *) {
  told.clear();
}
void forget_sub(SubXactEvent event, SubTransactionId, SubTransactionId, void *) {
  if (event == SUBXACT_EVENT_ABORT_SUB) told.clear();
}

}  // namespace

NEXUS_FUNCTION(nexus_notification_event_trigger) {
  static bool watching = false;
  if (!watching) {
    call([] {
      RegisterXactCallback(forget, nullptr);
      RegisterSubXactCallback(forget_sub, nullptr);
    });
    watching = true;
  }
  if (!CALLED_AS_TRIGGER(fcinfo)) throw Error("39P01", "notification_event_trigger was not called by a trigger");
  auto *data = reinterpret_cast<TriggerData *>(fcinfo->context);
  if (!TRIGGER_FIRED_BY_INSERT(data->tg_event) || !TRIGGER_FIRED_FOR_ROW(data->tg_event) ||
      !TRIGGER_FIRED_AFTER(data->tg_event))
    throw Error("39P01", "notification_event_trigger is for AFTER INSERT FOR EACH ROW");
  char *user = nullptr;
  char *id = nullptr;
  call([&] {
    TupleDesc descriptor = RelationGetDescr(data->tg_relation);
    user = SPI_getvalue(data->tg_trigtuple, descriptor, SPI_fnumber(descriptor, "user_id"));
    id = SPI_getvalue(data->tg_trigtuple, descriptor, SPI_fnumber(descriptor, "id"));
  });
  if (user == nullptr || id == nullptr || told.find(std::string_view(user)) != told.end()) PG_RETURN_POINTER(nullptr);
  call([&] {
    StringInfoData payload;
    initStringInfo(&payload);
    appendStringInfoString(&payload, "{\"user\":");
    escape_json(&payload, user);
    appendStringInfo(&payload, ",\"id\":%s}", id);
    Async_Notify(kChannel, payload.data);
  });
  told.insert(user);
  PG_RETURN_POINTER(nullptr);
}

}  // namespace nexus::pg
