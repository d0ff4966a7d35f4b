#include "bridge/http/choose.hpp"

#include <algorithm>
#include <set>

#include "bridge/http/error.hpp"
#include "bridge/http/text.hpp"

namespace nexus::bridge {
namespace {

constexpr double kNearEnough = 0.33;
constexpr std::size_t kMostNames = 1000;       // no function takes as many arguments
constexpr std::size_t kLongestCompared = 256;  // bounds the edit distance, which takes the product of both lengths

bool takes_names(const Function &function, const std::vector<std::string> &names) {
  if (function.has_unnamed_argument() || names.size() > kMostNames) return false;
  for (const auto &name : names) {
    if (std::none_of(function.arguments.begin(), function.arguments.end(),
                     [&](const Argument &argument) { return argument.name == name; })) {
      return false;
    }
  }
  return std::all_of(function.arguments.begin(), function.arguments.end(), [&](const Argument &argument) {
    return !argument.required || std::find(names.begin(), names.end(), argument.name) != names.end();
  });
}

std::string signature(const Function &function) {
  std::vector<std::string> arguments;
  for (const auto &argument : function.arguments) arguments.push_back(argument.name + " => " + argument.type.display);
  return function.schema + "." + function.name + "(" + joined(arguments, ", ") + ")";
}

std::string name_list(const std::vector<std::string> &names) {
  return "(" + joined(names, ", ") + ")";
}

std::set<std::string> grams(const std::string &text, std::size_t length) {
  std::string reduced = "-";
  for (char c : lower_case(text)) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == ',' || c == ' ';
    if (kept || static_cast<unsigned char>(c) >= 0x80) reduced += c;
  }
  reduced += '-';
  std::set<std::string> found;
  for (std::size_t i = 0; i + length <= reduced.size(); ++i) found.insert(reduced.substr(i, length));
  return found;
}

std::size_t edit_distance(const std::string &a, const std::string &b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row[b.size()];
}

HttpError not_found(const Catalogue &catalogue, const std::string &schema, const std::string &name, const Given &given,
                    const std::vector<Function> *same_name) {
  std::vector<std::string> names = given.names;
  std::sort(names.begin(), names.end());
  const std::string function = schema + "." + name;
  std::string message = "Could not find the function " + function;
  std::string details = "Searched for the function " + function;
  std::optional<std::string> hint;
  if (!given.raw_type.empty()) {
    details += " with a single unnamed " + given.raw_type + " parameter";
  } else {
    if (names.empty()) {
      message += " without parameters";
      details += " without parameters";
    } else {
      message += name_list(names);
      details += (names.size() == 1 ? " with parameter " : " with parameters ") + joined(names, ", ");
      if (given.json_body) details += " or with a single unnamed json/jsonb parameter";
    }
    std::vector<std::string> candidates;
    if (same_name != nullptr) {
      for (const auto &candidate : *same_name) {
        std::vector<std::string> arguments;
        for (const auto &argument : candidate.arguments) arguments.push_back(argument.name);
        candidates.push_back(name_list(arguments));
      }
      auto near = nearest(name_list(names), candidates);
      if (near) hint = function + *near;
    } else if (auto in_schema = catalogue.schemas.find(schema); in_schema != catalogue.schemas.end()) {
      for (const auto &entry : in_schema->second) candidates.push_back(entry.first);
      auto near = nearest(name, candidates);
      if (near) hint = schema + "." + *near;
    }
  }
  HttpError error(404, "PGRST202", message + " in the schema cache");
  error.details = details + ", but no matches were found in the schema cache.";
  if (hint) error.hint = "Perhaps you meant to call the function " + *hint;
  return error;
}

HttpError ambiguous(std::vector<const Function *> candidates) {
  std::sort(candidates.begin(), candidates.end(), [](const Function *a, const Function *b) {
    if (a->arguments.size() != b->arguments.size()) return a->arguments.size() < b->arguments.size();
    return signature(*a) < signature(*b);
  });
  std::vector<std::string> signatures;
  signatures.reserve(candidates.size());
  for (const Function *candidate : candidates) signatures.push_back(signature(*candidate));
  return HttpError(300, "PGRST203", "Could not choose the best candidate function between: " + joined(signatures, ", "))
      .with_hint(
          "Try renaming the parameters or the function itself in the database so function overloading can be resolved");
}

}  // namespace

std::optional<std::string> nearest(const std::string &text, const std::vector<std::string> &candidates) {
  if (text.size() > kLongestCompared) return std::nullopt;
  const std::string lower = lower_case(text);
  for (std::size_t length : {std::size_t{3}, std::size_t{2}}) {
    const auto wanted = grams(text, length);
    std::optional<std::string> best;
    double best_score = 0;
    bool any_shares = false;
    for (const auto &candidate : candidates) {
      if (candidate.size() > kLongestCompared) continue;
      const auto offered = grams(candidate, length);
      if (std::none_of(offered.begin(), offered.end(), [&](const auto &gram) { return wanted.count(gram) > 0; })) {
        continue;
      }
      any_shares = true;
      const double longer = static_cast<double>(std::max(text.size(), candidate.size()));
      const double score = 1 - static_cast<double>(edit_distance(lower, lower_case(candidate))) / longer;
      if (score >= kNearEnough && score > best_score) {
        best = candidate;
        best_score = score;
      }
    }
    if (any_shares) return best;
  }
  return std::nullopt;
}

Choice choose_function(const Catalogue &catalogue, const std::string &schema, const std::string &name,
                       const Given &given) {
  const std::vector<Function> *functions = catalogue.find(schema, name);
  std::vector<const Function *> candidates;
  bool whole_body = false;
  if (functions != nullptr) {
    for (const auto &function : *functions) {
      const bool takes_body = function.has_unnamed_argument() && function.arguments[0].type.display == given.raw_type;
      if (given.raw_type.empty() ? takes_names(function, given.names) : takes_body) candidates.push_back(&function);
    }
    whole_body = !given.raw_type.empty();
    if (candidates.empty() && given.json_body) {
      whole_body = true;
      for (const auto &function : *functions) {
        if (!function.has_unnamed_argument()) continue;
        const std::string &type = function.arguments[0].type.display;
        if (type == "json" || type == "jsonb") candidates.push_back(&function);
      }
    }
  }
  if (candidates.empty() && given.names.size() > kMostNames) {
    throw HttpError(400, "PGRST102", "The request names more than " + std::to_string(kMostNames) + " arguments");
  }
  if (candidates.empty()) throw not_found(catalogue, schema, name, given, functions);
  if (candidates.size() > 1) throw ambiguous(candidates);
  return {candidates[0], whole_body};
}

}  // namespace nexus::bridge
