#include "bridge/http/openapi.hpp"

#include <httplib.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "bridge/http/error.hpp"
#include "bridge/http/json.hpp"
#include "bridge/http/openapi_query.hpp"
#include "bridge/http/text.hpp"

namespace nexus::bridge {
namespace {

using nlohmann::json;

constexpr std::uint32_t kText = 25, kInt8 = 20;
constexpr const char *kOpenApiType = "application/openapi+json; charset=utf-8";

struct Scalar {
  const char *name, *type, *format;
};
constexpr std::array kScalars{
    Scalar{"smallint", "integer", "int32"}, Scalar{"integer", "integer", "int32"},
    Scalar{"bigint", "integer", "int64"},   Scalar{"real", "number", "float"},
    Scalar{"numeric", "number", ""},        Scalar{"double precision", "number", "double"},
    Scalar{"boolean", "boolean", ""},       Scalar{"date", "string", "date"},
    Scalar{"uuid", "string", "uuid"},       Scalar{"timestamp with time zone", "string", "date-time"},
};

std::string text_of(const json &object, const char *name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// A text as an identifier that may stand in a URL.
std::string identifier(const std::string &text) {
  std::string id;
  for (char c : text) {
    const bool kept =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    id += kept ? c : '_';
  }
  return id;
}

std::string percent_encoded(const std::string &text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string path;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x80 && std::isalnum(byte) != 0) || c == '_' || c == '-' || c == '.' || c == '~') {
      path += c;
    } else {
      path += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return path;
}

json or_null(json schema) {
  if (schema.empty()) return schema;  // anything, null too
  if (schema.contains("type") && schema["type"].is_string()) {
    schema["type"] = {schema["type"], "null"};
    return schema;
  }
  return {{"anyOf", {std::move(schema), {{"type", "null"}}}}};
}

// Several schemas, of which any may hold.
json any_of(std::vector<json> schemas) {
  std::vector<json> distinct;
  for (auto &schema : schemas) {
    if (std::find(distinct.begin(), distinct.end(), schema) == distinct.end()) distinct.push_back(std::move(schema));
  }
  if (distinct.size() == 1) return distinct[0];
  return {{"anyOf", distinct}};
}

json shared_parameter(const char *name) {
  return {{"$ref", std::string("#/components/parameters/") + name}};
}

class DocumentWriter {
 public:
  explicit DocumentWriter(const json &schema) : schema_(schema) {
    for (const auto &type : schema.at("types")) types_[type.at("oid")] = &type;
  }

  json write(const std::string &server) {
    json paths = json::object();
    std::map<std::string, std::vector<const json *>> functions;
    for (const auto &function : schema_.at("functions")) functions[function.at("name")].push_back(&function);
    for (const auto &[name, overloads] : functions) paths["/rpc/" + percent_encoded(name)] = path(name, overloads);
    std::string description = text_of(schema_, "comment");
    if (description.empty()) description = "The functions of the database that the caller may call.";
    const json number{{"type", "integer"}, {"minimum", 0}};
    return {
        {"openapi", "3.1.0"},
        {"info",
         {{"title", "CreatorNexus"},
          {"version", "1.0"},
          {"description", description},
          {"contact", {{"name", "The operator of this server"}}},
          {"license", {{"name", "PostgreSQL License"}, {"identifier", "PostgreSQL"}}}}},
        {"servers", {{{"url", server}}}},
        {"security", {json::object(), {{"bearer", json::array()}}}},
        {"tags", {{{"name", "rpc"}, {"description", "Functions of the database"}}}},
        {"paths", std::move(paths)},
        {"components",
         {{"securitySchemes", {{"bearer", {{"type", "http"}, {"scheme", "bearer"}}}}},
          {"schemas", components()},
          {"responses",
           {{"Error",
             {{"description", "What went wrong"},
              {"content", {{"application/json", {{"schema", {{"$ref", "#/components/schemas/Error"}}}}}}}}}}},
          {"headers",
           {{"Consistency-Token",
             {{"description", "Of a write, where there are replicas: sent back with a reading, it sees the write"},
              {"schema", {{"type", "string"}}}}}}},
          {"parameters",
           {{"select", text_parameter("select", "Columns of the answer: a,b,c->key")},
            {"order", text_parameter("order", "Columns to order by: a.desc,b.asc.nullslast")},
            {"limit",
             {{"name", "limit"}, {"in", "query"}, {"description", "At most so many rows"}, {"schema", number}}},
            {"offset", {{"name", "offset"}, {"in", "query"}, {"description", "Rows to skip"}, {"schema", number}}},
            {"page-token", text_parameter("page-token", "The page that the Link header of the one before has named")},
            {"consistency",
             {{"name", "Consistency-Token"},
              {"in", "header"},
              {"description",
               "As an answer to a write had it: what was written then is seen. latest: the newest there is."},
              {"schema", {{"type", "string"}}}}},
            {"prefer",
             {{"name", "Prefer"},
              {"in", "header"},
              {"description",
               "count=exact, handling=strict, timezone=ZONE, max-affected=N; paging=keyset with order and limit: "
               "the answer's Link header names the next page"},
              {"schema", {{"type", "string"}}}}}}}}}};
  }

