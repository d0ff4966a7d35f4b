#include "core/jsonschema/resources.hpp"

#include "core/error.hpp"
#include "core/jsonschema/uri.hpp"

namespace nexus::jsonschema {

Holds holds(std::string_view keyword, Draft draft) {
  static const std::unordered_map<std::string_view, Holds> both = {
      {"additionalProperties", Holds::schema},
      {"contains", Holds::schema},
      {"propertyNames", Holds::schema},
      {"not", Holds::schema},
      {"if", Holds::schema},
      {"then", Holds::schema},
      {"else", Holds::schema},
      {"allOf", Holds::list},
      {"anyOf", Holds::list},
      {"oneOf", Holds::list},
      {"properties", Holds::map},
      {"patternProperties", Holds::map},
      {"definitions", Holds::map},
      {"dependencies", Holds::map},
  };
  static const std::unordered_map<std::string_view, Holds> later = {
      {"items", Holds::schema},
      {"contentSchema", Holds::schema},
      {"unevaluatedItems", Holds::schema},
      {"unevaluatedProperties", Holds::schema},
      {"prefixItems", Holds::list},
      {"$defs", Holds::map},
      {"dependentSchemas", Holds::map},
  };
  if (auto found = both.find(keyword); found != both.end()) return found->second;
  if (draft == Draft::draft7) {
    if (keyword == "items") return Holds::schema_or_list;
    return keyword == "additionalItems" ? Holds::schema : Holds::nothing;
  }
  auto found = later.find(keyword);
  return found == later.end() ? Holds::nothing : found->second;
}

Resources::Resources(const Document &document, Draft draft, Interrupt &interrupt)
    : document_(document), draft_(draft), resource_of_(document.size(), kUnknown) {
  resources_.push_back({"", Document::kRoot});
  by_uri_.emplace("", 0);
  std::vector<Visit> open = {{Document::kRoot, 0}};
  while (!open.empty()) {
    interrupt.poll();
    Visit next = open.back();
    open.pop_back();
    visit(next, open);
  }
}

std::uint32_t Resources::name(Place place, std::uint32_t resource) {
  auto text = [&](const char *keyword) -> const Value * {
    Place at = document_.member(place, keyword);
    if (at == Document::kNone) return nullptr;
    if (document_[at].kind != Kind::string)
      throw invalid_argument("the schema's " + document_.pointer(at) + " must be a string");
    return &document_[at];
  };
  bool ignored = draft_ == Draft::draft7 && document_.member(place, "$ref") != Document::kNone;
  if (const Value *id = ignored ? nullptr : text("$id")) {
    auto [reference, fragment] = split_fragment(id->text);
    if (!reference.empty()) {
      std::string uri = resolve(resources_[resource].uri, reference);
      if (place == Document::kRoot) {
        resources_[0].uri = uri;
      } else {
        resources_.push_back({uri, place});
        resource = size() - 1;
      }
      by_uri_.emplace(std::move(uri), resource);
    }
    if (!fragment.empty()) {
      if (draft_ != Draft::draft7)
        throw invalid_argument("the schema's $id \"" + std::string(id->text) + "\" must have no fragment")
            .hint("Use $anchor.");
      resources_[resource].anchors.emplace(fragment, place);
    }
  }
  if (draft_ == Draft::draft7) return resource;
  if (const Value *anchor = text("$anchor")) resources_[resource].anchors.emplace(anchor->text, place);
  if (const Value *anchor = text("$dynamicAnchor")) {
    resources_[resource].anchors.emplace(anchor->text, place);
    resources_[resource].dynamic_anchors.emplace(anchor->text, place);
  }
  return resource;
}

void Resources::visit(Visit visit, std::vector<Visit> &open) {
  Place place = visit.place;
  std::uint32_t resource = visit.resource;
  resource_of_[place] = resource;
  if (document_[place].kind != Kind::object) return;
  resource = resource_of_[place] = name(place, resource);
  for (Place member = document_.first(place); member != document_.behind(place); member = document_.next(member)) {
    Holds how = holds(document_[member].key, draft_);
    Kind kind = document_[member].kind;
    bool spread = (kind == Kind::array && (how == Holds::list || how == Holds::schema_or_list)) ||
                  (kind == Kind::object && how == Holds::map);
    if (spread) {
      for (Place child = document_.first(member); child != document_.behind(member); child = document_.next(child))
        open.push_back({child, resource});
    } else if (how == Holds::schema || how == Holds::schema_or_list) {
      open.push_back({member, resource});
    }
  }
}

Resources::Target Resources::find(std::string_view reference, std::uint32_t resource, Place at) const {
  auto [uri, fragment] = split_fragment(reference);
  auto found = by_uri_.find(resolve(resources_[resource].uri, uri));
  if (found == by_uri_.end())
    throw Error("0A000", "the schema's " + document_.pointer(at) + " refers to another document, \"" +
                             std::string(reference) + "\", which is not supported")
        .hint("Put what it refers to into the schema, below definitions or $defs, with its $id.");
  Target target{resources_[found->second].root, found->second, {}};
  if (fragment.empty()) return target;
  if (fragment.front() == '/') {
    target.place = document_.find(target.place, fragment);
    // The nearest schema around the place says where relative references in it start from.
    for (std::size_t end = 0; target.place != Document::kNone && end != std::string::npos;) {
      end = fragment.find('/', end + 1);
      Place step = document_.find(resources_[found->second].root, std::string_view(fragment).substr(0, end));
      target.resource = resource_of(step, target.resource);
    }
  } else {
    const auto &anchors = resources_[found->second].anchors;
    auto anchor = anchors.find(fragment);
    target.place = anchor == anchors.end() ? Document::kNone : anchor->second;
    target.anchor = fragment;
  }
  if (target.place == Document::kNone)
    throw invalid_argument("the schema's " + document_.pointer(at) + " refers to \"" + std::string(reference) +
                           "\", which is not there");
  return target;
}

}  // namespace nexus::jsonschema
