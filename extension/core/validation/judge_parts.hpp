#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

// What the files of the judge share; nobody else includes it.

#include <string>
#include <utility>
#include <vector>

#include "core/validation/judge.hpp"
#include "core/validation/media.hpp"

namespace nexus::validation {

struct Judge::Target {
  const Platform &platform;
  std::vector<Finding> &findings;
  bool takes_caption = false, takes_description = false;  // whether a rule that applies judges that field
  std::vector<Facts> unprobed;                            // per medium of the post at hand
};

struct Judge::Post {
  std::string prefix;  // "" or "thread[1]."
  Text *caption;
  const std::vector<Media> *media;
  bool main;
};

inline Finding &add(std::vector<Finding> &findings, const Platform &platform, const Rule &rule, std::string code,
                    std::string field, std::string message) {
  Finding finding;
  finding.platform = platform.slug;
  finding.code = std::move(code);
  finding.severity = rule.severity;
  finding.field = std::move(field);
  finding.message = std::move(message);
  finding.rule_id = rule.rule_id;
  finding.source = rule.source;
  return findings.emplace_back(std::move(finding));
}

inline std::string joined(const std::vector<std::string> &words) {
  std::string text;
  for (const auto &word : words) text.append(text.empty() ? "" : ", ").append(word);
  return text;
}

}  // namespace nexus::validation
