#include "bridge/http/handler.hpp"

#include <gtest/gtest.h>
#include <httplib.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "bridge/http/text.hpp"

namespace nexus::bridge {
namespace {

// No database: it remembers the plan and gives what the test wants.
class Remembering : public Database {
 public:
  Remembering() {
    auto catalogue = std::make_shared<Catalogue>();
    Function add;
    add.schema = "api";
    add.name = "add";
    add.is_volatile = false;
    add.returns = Returns::kScalar;
    for (const char *name : {"a", "b"}) {
      Argument argument;
      argument.name = name;
      argument.type = {23, "pg_catalog.int4", "integer", false};
      add.arguments.push_back(argument);
    }
    Function posts;
    posts.schema = "api";
    posts.name = "posts";
    posts.set = true;
    posts.returns = Returns::kRow;
    posts.columns = {{"id", {23, "", "", false}}, {"odd\"name", {25, "", "", false}}};
    catalogue->schemas["api"]["add"].push_back(add);
    catalogue->schemas["api"]["posts"].push_back(posts);
    catalogue_ = catalogue;
  }
  CataloguePtr catalogue() const override { return catalogue_; }
  bool ready() const override { return true; }

  // What a server would answer to a script: all stages of it are here.
  Outcome run(const Script &script) {
    last = script;
    Outcome outcome;
    outcome.error = error;
    if (once) error.reset();
    const auto total = result.total ? std::optional(std::to_string(*result.total)) : std::nullopt;
    Row row{total, std::to_string(result.rows), result.body, result.headers, result.status, "true"};
    if (outcome.error && outcome.error->step != Step::kCheck) return outcome;
    outcome.rows.push_back({row});
    for (const auto &more : result.more) {
      outcome.rows.push_back({{std::nullopt, std::to_string(more.rows), more.body, more.headers, more.status, "true"}});
    }
    const bool asked = script.stages.back().statement.sql.find("pg_current_wal_insert_lsn") != std::string::npos;
    if (asked && !outcome.error) outcome.rows.push_back({{"1/AB"}});
    return outcome;
  }

  const Statement &call() const {
    for (const auto &stage : last.stages) {
      if (stage.wanted) return stage.statement;
    }
    throw std::logic_error("no call");
  }

  Script last;
  CallResult result;
  std::optional<DatabaseError> error;
  bool once = false;  ///< the error comes once

 private:
  CataloguePtr catalogue_;
};

class BridgeHandler : public testing::Test {
 protected:
  BridgeHandler() {
    settings.db_schemas = {"api"};
    settings.db_anon_role = "visitor";
    result({}, 1, "7");
  }

  void result(std::optional<long long> total, long long rows, std::string body) {
    database.result = CallResult{total, rows, std::move(body), std::nullopt, std::nullopt, {}};
  }

  httplib::Response send(const char *method, const std::string &target, const std::string &body = "",
                         const httplib::Headers &headers = {}) {
    httplib::Request request;
    request.method = method;
    request.target = target;
    request.path = target.substr(0, target.find('?'));
    request.body = body;
    request.headers = headers;
    httplib::Response response;
    serve(Handler(std::make_shared<Policy>(settings), database), request, response);
    return response;
  }

  void serve(const Handler &handler, const httplib::Request &request, httplib::Response &response) {
    Call call;
    Next next = handler.begin(request, response, call, false);
    if (next == Next::kNewerCatalogue) next = handler.begin(request, response, call, true);
    while (next == Next::kCall) next = handler.finish(request, response, call, database.run(call.script));
  }

  std::string steps() const {
    std::string text;
    for (const auto &stage : database.last.stages) {
      text += stage.statement.sql.substr(0, stage.statement.sql.find(' ')) + " ";
    }
    return text;
  }

