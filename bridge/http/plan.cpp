#include "bridge/http/plan.hpp"

#include <httplib.h>

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <unordered_set>

#include "bridge/auth/base64.hpp"
#include "bridge/http/choose.hpp"
#include "bridge/http/error.hpp"
#include "bridge/http/json.hpp"
#include "bridge/http/sql.hpp"
#include "bridge/http/text.hpp"

namespace nexus::bridge {
namespace {

constexpr std::uint32_t kBytea = 17, kText = 25, kJson = 114;

/// The body of a request, by its content type.
struct Body {
  enum class Kind { kNone, kJson, kForm, kRaw } kind = Kind::kNone;
  std::string raw_type;  // of kRaw
  std::string json;      // of kJson
  bool json_array = false;
  std::vector<std::string> json_keys;
  Pairs pairs;  // of kForm
};

HttpError bad_body(const char *message) {
  return {400, "PGRST102", message};
}

Body read_json(const std::string &text) {
  Body body;
  body.kind = Body::Kind::kJson;
  if (trimmed(text).empty()) {
    body.json = "{}";
    return body;
  }
  JsonOutline outline = outline_json(text);
  switch (outline.kind) {
    case JsonKind::kInvalid:
      if (!is_utf8(text)) throw bad_body("Empty or invalid json").with_details("The body is not valid UTF-8.");
      throw bad_body("Empty or invalid json");
    case JsonKind::kTooDeep:
      throw bad_body("Empty or invalid json")
          .with_details("The body nests deeper than " + std::to_string(kMaxJsonDepth) + " levels.");
    case JsonKind::kOther:
    case JsonKind::kObject:
    case JsonKind::kArrayOfObjects:
      break;
  }
  body.json = text;
  body.json_array = outline.kind == JsonKind::kArrayOfObjects;
  body.json_keys = std::move(outline.keys);
  return body;
}

// One record of RFC 4180; moves `at` behind it.
std::vector<std::string> read_csv_record(std::string_view text, std::size_t &at) {
  std::vector<std::string> fields(1);
  bool in_quotes = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (in_quotes) {
      if (c != '"') {
        fields.back() += c;
      } else if (at + 1 < text.size() && text[at + 1] == '"') {
        fields.back() += text[++at];
      } else {
        in_quotes = false;
      }
    } else if (c == '"' && fields.back().empty()) {
      in_quotes = true;
    } else if (c == ',') {
      fields.emplace_back();
    } else if (c == '\n') {
      ++at;
      break;
    } else if (c != '\r') {
      fields.back() += c;
    }
  }
  if (in_quotes) throw bad_body("Invalid CSV: a quoted value is not closed");
  return fields;
}

// The header line names the arguments, the first record gives them.
Body read_csv(const std::string &text) {
  Body body;
  body.kind = Body::Kind::kForm;
  std::size_t at = 0;
  const auto names = read_csv_record(text, at);
  const auto values = read_csv_record(text, at);
  if (names.size() != values.size()) throw bad_body("All lines must have same number of fields");
  for (std::size_t i = 0; i < names.size(); ++i) body.pairs.emplace_back(names[i], values[i]);
  return body;
}

void require_text(const std::string &text) {
  if (!is_utf8(text)) throw bad_body("The body is not valid UTF-8");
  if (text.find('\0') != std::string::npos) throw bad_body("The body holds a NUL character");
}

Body read_body(const httplib::Request &request) {
  const MediaType type = parse_media_type(request.get_header_value("Content-Type"));
  if (type.name.empty() || type.name == "application/json") return read_json(request.body);
  Body body;
  if (type.name == "application/octet-stream") {
    body.kind = Body::Kind::kRaw;
    body.raw_type = "bytea";
    return body;
  }
  require_text(request.body);
  if (type.name == "application/x-www-form-urlencoded") {
    body.kind = Body::Kind::kForm;
    body.pairs = parse_pairs(request.body);
  } else if (type.name == "text/csv") {
    return read_csv(request.body);
  } else if (type.name == "text/plain" || type.name == "text/xml") {
    body.kind = Body::Kind::kRaw;
    body.raw_type = type.name == "text/plain" ? "text" : "xml";
  } else {
    throw HttpError(400, "PGRST102", "Content-Type not acceptable: " + type.name);
  }
  return body;
}

std::vector<std::string> unique_keys(const Pairs &pairs) {
  std::unordered_set<std::string> seen;
  std::vector<std::string> keys;
  for (const auto &[key, value] : pairs) {
    if (seen.insert(key).second) keys.push_back(key);
  }
  return keys;
}

void keep_columns(const std::optional<std::vector<std::string>> &columns, std::vector<std::string> &keys) {
  if (!columns) return;
  const std::unordered_set<std::string> kept(columns->begin(), columns->end());
  keys.erase(std::remove_if(keys.begin(), keys.end(), [&](const std::string &key) { return kept.count(key) == 0; }),
             keys.end());
}

bool is_given(const std::vector<std::string> &keys, const std::string &name) {
  return std::find(keys.begin(), keys.end(), name) != keys.end();
}

// The body goes to the server as one json parameter and is unpacked there by the declared types.
void bind_json(Plan &plan, const Body &body, const std::vector<std::string> &keys) {
  std::vector<BoundArgument> arguments;
  std::vector<std::string> columns;
  for (const auto &argument : plan.function->arguments) {
    if (!is_given(keys, argument.name)) continue;
    arguments.push_back({&argument, "pgrst_args." + quote_name(argument.name)});
    columns.push_back(quote_name(argument.name) + " " + argument.type.sql);
  }
  std::string from;
  if (!columns.empty()) {
    const std::string place = plan.call.bind(body.json, kJson);
    from = "pg_catalog.json_to_record(" + place + (body.json_array ? "->0" : "") + ") AS pgrst_args(" +
           joined(columns, ", ") + ")";
  }
  write_call(plan, arguments, from);
}

// Each value is a parameter of its own, in the text form of the declared type. Repeated values of a VARIADIC argument
// are unpacked from one json parameter.
void bind_pairs(Plan &plan, const Pairs &pairs) {
  std::vector<BoundArgument> arguments;
  for (const auto &argument : plan.function->arguments) {
    std::vector<std::string> values;
    for (const auto &[key, value] : pairs) {
      if (key == argument.name) values.push_back(value);
    }
    if (values.empty()) continue;
    if (argument.variadic) {
      const std::string place = plan.call.bind(nlohmann::json{{"v", values}}.dump(), kJson);
      arguments.push_back({&argument, "(SELECT v FROM pg_catalog.json_to_record(" + place + ") AS pgrst_list(v " +
                                          argument.type.sql + "))"});
    } else {
      const std::uint32_t type = argument.type.pseudo ? 0 : argument.type.oid;
      arguments.push_back({&argument, plan.call.bind(values.back(), type)});
    }
  }
  write_call(plan, arguments, "");
}

void bind_whole_body(Plan &plan, const Body &body, const httplib::Request &request) {
  const Argument &argument = plan.function->arguments[0];
  const bool json = body.kind == Body::Kind::kJson;
  const bool binary = argument.type.oid == kBytea;
  const std::string place = plan.call.bind(json ? body.json : request.body, argument.type.oid, binary);
  write_call(plan, {{&argument, place}}, "");
}

// What proves who the caller is stays here: functions see the claims, and neither they nor the database's logs the
// token.
bool is_credential(const std::string &name) {
  return name == "authorization" || name == "proxy-authorization" || name == "apikey";
}

std::string json_headers(const httplib::Request &request) {
  Pairs headers;
  for (const auto &[name, value] : request.headers) {
    const std::string lower = lower_case(name);
    if (is_credential(lower)) continue;
    if (!headers.empty() && headers.back().first == lower) {
      headers.back().second += ", " + value;
    } else {
      headers.emplace_back(lower, value);
    }
  }
  return json_object(headers);
}

std::string json_cookies(const httplib::Request &request) {
  Pairs cookies;
  for (const auto &header : header_values(request, "Cookie")) {
    for (const auto &cookie : split_trimmed(header, ';')) {
      const std::size_t equals = cookie.find('=');
      if (equals != std::string::npos) cookies.emplace_back(cookie.substr(0, equals), cookie.substr(equals + 1));
    }
  }
  return json_object(cookies);
}

// What makes a request the same request: a hash of all that decides what it does.
std::string request_hash(const httplib::Request &request) {
  std::string text;
  for (const std::string &part : {request.method, request.target, request.get_header_value("Content-Profile"),
                                  request.get_header_value("Content-Type"), request.get_header_value("Accept"),
                                  joined(header_values(request, "Prefer"), ",")}) {
    text += part + '\n';
  }
  text += request.body;
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char *>(text.data()), text.size(), digest.data());
  return base64url_encoded({reinterpret_cast<const char *>(digest.data()), digest.size()});
}

