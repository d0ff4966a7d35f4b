#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "core/interrupt.hpp"
#include "core/jsonschema/decimal.hpp"

namespace nexus::jsonschema {

enum class Kind : std::uint8_t { null, boolean, number, string, array, object };

/// "null", "boolean", ...
std::string_view name(Kind kind);

/// The place of a value in a Document: values stand in the order of the text, each before what it contains.
using Place = std::uint32_t;

struct Value {
  std::string_view key;   // of a member
  std::string_view text;  // of a string
  Decimal number;
  Place parent = 0;         // the container, itself for the root
  std::uint32_t index = 0;  // in the container
  Place end = 0;            // the place behind the value and all that it contains
  std::uint32_t size = 0;   // elements or members
  Kind kind = Kind::null;
  bool truth = false;  // of a boolean
};

/// A JSON value, laid flat so that nothing about it needs recursion. Texts are views that must outlive the document.
/// The keys of an object are expected once each and in one fixed order, as jsonb keeps them: equality relies on it.
///
///     Document document;                            // {"a": [1]}
///     document.begin(Kind::object); document.key("a");
///     document.begin(Kind::array); document.number("1"); document.end(); document.end();
///     for (Place child : ...) see first() and next()
class Document {
 public:
  void clear();

  void key(std::string_view name) { key_ = name; }
  void null() { add(Kind::null); }
  void boolean(bool truth) { add(Kind::boolean).truth = truth; }
  void string(std::string_view text) { add(Kind::string).text = text; }
  void number(std::string_view text) { number(Decimal::parse(text, long_digits_)); }
  void number(const Decimal &number) { add(Kind::number).number = number; }
  void begin(Kind container);
  void end();

  const Value &operator[](Place place) const { return values_[place]; }
  static constexpr Place kRoot = 0;
  static constexpr Place kNone = UINT32_MAX;
  std::size_t size() const { return values_.size(); }

  /// The children of a container: for (Place c = d.first(p); c != d.behind(p); c = d.next(c))
  Place first(Place container) const { return container + 1; }
  Place behind(Place container) const { return values_[container].end; }
  Place next(Place child) const { return values_[child].end; }

  /// The member of an object with that name, or kNone (also where it is no object).
  Place member(Place object, std::string_view name) const;

  /// The value that a JSON Pointer (RFC 6901, not percent-encoded) names from `start`, or kNone.
  Place find(Place start, std::string_view pointer) const;

  /// The JSON Pointer of a place: /media/2/url
  std::string pointer(Place place) const;

  /// A total order of values in which equal means equal as JSON Schema has it.
  static int compare(const Document &a, Place at_a, const Document &b, Place at_b, Interrupt &interrupt);

 private:
  Value &add(Kind kind) {
    Value &value = values_.emplace_back();
    value.kind = kind;
    value.end = static_cast<Place>(values_.size());
    if (!open_.empty()) {
      Value &parent = values_[open_.back()];
      value.parent = open_.back();
      value.index = parent.size++;
      if (parent.kind == Kind::object) value.key = key_;
    }
    return value;
  }

  std::vector<Value> values_;
  std::vector<Place> open_;
  std::deque<std::string> long_digits_;
  std::string_view key_;
};

}  // namespace nexus::jsonschema
