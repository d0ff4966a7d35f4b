#include <httplib.h>

#include "bridge/http/json.hpp"
#include "bridge/http/plan.hpp"

namespace nexus::bridge {
namespace {

constexpr std::uint32_t kText = 25;

}  // namespace

Identity worker_identity(const Settings &settings) {
  const std::string &role = settings.session_worker_role;
  return {role, false, json_object({{"role", role}}), ""};
}

Plan own_plan(const Settings &settings, const httplib::Request &request, CataloguePtr catalogue,
              const Identity &identity, const std::string &expression, std::vector<std::string> values) {
  static const Function kOwn{"", "own", {}, true, false, Returns::kScalar, {}, 0, "", {}};
  Plan plan;
  plan.catalogue = std::move(catalogue);
  plan.function = &kOwn;
  plan.schema = settings.db_schemas.front();
  plan.max_response = settings.max_response;
  plan.identity = identity;
  for (auto &value : values) plan.call.bind(std::move(value), kText);
  plan.call.sql =
      "SELECT NULL::text, '1', body, NULL::text, NULL::text, 'true', pg_catalog.set_config('nexus_bridge.sound', "
      "'true', true) FROM (SELECT (" +
      expression + ")::text AS body) pgrst_answer";
  add_context(settings, request, plan);
  if (identity.role == settings.session_worker_role) plan.pre_request.clear();
  plan.rollback = false;
  return plan;
}

}  // namespace nexus::bridge
