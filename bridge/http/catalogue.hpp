#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nexus::bridge {

/// A type as the catalogue knows it.
struct Type {
  std::uint32_t oid = 0;
  std::string sql;      ///< quoted and with its schema; has no length, so nothing is cut off
  std::string display;  ///< as PostgreSQL writes it in messages: "integer"
  bool pseudo = false;  ///< anyelement and the like: no parameter can have it
};

struct Argument {
  std::string name;  ///< empty: the one unnamed argument
  Type type;
  bool required = true;
  bool variadic = false;
};

struct Column {
  std::string name;
  Type base;  ///< domains resolved
};

/// What a function gives back, as far as the shape of the answer goes.
enum class Returns { kVoid, kScalar, kRecord, kRow };

/// A function that can be called over HTTP.
struct Function {
  std::string schema, name;
  std::vector<Argument> arguments;  ///< IN, INOUT and VARIADIC ones, in order
  bool is_volatile = true;
  bool set = false;
  Returns returns = Returns::kVoid;
  std::vector<Column> columns;  ///< of a kRow
  std::uint32_t row_type = 0;   ///< the composite type of a kRow; 0 for OUT arguments and TABLE
  std::string media_type;       ///< the name of a domain like "text/html"; else empty
  Type media_base;              ///< what that domain is made of

  bool has_unnamed_argument() const { return arguments.size() == 1 && arguments[0].name.empty(); }
};

/// A function of one row: `select=id,always_true`.
struct ComputedColumn {
  std::string schema, name;
};

/// An immutable picture of the exposed schemas; requests share it and a reload replaces it.
class Catalogue {
 public:
  std::map<std::string, std::map<std::string, std::vector<Function>>> schemas;
  std::map<std::pair<std::uint32_t, std::string>, ComputedColumn> computed;
  std::map<std::string, std::vector<std::pair<std::string, std::string>>> role_settings;

  /// All functions of that name, or null.
  const std::vector<Function> *find(const std::string &schema, const std::string &name) const {
    auto in_schema = schemas.find(schema);
    if (in_schema == schemas.end()) return nullptr;
    auto found = in_schema->second.find(name);
    return found == in_schema->second.end() ? nullptr : &found->second;
  }
};

using CataloguePtr = std::shared_ptr<const Catalogue>;

/// "name" with its quotes doubled: only for names that came from the catalogue, and for labels of result columns.
std::string quote_name(std::string_view name);

/// "schema"."name"
inline std::string qualified_name(std::string_view schema, std::string_view name) {
  return quote_name(schema) + "." + quote_name(name);
}

}  // namespace nexus::bridge
