#include "bridge/http/openapi.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace nexus::bridge {
namespace {

using nlohmann::json;

json type(int oid, const char *name, const char *kind, const char *display) {
  return {{"oid", oid},         {"schema", "api"},   {"name", name},      {"kind", kind},
          {"array", false},     {"element", 0},      {"base", 0},         {"display", display},
          {"comment", nullptr}, {"labels", nullptr}, {"columns", nullptr}};
}

json function(const char *name, int returns, json arguments, bool is_volatile = false, bool set = false) {
  return {{"name", name},       {"comment", "Does it. With <care>."}, {"volatile", is_volatile}, {"set", set},
          {"returns", returns}, {"arguments", std::move(arguments)},  {"columns", nullptr}};
}

json argument(const char *name, int of, bool required = true) {
  return {{"name", name}, {"type", of}, {"required", required}, {"variadic", false}};
}

// integer 1, integer[] 2, mood 3, post 4 with a column of each and one of itself, void 5, jsonb 6
json schema() {
  json list = type(2, "_int4", "b", "integer[]");
  list["array"] = true;
  list["element"] = 1;
  json mood = type(3, "mood", "e", "api.mood");
  mood["labels"] = {"calm", "loud"};
  json post = type(4, "post", "c", "api.post");
  post["columns"] = {{{"name", "id"}, {"type", 1}, {"required", true}, {"comment", "its number"}},
                     {{"name", "mood"}, {"type", 3}, {"required", false}, {"comment", nullptr}},
                     {{"name", "parent"}, {"type", 4}, {"required", false}, {"comment", nullptr}}};
  return {{"comment", nullptr},
          {"types",
           {type(1, "int4", "b", "integer"), list, mood, post, type(5, "void", "p", "void"),
            type(6, "jsonb", "b", "jsonb")}},
          {"functions",
           {function("add", 1, {argument("a", 1), argument("b", 1, false)}),
            function("posts", 4, {argument("ids", 2)}, false, true), function("forget", 5, json::array(), true),
            function("odd name/x", 6, {argument("", 6)}, true)}}};
}

TEST(BridgeOpenApi, ArgumentsAndAnswersAreTyped) {
  const json document = openapi_document(schema(), "/rest/v1");
  EXPECT_EQ(document["openapi"], "3.1.0");
  EXPECT_EQ(document["servers"][0]["url"], "/rest/v1");
  const json &add = document["paths"]["/rpc/add"];
  const json &body = add["post"]["requestBody"]["content"]["application/json"]["schema"];
  EXPECT_EQ(body["required"], json({"a"}));
  EXPECT_EQ(body["properties"]["b"]["type"], json({"integer", "null"}));
  EXPECT_EQ(add["post"]["requestBody"]["required"], true);
  EXPECT_EQ(add["get"]["responses"]["200"]["content"]["application/json"]["schema"]["format"], "int32");
  EXPECT_EQ(add["post"]["summary"], "Does it");
  EXPECT_EQ(add["post"]["operationId"], "post_add");
}

TEST(BridgeOpenApi, RowsAreLists) {
  const json document = openapi_document(schema(), "/");
  const json &posts = document["paths"]["/rpc/posts"]["get"];
  const json &answer = posts["responses"]["200"]["content"]["application/json"]["schema"];
  EXPECT_EQ(answer["type"], "array");
  EXPECT_NE(posts["parameters"].dump().find("#/components/parameters/order"), std::string::npos);
  EXPECT_EQ(posts["parameters"][0]["schema"]["type"], "string");  // an array in a query has PostgreSQL's text form
  const json &post = document["components"]["schemas"]["api_post"];
  EXPECT_EQ(post["properties"]["id"]["type"], "integer");
  EXPECT_EQ(post["properties"]["id"]["description"], "its number");
  EXPECT_EQ(post["properties"]["parent"]["anyOf"][0]["$ref"], "#/components/schemas/api_post");
  EXPECT_EQ(document["components"]["schemas"]["api_mood"]["enum"], json({"calm", "loud"}));
}

TEST(BridgeOpenApi, VolatileFunctionsAreNoGet) {
  const json document = openapi_document(schema(), "/");
  const json &forget = document["paths"]["/rpc/forget"];
  EXPECT_FALSE(forget.contains("get"));
  EXPECT_TRUE(forget["post"]["responses"].contains("204"));
  EXPECT_FALSE(forget["post"]["responses"].contains("200"));
  EXPECT_EQ(document["paths"]["/rpc/odd%20name%2Fx"]["post"]["operationId"], "post_odd_name_x");
}

TEST(BridgeOpenApi, ThePageEscapesTexts) {
  const std::string page = docs_page(openapi_document(schema(), "/"));
  EXPECT_NE(page.find("With &lt;care&gt;."), std::string::npos);
  EXPECT_EQ(page.find("<care>"), std::string::npos);
  EXPECT_EQ(page.find("http"), std::string::npos);  // it loads nothing
}

TEST(BridgeOpenApi, StreamsPagesAndTokensAreNamed) {
  const json document = openapi_document(schema(), "/");
  const json &posts = document["paths"]["/rpc/posts"]["get"];
  EXPECT_TRUE(posts["responses"]["200"]["content"].contains("application/x-ndjson"));
  EXPECT_TRUE(posts["responses"]["200"]["headers"].contains("Consistency-Token"));
  EXPECT_FALSE(document["paths"]["/rpc/add"]["get"]["responses"]["200"]["content"].contains("application/x-ndjson"));
  const std::string parameters = posts["parameters"].dump();
  EXPECT_NE(parameters.find("#/components/parameters/page-token"), std::string::npos);
  EXPECT_NE(parameters.find("#/components/parameters/consistency"), std::string::npos);
  EXPECT_EQ(document["components"]["parameters"]["page-token"]["in"], "query");
}

}  // namespace
}  // namespace nexus::bridge