// The key of a call that writes. Reading again needs none.
std::string idempotency_key(const httplib::Request &request, const Plan &plan) {
  const auto values = header_values(request, "Idempotency-Key");
  if (values.empty() || plan.read_only) return "";
  constexpr std::size_t kLongest = 255;
  const std::string_view key = trimmed(values[0]);
  if (values.size() > 1 || key.empty() || key.size() > kLongest || !is_utf8(key)) {
    throw HttpError(400, "NX030", "An Idempotency-Key must have 1 to 255 characters and be sent once");
  }
  if (plan.media.shape == Shape::kRaw) {
    throw HttpError(400, "NX030", "An Idempotency-Key is not supported for functions that make their own media type");
  }
  return std::string(key);
}

// All settings of the transaction in one statement. Values are parameters, and so are names that are not ours.
Statement context_of(const Settings &settings, const Catalogue &catalogue, const httplib::Request &request,
                     Plan &plan) {
  Statement context;
  std::vector<std::string> calls;
  constexpr std::size_t kUsual = 12;  // settings
  calls.reserve(kUsual);
  context.parameters.reserve(kUsual);
  auto set_at = [&](const std::string &name, std::string value) {
    std::string call = "pg_catalog.set_config(";
    call.append(name).append(", ").append(context.bind(std::move(value), kText)).append(", true)");
    calls.push_back(std::move(call));
  };
  auto set = [&](const char *name, std::string value) { set_at("'" + std::string(name) + "'", std::move(value)); };
  auto set_named = [&](std::string name, std::string value) {
    set_at(context.bind(std::move(name), kText), std::move(value));
  };
  if (plan.implicit_transaction) calls.emplace_back("pg_catalog.set_config('transaction_read_only', 'on', true)");
  std::vector<std::string> path{quote_name(plan.schema)};
  for (const auto &schema : settings.db_extra_search_path) path.push_back(quote_name(schema));
  set("search_path", joined(path, ", "));
  plan.timeout = std::chrono::milliseconds(settings.db_statement_timeout);
  set("statement_timeout", std::to_string(settings.db_statement_timeout));
  if (!plan.identity.session_id.empty()) {
    set("role", settings.session_worker_role);
    const std::string id = context.bind(plan.identity.session_id, kText);
    calls.push_back("pg_catalog.set_config('request.jwt.claims', nexus.session_claims(" + id + "), true)");
  }
  set("role", plan.identity.role);
  if (auto own = catalogue.role_settings.find(plan.identity.role); own != catalogue.role_settings.end()) {
    for (const auto &[name, value] : own->second) {
      if (name == "statement_timeout") plan.timeout = duration_of(value).value_or(plan.timeout);
      set_named(name, value);
    }
  }
  if (plan.identity.session_id.empty()) set("request.jwt.claims", plan.identity.claims);
  if (!plan.idempotency_key.empty()) {
    const std::string key = context.bind(plan.idempotency_key, kText);
    const std::string asked = context.bind(request_hash(request), kText);
    calls.push_back("nexus.claim_idempotency_key(nexus.current_user_id(), " + key + ", " + asked + ")");
  }
  set("request.method", request.method);
  set("request.path", request.path);
  set("request.headers", json_headers(request));
  set("request.cookies", json_cookies(request));
  for (const auto &[name, value] : settings.app_settings) set_named("app.settings." + name, value);
  // A row of what has been set would only have to be written, sent and read: there is none. The elements of an array
  // are computed in their order.
  context.sql = "SELECT WHERE pg_catalog.cardinality(ARRAY[" + joined(calls, ", ") + "]) < 0";
  return context;
}

