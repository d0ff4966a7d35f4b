#include "bridge/http/sql.hpp"

#include <algorithm>

#include "bridge/http/error.hpp"
#include "bridge/http/keyset.hpp"
#include "bridge/http/text.hpp"

namespace nexus::bridge {
namespace {

constexpr std::uint32_t kText = 25, kInt8 = 20, kTsVector = 3614;
constexpr const char *kScalarLabel = "pgrst_scalar";
// The size of all answers of a batch so far. What is volatile stays where it stands: it is computed once.
constexpr const char *kSummed =
    "(SELECT *, pg_catalog.set_config('nexus_bridge.size', (coalesce(nullif(pg_catalog.current_setting("
    "'nexus_bridge.size', true), ''), '0')::int8 + coalesce(pg_catalog.octet_length(body), 0))::text, true)::int8 AS "
    "size FROM ";

struct Expression {
  std::string sql;
  Type type;
};

class CallWriter {
 public:
  explicit CallWriter(Plan &plan) : plan_(plan), function_(*plan.function), call_(plan.call) {}

  void write(const std::vector<BoundArgument> &arguments, const std::string &from) {
    if (plan_.streamed) return write_lines(arguments, from);
    const std::string page = page_sql(arguments, from);
    const bool counted = plan_.preferences.count_exact && function_.set;
    const bool one = is_one_value();
    std::string sql = one ? "" : pages_sql(page, counted);
    const std::string total = counted ? "(SELECT pg_catalog.count(*) FROM pgrst_source)::text" : "NULL::text";
    const std::string limit = call_.bind(std::to_string(plan_.max_response), kInt8);
    const std::string size = plan_.in_batch ? "size" : "pg_catalog.octet_length(body)";
    sql += "SELECT total, amount, CASE WHEN " + size + " <= " + limit + " THEN body END, headers, status, (" + size +
           " <= " + limit + ")::text" + sound_sql(size, limit) + keep_sql(size, limit) +
           (plan_.keyset ? ", " + page_end_sql() : "") + " FROM " + (plan_.in_batch ? kSummed : "") + "(SELECT " +
           total + " AS total, " + (one ? "'1'" : "pg_catalog.count(*)::text") + " AS amount, " +
           (one ? value_sql() : body_sql()) +
           " AS body, nullif(pg_catalog.current_setting('response.headers', true), '') AS headers"
           ", nullif(pg_catalog.current_setting('response.status', true), '') AS status FROM " +
           (one ? "(" + page + " OFFSET 0) pgrst_page OFFSET 0" : "pgrst_page") + ") pgrst_answer" +
           (plan_.in_batch ? ") pgrst_sum" : "");
    call_.sql = std::move(sql);
  }

 private:
  // One row of text for each line, none of them longer than an answer may be.
  void write_lines(const std::vector<BoundArgument> &arguments, const std::string &from) {
    const std::string page = page_sql(arguments, from) + (function_.set ? paging() : "");
    const std::string limit = call_.bind(std::to_string(plan_.max_response), kInt8);
    call_.sql = "WITH pgrst_page AS (" + page + ") SELECT CASE WHEN pg_catalog.octet_length(line) <= " + limit +
                " THEN line END FROM (SELECT " + line_sql() + " AS line FROM pgrst_page OFFSET 0) pgrst_lines";
  }

  // The commonest call: its one value needs no aggregate, which would cost more than many a function. OFFSET 0 keeps
  // the planner from computing it where it is used, that is twice.
  bool is_one_value() const {
    const bool json = plan_.media.shape == Shape::kJson || plan_.media.shape == Shape::kSingular;
    return json && !function_.set && function_.returns != Returns::kRow;
  }

  static std::string value_sql() {
    return std::string("coalesce(pg_catalog.to_json(pgrst_page.") + kScalarLabel + ")::text, 'null')";
  }

  // White space between the tokens of a json column may hold line ends; in its strings there are none.
  std::string line_sql() const {
    const bool scalar = function_.returns != Returns::kRow;
    const std::string json = scalar ? value_sql() : "pg_catalog.row_to_json(pgrst_page)::text";
    return "pg_catalog.translate(" + json + ", pg_catalog.chr(10) || pg_catalog.chr(13), '  ')";
  }

