#include "core/jsonschema/validator.hpp"

#include <algorithm>
#include <optional>

#include "core/error.hpp"
#include "core/jsonschema/resources.hpp"

namespace nexus::jsonschema {

namespace {

constexpr int kMaxDepth = 1500;  // each level takes below a kilobyte of the stack

std::int64_t codepoints(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

std::string quoted(std::string_view text) {
  return "\"" + std::string(text) + "\"";
}

/// Which children of one object or array have been evaluated.
using Marks = std::vector<bool>;

class Run {
 public:
  Run(const Schema &schema, const Document &document, Interrupt interrupt, std::vector<Violation> *found)
      : schema_(schema), document_(&document), interrupt_(interrupt), found_(found) {}

  bool evaluate(SchemaId id, Place at, Marks *outer) {
    interrupt_.poll();
    const Subschema &subschema = schema_[id];
    if (subschema.checks.empty()) return true;
    if (depth_ >= kMaxDepth)
      throw Error("54001", "the schema and the document lead deeper than 1500 levels")
          .detail("This is at " + quoted(schema_.document().pointer(subschema.at)) + " of the schema.")
          .hint("Look for a part that refers to itself for the same value.");
    ++depth_;
    bool enters = scope_.empty() || scope_.back() != subschema.resource;
    if (enters) scope_.push_back(subschema.resource);
    bool valid = true;
    if (schema_.tracks_evaluated() && value(at).kind >= Kind::array) {
      valid = evaluate_marked(subschema, at, outer);
    } else {
      for (const Check &check : subschema.checks) {
        if (fits(check, at, nullptr)) continue;
        valid = false;
        if (found_ == nullptr) break;
      }
    }
    if (enters) scope_.pop_back();
    --depth_;
    return valid;
  }

 private:
  const Value &value(Place at) const { return (*document_)[at]; }

  bool evaluate_marked(const Subschema &subschema, Place at, Marks *outer) {
    Marks marks(value(at).size);
    bool valid = true;
    for (const Check &check : subschema.checks) {
      if (fits(check, at, &marks)) continue;
      valid = false;
      if (found_ == nullptr) break;
    }
    if (valid && outer != nullptr)
      for (std::size_t i = 0; i < marks.size(); ++i)
        if (marks[i]) (*outer)[i] = true;
    return valid;
  }

  /// Evaluates without collecting violations: where failing is no fault.
  bool quietly(SchemaId id, Place at, Marks *marks) {
    std::vector<Violation> *found = found_;
    found_ = nullptr;
    bool valid = evaluate(id, at, marks);
    found_ = found;
    return valid;
  }

  template <class Message>
  bool fail(const Check &check, Place at, Message message) {
    if (found_ != nullptr && found_->size() < kMaxViolations) keep(check, at, message());
    return false;
  }

  void keep(const Check &check, Place at, std::string message) {
    if (found_->size() == kMaxViolations - 1) {
      found_->push_back({"", "", "", "there are more violations than are listed"});
      return;
    }
    const Document &schema = schema_.document();
    std::string keyword(schema[check.at].key);
    if (check.keyword == Keyword::never) {
      Holds how = holds(keyword, schema_.draft());
      if (how != Holds::schema && how != Holds::schema_or_list) keyword = "false schema";
    }
    found_->push_back({document_->pointer(at), schema.pointer(check.at), std::move(keyword), std::move(message)});
  }

  bool fits(const Check &check, Place at, Marks *marks) {
    const Value &here = value(at);
    switch (check.keyword) {
      case Keyword::never:
        return fail(check, at, [&] {
          return here.key.empty() ? std::string("no value is allowed here") : quoted(here.key) + " is not allowed";
        });
      case Keyword::type:
        return fits_type(check, at, here);
      case Keyword::enumeration:
        return fits_enumeration(check, at);
      case Keyword::constant:
        if (Document::compare(*document_, at, schema_.document(), check.at, interrupt_) == 0) return true;
        return fail(check, at, [] { return std::string("must be the one value that is allowed"); });
      case Keyword::multiple_of:
      case Keyword::maximum:
      case Keyword::exclusive_maximum:
      case Keyword::minimum:
      case Keyword::exclusive_minimum:
        return here.kind != Kind::number || fits_number(check, at, here.number);
      case Keyword::max_length:
      case Keyword::min_length:
        return here.kind != Kind::string || fits_count(check, at, codepoints(here.text));
      case Keyword::pattern:
        if (here.kind != Kind::string || schema_.matcher().matches(check.expression, here.text)) return true;
        return fail(check, at, [&] { return "must match " + quoted(schema_.document()[check.at].text); });
      case Keyword::max_items:
      case Keyword::min_items:
        return here.kind != Kind::array || fits_count(check, at, here.size);
      case Keyword::max_properties:
      case Keyword::min_properties:
        return here.kind != Kind::object || fits_count(check, at, here.size);
      case Keyword::unique_items:
        return here.kind != Kind::array || fits_unique(check, at);
      case Keyword::required:
        return here.kind != Kind::object || fits_required(check, at, check.names, {});
      case Keyword::dependent_required:
      case Keyword::dependent_schemas:
        return here.kind != Kind::object || fits_dependencies(check, at, marks);
      case Keyword::ref:
        return evaluate(check.schemas[0], at, marks);
      case Keyword::dynamic_ref:
        return evaluate(dynamic_target(check), at, marks);
      case Keyword::all_of:
        return fits_all(check, at, marks);
      case Keyword::any_of:
        return fits_any(check, at, marks);
      case Keyword::one_of:
        return fits_one(check, at, marks);
      case Keyword::negation:
        if (!quietly(check.schemas[0], at, nullptr)) return true;
        return fail(check, at, [] { return std::string("must not fit the schema of not"); });
      case Keyword::condition: {
        SchemaId then = check.schemas[quietly(check.schemas[0], at, marks) ? 1 : 2];
        return then == kNoSchema || evaluate(then, at, marks);
      }
      case Keyword::items:
        return here.kind != Kind::array || fits_items(check, at, marks);
      case Keyword::contains:
        return here.kind != Kind::array || fits_contains(check, at, marks);
      case Keyword::properties:
        return here.kind != Kind::object || fits_properties(check, at, marks);
      case Keyword::property_names:
        return here.kind != Kind::object || fits_names(check, at);
      case Keyword::unevaluated_items:
        return here.kind != Kind::array || fits_unevaluated(check, at, *marks);
      case Keyword::unevaluated_properties:
        return here.kind != Kind::object || fits_unevaluated(check, at, *marks);
    }
    return true;
  }

  bool fits_type(const Check &check, Place at, const Value &here) {
    unsigned bits = 1U << static_cast<unsigned>(here.kind);
    if (here.kind == Kind::number && here.number.is_integer()) bits |= 1U << 6;
    if ((check.types & bits) != 0) return true;
    return fail(check, at, [&] {
      static constexpr std::string_view kNames[] = {"null",  "boolean", "number", "string",
                                                    "array", "object",  "integer"};
      std::string types;
      for (unsigned i = 0; i < 7; ++i)
        if ((check.types >> i & 1U) != 0) types.append(types.empty() ? "" : " or ").append(kNames[i]);
      return "must be of type " + types + ", is " + std::string(name(here.kind));
    });
  }

  bool fits_enumeration(const Check &check, Place at) {
    const Document &schema = schema_.document();
    for (Place one = schema.first(check.at); one != schema.behind(check.at); one = schema.next(one))
      if (Document::compare(*document_, at, schema, one, interrupt_) == 0) return true;
    return fail(check, at, [] { return std::string("must be one of the values that are allowed"); });
  }

  bool fits_number(const Check &check, Place at, const Decimal &number) {
    const char *must = "";
    bool fits = false;
    if (check.keyword == Keyword::multiple_of) {
      fits = number.is_multiple_of(check.number);
      must = "must be a multiple of ";
    } else {
      int order = number.compare(check.number);
      switch (check.keyword) {
        case Keyword::maximum:
          fits = order <= 0;
          must = "must be at most ";
          break;
        case Keyword::exclusive_maximum:
          fits = order < 0;
          must = "must be less than ";
          break;
        case Keyword::minimum:
          fits = order >= 0;
          must = "must be at least ";
          break;
        default:
          fits = order > 0;
          must = "must be more than ";
          break;
      }
    }
    return fits || fail(check, at, [&] { return must + check.number.text(); });
  }

  bool fits_count(const Check &check, Place at, std::int64_t count) {
    bool at_most = check.keyword == Keyword::max_length || check.keyword == Keyword::max_items ||
                   check.keyword == Keyword::max_properties;
    if (at_most ? count <= check.limit : count >= check.limit) return true;
    return fail(check, at, [&] {
      const char *what = check.keyword <= Keyword::min_length  ? " characters"
                         : check.keyword <= Keyword::min_items ? " elements"
                                                               : " members";
      return std::string("must have at ") + (at_most ? "most " : "least ") + std::to_string(check.limit) + what +
             ", has " + std::to_string(count);
    });
  }

  bool fits_unique(const Check &check, Place at) {
    std::vector<Place> elements;
    elements.reserve(value(at).size);
    const Document &document = *document_;
    for (Place child = document.first(at); child != document.behind(at); child = document.next(child))
      elements.push_back(child);
    auto compare = [&](Place a, Place b) { return Document::compare(document, a, document, b, interrupt_); };
    std::sort(elements.begin(), elements.end(), [&](Place a, Place b) { return compare(a, b) < 0; });
    auto same =
        std::adjacent_find(elements.begin(), elements.end(), [&](Place a, Place b) { return compare(a, b) == 0; });
    if (same == elements.end()) return true;
    return fail(check, at, [&] {
      return "must have no equal elements: " + document.pointer(std::min(same[0], same[1])) + " and " +
             document.pointer(std::max(same[0], same[1])) + " are equal";
    });
  }

  bool fits_required(const Check &check, Place at, const std::vector<std::string_view> &names,
                     std::string_view because) {
    bool fits = true;
    for (std::string_view name : names) {
      interrupt_.poll();
      if (document_->member(at, name) != Document::kNone) continue;
      fits = fail(check, at, [&] {
        std::string message = "must have the member " + quoted(name);
        return because.empty() ? message : message + ", as it has " + quoted(because);
      });
      if (found_ == nullptr) break;
    }
    return fits;
  }

  bool fits_dependencies(const Check &check, Place at, Marks *marks) {
    bool fits = true;
    for (const Dependency &dependency : check.dependencies) {
      if (document_->member(at, dependency.key) == Document::kNone) continue;
      bool one = dependency.schema == kNoSchema ? fits_required(check, at, dependency.required, dependency.key)
                                                : evaluate(dependency.schema, at, marks);
      fits = fits && one;
      if (!fits && found_ == nullptr) break;
    }
    return fits;
  }

  /// The outermost resource on the way here that has the anchor decides.
  SchemaId dynamic_target(const Check &check) const {
    for (std::uint32_t resource : scope_)
      for (auto [owner, schema] : check.dynamic)
        if (owner == resource) return schema;
    return check.schemas[0];
  }

  bool fits_all(const Check &check, Place at, Marks *marks) {
    bool fits = true;
    for (SchemaId schema : check.schemas) {
      fits = evaluate(schema, at, marks) && fits;
      if (!fits && found_ == nullptr) break;
    }
    return fits;
  }

  bool fits_any(const Check &check, Place at, Marks *marks) {
    std::size_t before = found_ == nullptr ? 0 : found_->size();
    bool fits = false;
    for (SchemaId schema : check.schemas) {
      fits = evaluate(schema, at, marks) || fits;
      if (fits && marks == nullptr) break;  // what the others evaluate is asked for only with marks
    }
    if (fits && found_ != nullptr) found_->resize(before);
    return fits || fail(check, at, [] { return std::string("must fit one of the schemas of anyOf"); });
  }

  bool fits_one(const Check &check, Place at, Marks *marks) {
    std::size_t before = found_ == nullptr ? 0 : found_->size();
    std::size_t fitting = 0;
    for (SchemaId schema : check.schemas) {
      if (evaluate(schema, at, marks)) ++fitting;
      if (fitting > 1) break;
    }
    if (fitting > 0 && found_ != nullptr) found_->resize(before);
    return fitting == 1 || fail(check, at, [&] {
             return std::string("must fit one of the schemas of oneOf, fits ") +
                    (fitting == 0 ? "none" : "more than one");
           });
  }

  bool fits_items(const Check &check, Place at, Marks *marks) {
    bool fits = true;
    std::size_t index = 0;
    for (Place child = document_->first(at); child != document_->behind(at); child = document_->next(child), ++index) {
      SchemaId schema = index < check.schemas.size() ? check.schemas[index] : check.rest;
      if (schema == kNoSchema) break;
      fits = evaluate(schema, child, nullptr) && fits;
      if (!fits && found_ == nullptr) break;
      if (marks != nullptr) (*marks)[index] = true;
    }
    return fits;
  }

  bool fits_contains(const Check &check, Place at, Marks *marks) {
    std::int64_t count = 0;
    std::size_t index = 0;
    for (Place child = document_->first(at); child != document_->behind(at); child = document_->next(child), ++index) {
      if (!quietly(check.schemas[0], child, nullptr)) continue;
      ++count;
      if (marks != nullptr && schema_.draft() != Draft::draft7) (*marks)[index] = true;
    }
    if (count >= check.limit && count <= check.upper_limit) return true;
    return fail(check, at, [&] {
      return count < check.limit ? "must contain at least " + std::to_string(check.limit) +
                                       " elements that fit, contains " + std::to_string(count)
                                 : "must contain at most " + std::to_string(check.upper_limit) +
                                       " elements that fit, contains " + std::to_string(count);
    });
  }

  bool fits_properties(const Check &check, Place at, Marks *marks) {
    bool fits = true;
    std::size_t index = 0;
    for (Place child = document_->first(at); child != document_->behind(at); child = document_->next(child), ++index) {
      std::string_view key = value(child).key;
      bool known = false;
      auto judge = [&](SchemaId schema) {
        known = true;
        fits = evaluate(schema, child, nullptr) && fits;
      };
      if (auto found = check.members.find(key); found != check.members.end()) judge(found->second);
      for (auto [expression, schema] : check.patterns)
        if (schema_.matcher().matches(expression, key)) judge(schema);
      if (!known && check.rest != kNoSchema) judge(check.rest);
      if (!fits && found_ == nullptr) break;
      if (known && marks != nullptr) (*marks)[index] = true;
    }
    return fits;
  }

  bool fits_names(const Check &check, Place at) {
    const Document &outer = *document_;
    bool fits = true;
    for (Place child = outer.first(at); child != outer.behind(at); child = outer.next(child)) {
      Document name;
      name.string(outer[child].key);
      document_ = &name;
      bool one = quietly(check.schemas[0], Document::kRoot, nullptr);
      document_ = &outer;
      if (one) continue;
      fits = fail(check, child, [&] { return "the name " + quoted(outer[child].key) + " is not allowed"; });
      if (found_ == nullptr) break;
    }
    return fits;
  }

  bool fits_unevaluated(const Check &check, Place at, Marks &marks) {
    bool fits = true;
    std::size_t index = 0;
    for (Place child = document_->first(at); child != document_->behind(at); child = document_->next(child), ++index) {
      if (marks[index]) continue;
      fits = evaluate(check.schemas[0], child, nullptr) && fits;
      if (!fits && found_ == nullptr) break;
      marks[index] = true;
    }
    return fits;
  }

  const Schema &schema_;
  const Document *document_;
  Interrupt interrupt_;
  std::vector<Violation> *found_;
  std::vector<std::uint32_t> scope_;
  int depth_ = 0;
};

}  // namespace

bool is_valid(const Schema &schema, const Document &document, Interrupt interrupt) {
  return Run(schema, document, interrupt, nullptr).evaluate(Schema::kRoot, Document::kRoot, nullptr);
}

std::vector<Violation> violations(const Schema &schema, const Document &document, Interrupt interrupt) {
  std::vector<Violation> found;
  Run(schema, document, interrupt, &found).evaluate(Schema::kRoot, Document::kRoot, nullptr);
  return found;
}

}  // namespace nexus::jsonschema
