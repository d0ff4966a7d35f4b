// Compiled JSON Schemas and the server's regular expressions behind them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/jsonschema/schema.hpp"
#include "core/jsonschema/validator.hpp"
#include "glue/jsonb_document.hpp"
#include "glue/memory.hpp"

namespace nexus::pg {

/// PostgreSQL's regular expression engine: cached by the server, and it answers cancel.
class ServerMatcher final : public jsonschema::Matcher {
 public:
  explicit ServerMatcher(MemoryContext context) : context_(context) {}
  int add(std::string_view expression) override;
  bool matches(int expression, std::string_view text) override;

 private:
  MemoryContext context_;
  std::vector<text *> expressions_;
};

/// A schema that was compiled from a jsonb value; lives in a memory context of its own below `parent`.
///
///     CompiledSchema *compiled = CompiledSchema::make(fcinfo->flinfo->fn_mcxt, schema, std::nullopt);
///     bool fits = compiled->is_valid(document);
class CompiledSchema {
 public:
  static CompiledSchema *make(MemoryContext parent, Jsonb *schema, std::optional<std::string_view> draft);
  void drop() { MemoryContextDelete(context_); }

  /// It was made of these bytes for this draft.
  bool is_for(Jsonb *schema, std::optional<std::string_view> draft) const;

  bool is_valid(Jsonb *document);
  std::vector<jsonschema::Violation> violations(Jsonb *document);

  /// Use make().
  CompiledSchema(MemoryContext context, Jsonb *schema, std::optional<std::string_view> draft);

 private:
  void read(Jsonb *document);

  MemoryContext context_;
  Jsonb *source_;
  std::optional<std::string> draft_;
  ServerMatcher matcher_;
  std::optional<jsonschema::Schema> schema_;
  JsonbWalk walk_;
  jsonschema::Document document_;  // the last one that was judged
};

}  // namespace nexus::pg
