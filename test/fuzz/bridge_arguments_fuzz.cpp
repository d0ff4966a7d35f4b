// A request from its path to the planned statements and back to an answer, without a database: nothing that a client
// writes becomes part of a statement, nothing that it or a function says breaks out of the answer's head, and no error
// escapes.
#include <httplib.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "bridge/http/handler.hpp"
#include "bridge/http/json.hpp"
#include "bridge/http/text.hpp"

using namespace nexus::bridge;

namespace {

void require(bool condition, std::string_view what = "") {
  if (condition) return;
  std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

const Type kInt{23, "pg_catalog.int4", "integer", false}, kText{25, "pg_catalog.text", "text", false},
    kJson{114, "pg_catalog.json", "json", false}, kBytes{17, "pg_catalog.bytea", "bytea", false},
    kInts{1007, "pg_catalog.int4[]", "integer[]", false}, kAny{2283, "pg_catalog.anyelement", "anyelement", true};

Function function_of(const char *name, std::vector<Argument> arguments, Returns returns, bool set = false) {
  Function function;
  function.schema = "api";
  function.name = name;
  function.arguments = std::move(arguments);
  function.returns = returns;
  function.set = set;
  function.is_volatile = name[0] == 'w';
  if (returns == Returns::kRow) {
    function.columns = {{"id", kInt}, {"title", kText}, {"data", kJson}, {"odd\"name", kText}};
    function.row_type = 70000;
  }
  return function;
}

// One function for each way of giving arguments and of answering.
class Schemas final : public Database {
 public:
  Schemas() {
    auto catalogue = std::make_shared<Catalogue>();
    const auto add = [&](Function function) {
      catalogue->schemas[function.schema][function.name].push_back(std::move(function));
    };
    add(function_of("add", {{"a", kInt, true, false}, {"b", kInt, false, false}}, Returns::kScalar));
    add(function_of("rows", {{"n", kInt, false, false}}, Returns::kRow, true));
    add(function_of("row", {}, Returns::kRow));
    add(function_of("texts", {{"v", kInts, false, true}}, Returns::kScalar, true));
    add(function_of("rec", {}, Returns::kRecord, true));
    add(function_of("w", {{"a", kText, true, false}}, Returns::kVoid));
    add(function_of("wrows", {{"a", kText, false, false}}, Returns::kRow, true));
    add(function_of("over", {{"a", kInt, true, false}}, Returns::kScalar));
    add(function_of("over", {{"a", kText, true, false}, {"b", kText, true, false}}, Returns::kScalar));
    add(function_of("any", {{"a", kAny, true, false}}, Returns::kScalar));
    add(function_of("wj", {{"", kJson, true, false}}, Returns::kScalar));
    add(function_of("wt", {{"", kText, true, false}}, Returns::kScalar));
    add(function_of("wb", {{"", kBytes, true, false}}, Returns::kScalar));
    Function html = function_of("html", {}, Returns::kScalar);
    html.media_type = "text/html";
    html.media_base = kText;
    add(html);
    catalogue->computed[{70000, "loud"}] = {"api", "loud"};
    catalogue->role_settings["visitor"] = {{"statement_timeout", "7s"}, {"odd.name", "a'b"}};
    catalogue_ = catalogue;
  }
  CataloguePtr catalogue() const override { return catalogue_; }
  bool ready() const override { return true; }

 private:
  CataloguePtr catalogue_;
};

// Outside of names and literals, whose quotes close, a statement has no more than what the bridge itself writes.
void check_statement(const Statement &statement) {
  const std::string &sql = statement.sql;
  require(is_utf8(sql));
  for (std::size_t i = 0; i < sql.size(); ++i) {
    const char c = sql[i];
    if (c == '"' || c == '\'') {
      require(c != '\'' || i == 0 || (sql[i - 1] != 'E' && sql[i - 1] != 'e' && sql[i - 1] != '&'), sql);
      i = sql.find(c, i + 1);
      require(i != std::string::npos, sql);
    } else if (c == '$') {
      const std::size_t end = std::min(sql.find_first_not_of("0123456789", i + 1), sql.size());
      const auto place = whole_number(std::string_view(sql).substr(i + 1, end - i - 1));
      require(place && *place >= 1 && static_cast<std::size_t>(*place) <= statement.parameters.size(), sql);
    } else {
      require(c >= ' ' && c <= '~' && c != ';' && c != '\\', sql);
      require(sql.compare(i, 2, "--") != 0 && sql.compare(i, 2, "/*") != 0, sql);
    }
  }
  for (const auto &parameter : statement.parameters) {
    require(parameter.binary || parameter.value.find('\0') == std::string::npos, parameter.value);
  }
}

void check_answer(const httplib::Response &response) {
  require(response.status >= 100 && response.status <= 999);
  for (const auto &[name, value] : response.headers) require(header_is_clean(name, value));
  if (response.status >= 400 && response.get_header_value("Content-Type") == kJsonType) {
    require(nlohmann::json::accept(response.body));
  }
}

// The quick scan of a body takes what a whole parser takes; the whole parser is bounded before it begins.
void check_outline(const std::string &text) {
  const JsonOutline outline = outline_json(text);
  const bool odd = text.compare(0, 3, "\xEF\xBB\xBF") == 0 || text.find('\0') != std::string::npos;
  if (odd) require(outline.kind == JsonKind::kInvalid);
  if (!odd && nlohmann::json::accept(text)) require(outline.kind != JsonKind::kInvalid);
  const auto parsed = parse_json(text);
  if (outline.kind == JsonKind::kTooDeep) require(!parsed);
  if (parsed) require(!parsed->dump().empty());
  if (parsed && parsed->is_array()) require(json_elements(text).size() == parsed->size());
  if (parsed && parsed->is_object()) {
    for (const auto &[name, value] : json_members(text)) require(parsed->contains(name) && !value.empty());
  }
}

// The next line of the input.
std::string line_of(std::string_view &rest) {
  const std::size_t end = rest.find('\n');
  std::string line(rest.substr(0, end));
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return line;
}

}  // namespace

// Two bytes of choices, the target, headers up to an empty line, what the function says of headers and of the status,
// the body.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  static const Schemas schemas;
  static const PolicyPtr policy = [] {
    Settings settings;
    settings.db_schemas = {"api", "other"};
    settings.db_anon_role = "visitor";
    settings.db_tx_end.client_chooses = true;
    settings.jwt_secret = "a-secret-that-is-for-tests-alone-0123456789";
    settings.rate_limit_sign_in = 0;
    settings.server_timing_enabled = true;
    return std::make_shared<Policy>(settings);
  }();
  static const Handler handler(policy, schemas);
  constexpr const char *kMethods[] = {"GET", "POST", "POST", "HEAD", "OPTIONS", "PUT", "GET", "POST"};
  constexpr const char *kStates[] = {"NX031", "23505", "PT404", "PGRST", "42501", "P0001", "57014", "23514"};
  if (size < 2) return 0;
  std::string_view rest(reinterpret_cast<const char *>(data) + 2, size - 2);
  httplib::Request request;
  request.method = kMethods[data[0] % 8];
  request.target = '/' + line_of(rest);
  request.remote_addr = "127.0.0.1";
  for (std::string line = line_of(rest); !line.empty(); line = line_of(rest)) {
    const std::size_t colon = line.find(':');
    const std::string name = line.substr(0, colon);
    const std::string value(trimmed(colon == std::string::npos ? "" : std::string_view(line).substr(colon + 1)));
    // Framing lets no other in.
    if (header_is_clean(name, value)) request.headers.emplace(name, value);
  }
  if (!header_is_clean("x", request.target)) return 0;
  request.path = request.target.substr(0, request.target.find('?'));
  const std::string said_headers = line_of(rest), said_status = line_of(rest);
  request.body = rest;
  check_outline(request.body);

