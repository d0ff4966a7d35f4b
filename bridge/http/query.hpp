#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/http/url.hpp"

namespace nexus::bridge {

/// A column, and the way into its JSON: `data->tags->>0` has the steps {false, "tags"}, {true, "0"}.
struct Field {
  struct JsonStep {
    bool as_text;
    std::string key;
  };
  std::string column;
  std::vector<JsonStep> path;
};

/// A column of the answer. The star is a field named "*".
struct SelectItem {
  Field field;
  std::string label;  ///< empty: the column's name, or the last key of the path
};

struct OrderItem {
  Field field;
  bool descending = false;
  std::optional<bool> nulls_first;
};

/// A filter, or several joined by and/or.
struct Condition {
  enum class Kind { kFilter, kAnd, kOr } kind = Kind::kFilter;
  bool negated = false;
  std::vector<Condition> parts;
  Field field;
  std::string op, language, value;
};

/// How the rows of the answer are chosen and shaped.
struct RowQuery {
  std::vector<SelectItem> select;
  std::vector<OrderItem> order;
  std::vector<Condition> where;
  std::optional<long long> limit;
  long long offset = 0;
  std::string page_token;  ///< where a page begins: see keyset.hpp

  bool filters_rows() const { return !where.empty(); }
};

/// A query string, taken apart.
struct Query {
  Pairs arguments;  ///< what is neither reserved nor a filter
  RowQuery rows;
  std::optional<std::vector<std::string>> columns;
};

/// `arguments_allowed`: GET and HEAD; in a POST every other key must be a filter. Throws 400 PGRST100, 416 PGRST103.
///
///     parse_query("id=5&id=gt.2&limit=3", true): argument id=5, a filter on id, limit 3
Query parse_query(std::string_view text, bool arguments_allowed);

/// Narrows limit and offset by a Range header `a-b` or `a-`; any other text is ignored. Throws 416 PGRST103.
void apply_range(const std::string &range, RowQuery &rows);

}  // namespace nexus::bridge