bool ends_in_rollback(const TransactionEnd &end, const Preferences &preferences) {
  if (end.client_chooses && preferences.commit) return !*preferences.commit;
  return end.rollback;
}

// A page of which the last row's key leads to the next one.
void ask_for_keyset(const httplib::Request &request, Plan &plan) {
  if (!plan.preferences.keyset && plan.rows.page_token.empty()) return;
  const char *missing = plan.function->returns != Returns::kRow || !plan.function->set
                            ? "the function returns no set of rows with columns"
                        : plan.rows.order.empty()                            ? "order is missing"
                        : !plan.rows.limit || *plan.rows.limit < 1           ? "limit is missing"
                        : plan.rows.offset > 0                               ? "an offset does not go with it"
                        : !plan.read_only                                    ? "the function is volatile: ask by GET"
                        : plan.in_batch || plan.media.shape == Shape::kLines ? "it is not for batches and streams"
                                                                             : nullptr;
  if (missing != nullptr) throw HttpError(400, "PGRST100", "Paging by keys is not possible").with_details(missing);
  plan.keyset = true;
  plan.target = request.target;
  plan.preferences.keyset = true;
  plan.preferences.count_exact = false;  // of all pages nobody knows
}

// Only what cannot fail any more when its first row is there may go out before its end. A count and a limit of rows are
// known at the end, so that they are not for a stream.
void ask_for_stream(Plan &plan) {
  if (plan.media.shape != Shape::kLines) return;
  plan.streamed = plan.read_only && !plan.head && !(plan.preferences.strict && plan.preferences.max_affected);
  if (plan.streamed) plan.preferences.count_exact = false;
}

