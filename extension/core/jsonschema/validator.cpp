#include "core/jsonschema/validator.hpp"

#include <limits>

#include "core/error.hpp"
#include "core/jsonschema/resources.hpp"
#include "core/jsonschema/run.hpp"

namespace nexus::jsonschema {

namespace {

constexpr int kMaxDepth = 1500;  // each level takes below a kilobyte of the stack

}  // namespace

bool Run::evaluate(SchemaId id, Place at, Marks *outer) {
  interrupt_.poll();
  const Subschema &subschema = schema_[id];
  if (subschema.checks.empty()) return true;
  if (depth_ >= kMaxDepth)
    throw Error("54001", "the schema and the document lead deeper than 1500 levels")
        .detail("This is at " + quoted(schema_.document().pointer(subschema.at)) + " of the schema.")
        .hint("Look for a part that refers to itself for the same value.");
  ++depth_;
  bool enters = schema_.has_dynamic_references() && (scope_.empty() || scope_.back() != subschema.resource);
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

bool Run::evaluate_marked(const Subschema &subschema, Place at, Marks *outer) {
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

bool Run::quietly(SchemaId id, Place at, Marks *marks) {
  std::vector<Violation> *found = found_;
  found_ = nullptr;
  bool valid = evaluate(id, at, marks);
  found_ = found;
  return valid;
}

void Run::keep(const Check &check, Place at, std::string message) {
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

bool Run::fits(const Check &check, Place at, Marks *marks) {
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
      return here.kind != Kind::string || fits_length(check, at, here.text);
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

bool Run::fits_dependencies(const Check &check, Place at, Marks *marks) {
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

SchemaId Run::dynamic_target(const Check &check) const {
  for (std::uint32_t resource : scope_)
    for (auto [owner, schema] : check.dynamic)
      if (owner == resource) return schema;
  return check.schemas[0];
}

bool Run::fits_all(const Check &check, Place at, Marks *marks) {
  bool fits = true;
  for (SchemaId schema : check.schemas) {
    fits = evaluate(schema, at, marks) && fits;
    if (!fits && found_ == nullptr) break;
  }
  return fits;
}

bool Run::fits_any(const Check &check, Place at, Marks *marks) {
  std::size_t before = found_ == nullptr ? 0 : found_->size();
  bool fits = false;
  for (SchemaId schema : check.schemas) {
    fits = evaluate(schema, at, marks) || fits;
    if (fits && marks == nullptr) break;  // what the others evaluate is asked for only with marks
  }
  if (fits && found_ != nullptr) found_->resize(before);
  return fits || fail(check, at, [] { return std::string("must fit one of the schemas of anyOf"); });
}

bool Run::fits_one(const Check &check, Place at, Marks *marks) {
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

bool Run::fits_items(const Check &check, Place at, Marks *marks) {
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

bool Run::fits_contains(const Check &check, Place at, Marks *marks) {
  std::int64_t count = 0;
  std::size_t index = 0;
  for (Place child = document_->first(at); child != document_->behind(at); child = document_->next(child), ++index) {
    if (!quietly(check.schemas[0], child, nullptr)) continue;
    ++count;
    if (marks != nullptr && schema_.draft() != Draft::draft7) (*marks)[index] = true;
    bool decided = check.upper_limit == std::numeric_limits<std::int64_t>::max() ? count >= check.limit
                                                                                 : count > check.upper_limit;
    if (decided && marks == nullptr && found_ == nullptr) break;
  }
  if (count >= check.limit && count <= check.upper_limit) return true;
  return fail(check, at, [&] {
    return count < check.limit ? "must contain at least " + std::to_string(check.limit) +
                                     " elements that fit, contains " + std::to_string(count)
                               : "must contain at most " + std::to_string(check.upper_limit) +
                                     " elements that fit, contains " + std::to_string(count);
  });
}

bool Run::fits_properties(const Check &check, Place at, Marks *marks) {
  bool fits = true;
  std::size_t next = 0;  // schema and document mostly have the same order: the member that is expected
  std::size_t index = 0;
  for (Place child = document_->first(at); child != document_->behind(at); child = document_->next(child), ++index) {
    std::string_view key = value(child).key;
    interrupt_.poll();
    bool known = false;
    auto judge = [&](SchemaId schema) {
      known = true;
      fits = evaluate(schema, child, nullptr) && fits;
    };
    if (next < check.members.size() && check.members[next].key == key) {
      judge(check.members[next++].schema);
    } else if (auto found = check.member_of.find(key); found != check.member_of.end()) {
      next = found->second;
      judge(check.members[next++].schema);
    }
    for (auto [expression, schema] : check.patterns)
      if (schema_.matcher().matches(expression, key)) judge(schema);
    if (!known && check.rest != kNoSchema) judge(check.rest);
    if (!fits && found_ == nullptr) break;
    if (known && marks != nullptr) (*marks)[index] = true;
  }
  return fits;
}

bool Run::fits_names(const Check &check, Place at) {
  const Document &outer = *document_;
  bool fits = true;
  for (Place child = outer.first(at); child != outer.behind(at); child = outer.next(child)) {
    name_.clear();
    name_.string(outer[child].key);
    document_ = &name_;
    bool one = quietly(check.schemas[0], Document::kRoot, nullptr);
    document_ = &outer;
    if (one) continue;
    fits = fail(check, child, [&] { return "the name " + quoted(outer[child].key) + " is not allowed"; });
    if (found_ == nullptr) break;
  }
  return fits;
}

bool Run::fits_unevaluated(const Check &check, Place at, Marks &marks) {
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

bool is_valid(const Schema &schema, const Document &document, Interrupt interrupt) {
  return Run(schema, document, interrupt, nullptr).evaluate(Schema::kRoot, Document::kRoot, nullptr);
}

std::vector<Violation> violations(const Schema &schema, const Document &document, Interrupt interrupt) {
  std::vector<Violation> found;
  if (is_valid(schema, document, interrupt)) return found;  // most are: and nothing is written down on the way
  Run(schema, document, interrupt, &found).evaluate(Schema::kRoot, Document::kRoot, nullptr);
  return found;
}

}  // namespace nexus::jsonschema
