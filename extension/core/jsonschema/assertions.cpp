// The keywords that look at a value alone: types, bounds, counts, equality.
#include <algorithm>

#include "core/jsonschema/run.hpp"

namespace nexus::jsonschema {

bool Run::fits_type(const Check &check, Place at, const Value &here) {
  unsigned bits = 1U << static_cast<unsigned>(here.kind);
  if (here.kind == Kind::number && here.number.is_integer()) bits |= 1U << 6;
  if ((check.types & bits) != 0) return true;
  return fail(check, at, [&] {
    static constexpr std::string_view kNames[] = {"null", "boolean", "number", "string", "array", "object", "integer"};
    std::string types;
    for (unsigned i = 0; i < 7; ++i)
      if ((check.types >> i & 1U) != 0) types.append(types.empty() ? "" : " or ").append(kNames[i]);
    return "must be of type " + types + ", is " + std::string(name(here.kind));
  });
}

bool Run::fits_enumeration(const Check &check, Place at) {
  const Document &schema = schema_.document();
  for (Place one = schema.first(check.at); one != schema.behind(check.at); one = schema.next(one))
    if (Document::compare(*document_, at, schema, one, interrupt_) == 0) return true;
  return fail(check, at, [] { return std::string("must be one of the values that are allowed"); });
}

bool Run::fits_number(const Check &check, Place at, const Decimal &number) {
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

bool Run::fits_count(const Check &check, Place at, std::int64_t count) {
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

bool Run::fits_unique(const Check &check, Place at) {
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

bool Run::fits_required(const Check &check, Place at, const std::vector<std::string_view> &names,
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

}  // namespace nexus::jsonschema
