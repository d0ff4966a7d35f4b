// Throughput of validation on posts, for one platform and for all, with the rules that the extension ships: a file with
// a row for each, that NEXUS_BENCH_RULES names (text_peers.py writes it from nexus.platform_rules).
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/validation/judge.hpp"

using namespace nexus::validation;

namespace {

std::vector<std::string> split(const std::string &line, char separator) {
  std::vector<std::string> parts;
  std::size_t start = 0;
  for (std::size_t end; (end = line.find(separator, start)) != std::string::npos; start = end + 1)
    parts.push_back(line.substr(start, end - start));
  parts.push_back(line.substr(start));
  return parts;
}

/// Columns: platform, rule_id, field, content_type, when_media, kind, unit, min, max, severity, source, and the strings
/// of an array in params, with U+001F between them.
RuleSet read_rules(const char *file) {
  RuleSet rules;
  std::ifstream stream(file);
  if (!stream) throw std::runtime_error(std::string("no rules in ") + file);
  for (std::string line; std::getline(stream, line);) {
    auto column = split(line, '\t');
    if (rules.find(column.at(0)) == nullptr) rules.add_platform(column[0], column[0], {});
    Rule rule;
    rule.rule_id = column.at(1);
    rule.field = parse_field(column.at(2));
    rule.content_type = column.at(3);
    if (!column.at(4).empty()) rule.when_media = parse_filter(column[4]);
    rule.kind = parse_kind(column.at(5));
    rule.unit = parse_unit(column.at(6));
    if (!column.at(7).empty()) rule.min = std::stod(column[7]);
    if (!column.at(8).empty()) rule.max = std::stod(column[8]);
    rule.severity = parse_severity(column.at(9));
    rule.source = column.at(10);
    if (!column.at(11).empty()) rule.list = split(column[11], '\x1F');
    rules.add_rule(column[0], rule);
  }
  return rules;
}

void validate(benchmark::State &state, const char *posts_file, const char *platform) {
  const char *rules_file = std::getenv("NEXUS_BENCH_RULES");
  if (rules_file == nullptr) {
    state.SkipWithError("NEXUS_BENCH_RULES names no file of rules");
    return;
  }
  RuleSet rules = read_rules(rules_file);
  std::vector<std::string> posts;
  std::ifstream stream(posts_file);
  for (std::string line; std::getline(stream, line);) posts.push_back(line);
  std::int64_t count = 0;
  for (auto _ : state)
    for (const std::string &post : posts) {
      Draft draft;
      draft.caption = post;
      draft.content_type = "text";
      std::vector<Finding> findings;
      Judge judge(rules, draft, {});
      for (const Platform &one : rules.platforms())
        if (*platform == '\0' || one.slug == platform) judge.platform(one, findings);
      benchmark::DoNotOptimize(findings.size());
      ++count;
    }
  state.SetItemsProcessed(count);
}

}  // namespace

BENCHMARK_CAPTURE(validate, x_ascii, "test/bench/posts_ascii.txt", "x");
BENCHMARK_CAPTURE(validate, x_mixed, "test/bench/posts_mixed.txt", "x");
BENCHMARK_CAPTURE(validate, all_ascii, "test/bench/posts_ascii.txt", "");
BENCHMARK_CAPTURE(validate, all_mixed, "test/bench/posts_mixed.txt", "");