void check_preferences(const Plan &plan) {
  if (plan.preferences.strict && plan.preferences.max_affected && !plan.function->set) {
    throw HttpError(400, "PGRST128",
                    "Function must return SETOF or TABLE when max-affected preference is used with handling=strict");
  }
}

}  // namespace

std::string call_sql(const std::string &name) {
  if (name.empty()) return "";
  const std::size_t dot = name.find('.');
  if (dot == std::string::npos) return "SELECT " + quote_name(name) + "()";
  return "SELECT " + qualified_name(name.substr(0, dot), name.substr(dot + 1)) + "()";
}

std::vector<std::string> header_values(const httplib::Request &request, const char *name) {
  std::vector<std::string> values;
  auto range = request.headers.equal_range(name);
  for (auto it = range.first; it != range.second; ++it) values.push_back(it->second);
  return values;
}

std::string_view query_string(const httplib::Request &request) {
  const std::size_t mark = request.target.find('?');
  return mark == std::string::npos ? std::string_view() : std::string_view(request.target).substr(mark + 1);
}

std::string choose_schema(const Settings &settings, const httplib::Request &request) {
  const bool reads = request.method == "GET" || request.method == "HEAD" || request.method == "OPTIONS";
  std::string wanted = request.get_header_value(reads ? "Accept-Profile" : "Content-Profile");
  if (wanted.empty()) return settings.db_schemas.front();
  if (std::find(settings.db_schemas.begin(), settings.db_schemas.end(), wanted) != settings.db_schemas.end()) {
    return wanted;
  }
  throw HttpError(406, "PGRST106", "Invalid schema: " + wanted)
      .with_hint("Only the following schemas are exposed: " + joined(settings.db_schemas, ", "));
}

