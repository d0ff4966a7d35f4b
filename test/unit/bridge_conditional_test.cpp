#include "bridge/http/conditional.hpp"

#include <gtest/gtest.h>
#include <httplib.h>

namespace nexus::bridge {
namespace {

httplib::Response answer(const std::string &known = "", const char *method = "GET", int status = 200,
                         const std::string &body = "[1]", const httplib::Headers &headers = {}) {
  httplib::Request request;
  request.method = method;
  if (!known.empty()) request.headers.emplace("If-None-Match", known);
  httplib::Response response;
  response.status = status;
  response.body = body;
  response.headers = headers;
  response.set_header("Content-Type", "application/json; charset=utf-8");
  answer_conditionally(request, response);
  return response;
}

TEST(BridgeConditional, TheSameAnswerHasTheSameTag) {
  const std::string tag = answer().get_header_value("ETag");
  EXPECT_EQ(tag.size(), 24U);
  EXPECT_EQ(answer().get_header_value("ETag"), tag);
  EXPECT_EQ(answer("", "HEAD").get_header_value("ETag"), tag);
  EXPECT_NE(answer("", "GET", 200, "[2]").get_header_value("ETag"), tag);
  EXPECT_NE(answer("", "GET", 200, "[1]", {{"Content-Range", "0-0/5"}}).get_header_value("ETag"), tag);
}

TEST(BridgeConditional, AKnownAnswerIsNotSentAgain) {
  const std::string tag = answer().get_header_value("ETag");
  for (const std::string &known : {tag, "\"x\", " + tag, "W/" + tag, std::string("*")}) {
    const auto response = answer(known);
    EXPECT_EQ(response.status, 304) << known;
    EXPECT_EQ(response.body, "");
    EXPECT_EQ(response.get_header_value("ETag"), tag);
    EXPECT_FALSE(response.has_header("Content-Type"));
  }
  EXPECT_EQ(answer("\"x\"").status, 200);
  EXPECT_EQ(answer(tag.substr(1)).status, 200);
}

TEST(BridgeConditional, OnlyWholeAnswersToReads) {
  EXPECT_FALSE(answer("*", "POST").has_header("ETag"));
  EXPECT_EQ(answer("*", "POST").status, 200);
  for (int status : {204, 206, 299, 404}) EXPECT_EQ(answer("*", "GET", status).status, status);
}

TEST(BridgeConditional, WhatTheFunctionSetStays) {
  const auto response = answer("\"mine\"", "GET", 200, "[1]", {{"ETag", "\"mine\""}, {"Cache-Control", "max-age=60"}});
  EXPECT_EQ(response.status, 304);
  EXPECT_EQ(response.get_header_value("Cache-Control"), "max-age=60");
}

}  // namespace
}  // namespace nexus::bridge