  // The rows that the answer is made of.
  std::string pages_sql(const std::string &page, bool counted) {
    if (plan_.keyset) return "WITH " + keyset_sql(page) + " ";
    if (!counted) return "WITH pgrst_page AS (" + page + (function_.set ? paging() : "") + ") ";
    return "WITH pgrst_source AS MATERIALIZED (" + page + "), pgrst_page AS (SELECT * FROM pgrst_source" + paging() +
           ") ";
  }

  // The rows of a page and the one behind it, with the columns of the order beside them.
  std::string keyset_sql(const std::string &page) {
    std::vector<std::string> order;
    for (std::size_t i = 0; i < plan_.rows.order.size(); ++i) {
      order.push_back(key_name(i) + direction(plan_.rows.order[i]));
    }
    page_size_ = call_.bind(std::to_string(*plan_.rows.limit), kInt8);
    return "pgrst_keyed AS (" + page + " LIMIT " + page_size_ +
           " + 1), pgrst_numbered AS (SELECT *, pg_catalog.row_number() OVER w AS pgrst_place, pg_catalog.rank() OVER "
           "w "
           "AS pgrst_rank FROM pgrst_keyed WINDOW w AS (ORDER BY " +
           joined(order, ", ") +
           ")), pgrst_page AS (SELECT pgrst_item FROM pgrst_numbered WHERE pgrst_place <= " + page_size_ +
           " ORDER BY pgrst_place)";
  }

  // The key of the last row where another one follows; '!' where that one has the same key, so that it would be missed.
  std::string page_end_sql() const {
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < plan_.rows.order.size(); ++i) keys.push_back("l." + key_name(i) + "::text");
    return "(SELECT CASE WHEN n.pgrst_rank = l.pgrst_rank THEN '!' WHEN n.pgrst_rank IS NOT NULL THEN "
           "pg_catalog.json_build_array(" +
           joined(keys, ", ") +
           ")::text END FROM pgrst_numbered l LEFT JOIN pgrst_numbered n ON n.pgrst_place = l.pgrst_place + 1 WHERE "
           "l.pgrst_place = " +
           page_size_ + ")";
  }

  static std::string key_name(std::size_t place) { return "pgrst_key" + std::to_string(place + 1); }

  static std::string direction(const OrderItem &item) {
    std::string sql = item.descending ? " DESC" : " ASC";
    if (item.nulls_first) sql += *item.nulls_first ? " NULLS FIRST" : " NULLS LAST";
    return sql;
  }

  std::string item_and_keys_sql() {
    const std::string columns = select_sql();
    std::string sql = columns == "pgrst_call.*"
                          ? "pgrst_call AS pgrst_item"
                          : "(SELECT pgrst_row FROM (SELECT " + columns + ") AS pgrst_row) AS pgrst_item";
    for (std::size_t i = 0; i < plan_.rows.order.size(); ++i) {
      sql += ", " + expression(plan_.rows.order[i].field).sql + " AS " + key_name(i);
    }
    return sql;
  }

  // What stands behind the key: it differs in the first column that does not equal, and there in the direction.
  std::string behind_sql(const PageKey &key) {
    std::vector<std::string> ways, equal;
    for (std::size_t i = 0; i < key.size(); ++i) {
      const OrderItem &item = plan_.rows.order[i];
      const Expression column = expression(item.field);
      const bool nulls_first = item.nulls_first.value_or(item.descending);
      std::string value, further;
      if (key[i]) {
        value = call_.bind(*key[i], column.type.oid);
        further = "(" + column.sql + (item.descending ? " < " : " > ") + value;
        if (!nulls_first) further.append(" OR ").append(column.sql).append(" IS NULL");
        further += ')';
      } else {
        further = nulls_first ? column.sql + " IS NOT NULL" : "FALSE";
      }
      std::vector<std::string> way = equal;
      way.push_back(further);
      ways.push_back("(" + joined(way, " AND ") + ")");
      equal.push_back(key[i] ? column.sql + " = " + value : column.sql + " IS NULL");
    }
    return "(" + joined(ways, " OR ") + ")";
  }

