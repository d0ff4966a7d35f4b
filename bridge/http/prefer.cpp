#include "bridge/http/prefer.hpp"

#include "bridge/http/error.hpp"
#include "bridge/http/text.hpp"

namespace nexus::bridge {
namespace {

// Takes one preference in; false when the word is unknown.
bool take(Preferences &preferences, const std::string &word) {
  if (word == "count=exact") {
    preferences.count_exact = true;
  } else if (word == "paging=keyset") {
    preferences.keyset = true;
  } else if (word == "tx=commit" || word == "tx=rollback") {
    if (!preferences.commit) preferences.commit = word == "tx=commit";
  } else if (word == "handling=strict" || word == "handling=lenient") {
    if (!preferences.strict && !preferences.lenient) {
      (word == "handling=strict" ? preferences.strict : preferences.lenient) = true;
    }
  } else if (word.compare(0, 9, "timezone=") == 0) {
    if (preferences.timezone.empty()) preferences.timezone = word.substr(9);
  } else if (word.compare(0, 13, "max-affected=") == 0) {
    auto number = whole_number(word.substr(13));
    if (!number || *number < 0) return false;
    if (!preferences.max_affected) preferences.max_affected = number;
  } else {
    return word.compare(0, 7, "return=") == 0 || word == "params=single-object" || word == "missing=default" ||
           word == "missing=null" || word.compare(0, 11, "resolution=") == 0 || word == "count=planned" ||
           word == "count=estimated";
  }
  return true;
}

}  // namespace

Preferences parse_preferences(const std::vector<std::string> &headers) {
  Preferences preferences;
  std::vector<std::string> unknown;
  for (const auto &header : headers) {
    for (const auto &word : split_trimmed(header, ',')) {
      if (!take(preferences, word)) unknown.push_back(word);
    }
  }
  if (preferences.strict && !unknown.empty()) {
    throw HttpError(400, "PGRST122", "Invalid preferences given with handling=strict")
        .with_details("Invalid preferences: " + joined(unknown, ", "));
  }
  return preferences;
}

std::string applied_preferences(const Preferences &preferences, bool tx_allowed) {
  std::vector<std::string> words;
  if (preferences.count_exact) words.emplace_back("count=exact");
  if (preferences.keyset) words.emplace_back("paging=keyset");
  if (preferences.commit && tx_allowed) words.emplace_back(*preferences.commit ? "tx=commit" : "tx=rollback");
  if (preferences.strict) words.emplace_back("handling=strict");
  if (preferences.lenient) words.emplace_back("handling=lenient");
  if (!preferences.timezone.empty()) words.push_back("timezone=" + preferences.timezone);
  if (preferences.max_affected && preferences.strict) {
    words.push_back("max-affected=" + std::to_string(*preferences.max_affected));
  }
  return joined(words, ", ");
}

}  // namespace nexus::bridge
