// The keywords that look at a value alone: types, bounds, counts, equality.
#include <algorithm>

#include "core/jsonschema/run.hpp"

namespace nexus::jsonschema {

bool Run::fail_type(const Check &check, Place at, const Value &here) {
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

bool Run::fits_length(const Check &check, Place at, std::string_view text) {
  // A character is one to four bytes: mostly there is nothing to count.
  auto bytes = static_cast<std::int64_t>(text.size());
  if (check.keyword == Keyword::max_length ? bytes <= check.limit : (bytes + 3) / 4 >= check.limit) return true;
  auto starts_character = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
  return fits_count(check, at, std::count_if(text.begin(), text.end(), starts_character));
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

bool Run::fits_required(const Check &check, Place at, const Names &names, std::string_view because) {
  auto find = [&](std::string_view name, Place from, Place to) {
    for (; from != to; from = document_->next(from)) {
      interrupt_.poll();
      if (value(from).key == name) return from;
    }
    return Document::kNone;
  };
  // Members mostly stand in the order of the names: each one is looked for from where the last one was.
  Place from = document_->first(at);
  for (std::string_view name : names.ordered) {
    Place found = find(name, from, document_->behind(at));
    if (found == Document::kNone) found = find(name, document_->first(at), from);
    if (found == Document::kNone) return fail_required(check, at, names, because);
    from = document_->next(found);
  }
  return true;
}

bool Run::fail_required(const Check &check, Place at, const Names &names, std::string_view because) {
  if (found_ == nullptr) return false;
  std::vector<std::string_view> keys;
  for (Place child = document_->first(at); child != document_->behind(at); child = document_->next(child)) {
    interrupt_.poll();
    keys.push_back(value(child).key);
  }
  std::sort(keys.begin(), keys.end());
  bool fits = true;
  for (std::string_view name : names.listed) {
    interrupt_.poll();
    if (std::binary_search(keys.begin(), keys.end(), name)) continue;
    fits = fail(check, at, [&] {
      std::string message = "must have the member " + quoted(name);
      return because.empty() ? message : message + ", as it has " + quoted(because);
    });
  }
  return fits;
}

}  // namespace nexus::jsonschema
