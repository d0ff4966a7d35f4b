#include "bridge/http/query.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "bridge/http/error.hpp"
#include "bridge/http/text.hpp"

namespace nexus::bridge {
namespace {

constexpr int kDeepestLogic = 16;
constexpr std::array<std::string_view, 14> kOperators{"eq",    "neq", "gt", "gte", "lt",    "lte",   "like",
                                                      "ilike", "in",  "is", "fts", "plfts", "phfts", "wfts"};

HttpError syntax(const std::string &what, const std::string &text, const std::string &details) {
  return HttpError(400, "PGRST100", "failed to parse " + what + " (" + text + ")").with_details(details);
}

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

// `column->key->>key`
Field parse_field(std::string_view text, const std::string &what) {
  Field field;
  const std::string whole(text);
  std::size_t arrow = text.find("->");
  field.column = std::string(trimmed(text.substr(0, arrow)));
  while (arrow != std::string_view::npos) {
    text.remove_prefix(arrow + 2);
    const bool as_text = starts_with(text, ">");
    if (as_text) text.remove_prefix(1);
    arrow = text.find("->");
    const std::string key(text.substr(0, arrow));
    if (key.empty()) throw syntax(what, whole, "a key is missing after the arrow");
    field.path.push_back({as_text, key});
  }
  if (field.column.empty()) throw syntax(what, whole, "the name of a column is missing");
  if (whole.find_first_of("()") != std::string::npos) {
    throw syntax(what, whole, "embedded resources and aggregates are not supported yet: name columns only");
  }
  return field;
}

// Parts between commas that are outside of parentheses and double quotes.
std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts(1);
  int depth = 0;
  bool in_quotes = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_quotes && c == '\\' && i + 1 < text.size()) {
      parts.back() += c;
      parts.back() += text[++i];
      continue;
    }
    if (c == '"') in_quotes = !in_quotes;
    if (!in_quotes && c == '(') ++depth;
    if (!in_quotes && c == ')') --depth;
    if (c == ',' && depth == 0 && !in_quotes) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::vector<SelectItem> parse_select(const std::string &text) {
  std::vector<SelectItem> items;
  if (trimmed(text).empty()) return items;
  for (const auto &part : split_list(text)) {
    std::string_view rest = trimmed(part);
    SelectItem item;
    if (rest.find("::") != std::string_view::npos) {
      throw syntax("select parameter", text, "casts are not supported yet: cast in the function");
    }
    if (const std::size_t colon = rest.find(':'); colon != std::string_view::npos) {
      item.label = std::string(trimmed(rest.substr(0, colon)));
      rest.remove_prefix(colon + 1);
      if (item.label.empty()) throw syntax("select parameter", text, "the label before ':' is empty");
    }
    item.field = parse_field(rest, "select parameter");
    items.push_back(std::move(item));
  }
  return items;
}

std::vector<OrderItem> parse_order(const std::string &text) {
  std::vector<OrderItem> items;
  for (const auto &part : split_list(text)) {
    if (trimmed(part).empty()) continue;
    auto words = split_trimmed(part, '.');
    if (words.empty()) throw syntax("order", text, "the name of a column is missing");
    OrderItem item;
    item.field = parse_field(words[0], "order");
    for (std::size_t i = 1; i < words.size(); ++i) {
      if (i == 1 && (words[i] == "asc" || words[i] == "desc")) {
        item.descending = words[i] == "desc";
      } else if (i + 1 == words.size() && (words[i] == "nullsfirst" || words[i] == "nullslast")) {
        item.nulls_first = words[i] == "nullsfirst";
      } else {
        throw syntax("order", text, "unexpected '" + words[i] + "', expecting asc, desc, nullsfirst or nullslast");
      }
    }
    items.push_back(std::move(item));
  }
  return items;
}

// `[not.]op[(lang)].rest`: fills the condition's operator; false when the text has another form.
bool parse_operation(std::string_view text, Condition &condition) {
  if (starts_with(text, "not.")) {
    condition.negated = true;
    text.remove_prefix(4);
  }
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return false;
  std::string_view word = text.substr(0, dot);
  if (const std::size_t open = word.find('('); open != std::string_view::npos && word.back() == ')') {
    condition.language = std::string(word.substr(open + 1, word.size() - open - 2));
    word = word.substr(0, open);
    if (word.size() < 3 || word.substr(word.size() - 3) != "fts" || condition.language.empty()) return false;
  }
  if (std::find(kOperators.begin(), kOperators.end(), word) == kOperators.end()) return false;
  condition.op = std::string(word);
  condition.value = std::string(text.substr(dot + 1));
  return true;
}

std::vector<Condition> parse_group(std::string_view text, const std::string &whole, int depth);

// A value in double quotes without them; a backslash takes the next character as it is.
std::string unquoted(const std::string &value) {
  if (value.size() < 2 || value.front() != '"' || value.back() != '"') return value;
  std::string plain;
  for (std::size_t i = 1; i + 1 < value.size(); ++i) {
    if (value[i] == '\\' && i + 2 < value.size()) ++i;
    plain += value[i];
  }
  return plain;
}

// One member of a group: `col.op.value`, `and(...)`, `not.or(...)`.
Condition parse_member(std::string_view text, const std::string &whole, int depth) {
  Condition condition;
  std::string_view rest = text;
  if (starts_with(rest, "not.and(") || starts_with(rest, "not.or(")) {
    condition.negated = true;
    rest.remove_prefix(4);
  }
  if (starts_with(rest, "and(") || starts_with(rest, "or(")) {
    condition.kind = starts_with(rest, "and(") ? Condition::Kind::kAnd : Condition::Kind::kOr;
    condition.parts = parse_group(rest.substr(rest.find('(')), whole, depth + 1);
    return condition;
  }
  const std::size_t dot = rest.find('.');
  if (dot == std::string_view::npos || !parse_operation(rest.substr(dot + 1), condition)) {
    throw syntax("logic tree", whole, "expecting column.operator.value, and(...) or or(...)");
  }
  condition.field = parse_field(rest.substr(0, dot), "logic tree");
  condition.value = unquoted(condition.value);
  return condition;
}

std::vector<Condition> parse_group(std::string_view text, const std::string &whole, int depth) {
  if (depth > kDeepestLogic) throw syntax("logic tree", whole, "it nests too deeply");
  if (text.size() < 3 || text.front() != '(' || text.back() != ')') {
    throw syntax("logic tree", whole, "expecting a list of conditions in parentheses");
  }
  std::vector<Condition> parts;
  for (const auto &part : split_list(text.substr(1, text.size() - 2))) {
    parts.push_back(parse_member(trimmed(part), whole, depth));
  }
  return parts;
}

long long parse_count(const std::string &name, const std::string &value) {
  auto number = whole_number(trimmed(value));
  if (!number) throw syntax(name + " parameter", value, "expecting a whole number");
  return *number;
}

HttpError unsatisfiable(std::string details) {
  return HttpError(416, "PGRST103", "Requested range not satisfiable").with_details(std::move(details));
}

// Takes a reserved key in; false when the key is none.
bool take_reserved(const std::string &key, const std::string &value, Query &query) {
  if (key == "select") {
    query.rows.select = parse_select(value);
  } else if (key == "order") {
    query.rows.order = parse_order(value);
  } else if (key == "columns") {
    query.columns = split_trimmed(value, ',');
  } else if (key == "limit") {
    query.rows.limit = parse_count(key, value);
    if (*query.rows.limit < 0) throw unsatisfiable("Limit should be greater than or equal to zero.");
  } else if (key == "page-token") {
    query.rows.page_token = value;
  } else if (key == "offset") {
    query.rows.offset = std::max(0LL, parse_count(key, value));
  } else if (key == "and" || key == "or" || key == "not.and" || key == "not.or") {
    Condition condition;
    condition.negated = starts_with(key, "not.");
    condition.kind = key == "and" || key == "not.and" ? Condition::Kind::kAnd : Condition::Kind::kOr;
    condition.parts = parse_group(trimmed(value), value, 0);
    query.rows.where.push_back(std::move(condition));
  } else {
    return false;
  }
  return true;
}

}  // namespace

