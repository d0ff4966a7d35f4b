// Arguments in, results out: Datum <-> plain C++ views, in UTF-8 on our side whatever the server's encoding is.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "glue/guard.hpp"

namespace nexus::pg {

/// A text value as UTF-8. The view lives in the current memory context (or in the value itself).
std::string_view text_view(Datum value);

/// Argument `index` as UTF-8 text; the caller has checked that it is not NULL.
inline std::string_view text_arg(FunctionCallInfo fcinfo, int index) {
  return text_view(fcinfo->args[index].value);
}
inline std::optional<std::string_view> optional_text_arg(FunctionCallInfo fcinfo, int index) {
  if (fcinfo->args[index].isnull) return std::nullopt;
  return text_view(fcinfo->args[index].value);
}

/// The elements of a text[]; NULL elements are refused with 22004, `name` says which argument.
std::vector<std::string_view> text_array_arg(FunctionCallInfo fcinfo, int index, const char *name);

/// UTF-8 text as a Datum in the server's encoding.
Datum text_datum(std::string_view utf8);
Datum text_array_datum(const std::vector<std::string_view> &values);

/// 22004 for an argument that must not be NULL, named as in the SQL declaration.
[[noreturn]] void refuse_null(const char *argument);
inline void require_arg(FunctionCallInfo fcinfo, int index, const char *name) {
  if (fcinfo->args[index].isnull) refuse_null(name);
}

/// The rows of a small set-returning function, written to a tuplestore (materialize mode). Values are given as Datums
/// in column order; std::nullopt is NULL.
class Rows {
 public:
  explicit Rows(FunctionCallInfo fcinfo, bool scalar = false);  ///< scalar: RETURNS SETOF a type that is no row
  void add(std::initializer_list<std::optional<Datum>> values);

 private:
  ReturnSetInfo *result_;
};

/// One composite value of the function's declared row type.
Datum row_datum(FunctionCallInfo fcinfo, std::initializer_list<std::optional<Datum>> values);

}  // namespace nexus::pg