void add_context(const Settings &settings, const httplib::Request &request, Plan &plan) {
  plan.rollback = ends_in_rollback(settings.db_tx_end, plan.preferences);
  plan.tx_chosen_by_client = settings.db_tx_end.client_chooses;
  plan.implicit_transaction = plan.read_only && !plan.rollback;
  plan.context = context_of(settings, *plan.catalogue, request, plan);
  if (!plan.preferences.timezone.empty()) {
    Statement timezone;
    const std::string place = timezone.bind(plan.preferences.timezone, kText);
    timezone.sql = "SELECT pg_catalog.set_config('timezone', " + place + ", true)";
    plan.timezone = std::move(timezone);
  }
  plan.pre_request = call_sql(settings.db_pre_request);
}

Plan plan_replay(const Settings &settings, const httplib::Request &request, const Plan &answered) {
  Plan plan = answered;
  plan.replayed = true;
  plan.read_only = true;
  plan.implicit_transaction = false;  // the context is that of the call, which wrote
  plan.idempotency_key.clear();
  plan.identity.role = settings.session_worker_role;
  plan.timezone.reset();
  plan.call = Statement();
  const std::string key = plan.call.bind(answered.idempotency_key, kText);
  plan.call.sql = "SELECT r[1], r[2], r[3], r[4], r[5], 'true' FROM nexus.idempotent_result(nexus.current_user_id(), " +
                  key + ") r WHERE r IS NOT NULL";
  add_context(settings, request, plan);
  plan.pre_request.clear();
  return plan;
}

Plan plan_call(const Settings &settings, const CataloguePtr &catalogue, const httplib::Request &request,
               const std::string &name, const Identity &identity, bool in_batch) {
  const bool reads = request.method == "GET" || request.method == "HEAD";
  Plan plan;
  plan.catalogue = catalogue;
  plan.identity = identity;
  plan.in_batch = in_batch;
  plan.head = request.method == "HEAD";
  plan.schema = choose_schema(settings, request);
  plan.max_response = settings.max_response;
  plan.preferences = parse_preferences(header_values(request, "Prefer"));
  Query query = parse_query(query_string(request), reads);
  const Body body = reads ? Body{} : read_body(request);

  Given given;
  switch (body.kind) {
    case Body::Kind::kNone:
      given.names = unique_keys(query.arguments);
      break;
    case Body::Kind::kForm:
      given.names = unique_keys(body.pairs);
      break;
    case Body::Kind::kJson:
      given.names = body.json_keys;
      given.json_body = true;
      break;
    case Body::Kind::kRaw:
      given.raw_type = body.raw_type;
      break;
  }
  if (!reads) keep_columns(query.columns, given.names);
  const Choice choice = choose_function(*catalogue, plan.schema, name, given);
  plan.function = choice.function;
  plan.read_only = reads || !choice.function->is_volatile;
  plan.media = choose_media(joined(header_values(request, "Accept"), ","), *choice.function);
  plan.rows = std::move(query.rows);
  if (request.method == "GET") apply_range(request.get_header_value("Range"), plan.rows);
  check_preferences(plan);
  ask_for_keyset(request, plan);
  ask_for_stream(plan);
  plan.idempotency_key = idempotency_key(request, plan);

  if (choice.whole_body) {
    bind_whole_body(plan, body, request);
  } else if (body.kind == Body::Kind::kJson) {
    bind_json(plan, body, given.names);
  } else {
    bind_pairs(plan, body.kind == Body::Kind::kForm ? body.pairs : query.arguments);
  }
  add_context(settings, request, plan);
  return plan;
}

}  // namespace nexus::bridge