 private:
  static json text_parameter(const char *name, const char *description) {
    return {{"name", name}, {"in", "query"}, {"description", description}, {"schema", {{"type", "string"}}}};
  }

  static json error_schema() {
    const json nullable{{"type", {"string", "null"}}};
    return {{"type", "object"},
            {"required", {"code", "details", "hint", "message"}},
            {"properties",
             {{"code", {{"type", "string"}}},
              {"details", nullable},
              {"hint", nullable},
              {"message", {{"type", "string"}}}}}};
  }

  // The schemas that were referred to; each may refer to more.
  json components() {
    json schemas{{"Error", error_schema()}};
    while (!wanted_.empty()) {
      const auto oid = *wanted_.begin();
      wanted_.erase(wanted_.begin());
      const json &type = *types_.at(oid);
      json schema;
      if (text_of(type, "kind") == "e") {
        schema = {{"type", "string"}, {"enum", type.at("labels")}};
      } else {
        schema = object(type.at("columns"));
      }
      if (const std::string comment = text_of(type, "comment"); !comment.empty()) schema["description"] = comment;
      schemas[names_.at(oid)] = std::move(schema);
    }
    return schemas;
  }

  // Rows have all their columns, which may be null.
  json object(const json &columns) {
    json properties = json::object(), required = json::array();
    if (columns.is_array()) {
      for (const auto &column : columns) {
        json value = type_schema(column.at("type"));
        if (!column.value("required", false)) value = or_null(std::move(value));
        if (const std::string comment = text_of(column, "comment"); !comment.empty()) value["description"] = comment;
        properties[column.at("name").get<std::string>()] = std::move(value);
        required.push_back(column.at("name"));
      }
    }
    json schema{{"type", "object"}, {"properties", std::move(properties)}};
    if (!required.empty()) schema["required"] = std::move(required);
    return schema;
  }

  json reference(std::int64_t oid) {
    if (names_.count(oid) == 0) {
      const json &type = *types_.at(oid);
      std::string name = identifier(text_of(type, "schema") + "." + text_of(type, "name"));
      while (!used_.insert(name).second) name += "_";
      names_[oid] = name;
      wanted_.insert(oid);
    }
    return {{"$ref", "#/components/schemas/" + names_.at(oid)}};
  }

  json type_schema(std::int64_t oid) {
    const auto found = types_.find(oid);
    if (found == types_.end()) return json::object();
    const json &type = *found->second;
    const std::string kind = text_of(type, "kind"), display = text_of(type, "display");
    if (kind == "e" || kind == "c") return reference(oid);
    if (type.value("array", false)) return {{"type", "array"}, {"items", or_null(type_schema(type.at("element")))}};
    if (kind == "d") return type_schema(type.at("base"));
    if (display == "json" || display == "jsonb" || (kind == "p" && display != "record")) return json::object();
    if (display == "record") return {{"type", "object"}};
    for (const auto &scalar : kScalars) {
      if (display != scalar.name) continue;
      json schema{{"type", scalar.type}};
      if (*scalar.format != '\0') schema["format"] = scalar.format;
      return schema;
    }
    json schema{{"type", "string"}};
    if (display != "text" && display != "character varying") schema["description"] = "PostgreSQL's " + display;
    return schema;
  }

  // What arguments other than bare values have in a query string: PostgreSQL's text form.
  json query_schema(std::int64_t oid) {
    json schema = type_schema(oid);
    const std::string type = text_of(schema, "type");
    if (type == "string" || type == "integer" || type == "number" || type == "boolean") return schema;
    const auto found = types_.find(oid);
    if (found != types_.end() && text_of(*found->second, "kind") == "e") return schema;
    return {{"type", "string"}};
  }

  json answer(const json &function) {
    const std::int64_t oid = function.at("returns");
    json row = function.at("columns").is_array() ? object(function.at("columns")) : type_schema(oid);
    if (function.value("set", false)) {
      return {{"type", "array"}, {"items", function.at("columns").is_array() ? row : or_null(row)}};
    }
    return or_null(std::move(row));
  }

