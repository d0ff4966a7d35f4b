#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/interrupt.hpp"
#include "core/jsonschema/document.hpp"
#include "core/jsonschema/pattern.hpp"

namespace nexus::jsonschema {

enum class Draft : std::uint8_t { draft7, draft2020_12 };

/// draft7 or draft2020-12; any other is 22023.
Draft parse_draft(std::string_view name);

/// The draft that "$schema" of a schema names, 2020-12 where there is none; 0A000 for one that is not known here.
Draft draft_of(const Document &schema);

/// What a keyword asks, ready to be checked. Which members are used depends on the keyword.
enum class Keyword : std::uint8_t {
  never,  // the schema false
  type,
  enumeration,
  constant,
  multiple_of,
  maximum,
  exclusive_maximum,
  minimum,
  exclusive_minimum,
  max_length,
  min_length,
  pattern,
  max_items,
  min_items,
  unique_items,
  max_properties,
  min_properties,
  required,
  dependent_required,
  ref,
  dynamic_ref,
  all_of,
  any_of,
  one_of,
  negation,
  condition,
  dependent_schemas,
  items,
  contains,
  properties,
  property_names,
  unevaluated_items,
  unevaluated_properties
};

using SchemaId = std::uint32_t;
constexpr SchemaId kNoSchema = UINT32_MAX;

/// Members that an object must have: as the schema lists them, and in the order in which jsonb keeps keys.
struct Names {
  std::vector<std::string_view> listed, ordered;
};

struct Dependency {
  std::string_view key;
  Place at;                     // in the schema
  Names required{};             // of an array
  SchemaId schema = kNoSchema;  // of a schema
};

struct Member {
  std::string_view key;
  SchemaId schema;
};

struct Check {
  Keyword keyword;
  Place at;                         // of the keyword's value in the schema
  std::uint8_t types = 0;           // type: bit n is Kind n, bit 6 is integer
  std::int64_t limit = 0;           // a length or count; contains: the least number
  std::int64_t upper_limit = 0;     // contains: the greatest
  Decimal number{};                 // a bound or divisor
  int expression = 0;               // pattern
  std::vector<SchemaId> schemas{};  // of applicators; items: those of the first elements; condition: if, then, else
  SchemaId rest = kNoSchema;        // items: of further elements; properties: additionalProperties
  Names names{};                    // required
  std::vector<Member> members{};    // properties, as the schema has them
  std::unordered_map<std::string_view, std::uint32_t> member_of{};  // where in members
  std::vector<std::pair<int, SchemaId>> patterns{};                 // patternProperties
  std::vector<Dependency> dependencies{};
  std::vector<std::pair<std::uint32_t, SchemaId>> dynamic{};  // $dynamicRef: what an entered resource makes of it
};

struct Subschema {
  Place at;                // in the schema
  std::uint32_t resource;  // the $id that it belongs to
  std::vector<Check> checks;
};

/// A schema, compiled. The document's texts, and `matcher`, must outlive it.
///
/// Errors: 22023 for a keyword of the wrong shape or a reference to nothing, each with its place; 0A000 for a reference
/// to another document; 2201B for a pattern that is none; 54000 for a schema with too many parts.
class Schema {
 public:
  Schema(Document document, Draft draft, Matcher &matcher, Interrupt interrupt);

  const Document &document() const { return document_; }
  Draft draft() const { return draft_; }
  Matcher &matcher() const { return *matcher_; }
  const Subschema &operator[](SchemaId id) const { return subschemas_[id]; }
  static constexpr SchemaId kRoot = 0;

  /// Some part asks for what other parts have left unevaluated.
  bool tracks_evaluated() const { return tracks_evaluated_; }

  /// Some reference depends on the way to it.
  bool has_dynamic_references() const { return has_dynamic_references_; }

 private:
  friend class Compiler;

  Document document_;
  Draft draft_;
  Matcher *matcher_;
  std::vector<Subschema> subschemas_;
  bool tracks_evaluated_ = false;
  bool has_dynamic_references_ = false;
};

}  // namespace nexus::jsonschema
