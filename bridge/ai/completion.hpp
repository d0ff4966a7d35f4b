#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "bridge/publisher/http_client.hpp"

namespace nexus::ai {

using Json = nlohmann::json;

/// A row of nexus.ai_providers.
struct Provider {
  std::string name, base_url, model;
  std::int64_t input_price = 0, output_price = 0;  ///< millionths of the currency for a million tokens

  static Provider from(const Json &row);

  /// The address of its chat completions; a query of base_url stays at the end.
  ///
  ///     Provider{"x", "https://example.org/v1/", ...}.url() == "https://example.org/v1/chat/completions"
  std::string url() const;

  /// The environment variable that holds its key: NEXUS_AI_KEY_MY_MODELS for my-models.
  std::string key_variable() const;
};

/// What a provider has shown to understand of the OpenAI API; each begins with the most that there is.
struct Dialect {
  enum class Format { kSchema, kObject, kNone } format = Format::kSchema;
  bool completion_tokens = false;  ///< the limit is called max_completion_tokens

  /// Whether an error text says that something of the request is not understood, and there is less to ask for.
  bool adapt(std::string_view error);
};

/// The body of a request for a task as nexus.start_ai_task gives it. `max_tokens`: the most that may be asked for.
Json request_body(const Json &task, const Provider &provider, const Dialect &dialect, int max_tokens);

/// How asking ended. Tokens are booked whether or not the answer is of use: they were spent.
struct Outcome {
  enum class Kind {
    kResult,   ///< a JSON value, for the schema to judge
    kFault,    ///< an answer that is no such value: the message says why
    kFailure,  ///< no answer: failure_class and message say why
    kStopped,  ///< nobody waits for it any more
  } kind = Kind::kFailure;
  std::string result;
  std::string failure_class, message;  ///< a class of nexus.fail_job
  std::optional<double> retry_after;   ///< seconds
  int input_tokens = 0, output_tokens = 0;
  bool has_usage = false;  ///< the provider said how many tokens
  std::string model;       ///< that answered; empty where it does not say
};

/// Reads the answer of a provider: choices[0].message.content must be one JSON value, and nothing around it but one
/// Markdown code fence, which models put there against all instructions.
Outcome read_answer(const publisher::Exchange &exchange, const Provider &provider);

/// Millionths of the currency, rounded up.
std::int64_t cost_micros(const Provider &provider, int input_tokens, int output_tokens);

/// The text without the one code fence that encloses all of it, and without space at its ends.
///
///     without_fence("```json\n{}\n```") == "{}"
std::string_view without_fence(std::string_view text);

/// What an error answer says, on one line of at most 300 bytes.
std::string error_text(const publisher::Exchange &exchange);

}  // namespace nexus::ai
