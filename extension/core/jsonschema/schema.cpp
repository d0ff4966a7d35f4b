#include "core/jsonschema/schema.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "core/error.hpp"
#include "core/jsonschema/resources.hpp"

namespace nexus::jsonschema {

namespace {

constexpr std::size_t kMaxParts = 1000000;  // values in a schema document

}  // namespace

Draft parse_draft(std::string_view name) {
  if (name == "draft7") return Draft::draft7;
  if (name == "draft2020-12") return Draft::draft2020_12;
  throw invalid_argument("JSON Schema draft \"" + std::string(name) + "\" is not known")
      .hint("Drafts: draft7, draft2020-12");
}

Draft draft_of(const Document &schema) {
  Place at = schema.member(Document::kRoot, "$schema");
  if (at == Document::kNone) return Draft::draft2020_12;
  if (schema[at].kind != Kind::string) throw invalid_argument("the schema's /$schema must be a string");
  std::string_view uri = schema[at].text;
  if (!uri.empty() && uri.back() == '#') uri.remove_suffix(1);
  if (uri == "http://json-schema.org/draft-07/schema" || uri == "https://json-schema.org/draft-07/schema")
    return Draft::draft7;
  if (uri == "https://json-schema.org/draft/2020-12/schema") return Draft::draft2020_12;
  throw Error("0A000", "the schema's $schema \"" + std::string(schema[at].text) + "\" is not supported")
      .hint("Use http://json-schema.org/draft-07/schema# or https://json-schema.org/draft/2020-12/schema.");
}

/// Compiles each part of the document that the root reaches, once, from a queue: references and cycles need no
/// recursion.
class Compiler {
 public:
  Compiler(Schema &schema, Interrupt &interrupt)
      : schema_(schema), document_(schema.document_), resources_(document_, schema.draft_, interrupt) {
    id_of(Document::kRoot, 0);
    for (SchemaId id = 0; id < schema_.subschemas_.size(); ++id) {
      interrupt.poll();
      compile(id);
    }
  }

 private:
  bool draft7() const { return schema_.draft_ == Draft::draft7; }

  [[noreturn]] void refuse(Place at, const char *must) const {
    throw invalid_argument("the schema's " + document_.pointer(at) + " must be " + must);
  }

  SchemaId id_of(Place place, std::uint32_t resource) {
    if (document_[place].kind != Kind::object && document_[place].kind != Kind::boolean) {
      if (place == Document::kRoot) throw invalid_argument("the schema must be an object or a boolean");
      refuse(place, "a schema: an object or a boolean");
    }
    auto [entry, fresh] = ids_.try_emplace(place, static_cast<SchemaId>(schema_.subschemas_.size()));
    if (fresh) schema_.subschemas_.push_back({place, resource, {}});
    return entry->second;
  }

  /// The subschema at `place`, which stands below another one.
  SchemaId below(SchemaId parent, Place place) {
    return id_of(place, resources_.resource_of(place, schema_.subschemas_[parent].resource));
  }

  std::int64_t count(Place at) const {
    const Value &value = document_[at];
    if (value.kind != Kind::number || !value.number.is_integer() || value.number.is_negative())
      refuse(at, "a number that is not negative and has no fraction");
    std::int64_t number = std::numeric_limits<std::int64_t>::max();
    value.number.to_int64(number);
    return number;
  }

  std::uint8_t type(Place at) const {
    static constexpr std::string_view kNames[] = {"null", "boolean", "number", "string", "array", "object", "integer"};
    if (document_[at].kind == Kind::string)
      for (unsigned i = 0; i < 7; ++i)
        if (kNames[i] == document_[at].text) return static_cast<std::uint8_t>(1U << i);
    refuse(at, "a type: null, boolean, number, integer, string, array or object");
  }

  Names names(Place at) const {
    Names names;
    if (document_[at].kind != Kind::array) refuse(at, "an array of strings");
    for (Place child = document_.first(at); child != document_.behind(at); child = document_.next(child)) {
      if (document_[child].kind != Kind::string) refuse(child, "a string");
      names.listed.push_back(document_[child].text);
    }
    names.ordered = names.listed;
    std::sort(names.ordered.begin(), names.ordered.end(), [](std::string_view a, std::string_view b) {
      return a.size() != b.size() ? a.size() < b.size() : a < b;
    });
    return names;
  }

  std::vector<SchemaId> list(SchemaId parent, Place at, bool may_be_empty = false) {
    if (document_[at].kind != Kind::array || (document_[at].size == 0 && !may_be_empty))
      refuse(at, "an array of schemas with at least one");
    std::vector<SchemaId> schemas;
    for (Place child = document_.first(at); child != document_.behind(at); child = document_.next(child))
      schemas.push_back(below(parent, child));
    return schemas;
  }

  int expression(std::string_view text) { return schema_.matcher_->add(to_postgres(text)); }

