#include <gtest/gtest.h>

#include "bridge/ai/completion.hpp"

namespace {

using namespace nexus::ai;
using nexus::publisher::Exchange;
using Kind = Outcome::Kind;

const Provider kProvider{"my-models", "https://example.org/v1/?version=2", "small", 150000, 600000};

Exchange answered(int status, std::string body) {
  Exchange exchange;
  exchange.state = Exchange::State::kAnswered;
  exchange.status = status;
  exchange.body = std::move(body);
  return exchange;
}

Outcome completion(const Json &message, const char *reason = "stop",
                   const Json &usage = {{"prompt_tokens", 7}, {"completion_tokens", 3}}) {
  const Json body{{"model", "small-1"},
                  {"usage", usage},
                  {"choices", Json::array({{{"finish_reason", reason}, {"message", message}}})}};
  return read_answer(answered(200, body.dump()), kProvider);
}

TEST(AiProvider, AddressAndKey) {
  EXPECT_EQ(kProvider.url(), "https://example.org/v1/chat/completions?version=2");
  EXPECT_EQ(kProvider.key_variable(), "NEXUS_AI_KEY_MY_MODELS");
}

TEST(AiProvider, CostIsRoundedUp) {
  EXPECT_EQ(cost_micros(kProvider, 0, 0), 0);
  EXPECT_EQ(cost_micros(kProvider, 1, 0), 1);
  EXPECT_EQ(cost_micros(kProvider, 1000, 500), 450);
  EXPECT_EQ(cost_micros({"x", "", "", 4'000'000'000'000'000LL, 0}, 100'000'000, 0), 400'000'000'000'000'000LL);
}

TEST(AiAnswer, Fences) {
  EXPECT_EQ(without_fence(" {}\n"), "{}");
  EXPECT_EQ(without_fence("```json\n{\"a\": 1}\n```\n"), "{\"a\": 1}");
  EXPECT_EQ(without_fence("```\n[]```"), "[]");
  EXPECT_EQ(without_fence("```sql\nSELECT 1\n```"), "```sql\nSELECT 1\n```");
  EXPECT_EQ(without_fence("Here: ```json\n{}\n```"), "Here: ```json\n{}\n```");
  EXPECT_EQ(without_fence("``````"), "``````");
  EXPECT_EQ(without_fence("```"), "```");
  EXPECT_EQ(without_fence(""), "");
}

TEST(AiAnswer, Result) {
  const Outcome outcome = completion({{"content", "{\"text\": \"tea\"}"}});
  EXPECT_EQ(outcome.kind, Kind::kResult);
  EXPECT_EQ(outcome.result, "{\"text\": \"tea\"}");
  EXPECT_TRUE(outcome.has_usage);
  EXPECT_EQ(outcome.input_tokens, 7);
  EXPECT_EQ(outcome.output_tokens, 3);
  EXPECT_EQ(outcome.model, "small-1");
}

TEST(AiAnswer, FaultsKeepTheirUsage) {
  const std::pair<Json, const char *> cases[] = {
      {{{"content", "{} and more"}}, "stop"},
      {{{"content", "{}{}"}}, "stop"},
      {{{"content", ""}}, "stop"},
      {{{"content", nullptr}}, "stop"},
      {{{"content", "{}"}}, "length"},
      {{{"content", "{}"}}, "content_filter"},
      {{{"content", "{}"}, {"refusal", "no"}}, "stop"},
      {{{"content", Json::array({"{}"})}}, "stop"},
      {"text", "stop"},
      {{{"content", std::string(65, '[') + std::string(65, ']')}}, "stop"},
  };
  for (const auto &[message, reason] : cases) {
    const Outcome outcome = completion(message, reason);
    EXPECT_EQ(outcome.kind, Kind::kFault) << message << reason;
    EXPECT_FALSE(outcome.message.empty());
    EXPECT_EQ(outcome.input_tokens, 7);
  }
}

TEST(AiAnswer, UsageThatIsNone) {
  for (const Json &usage : {Json(), Json(5), Json{{"prompt_tokens", -1}, {"completion_tokens", 2}},
                            Json{{"prompt_tokens", 1.5}, {"completion_tokens", 2}},
                            Json{{"prompt_tokens", 18446744073709551615ULL}, {"completion_tokens", 2}}}) {
    const Outcome outcome = completion({{"content", "{}"}}, "stop", usage);
    EXPECT_EQ(outcome.kind, Kind::kResult);
    EXPECT_FALSE(outcome.has_usage) << usage;
    EXPECT_EQ(outcome.input_tokens, 0) << usage;
  }
}

TEST(AiAnswer, NoChatCompletion) {
  for (const char *body :
       {"", "tea", "[]", "{}", R"({"choices": []})", R"({"choices": [5]})", R"({"choices": {"0": 1}})", "\xff"}) {
    EXPECT_EQ(read_answer(answered(200, body), kProvider).kind, Kind::kFault) << body;
  }
}

TEST(AiAnswer, StatusCodes) {
  const std::pair<int, const char *> cases[] = {
      {400, "invalid"}, {401, "auth"},         {403, "auth"},      {404, "invalid"},   {408, "transient"},
      {422, "invalid"}, {429, "rate_limited"}, {500, "transient"}, {503, "transient"}, {302, "invalid"}};
  for (const auto &[status, failure_class] : cases) {
    const Outcome outcome = read_answer(answered(status, R"({"error": {"message": "no: sk-1"}})"), kProvider);
    EXPECT_EQ(outcome.kind, Kind::kFailure);
    EXPECT_EQ(outcome.failure_class, failure_class) << status;
    if (outcome.failure_class == "auth") EXPECT_EQ(outcome.message.find("sk-1"), std::string::npos);
  }
  Exchange limited = answered(429, "{}");
  limited.headers.emplace_back("retry-after", "17");
  EXPECT_EQ(read_answer(limited, kProvider).retry_after, 17);
  Exchange cut;
  cut.state = Exchange::State::kCut;
  cut.error = "no answer in time";
  EXPECT_EQ(read_answer(cut, kProvider).failure_class, "transient");
}

TEST(AiAnswer, ErrorTexts) {
  EXPECT_EQ(error_text(answered(400, R"({"error": {"message": "a\nb"}})")), "a b");
  EXPECT_EQ(error_text(answered(400, R"({"error": "plain"})")), "plain");
  EXPECT_EQ(error_text(answered(400, R"({"detail": "d"})")), "d");
  EXPECT_EQ(error_text(answered(400, "<html>")), "");
  std::string long_text(299, 'x');
  long_text += "\xc3\xa9";
  EXPECT_EQ(error_text(answered(400, Json{{"error", long_text}}.dump())), std::string(299, 'x'));
}

TEST(AiRequest, Dialects) {
  const Json task{{"task_type", "my type"},
                  {"prompt", "tea"},
                  {"schema", {{"type", "object"}}},
                  {"parameters", nullptr},
                  {"content", nullptr}};
  Dialect dialect;
  Json body = request_body(task, kProvider, dialect, 100);
  EXPECT_EQ(body["response_format"]["json_schema"]["name"], "my_type");
  EXPECT_EQ(body["messages"][1]["content"], "tea");
  EXPECT_EQ(body["max_tokens"], 100);
  EXPECT_FALSE(dialect.adapt("the model is overloaded"));
  EXPECT_TRUE(dialect.adapt("response_format is not supported"));
  EXPECT_EQ(request_body(task, kProvider, dialect, 100)["response_format"]["type"], "json_object");
  EXPECT_TRUE(dialect.adapt("unknown field response_format"));
  EXPECT_FALSE(request_body(task, kProvider, dialect, 100).contains("response_format"));
  EXPECT_FALSE(dialect.adapt("response_format"));
  EXPECT_TRUE(dialect.adapt("use max_completion_tokens"));
  body = request_body(task, kProvider, dialect, 100);
  EXPECT_EQ(body["max_completion_tokens"], 100);
  EXPECT_FALSE(body.contains("max_tokens"));
}

TEST(AiRequest, Parameters) {
  const Json task{{"task_type", "caption"},
                  {"prompt", "tea"},
                  {"parameters", {{"max_tokens", 18446744073709551615ULL}, {"temperature", "hot"}, {"tone", "dry"}}},
                  {"content", {{"title", "T"}}}};
  const Json body = request_body(task, kProvider, {}, 100);
  EXPECT_EQ(body["max_tokens"], 100);
  EXPECT_FALSE(body.contains("temperature"));
  EXPECT_EQ(body["messages"][1]["content"], "tea\n\nParameters: {\"tone\":\"dry\"}\n\nIt is for: {\"title\":\"T\"}");
}

}  // namespace
