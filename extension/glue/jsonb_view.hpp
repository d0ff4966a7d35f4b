// Reading a jsonb value in place: no text is made of it, nothing is parsed again.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "glue/guard.hpp"

namespace nexus::pg {

/// A value inside a jsonb datum, which must outlive it. Texts are given as UTF-8.
///
///     JsonView draft = JsonView::of(PG_GETARG_JSONB_P(0));
///     if (auto title = draft.member("title")) title->text();
class JsonView {
 public:
  static JsonView of(Jsonb *document);

  bool is_null() const { return value_.type == jbvNull; }
  bool is_string() const { return value_.type == jbvString; }
  bool is_number() const { return value_.type == jbvNumeric; }
  bool is_object() const { return container() != nullptr && JsonContainerIsObject(container()); }
  bool is_array() const {
    return container() != nullptr && JsonContainerIsArray(container()) && !JsonContainerIsScalar(container());
  }

  std::string_view text() const;                          ///< of a string
  double number() const;                                  ///< of a number, infinite where it does not fit
  std::size_t size() const;                               ///< elements of an array, members of an object
  std::optional<JsonView> member(const char *key) const;  ///< of an object; a JSON null is std::nullopt
  JsonView element(std::size_t index) const;              ///< of an array
  std::vector<std::string_view> keys() const;             ///< of an object
  std::size_t bytes() const;                              ///< of an object or array, about what it takes to store

  /// Depth (1 for a container without nested ones, 0 for a scalar) and number of keys, found without recursion.
  struct Shape {
    int depth = 0, keys = 0;
  };
  Shape shape() const;

 private:
  explicit JsonView(const JsonbValue &value) : value_(value) {}
  JsonbContainer *container() const { return value_.type == jbvBinary ? value_.val.binary.data : nullptr; }

  JsonbValue value_;
};

}  // namespace nexus::pg