  httplib::Response response;
  Call call;
  Next next = handler.begin(request, response, call, false);
  if (next == Next::kNewerCatalogue) next = handler.begin(request, response, call, true);
  for (int round = 0; round < 3 && next == Next::kCall; ++round) {
    Outcome outcome;
    for (const auto &stage : call.script.stages) {
      // The check and the statement of the document are constants over several lines.
      const bool constant =
          stage.step == Step::kCheck || call.plan.kind == Plan::Kind::kDocument || call.plan.kind == Plan::Kind::kPage;
      if (!constant) check_statement(stage.statement);
      if (!stage.wanted) continue;
      Row row{std::nullopt, std::to_string(data[1] % 4), request.body, std::nullopt, std::nullopt, "true"};
      if (call.plan.preferences.count_exact) row[0] = "4";
      if (!said_headers.empty()) row[3] = said_headers;
      if (!said_status.empty()) row[4] = said_status;
      if (call.plan.keyset) row.emplace_back(data[1] & 16 ? R"(["1", null])" : "!");
      if (call.flow) row[2] = "{}";
      outcome.rows.push_back({row});
    }
    if (call.script.streamed) Handler::write_stream_head(request, response, call);
    const bool document = call.plan.kind == Plan::Kind::kDocument || call.plan.kind == Plan::Kind::kPage;
    if (call.script.streamed || document) break;
    if (round == 0 && (data[1] & 8) != 0) {
      DatabaseError error;
      error.sqlstate = kStates[data[1] >> 5];
      error.message = said_headers;
      error.detail = said_status;
      error.step = error.sqlstate == "NX031" ? Step::kContext : Step::kCall;
      outcome.error = error;
    }
    next = handler.finish(request, response, call, std::move(outcome));
  }
  if (next == Next::kAnswered) check_answer(response);
  return 0;
}
