// A peer of the benchmark: documents per CPU second that valijson judges, parsed before and from their text. The first
// line of standard input is the schema, each further one a document.
#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>
#include <vector>

int main() {
  using Adapter = valijson::adapters::NlohmannJsonAdapter;
  std::string line;
  std::getline(std::cin, line);
  nlohmann::json source = nlohmann::json::parse(line);
  valijson::Schema schema;
  valijson::SchemaParser parser;
  parser.populateSchema(Adapter(source), schema);
  std::vector<std::string> texts;
  std::vector<nlohmann::json> documents;
  while (std::getline(std::cin, line)) {
    documents.push_back(nlohmann::json::parse(line));
    texts.push_back(line);
  }

  valijson::Validator validator;
  std::size_t valid = 0;
  auto rate = [](std::size_t count, auto &&round) {
    std::size_t done = 0;
    std::clock_t start = std::clock(), used = 0;
    do {
      round();
      done += count;
      used = std::clock() - start;
    } while (used < CLOCKS_PER_SEC);
    return static_cast<double>(done) * CLOCKS_PER_SEC / static_cast<double>(used);
  };
  auto judge = [&](const nlohmann::json &document) { return validator.validate(schema, Adapter(document), nullptr); };
  for (const auto &document : documents) valid += judge(document) ? 1 : 0;
  std::cout << rate(documents.size(),
                    [&] {
                      for (const auto &document : documents) judge(document);
                    })
            << ' '
            << rate(texts.size(),
                    [&] {
                      for (const auto &text : texts) judge(nlohmann::json::parse(text));
                    })
            << ' ' << static_cast<double>(valid) / static_cast<double>(documents.size()) << '\n';
}