  bool is_void(const json &function) const {
    const auto found = types_.find(function.at("returns").get<std::int64_t>());
    return found != types_.end() && text_of(*found->second, "display") == "void";
  }

  bool gives_rows(const json &function) const {
    const auto found = types_.find(function.at("returns").get<std::int64_t>());
    return function.value("set", false) &&
           (function.at("columns").is_array() || (found != types_.end() && text_of(*found->second, "kind") == "c"));
  }

  json responses(const std::vector<const json *> &overloads) {
    json responses{{"4XX", {{"$ref", "#/components/responses/Error"}}},
                   {"5XX", {{"$ref", "#/components/responses/Error"}}}};
    std::vector<json> answers;
    for (const json *function : overloads) {
      if (is_void(*function)) {
        responses["204"] = {{"description", "Done"}};
      } else {
        answers.push_back(answer(*function));
      }
    }
    if (!answers.empty()) {
      json content{{"application/json", {{"schema", any_of(std::move(answers))}}}};
      if (std::any_of(overloads.begin(), overloads.end(), [](const json *one) { return one->value("set", false); })) {
        content["application/x-ndjson"] = {
            {"schema", {{"type", "string"}, {"description", "One JSON text a line, sent as the rows come"}}}};
      }
      responses["200"] = {{"description", "The result"},
                          {"headers", {{"Consistency-Token", {{"$ref", "#/components/headers/Consistency-Token"}}}}},
                          {"content", std::move(content)}};
    }
    return responses;
  }

