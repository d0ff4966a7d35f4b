// A peer of the benchmark: documents per CPU second that valijson judges, parsed before. The first line of standard
// input is the schema, each further one a document.
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
  std::vector<nlohmann::json> documents;
  while (std::getline(std::cin, line)) documents.push_back(nlohmann::json::parse(line));

  valijson::Validator validator;
  std::size_t count = 0, valid = 0;
  std::clock_t start = std::clock(), used = 0;
  do {
    for (const auto &document : documents) valid += validator.validate(schema, Adapter(document), nullptr) ? 1 : 0;
    count += documents.size();
    used = std::clock() - start;
  } while (used < CLOCKS_PER_SEC);
  std::cout << static_cast<double>(count) * CLOCKS_PER_SEC / static_cast<double>(used) << ' '
            << static_cast<double>(valid) / static_cast<double>(count) << '\n';
}