  void dependencies(SchemaId parent, Place at, Check &check) {
    if (document_[at].kind != Kind::object) refuse(at, "an object");
    for (Place child = document_.first(at); child != document_.behind(at); child = document_.next(child)) {
      Dependency dependency{document_[child].key, child};
      if (document_[child].kind == Kind::array && check.keyword == Keyword::dependent_required) {
        dependency.required = names(child);
      } else {
        dependency.schema = below(parent, child);
      }
      check.dependencies.push_back(std::move(dependency));
    }
  }

  void reference(SchemaId id, Place at, Check &check) {
    if (document_[at].kind != Kind::string) refuse(at, "a string");
    Resources::Target target = resources_.find(document_[at].text, schema_.subschemas_[id].resource, at);
    check.schemas = {id_of(target.place, target.resource)};
    if (check.keyword != Keyword::dynamic_ref || target.anchor.empty()) return;
    auto is_dynamic = [&](std::uint32_t resource) { return resources_[resource].dynamic_anchors.count(target.anchor); };
    if (is_dynamic(target.resource) == 0) return;
    for (std::uint32_t resource = 0; resource < resources_.size(); ++resource)
      if (is_dynamic(resource) != 0)
        check.dynamic.emplace_back(resource, id_of(resources_[resource].dynamic_anchors.at(target.anchor), resource));
    schema_.has_dynamic_references_ = true;
  }

  /// The keywords that stand for themselves; the others go together (members, elements, conditions).
  void single(SchemaId id, Place at, std::vector<Check> &checks) {
    static const std::unordered_map<std::string_view, Keyword> keywords = {
        {"type", Keyword::type},
        {"enum", Keyword::enumeration},
        {"const", Keyword::constant},
        {"multipleOf", Keyword::multiple_of},
        {"maximum", Keyword::maximum},
        {"exclusiveMaximum", Keyword::exclusive_maximum},
        {"minimum", Keyword::minimum},
        {"exclusiveMinimum", Keyword::exclusive_minimum},
        {"maxLength", Keyword::max_length},
        {"minLength", Keyword::min_length},
        {"pattern", Keyword::pattern},
        {"maxItems", Keyword::max_items},
        {"minItems", Keyword::min_items},
        {"uniqueItems", Keyword::unique_items},
        {"maxProperties", Keyword::max_properties},
        {"minProperties", Keyword::min_properties},
        {"required", Keyword::required},
        {"dependencies", Keyword::dependent_required},
        {"dependentRequired", Keyword::dependent_required},
        {"dependentSchemas", Keyword::dependent_schemas},
        {"$ref", Keyword::ref},
        {"$dynamicRef", Keyword::dynamic_ref},
        {"allOf", Keyword::all_of},
        {"anyOf", Keyword::any_of},
        {"oneOf", Keyword::one_of},
        {"not", Keyword::negation},
        {"propertyNames", Keyword::property_names},
        {"unevaluatedItems", Keyword::unevaluated_items},
        {"unevaluatedProperties", Keyword::unevaluated_properties},
    };
    auto found = keywords.find(document_[at].key);
    if (found == keywords.end()) return;
    const Value &value = document_[at];
    if (draft7() &&
        (value.key == "dependentRequired" || value.key == "dependentSchemas" || value.key == "$dynamicRef" ||
         value.key == "unevaluatedItems" || value.key == "unevaluatedProperties"))
      return;
    Check check{found->second, at};
    switch (check.keyword) {
      case Keyword::type:
        if (value.kind != Kind::array) {
          check.types = type(at);
          break;
        }
        for (Place child = document_.first(at); child != document_.behind(at); child = document_.next(child))
          check.types = static_cast<std::uint8_t>(check.types | type(child));
        break;
      case Keyword::enumeration:
        if (value.kind != Kind::array) refuse(at, "an array");
        break;
      case Keyword::multiple_of:
        if (value.kind != Kind::number || value.number.is_negative() || value.number.is_zero())
          refuse(at, "a number above 0");
        check.number = value.number;
        static_cast<void>(Decimal().is_multiple_of(check.number));  // refuses what it cannot do now, not per document
        break;
      case Keyword::maximum:
      case Keyword::exclusive_maximum:
      case Keyword::minimum:
      case Keyword::exclusive_minimum:
        if (value.kind != Kind::number) refuse(at, "a number");
        check.number = value.number;
        break;
      case Keyword::max_length:
      case Keyword::min_length:
      case Keyword::max_items:
      case Keyword::min_items:
      case Keyword::max_properties:
      case Keyword::min_properties:
        check.limit = count(at);
        break;
      case Keyword::pattern:
        if (value.kind != Kind::string) refuse(at, "a string");
        check.expression = expression(value.text);
        break;
      case Keyword::unique_items:
        if (value.kind != Kind::boolean) refuse(at, "a boolean");
        if (!value.truth) return;
        break;
      case Keyword::required:
        check.names = names(at);
        break;
      case Keyword::dependent_required:
      case Keyword::dependent_schemas:
        dependencies(id, at, check);
        break;
      case Keyword::ref:
      case Keyword::dynamic_ref:
        reference(id, at, check);
        break;
      case Keyword::all_of:
      case Keyword::any_of:
      case Keyword::one_of:
        check.schemas = list(id, at);
        break;
      case Keyword::unevaluated_items:
      case Keyword::unevaluated_properties:
        schema_.tracks_evaluated_ = true;
        [[fallthrough]];
      case Keyword::negation:
      case Keyword::property_names:
        check.schemas = {below(id, at)};
        break;
      default:
        break;
    }
    checks.push_back(std::move(check));
  }

