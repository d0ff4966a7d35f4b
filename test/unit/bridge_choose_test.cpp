#include "bridge/http/choose.hpp"

#include <gtest/gtest.h>

#include "bridge/http/error.hpp"

namespace nexus::bridge {
namespace {

Argument argument(std::string name, const char *type, bool required = true) {
  Argument result;
  result.name = std::move(name);
  result.type.display = type;
  result.required = required;
  return result;
}

void add(Catalogue &catalogue, const char *name, std::vector<Argument> arguments) {
  Function function;
  function.schema = "api";
  function.name = name;
  function.arguments = std::move(arguments);
  catalogue.schemas["api"][name].push_back(std::move(function));
}

Catalogue sample() {
  Catalogue catalogue;
  add(catalogue, "publish_post", {argument("post_id", "integer"), argument("note", "text", false)});
  add(catalogue, "convert", {argument("amount", "integer")});
  add(catalogue, "convert", {argument("amount", "text")});
  add(catalogue, "convert", {argument("amount", "integer"), argument("unit", "text")});
  add(catalogue, "store", {});
  add(catalogue, "store", {argument("", "jsonb")});
  add(catalogue, "store", {argument("", "bytea")});
  return catalogue;
}

HttpError failure(const char *name, const Given &given) {
  const Catalogue catalogue = sample();
  try {
    choose_function(catalogue, "api", name, given);
  } catch (const HttpError &error) {
    return error;
  }
  ADD_FAILURE() << "a function was found";
  return {0, "", ""};
}

TEST(BridgeChoose, DefaultsMayBeLeftOut) {
  const Catalogue catalogue = sample();
  EXPECT_EQ(choose_function(catalogue, "api", "publish_post", {{"post_id"}, false, ""}).function->arguments.size(), 2U);
  EXPECT_FALSE(choose_function(catalogue, "api", "publish_post", {{"note", "post_id"}, false, ""}).whole_body);
}

TEST(BridgeChoose, MissingAndUnknownArgumentsAreNamed) {
  const HttpError missing = failure("publish_post", {{"note"}, false, ""});
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.code, "PGRST202");
  EXPECT_EQ(missing.message, "Could not find the function api.publish_post(note) in the schema cache");
  const HttpError both = failure("publish_post", {{"post_id", "nots"}, true, ""});
  EXPECT_EQ(*both.details,
            "Searched for the function api.publish_post with parameters nots, post_id or with a single unnamed "
            "json/jsonb parameter, but no matches were found in the schema cache.");
  EXPECT_EQ(*both.hint, "Perhaps you meant to call the function api.publish_post(post_id, note)");
}

TEST(BridgeChoose, AnUnknownNameHasANeighbour) {
  EXPECT_EQ(*failure("publish_pots", {}).hint, "Perhaps you meant to call the function api.publish_post");
  EXPECT_FALSE(failure("zzz", {}).hint);
  EXPECT_FALSE(failure(std::string(100000, 'p').c_str(), {}).hint);
}

TEST(BridgeChoose, TwoThatFitAreAmbiguous) {
  const HttpError error = failure("convert", {{"amount"}, false, ""});
  EXPECT_EQ(error.status, 300);
  EXPECT_EQ(error.message,
            "Could not choose the best candidate function between: api.convert(amount => integer), "
            "api.convert(amount => text)");
  const Catalogue catalogue = sample();
  EXPECT_EQ(choose_function(catalogue, "api", "convert", {{"unit", "amount"}, false, ""}).function->arguments.size(),
            2U);
}

TEST(BridgeChoose, TheWholeBody) {
  const Catalogue catalogue = sample();
  EXPECT_TRUE(choose_function(catalogue, "api", "store", {{}, true, ""}).function->arguments.empty());
  const Choice json = choose_function(catalogue, "api", "store", {{"a"}, true, ""});
  EXPECT_TRUE(json.whole_body);
  EXPECT_EQ(json.function->arguments[0].type.display, "jsonb");
  EXPECT_EQ(choose_function(catalogue, "api", "store", {{}, false, "bytea"}).function->arguments[0].type.display,
            "bytea");
  const HttpError text = failure("store", {{}, false, "text"});
  EXPECT_EQ(text.message, "Could not find the function api.store in the schema cache");
  EXPECT_FALSE(text.hint);
}

}  // namespace
}  // namespace nexus::bridge
