#include "bridge/http/flow.hpp"

#include <httplib.h>

#include "bridge/http/json.hpp"

namespace nexus::bridge {

Identity worker_identity(const Settings &settings) {
  return {settings.session_worker_role, false, json_object({{"role", settings.session_worker_role}}), ""};
}

Plan plan_own_query(const Settings &settings, const CataloguePtr &catalogue, const httplib::Request &request,
                    const Identity &identity, const std::string &expression, std::vector<std::string> values) {
  static const Function kOwn{"", "auth", {}, true, false, Returns::kScalar, {}, 0, "", {}};
  constexpr std::uint32_t kText = 25;
  Plan plan;
  plan.catalogue = catalogue;
  plan.function = &kOwn;
  plan.schema = settings.db_schemas.front();
  plan.max_response = settings.max_response;
  plan.identity = identity;
  for (auto &value : values) plan.call.bind(std::move(value), kText);
  plan.call.sql =
      "SELECT NULL::text, '1', body, NULL::text, NULL::text, 'true', pg_catalog.set_config('nexus_bridge.sound', "
      "'true', "
      "true) FROM (SELECT (" +
      expression + ")::text AS body) pgrst_answer";
  add_context(settings, request, plan);
  plan.rollback = false;
  return plan;
}

}  // namespace nexus::bridge
