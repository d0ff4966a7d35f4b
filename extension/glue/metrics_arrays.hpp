// Arrays with NULLs in them, as the statistics and the counters take them.
#pragma once

#include <string>

#include "core/error.hpp"
#include "glue/guard.hpp"

extern "C" {
#include "utils/lsyscache.h"
}

namespace nexus::pg {

/// The elements of an array argument, in order whatever its dimensions. They live in the current memory context.
struct ArrayElements {
  Datum *values;
  bool *nulls;
  int count;

  /// 22004 for a NULL among them; `name` says which argument.
  void refuse_nulls(const char *name) const {
    for (int i = 0; i < count; ++i)
      if (nulls[i]) throw Error("22004", std::string(name) + " must not contain NULL");
  }
  /// 2202E unless both have the same number of elements.
  void require_length_of(const ArrayElements &other, const char *names) const {
    if (count != other.count) throw Error("2202E", std::string(names) + " must have the same number of elements");
  }
};

inline ArrayElements array_arg(FunctionCallInfo fcinfo, int index) {
  return call([fcinfo, index]() -> ArrayElements {
    ArrayType *array = PG_GETARG_ARRAYTYPE_P(index);
    int16 size;
    bool by_value;
    char alignment;
    get_typlenbyvalalign(ARR_ELEMTYPE(array), &size, &by_value, &alignment);
    ArrayElements elements{};
    deconstruct_array(array, ARR_ELEMTYPE(array), size, by_value, alignment, &elements.values, &elements.nulls,
                      &elements.count);
    return elements;
  });
}

}  // namespace nexus::pg
