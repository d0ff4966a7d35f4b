#include <algorithm>
#include <array>
#include <utility>

#include "bridge/ai/completion.hpp"

namespace nexus::ai {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kInstructions{{
    {"caption",
     "Write captions for a post. Each entry of captions is an alternative of its own, ready to be published."},
    {"hashtags",
     "Suggest hashtags for a post. Each entry of hashtags is a set that can be used as it is; tags stand without #."},
    {"content_idea", "Suggest ideas for content. Each entry of ideas is one idea, told in a sentence or two."},
    {"script", "Write the script of a video: what is said and shown, in order."},
    {"translation", "Translate the text. Mentions, hashtags and links stay as they are."},
}};

// Parameters that steer the model; all others are told to it in words.
bool is_sampling(const std::string &name) {
  return name == "temperature" || name == "top_p" || name == "seed" || name == "max_tokens";
}

std::string instruction(const std::string &type, const Json &schema) {
  const auto *known =
      std::find_if(kInstructions.begin(), kInstructions.end(), [&](const auto &entry) { return entry.first == type; });
  std::string text = "You help an author of social media posts. ";
  text += known != kInstructions.end() ? std::string(known->second)
                                       : "Do the task of type \"" + type + "\" that the author describes.";
  text += " Answer with one JSON object and nothing else, no Markdown around it. It must fit this JSON Schema: ";
  return text + schema.dump();
}

std::string prompt(const Json &task) {
  std::string text = task.value("prompt", "");
  Json parameters = Json::object();
  if (task.contains("parameters") && task["parameters"].is_object()) {
    for (const auto &[name, value] : task["parameters"].items()) {
      if (!is_sampling(name)) parameters[name] = value;
    }
  }
  if (!parameters.empty()) text += "\n\nParameters: " + parameters.dump();
  if (task.contains("content") && task["content"].is_object()) text += "\n\nIt is for: " + task["content"].dump();
  return text;
}

// A name as response_format wants it.
std::string schema_name(std::string type) {
  for (char &c : type) {
    const bool good =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (!good) c = '_';
  }
  return type.empty() ? "result" : type.substr(0, 64);
}

}  // namespace

Provider Provider::from(const Json &row) {
  Provider provider;
  provider.name = row.at("name").get<std::string>();
  provider.base_url = row.at("base_url").get<std::string>();
  provider.model = row.at("model").get<std::string>();
  provider.input_price = row.at("input_price_micros").get<std::int64_t>();
  provider.output_price = row.at("output_price_micros").get<std::int64_t>();
  return provider;
}

std::string Provider::url() const {
  const std::size_t query = std::min(base_url.find('?'), base_url.size());
  std::string url = base_url.substr(0, query);
  while (!url.empty() && url.back() == '/') url.pop_back();
  return url + "/chat/completions" + base_url.substr(query);
}

std::string Provider::key_variable() const {
  std::string variable = "NEXUS_AI_KEY_";
  for (char c : name) variable += c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return variable;
}

bool Dialect::adapt(std::string_view error) {
  const auto says = [&](std::string_view word) { return error.find(word) != std::string_view::npos; };
  if (!completion_tokens && says("max_completion_tokens")) {
    completion_tokens = true;
    return true;
  }
  if (format != Format::kNone && (says("response_format") || says("json_schema") || says("json_object"))) {
    format = format == Format::kSchema ? Format::kObject : Format::kNone;
    return true;
  }
  return false;
}

Json request_body(const Json &task, const Provider &provider, const Dialect &dialect, int max_tokens) {
  const std::string type = task.value("task_type", "");
  const Json schema = task.value("schema", Json::object());
  Json body{{"model", provider.model},
            {"messages", Json::array({{{"role", "system"}, {"content", instruction(type, schema)}},
                                      {{"role", "user"}, {"content", prompt(task)}}})}};
  if (dialect.format == Dialect::Format::kSchema) {
    body["response_format"] = {{"type", "json_schema"},
                               {"json_schema", {{"name", schema_name(type)}, {"schema", schema}, {"strict", false}}}};
  } else if (dialect.format == Dialect::Format::kObject) {
    body["response_format"] = {{"type", "json_object"}};
  }
  const Json parameters = task.value("parameters", Json());
  int limit = max_tokens;
  if (parameters.is_object()) {
    for (const char *name : {"temperature", "top_p", "seed"}) {
      if (parameters.contains(name) && parameters[name].is_number()) body[name] = parameters[name];
    }
    if (parameters.contains("max_tokens") && parameters["max_tokens"].is_number_unsigned()) {
      limit = static_cast<int>(std::clamp<std::uint64_t>(parameters["max_tokens"].get<std::uint64_t>(), 1,
                                                         static_cast<std::uint64_t>(max_tokens)));
    }
  }
  body[dialect.completion_tokens ? "max_completion_tokens" : "max_tokens"] = limit;
  return body;
}

}  // namespace nexus::ai