  void conditions(SchemaId id, Place place, std::vector<Check> &checks) {
    Place condition = document_.member(place, "if");
    if (condition == Document::kNone) return;
    Check check{Keyword::condition, condition};
    check.schemas = {below(id, condition), kNoSchema, kNoSchema};
    if (Place at = document_.member(place, "then"); at != Document::kNone) check.schemas[1] = below(id, at);
    if (Place at = document_.member(place, "else"); at != Document::kNone) check.schemas[2] = below(id, at);
    checks.push_back(std::move(check));
  }

  void elements(SchemaId id, Place place, std::vector<Check> &checks) {
    Place items = document_.member(place, "items");
    Place prefix = draft7() ? Document::kNone : document_.member(place, "prefixItems"), rest = items;
    if (draft7() && items != Document::kNone && document_[items].kind == Kind::array) {
      prefix = items;
      rest = document_.member(place, "additionalItems");
    }
    if (prefix != Document::kNone || rest != Document::kNone) {
      Check check{Keyword::items, rest != Document::kNone ? rest : prefix};
      if (prefix != Document::kNone) check.schemas = list(id, prefix, draft7());
      if (rest != Document::kNone) check.rest = below(id, rest);
      checks.push_back(std::move(check));
    }
    Place contains = document_.member(place, "contains");
    if (contains == Document::kNone) return;
    Check check{Keyword::contains, contains};
    check.schemas = {below(id, contains)};
    check.limit = 1;
    check.upper_limit = std::numeric_limits<std::int64_t>::max();
    if (!draft7()) {
      if (Place at = document_.member(place, "minContains"); at != Document::kNone) check.limit = count(at);
      if (Place at = document_.member(place, "maxContains"); at != Document::kNone) check.upper_limit = count(at);
    }
    checks.push_back(std::move(check));
  }

  void members(SchemaId id, Place place, std::vector<Check> &checks) {
    Place properties = document_.member(place, "properties");
    Place patterns = document_.member(place, "patternProperties");
    Place additional = document_.member(place, "additionalProperties");
    Check check{Keyword::properties, Document::kNone};
    for (Place at : {properties, patterns, additional})
      if (at != Document::kNone) check.at = at;
    if (check.at == Document::kNone) return;
    for (Place at : {properties, patterns}) {
      if (at == Document::kNone) continue;
      if (document_[at].kind != Kind::object) refuse(at, "an object");
      for (Place child = document_.first(at); child != document_.behind(at); child = document_.next(child)) {
        SchemaId schema = below(id, child);
        if (at == properties) {
          check.member_of.emplace(document_[child].key, static_cast<std::uint32_t>(check.members.size()));
          check.members.push_back({document_[child].key, schema});
        } else {
          check.patterns.emplace_back(expression(document_[child].key), schema);
        }
      }
    }
    if (additional != Document::kNone) check.rest = below(id, additional);
    checks.push_back(std::move(check));
  }

  void compile(SchemaId id) {
    Place place = schema_.subschemas_[id].at;
    std::vector<Check> checks;
    if (document_[place].kind == Kind::boolean) {
      if (!document_[place].truth) checks.push_back({Keyword::never, place});
    } else if (Place at = document_.member(place, "$ref"); draft7() && at != Document::kNone) {
      single(id, at, checks);  // draft 7: whatever stands beside a $ref is ignored
    } else {
      for (at = document_.first(place); at != document_.behind(place); at = document_.next(at)) single(id, at, checks);
      conditions(id, place, checks);
      elements(id, place, checks);
      members(id, place, checks);
    }
    // Cheap ones first; what asks for the unevaluated rest comes last by its number.
    std::stable_sort(checks.begin(), checks.end(),
                     [](const Check &a, const Check &b) { return a.keyword < b.keyword; });
    schema_.subschemas_[id].checks = std::move(checks);
  }

  Schema &schema_;
  const Document &document_;
  Resources resources_;
  std::unordered_map<Place, SchemaId> ids_;
};

Schema::Schema(Document document, Draft draft, Matcher &matcher, Interrupt interrupt)
    : document_(std::move(document)), draft_(draft), matcher_(&matcher) {
  if (document_.size() > kMaxParts) throw Error("54000", "the schema has more than 1000000 values");
  Compiler(*this, interrupt);
}

}  // namespace nexus::jsonschema
