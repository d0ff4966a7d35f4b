// A jsonb value as the core's document.
#pragma once

#include <vector>

#include "core/jsonschema/document.hpp"
#include "glue/guard.hpp"

namespace nexus::pg {

/// Lays out jsonb values. It walks the stored form itself: the server's iterator copies each value, and prints each
/// number to be parsed again, which together takes longer than to judge the document.
///
///     jsonschema::Document document;
///     JsonbReader reader;  // keeps its memory for the next value
///     reader.read(PG_GETARG_JSONB_P(1), document, interrupt());
class JsonbReader {
 public:
  /// The document's texts are views into the value, or (where the server's encoding is not UTF-8) into the current
  /// memory context.
  void read(const Jsonb *value, jsonschema::Document &document, Interrupt interrupt);

 private:
  /// An open container. The stored form of an object is all keys, then all values.
  struct Level {
    const JsonbContainer *container;
    const char *data;
    uint32 next, count;               // entries: keys and values are `count` each
    uint32 key_offset, value_offset;  // where those of `next` begin
    bool is_object;
  };
  void open(const JsonbContainer *container);

  Level level_{};
  std::vector<Level> outer_;
};

}  // namespace nexus::pg
