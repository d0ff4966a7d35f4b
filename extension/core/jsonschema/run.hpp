#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

// One document on its way through a schema: what validator.cpp and assertions.cpp share; nobody else includes it.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/jsonschema/validator.hpp"

namespace nexus::jsonschema {

inline std::string quoted(std::string_view text) {
  return "\"" + std::string(text) + "\"";
}

/// Which children of one object or array have been evaluated.
using Marks = std::vector<bool>;

/// Walks a document with a schema. The parts named fits_ say whether a value fits one keyword, and keep the violation
/// where violations are collected.
class Run {
 public:
  Run(const Schema &schema, const Document &document, Interrupt interrupt, std::vector<Violation> *found)
      : schema_(schema), document_(&document), interrupt_(interrupt), found_(found) {}

  /// True if the value fits. What was evaluated of it is added to `outer`, unless that is null.
  bool evaluate(SchemaId id, Place at, Marks *outer);

 private:
  const Value &value(Place at) const { return (*document_)[at]; }

  bool evaluate_marked(const Subschema &subschema, Place at, Marks *outer);
  /// Evaluates without collecting violations: where failing is no fault.
  bool quietly(SchemaId id, Place at, Marks *marks);

  template <class Message>
  bool fail(const Check &check, Place at, Message message) {
    if (found_ != nullptr && found_->size() < kMaxViolations) keep(check, at, message());
    return false;
  }

  void keep(const Check &check, Place at, std::string message);
  bool fits(const Check &check, Place at, Marks *marks);
  bool fits_dependencies(const Check &check, Place at, Marks *marks);
  /// The outermost resource on the way here that has the anchor decides.
  SchemaId dynamic_target(const Check &check) const;
  bool fits_all(const Check &check, Place at, Marks *marks);
  bool fits_any(const Check &check, Place at, Marks *marks);
  bool fits_one(const Check &check, Place at, Marks *marks);
  bool fits_items(const Check &check, Place at, Marks *marks);
  bool fits_contains(const Check &check, Place at, Marks *marks);
  bool fits_properties(const Check &check, Place at, Marks *marks);
  bool fits_names(const Check &check, Place at);
  bool fits_unevaluated(const Check &check, Place at, Marks &marks);

  // assertions.cpp: keywords that look at the value alone
  bool fits_type(const Check &check, Place at, const Value &here) {
    unsigned bits = 1U << static_cast<unsigned>(here.kind);
    if (here.kind == Kind::number && here.number.is_integer()) bits |= 1U << 6;
    return (check.types & bits) != 0 || fail_type(check, at, here);
  }
  bool fail_type(const Check &check, Place at, const Value &here);
  bool fits_enumeration(const Check &check, Place at);
  bool fits_number(const Check &check, Place at, const Decimal &number);
  bool fits_count(const Check &check, Place at, std::int64_t count);
  bool fits_unique(const Check &check, Place at);
  bool fits_length(const Check &check, Place at, std::string_view text);
  bool fits_required(const Check &check, Place at, const Names &names, std::string_view because);
  bool fail_required(const Check &check, Place at, const Names &names, std::string_view because);

  const Schema &schema_;
  const Document *document_;
  Interrupt interrupt_;
  std::vector<Violation> *found_;
  std::vector<std::uint32_t> scope_;  // the resources on the way here, kept where references depend on them
  Document name_;                     // a name that propertyNames looks at
  int depth_ = 0;
};

}  // namespace nexus::jsonschema