  // What a check behind the call has to know about the result, where a refusal must undo what was done.
  std::string sound_sql(const std::string &size, const std::string &limit) {
    if (plan_.read_only && !plan_.in_batch) return "";
    std::string sql = "coalesce(" + size + " <= " + limit + ", true)";
    const bool plain_scalar = function_.returns == Returns::kScalar && !function_.set;
    if (plan_.media.shape == Shape::kSingular && !plain_scalar) sql += " AND amount = '1'";
    const auto &most = plan_.preferences.max_affected;
    if (plan_.preferences.strict && most) sql += " AND amount::int8 <= " + call_.bind(std::to_string(*most), kInt8);
    if (plan_.rows.offset > 0) {
      sql += " AND coalesce(total::int8 > " + call_.bind(std::to_string(plan_.rows.offset), kInt8) + ", true)";
    }
    return ", pg_catalog.set_config('nexus_bridge.sound', (" + sql + ")::text, true)";
  }

  // The result is kept with its key in the statement that made it: one round trip, and no moment between both.
  std::string keep_sql(const std::string &size, const std::string &limit) {
    if (plan_.idempotency_key.empty()) return "";
    return ", CASE WHEN coalesce(" + size + " <= " + limit +
           ", true) THEN nexus.keep_idempotent_result(nexus.current_user_id(), " +
           call_.bind(plan_.idempotency_key, kText) + ", ARRAY[total, amount, body, headers, status]) END";
  }

  std::string call_sql(const std::vector<BoundArgument> &arguments) const {
    std::vector<std::string> bound;
    for (const auto &[argument, sql] : arguments) {
      std::string text;
      if (argument->variadic) text += "VARIADIC ";
      if (!argument->name.empty()) text += quote_name(argument->name) + " := ";
      bound.push_back(text + sql);
    }
    return qualified_name(function_.schema, function_.name) + "(" + joined(bound, ", ") + ")";
  }

  std::string page_sql(const std::vector<BoundArgument> &arguments, const std::string &from) {
    if (function_.returns != Returns::kRow) {
      refuse_columns();
      return "SELECT " + call_sql(arguments) + " AS " + kScalarLabel + (from.empty() ? "" : " FROM " + from);
    }
    std::string sql = "SELECT " + (plan_.keyset ? item_and_keys_sql() : select_sql()) + " FROM ";
    if (!from.empty()) sql += from + ", LATERAL ";
    sql += call_sql(arguments) + " AS pgrst_call";
    std::vector<std::string> where;
    for (const auto &condition : plan_.rows.where) where.push_back(condition_sql(condition));
    if (!plan_.rows.page_token.empty()) {
      const std::string name = function_.schema + "." + function_.name;
      where.push_back(behind_sql(page_key(plan_.rows.page_token, name, plan_.rows.order)));
    }
    if (!where.empty()) sql += " WHERE " + joined(where, " AND ");
    return sql + order_sql();
  }

  // A bare value has no columns to choose, order or filter by.
  void refuse_columns() const {
    const RowQuery &rows = plan_.rows;
    for (const auto &item : rows.select) {
      if (item.field.column != "*") throw unknown_column(item.field.column);
    }
    if (!rows.order.empty()) throw unknown_column(rows.order[0].field.column);
    if (!rows.where.empty()) throw unknown_column(rows.where[0].field.column);
  }

  HttpError unknown_column(const std::string &name) const {
    return {400, "42703", "column " + function_.name + "." + name + " does not exist"};
  }

  Expression column(const std::string &name) const {
    for (const auto &candidate : function_.columns) {
      if (candidate.name == name) return {"pgrst_call." + quote_name(name), candidate.base};
    }
    auto computed = plan_.catalogue->computed.find({function_.row_type, name});
    if (function_.row_type == 0 || computed == plan_.catalogue->computed.end()) throw unknown_column(name);
    return {qualified_name(computed->second.schema, computed->second.name) + "(pgrst_call)", {}};
  }