  Settings settings;
  Remembering database;
};

TEST_F(BridgeHandler, AJsonBodyIsOneParameter) {
  const auto response = send("POST", "/rpc/add", R"({"a": "1'; drop table x; --", "b": 2})");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "7");
  ASSERT_EQ(database.call().parameters.size(), 2U);  // and the limit of the answer
  EXPECT_EQ(database.call().parameters[0].type, 114U);
  EXPECT_EQ(database.call().sql.find("drop"), std::string::npos);
  EXPECT_NE(database.call().sql.find("json_to_record($1)"), std::string::npos);
  EXPECT_TRUE(database.last.read_only);
}

TEST_F(BridgeHandler, QueryValuesAreTypedParameters) {
  send("GET", "/rpc/add?a=1&b=2&b=3");
  ASSERT_EQ(database.call().parameters.size(), 3U);
  EXPECT_EQ(database.call().parameters[1].value, "3");
  EXPECT_EQ(database.call().parameters[1].type, 23U);
}

TEST_F(BridgeHandler, NamesComeFromTheCatalogueOnly) {
  const auto unknown = send("GET", "/rpc/posts?order=id%22%3B%20drop");
  EXPECT_EQ(unknown.status, 400);
  EXPECT_EQ(nlohmann::json::parse(unknown.body)["code"], "42703");
  send("GET", "/rpc/posts?order=odd%22name&id=eq.5&select=id");
  EXPECT_NE(database.call().sql.find(R"("odd""name")"), std::string::npos);
  EXPECT_EQ(database.call().parameters[0].value, "5");
}

TEST_F(BridgeHandler, ContextIsAllParameters) {
  send("POST", "/rpc/posts", "{}", {{"X-A", "it's"}, {"Cookie", "a=1; b=2"}});
  EXPECT_FALSE(database.last.read_only);
  bool cookies = false;
  for (const auto &parameter : database.last.stages[1].statement.parameters)
    cookies |= parameter.value == R"({"a":"1","b":"2"})";
  EXPECT_TRUE(cookies);
  EXPECT_EQ(database.last.stages[1].statement.sql.find("it's"), std::string::npos);
}

TEST_F(BridgeHandler, CredentialsStayInside) {
  send(
      "POST", "/rpc/add", R"({"a": 1, "b": 2})",
      {{"Authorization", "Basic c2VjcmV0"}, {"APIKEY", "c2VjcmV0"}, {"Proxy-Authorization", "c2VjcmV0"}, {"X-A", "1"}});
  bool headers = false;
  for (const auto &stage : database.last.stages) {
    for (const auto &parameter : stage.statement.parameters) {
      EXPECT_EQ(parameter.value.find("c2VjcmV0"), std::string::npos);
      headers = headers || parameter.value == R"({"x-a":"1"})";
    }
  }
  EXPECT_TRUE(headers);
}

TEST_F(BridgeHandler, OnlyWhatReadsIsStreamed) {
  const httplib::Headers lines{{"Accept", "application/x-ndjson"}};
  send("GET", "/rpc/posts", "", lines);
  EXPECT_TRUE(database.last.streamed);
  EXPECT_NE(database.call().sql.find("OFFSET 0) pgrst_lines"), std::string::npos);
  EXPECT_TRUE(database.last.implicit_transaction);
  for (const char *method : {"HEAD", "POST"}) {
    EXPECT_EQ(send(method, "/rpc/posts", "", lines).get_header_value("Content-Type"), "application/x-ndjson");
    EXPECT_FALSE(database.last.streamed);
  }
  send("GET", "/rpc/posts", "", {lines.begin(), lines.end()});
  send("GET", "/rpc/posts");
  EXPECT_FALSE(database.last.streamed);
}

TEST_F(BridgeHandler, Paging) {
  result(10, 3, "[]");
  const auto page = send("GET", "/rpc/posts?limit=3&offset=2", "", {{"Prefer", "count=exact"}});
  EXPECT_EQ(page.status, 206);
  EXPECT_EQ(page.get_header_value("Content-Range"), "2-4/10");
  EXPECT_EQ(page.get_header_value("Preference-Applied"), "count=exact");
  result(10, 0, "[]");
  const auto beyond = send("GET", "/rpc/posts?offset=10", "", {{"Prefer", "count=exact"}});
  EXPECT_EQ(beyond.status, 416);
  EXPECT_EQ(beyond.get_header_value("Content-Range"), "*/10");
}

TEST_F(BridgeHandler, Singular) {
  const httplib::Headers wanted{{"Accept", "application/vnd.pgrst.object+json"}};
  result({}, 2, "{}");
  EXPECT_EQ(send("GET", "/rpc/posts", "", wanted).status, 406);
  result({}, 1, "{}");
  EXPECT_EQ(send("GET", "/rpc/posts", "", wanted).get_header_value("Content-Type"),
            "application/vnd.pgrst.object+json; charset=utf-8");
  EXPECT_EQ(send("GET", "/rpc/posts", "", {{"Accept", "image/png"}}).status, 406);
}

TEST_F(BridgeHandler, HeadersAndStatusOfTheFunction) {
  database.result.headers = R"([{"Set-Cookie": "a"}, {"Set-Cookie": "b"}])";
  database.result.status = "201";
  const auto response = send("GET", "/rpc/add?a=1&b=2");
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.get_header_value_count("Set-Cookie"), 2U);
  database.result.headers = R"([{"X": "a\r\nY: b"}])";
  EXPECT_EQ(send("GET", "/rpc/add?a=1&b=2").status, 500);
  database.result.headers.reset();
  database.result.status = "99999";
  EXPECT_EQ(send("GET", "/rpc/add?a=1&b=2").status, 500);
}

TEST_F(BridgeHandler, ErrorsOfTheDatabase) {
  struct Case {
    const char *sqlstate;
    int status;
  };
  for (const Case &expected :
       {Case{"NX001", 422}, Case{"NX002", 409}, Case{"NX003", 403}, Case{"NX010", 422}, Case{"NX011", 400},
        Case{"NX020", 409}, Case{"23505", 409}, Case{"42501", 401}, Case{"25006", 405}, Case{"22P02", 400},
        Case{"P0001", 400}, Case{"P0004", 500}, Case{"53300", 503}, Case{"PT418", 418}, Case{"PT4x8", 500}}) {
    database.error.emplace();
    database.error->sqlstate = expected.sqlstate;
    database.error->message = "said";
    database.error->detail = "why";
    const auto response = send("GET", "/rpc/add?a=1&b=2");
    EXPECT_EQ(response.status, expected.status) << expected.sqlstate;
    EXPECT_EQ(response.body,
              std::string(R"({"code":")") + expected.sqlstate + R"(","details":"why","hint":null,"message":"said"})");
  }
}

TEST_F(BridgeHandler, RowsInDetailsStayInside) {
  for (const char *sqlstate : {"23514", "23502", "44000"}) {
    database.error.emplace();
    database.error->sqlstate = sqlstate;
    database.error->detail = "Failing row contains (1, secret).";
    EXPECT_EQ(send("GET", "/rpc/add?a=1&b=2").body.find("secret"), std::string::npos) << sqlstate;
  }
}

TEST_F(BridgeHandler, PathsAndMethods) {
  EXPECT_EQ(send("GET", "/posts").status, 404);
  EXPECT_EQ(send("GET", "/rpc/add/more").status, 404);
  settings.openapi_mode = "disabled";
  EXPECT_EQ(nlohmann::json::parse(send("GET", "/").body)["code"], "PGRST126");
  EXPECT_EQ(send("DELETE", "/rpc/add").status, 405);
  EXPECT_EQ(send("BREW", "/rpc/add").status, 405);
  EXPECT_EQ(send("GET", "/live").status, 200);
  EXPECT_EQ(send("OPTIONS", "/rpc/add").get_header_value("Allow"), "OPTIONS,GET,HEAD,POST");
  EXPECT_EQ(send("OPTIONS", "/rpc/posts").get_header_value("Allow"), "OPTIONS,POST");
  settings.url_prefix = "/rest/v1";
  EXPECT_EQ(send("GET", "/rest/v1/rpc/add?a=1&b=2").status, 200);
  EXPECT_EQ(send("GET", "/rest/v11/rpc/add?a=1&b=2").status, 404);
}

TEST_F(BridgeHandler, TooManyRequests) {
  settings.rate_limit_address = 0.1;
  settings.rate_limit_address_burst = 2;
  Handler handler(std::make_shared<Policy>(settings), database);
  std::vector<int> statuses;
  httplib::Response last;
  for (const char *address : {"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"}) {
    httplib::Request request;
    request.method = "GET";
    request.path = request.target = "/rpc/posts";
    request.remote_addr = address;
    httplib::Response response;
    serve(handler, request, response);
    statuses.push_back(response.status);
    if (response.status == 429) last = response;
  }
  EXPECT_EQ(statuses, (std::vector<int>{200, 200, 429, 200}));
  EXPECT_EQ(last.get_header_value("Retry-After"), "10");
  EXPECT_EQ(send("GET", "/live").status, 200);
}

TEST_F(BridgeHandler, ABatchIsSeveralCalls) {
  const std::string calls =
      R"([{"function": "add", "arguments": {"a": 1.50, "b": 2}}, {"function": "posts", "query": "id=eq.5&limit=1"}])";
  database.result.more.push_back({std::nullopt, 1, "[8]", std::nullopt, std::nullopt, {}});
  const auto response = send("POST", "/batch", calls);
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(nlohmann::json::parse(response.body)[1]["body"][0], 8);
  EXPECT_EQ(steps(), "BEGIN SELECT SELECT SELECT SELECT WITH SELECT COMMIT ");  // each call has its check
  EXPECT_EQ(database.call().parameters[0].value, R"({"a": 1.50, "b": 2})");
  EXPECT_FALSE(database.last.read_only);
  EXPECT_EQ(send("POST", "/batch", R"([{"function": "add"}])").status, 404);
  EXPECT_EQ(send("POST", "/batch", R"([{"function": "add", "arguments": 1}])").status, 400);
}

TEST_F(BridgeHandler, AnAnsweredKeyIsLookedUp) {
  const httplib::Headers key{{"Idempotency-Key", "k1"}};
  send("POST", "/rpc/posts", "{}", key);
  EXPECT_NE(database.last.stages[1].statement.sql.find("nexus.claim_idempotency_key"), std::string::npos);
  EXPECT_NE(database.call().sql.find("nexus.keep_idempotent_result"), std::string::npos);
  database.error = DatabaseError();
  database.error->sqlstate = "NX031";
  database.error->step = Step::kContext;
  database.once = true;
  const auto response = send("POST", "/rpc/posts", "{}", key);
  EXPECT_NE(database.call().sql.find("nexus.idempotent_result"), std::string::npos);
  EXPECT_TRUE(database.last.read_only);
  EXPECT_EQ(response.get_header_value("Idempotency-Replayed"), "true");
  send("GET", "/rpc/add?a=1&b=2", "", key);
  EXPECT_EQ(database.last.stages[1].statement.sql.find("nexus.claim_idempotency_key"), std::string::npos);
  EXPECT_EQ(send("POST", "/rpc/posts", "{}", {{"Idempotency-Key", std::string(256, 'x')}}).status, 400);
}

TEST_F(BridgeHandler, ThePrefixMayHaveSlashes) {
  for (const char *prefix : {"/rest/v1", "rest/v1", "/rest/v1/"}) {
    settings.url_prefix = prefix;
    EXPECT_EQ(send("GET", "/rest/v1/rpc/add?a=1&b=2").status, 200) << prefix;
    EXPECT_EQ(send("GET", "/rpc/add?a=1&b=2").status, 200) << prefix;
    EXPECT_EQ(send("GET", "/rest/v1x/rpc/add").status, 404) << prefix;
  }
}

TEST_F(BridgeHandler, OptionsOfAnUnknownFunctionNameANeighbour) {
  const auto response = send("OPTIONS", "/rpc/ad");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(nlohmann::json::parse(response.body)["code"], "PGRST202");
}

TEST_F(BridgeHandler, PagingAtTheEdgeOfNumbers) {
  EXPECT_EQ(
      send("GET", "/rpc/posts?offset=9223372036854775807&limit=9223372036854775807", "", {{"Range", "0-5"}}).status,
      200);
  EXPECT_EQ(send("GET", "/rpc/posts?limit=1", "", {{"Range", "5-9223372036854775807"}}).status, 200);
  EXPECT_EQ(send("GET", "/rpc/posts?limit=9223372036854775808").status, 400);
  EXPECT_EQ(send("GET", "/rpc/posts?order=.").status, 400);
}

TEST_F(BridgeHandler, Bodies) {
  const std::string deep = std::string(100000, '[') + std::string(100000, ']');
  for (const std::string &body : {std::string("{"), std::string("{\"a\": \"\xFF\"}"), deep}) {
    const auto response = send("POST", "/rpc/add", body);
    EXPECT_EQ(response.status, 400);
    EXPECT_EQ(nlohmann::json::parse(response.body)["code"], "PGRST102");
  }
  EXPECT_EQ(send("POST", "/rpc/add", "x", {{"Content-Type", "application/xml"}}).status, 400);
  EXPECT_EQ(send("POST", "/rpc/add", "a=1&b=2", {{"Content-Type", "application/x-www-form-urlencoded"}}).status, 200);
  EXPECT_EQ(send("POST", "/rpc/add", "a,b\n\"1\",2\n", {{"Content-Type", "text/csv"}}).status, 200);
  EXPECT_EQ(database.call().parameters[0].value, "1");
}

TEST_F(BridgeHandler, AScriptIsOneTransaction) {
  send("GET", "/rpc/add?a=1&b=2");
  EXPECT_EQ(steps(), "SELECT SELECT ");  // what only reads needs no BEGIN
  EXPECT_NE(database.last.stages[0].statement.sql.find("'transaction_read_only', 'on', true"), std::string::npos);
  EXPECT_TRUE(database.last.implicit_transaction);
  send("GET", "/rpc/add?a=1&b=2", "", {{"Prefer", "tx=rollback"}});
  EXPECT_EQ(steps(), "SELECT SELECT ");  // the client may not choose
  send("POST", "/rpc/posts", "{}");
  EXPECT_FALSE(database.last.implicit_transaction);
  EXPECT_EQ(steps(), "BEGIN SELECT WITH SELECT COMMIT ");  // the check stands before COMMIT
  settings.db_pre_request = "api.first";
  settings.db_tx_end = {true, false};
  send("POST", "/rpc/posts", "{}", {{"Prefer", "timezone=UTC"}});
  EXPECT_EQ(steps(), "BEGIN SELECT SELECT SELECT WITH SET ROLLBACK ");
  EXPECT_EQ(database.last.lane, "api.posts");
}

TEST_F(BridgeHandler, WhatTheCheckUndidIsNoSuccess) {
  database.error.emplace();
  database.error->step = Step::kCheck;
  database.result.rows = 2;
  const httplib::Headers single{{"Accept", "application/vnd.pgrst.object+json"}};
  EXPECT_EQ(send("POST", "/rpc/posts", "{}", single).status, 406);
  EXPECT_EQ(send("POST", "/rpc/posts", "{}").status, 500);
}

TEST_F(BridgeHandler, WithoutADatabase) {
  const Handler handler(std::make_shared<Policy>(settings), database);
  httplib::Request request;
  request.method = "GET";
  request.path = request.target = "/rpc/add";
  httplib::Response response;
  Call call;
  call.policy = handler.policy();
  Outcome outcome;
  outcome.unavailable = unavailable("PGRST000", "away");
  handler.finish(request, response, call, std::move(outcome));
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.get_header_value("Retry-After"), "1");
}

TEST(BridgeText, Durations) {
  EXPECT_EQ(duration_of("777ms")->count(), 777);
  EXPECT_EQ(duration_of("2000")->count(), 2000);
  EXPECT_EQ(duration_of("2 s")->count(), 2000);
  EXPECT_EQ(duration_of("5min")->count(), 300000);
  EXPECT_EQ(duration_of("1500us")->count(), 2);
  EXPECT_GT(duration_of("0")->count(), 1000000000);
  EXPECT_FALSE(duration_of("soon"));
  EXPECT_FALSE(duration_of("5 parsecs"));
}

TEST_F(BridgeHandler, WithReplicasAWriteGivesItsPosition) {
  result({}, 0, "[]");
  EXPECT_FALSE(send("POST", "/rpc/posts", "{}").has_header("Consistency-Token"));
  settings.db_replica_uris = "host=a";
  const auto written = send("POST", "/rpc/posts", "{}");
  EXPECT_EQ(written.status, 200);
  EXPECT_EQ(written.get_header_value("Consistency-Token"), "1/AB");
  EXPECT_FALSE(database.last.for_replica);
  const auto read = send("GET", "/rpc/posts", "", {{"Consistency-Token", "1/AB"}});
  EXPECT_EQ(read.status, 200);
  EXPECT_FALSE(read.has_header("Consistency-Token"));
  EXPECT_TRUE(database.last.for_replica);
  EXPECT_EQ(database.last.since, 0x1000000ABU);
}

TEST_F(BridgeHandler, ARepeatedAnswerGivesAPositionToo) {
  settings.db_replica_uris = "host=a";
  result({}, 0, "[]");
  database.error.emplace();
  database.error->sqlstate = "NX031";
  database.error->step = Step::kContext;
  database.once = true;
  const auto response = send("POST", "/rpc/posts", "{}", {{"Idempotency-Key", "k1"}});
  EXPECT_EQ(response.get_header_value("Idempotency-Replayed"), "true");
  EXPECT_EQ(response.get_header_value("Consistency-Token"), "1/AB");
  EXPECT_FALSE(database.last.for_replica);
}

TEST_F(BridgeHandler, TokensThatAreNone) {
  settings.db_replica_uris = "host=a";
  for (const char *token : {"yesterday", "1/", "/1", "1/123456789", "1/g", "1/2/3", "0x1/2", "-1/2"}) {
    EXPECT_EQ(send("GET", "/rpc/posts", "", {{"Consistency-Token", token}}).status, 400) << token;
  }
  result({}, 0, "[]");
  EXPECT_EQ(send("GET", "/rpc/posts", "", {{"Consistency-Token", "1/2, 1/3"}}).status, 200);
  EXPECT_EQ(database.last.since, 0x100000003U);
  EXPECT_EQ(send("GET", "/rpc/posts", "", {{"Consistency-Token", "latest"}}).status, 200);
  EXPECT_FALSE(database.last.for_replica);
}

}  // namespace
}  // namespace nexus::bridge
