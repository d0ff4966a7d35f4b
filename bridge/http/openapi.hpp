#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "bridge/http/answer.hpp"
#include "bridge/http/plan.hpp"

namespace nexus::bridge {

/// Plans GET or HEAD of `/` (the OpenAPI document; with db-root-spec the function named there) and of `/docs` (the same
/// as a page to read). Throws 404 PGRST126 when switched off, 406 PGRST106 and PGRST107.
Plan plan_document(const Settings &settings, const CataloguePtr &catalogue, const httplib::Request &request,
                   const Identity &identity, bool page);

/// Fills the answer of such a plan.
void write_document(const Plan &plan, const CallResult &result, httplib::Response &response);

/// The OpenAPI 3.1 document of what kOpenApiQuery gave; `server` is the address that the paths stand behind.
nlohmann::json openapi_document(const nlohmann::json &schema, const std::string &server);

/// An OpenAPI document of openapi_document() as a page of HTML that loads nothing else.
std::string docs_page(const nlohmann::json &document);

}  // namespace nexus::bridge