  Expression expression(const Field &field) {
    Expression result = column(field.column);
    if (field.path.empty()) return result;
    std::string sql = "pg_catalog.to_jsonb(" + result.sql + ")";
    for (const auto &step : field.path) {
      // A whole number is a place in an array or a key of an object, whichever is there: #> takes both.
      sql.insert(0, "(");
      sql += std::string(step.as_text ? " #>> ARRAY[" : " #> ARRAY[") + call_.bind(step.key, kText) + "])";
    }
    Type type;
    if (field.path.back().as_text) type.oid = kText;
    return {sql, type};
  }

  std::string select_sql() {
    if (plan_.rows.select.empty()) return "pgrst_call.*";
    std::vector<std::string> items;
    for (const auto &[field, label] : plan_.rows.select) {
      if (field.column == "*" && field.path.empty()) {
        items.emplace_back("pgrst_call.*");
        continue;
      }
      const std::string own = field.path.empty() ? field.column : field.path.back().key;
      items.push_back(expression(field).sql + " AS " + quote_name(label.empty() ? own : label));
    }
    return joined(items, ", ");
  }

  std::string order_sql() {
    std::vector<std::string> items;
    for (const auto &item : plan_.rows.order) {
      items.push_back(expression(item.field).sql + direction(item));
    }
    return items.empty() ? "" : " ORDER BY " + joined(items, ", ");
  }

  std::string paging() {
    std::string sql;
    if (plan_.rows.limit) sql += " LIMIT " + call_.bind(std::to_string(*plan_.rows.limit), kInt8);
    if (plan_.rows.offset > 0) sql += " OFFSET " + call_.bind(std::to_string(plan_.rows.offset), kInt8);
    return sql;
  }

  std::string condition_sql(const Condition &condition) {
    std::string sql;
    if (condition.kind == Condition::Kind::kFilter) {
      sql = filter_sql(condition);
    } else {
      std::vector<std::string> parts;
      for (const auto &part : condition.parts) parts.push_back(condition_sql(part));
      sql = joined(parts, condition.kind == Condition::Kind::kAnd ? " AND " : " OR ");
    }
    return (condition.negated ? "NOT (" : "(") + sql + ")";
  }

  std::string filter_sql(const Condition &condition) {
    const Expression left = expression(condition.field);
    const std::string &op = condition.op;
    if (op == "is") return left.sql + " IS " + is_keyword(condition.value);
    if (op == "in") return in_sql(left, condition.value);
    if (op.size() >= 3 && op.substr(op.size() - 3) == "fts") return search_sql(left, condition);
    if (op == "like" || op == "ilike") {
      std::string pattern = condition.value;
      std::replace(pattern.begin(), pattern.end(), '*', '%');
      return left.sql + (op == "like" ? " LIKE " : " ILIKE ") + call_.bind(pattern, kText);
    }
    const char *sign = op == "eq"    ? " = "
                       : op == "neq" ? " <> "
                       : op == "gt"  ? " > "
                       : op == "gte" ? " >= "
                       : op == "lt"  ? " < "
                                     : " <= ";
    return left.sql + sign + call_.bind(condition.value, left.type.oid);
  }

  static const char *is_keyword(const std::string &value) {
    const std::string word = lower_case(value);
    if (word == "null") return "NULL";
    if (word == "not_null") return "NOT NULL";
    if (word == "true") return "TRUE";
    if (word == "false") return "FALSE";
    if (word == "unknown") return "UNKNOWN";
    throw HttpError(400, "PGRST100", "failed to parse filter (is." + value + ")")
        .with_details("expecting null, not_null, true, false or unknown");
  }

  static HttpError bad_list(const std::string &list) {
    return HttpError(400, "PGRST100", "failed to parse filter (in." + list + ")")
        .with_details("expecting a list in parentheses, with closed quotes");
  }

  std::string in_sql(const Expression &left, const std::string &list) {
    if (list.size() < 2 || list.front() != '(' || list.back() != ')') {
      throw bad_list(list);
    }
    if (list == "()") return "FALSE";
    std::vector<std::string> places;
    std::string value;
    bool in_quotes = false;
    for (std::size_t i = 1; i < list.size(); ++i) {
      const char c = list[i];
      if (in_quotes && c == '\\' && i + 1 < list.size()) {
        value += list[++i];
      } else if (c == '"') {
        in_quotes = !in_quotes;
      } else if (!in_quotes && (c == ',' || i + 1 == list.size())) {
        places.push_back(call_.bind(std::move(value), left.type.oid));
        value.clear();
      } else {
        value += c;
      }
    }
    if (in_quotes) throw bad_list(list);
    return left.sql + " IN (" + joined(places, ", ") + ")";
  }