  json body(const json &function) {
    const json &arguments = function.at("arguments");
    if (arguments.size() == 1 && text_of(arguments[0], "name").empty()) return json::object();
    json properties = json::object(), required = json::array();
    for (const auto &argument : arguments) {
      json value = type_schema(argument.at("type"));
      properties[argument.at("name").get<std::string>()] = or_null(std::move(value));
      if (argument.at("required")) required.push_back(argument.at("name"));
    }
    json schema{{"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
    if (!required.empty()) schema["required"] = std::move(required);
    return schema;
  }

  static json operation(const std::string &method, const std::string &name,
                        const std::vector<const json *> &overloads) {
    std::string comment;
    for (const json *function : overloads) {
      const std::string text = text_of(*function, "comment");
      if (!text.empty()) comment += (comment.empty() ? "" : "\n\n") + text;
    }
    const std::size_t end = std::min(comment.find('\n'), comment.find(". "));
    const std::string summary = comment.empty() ? name : comment.substr(0, end);
    return {{"operationId", method + "_" + identifier(name)},
            {"summary", summary},
            {"description", comment.empty() ? "Calls the function " + name + "." : comment},
            {"tags", {"rpc"}}};
  }

  // In a GET every argument is a parameter of its own; it is required only where all overloads require it.
  json get_parameters(const std::vector<const json *> &overloads) {
    std::map<std::string, std::pair<json, std::size_t>> arguments;  // and how many overloads require it
    bool rows = false;
    for (const json *function : overloads) {
      rows = rows || gives_rows(*function);
      for (const auto &argument : function->at("arguments")) {
        const std::string name = argument.at("name");
        auto &entry = arguments[name];
        if (entry.first.is_null()) entry.first = query_schema(argument.at("type"));
        if (argument.at("required")) ++entry.second;
      }
    }
    static const std::set<std::string> kReserved{"select",  "order", "limit", "offset",
                                                 "columns", "and",   "or",    "page-token"};
    json parameters = json::array();
    for (const auto &[name, entry] : arguments) {
      if (kReserved.count(name) > 0) continue;
      json parameter{{"name", name}, {"in", "query"}, {"schema", entry.first}};
      if (entry.second == overloads.size()) parameter["required"] = true;
      parameters.push_back(std::move(parameter));
    }
    if (rows) {
      for (const char *shared : {"select", "order", "limit", "offset", "page-token"}) {
        parameters.push_back(shared_parameter(shared));
      }
    }
    parameters.push_back(shared_parameter("consistency"));
    parameters.push_back(shared_parameter("prefer"));
    return parameters;
  }

  json path(const std::string &name, const std::vector<const json *> &overloads) {
    json item;
    std::vector<const json *> readable;
    std::vector<json> bodies;
    bool needs_body = true;
    for (const json *function : overloads) {
      const json &arguments = function->at("arguments");
      const bool unnamed = arguments.size() == 1 && text_of(arguments[0], "name").empty();
      if (!function->value("volatile", true) && !unnamed) readable.push_back(function);
      bodies.push_back(body(*function));
      needs_body = needs_body && std::any_of(arguments.begin(), arguments.end(),
                                             [](const json &argument) { return argument.at("required").get<bool>(); });
    }
    if (!readable.empty()) {
      item["get"] = operation("get", name, readable);
      item["get"]["parameters"] = get_parameters(readable);
      item["get"]["responses"] = responses(readable);
    }
    item["post"] = operation("post", name, overloads);
    item["post"]["parameters"] = {shared_parameter("consistency"), shared_parameter("prefer")};
    item["post"]["requestBody"] = {{"required", needs_body},
                                   {"content", {{"application/json", {{"schema", any_of(std::move(bodies))}}}}}};
    item["post"]["responses"] = responses(overloads);
    return item;
  }

  const json &schema_;
  std::map<std::int64_t, const json *> types_;
  std::map<std::int64_t, std::string> names_;
  std::set<std::string> used_{"Error"};
  std::set<std::int64_t> wanted_;
};

// The document as it is (kOpenApiType) or as plain JSON.
std::string document_type(const std::string &accept) {
  if (trimmed(accept).empty()) return kOpenApiType;
  for (const auto &entry : split_trimmed(accept, ',')) {
    const std::string name = parse_media_type(entry).name;
    if (name == "application/openapi+json" || name == "*/*") return kOpenApiType;
    if (name == "application/json") return kJsonType;
  }
  throw HttpError(406, "PGRST107",
                  "None of these media types are available: " + joined(split_trimmed(accept, ','), ", "));
}

// The prefix as an address: "/" or "/rest/v1".
std::string server_address(std::string_view prefix) {
  while (!prefix.empty() && prefix.front() == '/') prefix.remove_prefix(1);
  while (!prefix.empty() && prefix.back() == '/') prefix.remove_suffix(1);
  return "/" + std::string(prefix);
}

}  // namespace

Plan plan_document(const Settings &settings, const CataloguePtr &catalogue, const httplib::Request &request,
                   const Identity &identity, bool page) {
  const std::string schema = choose_schema(settings, request);
  if (settings.openapi_mode == "disabled") throw HttpError(404, "PGRST126", "Root endpoint metadata is disabled");
  if (!settings.db_root_spec.empty() && !page) {
    return plan_call(settings, catalogue, request, settings.db_root_spec.substr(settings.db_root_spec.find('.') + 1),
                     identity);
  }
  static const Function kDocument{"", "openapi", {}, false, false, Returns::kScalar, {}, 0, "", {}};
  Plan plan;
  plan.kind = page ? Plan::Kind::kPage : Plan::Kind::kDocument;
  plan.catalogue = catalogue;
  plan.function = &kDocument;
  plan.identity = identity;
  plan.head = request.method == "HEAD";
  plan.schema = schema;
  plan.read_only = true;
  plan.max_response = settings.max_response;
  plan.server = server_address(settings.url_prefix);
  plan.media.content_type =
      page ? "text/html; charset=utf-8" : document_type(joined(header_values(request, "Accept"), ","));
  const std::string name = plan.call.bind(schema, kText);
  plan.call.bind(settings.openapi_mode == "ignore-privileges" ? "false" : "true", kText);
  const std::string limit = plan.call.bind(std::to_string(settings.max_response), kInt8);
  plan.call.sql = "SELECT NULL::text, '1', CASE WHEN pg_catalog.octet_length(body) <= " + limit +
                  " THEN body END, NULL::text, NULL::text, (pg_catalog.octet_length(body) <= " + limit +
                  ")::text FROM (SELECT (" + kOpenApiQuery + ")::text AS body) pgrst_answer";
  add_context(settings, request, plan);
  return plan;
}

void write_document(const Plan &plan, const CallResult &result, httplib::Response &response) {
  const auto schema = json::parse(result.body, nullptr, false);
  if (schema.is_discarded()) throw HttpError(500, "XX000", "the catalogue gave no JSON");
  const json document = openapi_document(schema, plan.server);
  response.status = 200;
  response.set_header("Content-Type", plan.media.content_type);
  if (plan.kind == Plan::Kind::kPage) {
    response.set_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
    response.body = docs_page(document);
  } else {
    response.body = document.dump(-1, ' ', false, json::error_handler_t::replace);
  }
}

json openapi_document(const json &schema, const std::string &server) {
  return DocumentWriter(schema).write(server);
}

}  // namespace nexus::bridge
