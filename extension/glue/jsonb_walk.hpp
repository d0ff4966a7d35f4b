// Walking the stored form of a jsonb value. The server's iterator copies each value on the way, and runs in C: a walk
// by it takes longer than most of what is done with the values.
#pragma once

#include <vector>

#include "glue/guard.hpp"

namespace nexus::pg {

/// Tells a visitor what a jsonb container holds, in its order and without recursion. Nothing here raises an error. The
/// visitor has begin(is_object) and end() for containers, key(data, size) before each value of an object, and for
/// values string(data, size), number(stored numeric), boolean(truth) and null().
///
///     JsonbWalk walk;  // keeps its memory for the next value
///     walk.over(&value->root, visitor);
class JsonbWalk {
 public:
  template <class Visitor>
  void over(const JsonbContainer *root, Visitor &&visitor) {
    const bool scalar = JsonContainerIsScalar(root);  // is kept as an array of one value
    outer_.clear();
    Level level(root);
    if (!scalar) visitor.begin(level.is_object);
    while (true) {
      if (level.next == level.count) {
        if (!scalar) visitor.end();
        if (outer_.empty()) return;
        level = outer_.back();
        outer_.pop_back();
        continue;
      }
      const JEntry *entry = level.container->children + level.next++;
      if (level.is_object) {
        uint32 end = end_of(*entry, level.key_offset);
        visitor.key(level.data + level.key_offset, end - level.key_offset);
        level.key_offset = end;
        entry += level.count;
      }
      const uint32 begin = level.value_offset, end = end_of(*entry, begin);
      level.value_offset = end;
      const char *aligned = level.data + INTALIGN(begin);  // numbers and containers: the bytes before count as theirs
      switch (*entry & JENTRY_TYPEMASK) {
        case JENTRY_ISSTRING:
          visitor.string(level.data + begin, end - begin);
          break;
        case JENTRY_ISNUMERIC:
          visitor.number(aligned);
          break;
        case JENTRY_ISBOOL_TRUE:
        case JENTRY_ISBOOL_FALSE:
          visitor.boolean(JBE_ISBOOL_TRUE(*entry));
          break;
        case JENTRY_ISNULL:
          visitor.null();
          break;
        default:
          outer_.push_back(level);
          level = Level(reinterpret_cast<const JsonbContainer *>(aligned));
          visitor.begin(level.is_object);
          break;
      }
    }
  }

 private:
  /// An open container. An object is stored as all keys, then all values.
  struct Level {
    explicit Level(const JsonbContainer *opened)
        : container(opened), count(JsonContainerSize(opened)), is_object(JsonContainerIsObject(opened)) {
      data = reinterpret_cast<const char *>(opened->children + (is_object ? 2 * count : count));
      value_offset = is_object ? getJsonbOffset(opened, static_cast<int>(count)) : 0;
    }

    const JsonbContainer *container;
    const char *data;
    uint32 count, next = 0;               // of values
    uint32 key_offset = 0, value_offset;  // where those of `next` begin
    bool is_object;
  };

  /// An entry holds its length; some hold their end instead.
  static uint32 end_of(JEntry entry, uint32 begin) {
    return JBE_HAS_OFF(entry) ? JBE_OFFLENFLD(entry) : begin + JBE_OFFLENFLD(entry);
  }

  std::vector<Level> outer_;
};

}  // namespace nexus::pg