Query parse_query(std::string_view text, bool arguments_allowed) {
  Query query;
  for (auto &[key, value] : parse_pairs(text)) {
    if (take_reserved(key, value, query)) continue;
    Condition condition;
    if (parse_operation(value, condition)) {
      condition.field = parse_field(key, "filter");
      query.rows.where.push_back(std::move(condition));
    } else if (arguments_allowed) {
      query.arguments.emplace_back(std::move(key), std::move(value));
    } else {
      throw syntax("filter", value, "expecting an operator (eq, gt, ...); arguments of a POST stand in its body");
    }
  }
  return query;
}

void apply_range(const std::string &range, RowQuery &rows) {
  const std::size_t dash = range.find('-');
  if (dash == std::string::npos) return;
  const auto first = whole_number(std::string_view(range).substr(0, dash));
  const std::string_view upper = std::string_view(range).substr(dash + 1);
  const auto last = whole_number(upper);
  if (!first || *first < 0 || (!last && !upper.empty())) return;
  if (last && *last < *first) {
    throw unsatisfiable("The lower boundary must be lower than or equal to the upper boundary in the Range header.");
  }
  constexpr long long kMost = std::numeric_limits<long long>::max();
  std::optional<long long> end;  // exclusive, of both
  if (last && *last < kMost) end = *last + 1;
  if (rows.limit && *rows.limit <= kMost - rows.offset) {
    end = std::min(end.value_or(kMost), rows.offset + *rows.limit);
  }
  rows.offset = std::max(rows.offset, *first);
  if (end) rows.limit = std::max(0LL, *end - rows.offset);
}

}  // namespace nexus::bridge