  std::string search_sql(const Expression &left, const Condition &condition) {
    const std::string language =
        condition.language.empty() ? "" : call_.bind(condition.language, kText) + "::pg_catalog.regconfig, ";
    const std::string &op = condition.op;
    const char *parser = op == "fts"     ? "to_tsquery("
                         : op == "plfts" ? "plainto_tsquery("
                         : op == "phfts" ? "phraseto_tsquery("
                                         : "websearch_to_tsquery(";
    std::string document = left.sql;
    if (left.type.oid != kTsVector) document = "pg_catalog.to_tsvector(" + language + document + ")";
    return document + " @@ pg_catalog." + parser + language + call_.bind(condition.value, kText) + ")";
  }

  std::string body_sql() const {
    const bool scalar = function_.returns != Returns::kRow;
    std::string item = scalar ? std::string("pgrst_page.") + kScalarLabel : row_sql();
    switch (plan_.media.shape) {
      case Shape::kRaw: {
        const std::string base = "(pgrst_page." + std::string(kScalarLabel) + "::" + function_.media_base.sql + ")";
        const std::string &type = function_.media_base.display;
        if (type == "bytea") return "pg_catalog.string_agg(" + base + ", ''::bytea)";
        if (type == "xml") return "pg_catalog.xmlagg(" + base + ")::text";
        return "pg_catalog.string_agg(" + base + "::text, '')";
      }
      case Shape::kCsv:
        return csv_sql();
      case Shape::kLines:
        return "coalesce(pg_catalog.string_agg(" + line_sql() + " || pg_catalog.chr(10), ''), '')";
      case Shape::kSingular:
      case Shape::kJson:
        break;
    }
    if (plan_.media.strip_nulls && !scalar)
      item = "pg_catalog.json_strip_nulls(pg_catalog.row_to_json(" + row_sql() + "))";
    const bool single = !function_.set || plan_.media.shape == Shape::kSingular;
    const std::string rows = "pg_catalog.json_agg(" + item + ")";
    return single ? "coalesce((" + rows + "->0)::text, 'null')" : "coalesce(" + rows + "::text, '[]')";
  }

  // The header comes from the rows where there are any: a bare record has no columns in the catalogue.
  std::string csv_sql() const {
    const std::string row = row_sql();
    return "coalesce((SELECT pg_catalog.string_agg(k, ',' ORDER BY o) || pg_catalog.chr(10) FROM (SELECT "
           "pg_catalog.row_to_json(" +
           row +
           ") AS r FROM pgrst_page LIMIT 1) f, pg_catalog.json_object_keys(f.r) WITH "
           "ORDINALITY AS h(k, o)) || pg_catalog.string_agg(pg_catalog.substr(" +
           row + "::text, 2, pg_catalog.length(" + row + "::text) - 2), pg_catalog.chr(10)), '')";
  }

  // A row of the page, without the columns that lead to the next one.
  std::string row_sql() const { return plan_.keyset ? "pgrst_page.pgrst_item" : "pgrst_page"; }

  Plan &plan_;
  const Function &function_;
  Statement &call_;
  std::string page_size_;  // the parameter that holds it
};

}  // namespace

std::string quote_name(std::string_view name) {
  std::string text = "\"";
  for (char c : name) {
    if (c == '"') text += '"';
    text += c;
  }
  return text + '"';
}

std::string Statement::bind(std::string value, std::uint32_t type, bool binary) {
  parameters.push_back({std::move(value), type, binary});
  return "$" + std::to_string(parameters.size());
}

void write_call(Plan &plan, const std::vector<BoundArgument> &arguments, const std::string &from) {
  CallWriter(plan).write(arguments, from);
}

}  // namespace nexus::bridge
