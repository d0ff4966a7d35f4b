#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/interrupt.hpp"
#include "core/jsonschema/document.hpp"
#include "core/jsonschema/schema.hpp"

namespace nexus::jsonschema {

/// A part of the schema document with a $id of its own (the first is the document itself), and its anchors.
struct Resource {
  std::string uri;  // without fragment
  Place root;
  std::unordered_map<std::string, Place> anchors{};
  std::unordered_map<std::string, Place> dynamic_anchors{};
};

/// The names by which references find the parts of a schema document: $id, $anchor, $dynamicAnchor. Only what stands
/// where a schema may stand is looked at: a $id inside an enum is data.
class Resources {
 public:
  Resources(const Document &document, Draft draft, Interrupt &interrupt);

  struct Target {
    Place place;
    std::uint32_t resource;
    std::string anchor;  // the name, if the reference ends in one
  };

  /// What `reference` means inside `resource`; 22023 if it is nothing, 0A000 if it is another document.
  Target find(std::string_view reference, std::uint32_t resource, Place at) const;

  /// The resource of a place where a schema stands, `otherwise` for one that only a reference makes a schema.
  std::uint32_t resource_of(Place place, std::uint32_t otherwise) const {
    return resource_of_[place] == kUnknown ? otherwise : resource_of_[place];
  }

  const Resource &operator[](std::uint32_t number) const { return resources_[number]; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(resources_.size()); }

 private:
  struct Visit {
    Place place;
    std::uint32_t resource;
  };
  void visit(Visit visit, std::vector<Visit> &open);
  std::uint32_t name(Place place, std::uint32_t resource);

  static constexpr std::uint32_t kUnknown = UINT32_MAX;
  const Document &document_;
  Draft draft_;
  std::vector<Resource> resources_;
  std::unordered_map<std::string, std::uint32_t> by_uri_;
  std::vector<std::uint32_t> resource_of_;  // of each place where a schema stands
};

/// How a keyword holds schemas.
enum class Holds : std::uint8_t { nothing, schema, list, map, schema_or_list };
Holds holds(std::string_view keyword, Draft draft);

}  // namespace nexus::jsonschema
