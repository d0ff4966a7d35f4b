#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/config/settings.hpp"
#include "bridge/http/catalogue.hpp"
#include "bridge/http/media.hpp"
#include "bridge/http/prefer.hpp"
#include "bridge/http/query.hpp"

namespace httplib {
struct Request;
}

namespace nexus::bridge {

/// A value on its way to the database: always a parameter, never part of the statement.
struct Parameter {
  std::string value;
  std::uint32_t type = 0;  ///< 0: the server infers it
  bool binary = false;
};

struct Statement {
  std::string sql;
  std::vector<Parameter> parameters;

  /// Adds a parameter and returns its place: "$3".
  std::string bind(std::string value, std::uint32_t type, bool binary = false);
};

/// Who asks.
struct Identity {
  std::string role;
  bool anonymous = true;
  std::string claims;      ///< JSON; of a session the database knows them
  std::string session_id;  ///< of a session token; else empty
  std::string subject{};   ///< the claim sub of a token; empty where there is none
};

/// One request, ready to run: one transaction, one call, and the form of its answer. Pure data.
struct Plan {
  /// What the answer is: the function's result, the OpenAPI document, that as a page, or the results of several calls.
  enum class Kind { kCall, kDocument, kPage, kBatch };

  Kind kind = Kind::kCall;
  CataloguePtr catalogue;  ///< keeps `function` alive
  const Function *function = nullptr;
  Identity identity;
  bool read_only = false;
  bool rollback = false;
  /// Without BEGIN and COMMIT: what stands before one Sync is a transaction anyway, and the context makes it READ ONLY.
  bool implicit_transaction = false;
  Statement context;
  std::optional<Statement> timezone;
  std::string pre_request;  ///< SQL, or empty
  Statement call;
  std::size_t max_response = 0;
  std::chrono::milliseconds timeout{30000};  ///< statement_timeout: the role's own, else the configured one

  Media media;
  Preferences preferences;
  bool tx_chosen_by_client = false;
  RowQuery rows;
  std::string schema;
  bool head = false;
  std::string idempotency_key;  ///< the call's result is kept with it; empty: it is not
  bool replayed = false;        ///< the call is a look at a kept result
  bool in_batch = false;        ///< one of several calls: what refuses it undoes them all
  std::vector<Plan> more;       ///< of a batch: the calls behind the first one; their `call`, `media` and so on count
  bool streamed = false;        ///< the rows go out as they come, one JSON text a line
  bool keyset = false;          ///< the answer names the next page, if there is one
  std::string target;           ///< of the request, for the next page
  std::optional<std::string> page_end{};  ///< the key of the last row as a JSON array; nothing: no row follows
  std::string server;                     ///< of a document: the address before its paths
};

/// Turns a request for /rpc/NAME into a plan; `name` is decoded. `in_batch`: other calls stand or fall with it. Throws
/// HttpError.
Plan plan_call(const Settings &settings, const CataloguePtr &catalogue, const httplib::Request &request,
               const std::string &name, const Identity &identity, bool in_batch = false);

/// The plan that gives the kept answer of a plan whose key had been used: the context of `answered` failed with NX031.
Plan plan_replay(const Settings &settings, const httplib::Request &request, const Plan &answered);

/// A plan for one expression of the bridge's own, whose value as text is the body of the answer; the parameters $1, $2
/// and so on are texts.
///
///     own_plan(settings, request, catalogue, identity, "nexus.media_file($1::uuid)", {key});
Plan own_plan(const Settings &settings, const httplib::Request &request, CataloguePtr catalogue,
              const Identity &identity, const std::string &expression, std::vector<std::string> values);

/// The identity of the bridge's own work for users who prove otherwise who they are.
Identity worker_identity(const Settings &settings);

/// Adds what stands before the call in every transaction: context, time zone, pre-request; and how it ends.
void add_context(const Settings &settings, const httplib::Request &request, Plan &plan);

/// The schema that a request asks for by its profile header; the first one by default. Throws 406 PGRST106.
std::string choose_schema(const Settings &settings, const httplib::Request &request);

/// "SELECT schema.function()" for "schema.function"; nothing for nothing.
std::string call_sql(const std::string &name);

/// All values of a header that may be repeated.
std::vector<std::string> header_values(const httplib::Request &request, const char *name);

/// The part of the target behind the first question mark.
std::string_view query_string(const httplib::Request &request);

}  // namespace nexus::bridge
