#include "core/jsonschema/validator.hpp"
#include "core/validation/limits.hpp"

#include "glue/metadata_schemas.hpp"

#include <map>
#include <string>
#include <utility>

#include "glue/datum.hpp"
#include "glue/jsonschema_compiled.hpp"
#include "glue/table_cache.hpp"

namespace nexus::pg {

namespace {

constexpr std::size_t kMaxFindings = 20;

using Key = std::pair<std::string, std::string>;  // table, content type
std::map<Key, CompiledSchema *> schemas;
MemoryContext schemas_context = nullptr;

void read_schemas() {
  schemas.clear();
  // What is read, and the compiled schemas, live until the next change of the table.
  MemoryContext old = std::exchange(schemas_context, nullptr);
  MemoryContext caller = CurrentMemoryContext;
  call([&] {
    if (old != nullptr) MemoryContextDelete(old);
    schemas_context = AllocSetContextCreate(TopMemoryContext, "nexus metadata schemas", ALLOCSET_DEFAULT_SIZES);
    MemoryContextSwitchTo(schemas_context);
  });
  try {
    TableRows rows = read_own_table("metadata_schemas");
    for (int row = 0; row < rows.count; ++row) {
      std::string table(call([&] { return NameStr(*DatumGetName(*rows.value(row, 1))); }));
      std::string content_type(text_view(*rows.value(row, 3)));
      Jsonb *schema = call([&] { return DatumGetJsonbP(*rows.value(row, 4)); });
      schemas.emplace(Key{std::move(table), std::move(content_type)},
                      CompiledSchema::make(schemas_context, schema, std::nullopt));
    }
  } catch (...) {
    MemoryContextSwitchTo(caller);
    schemas.clear();
    throw;
  }
  MemoryContextSwitchTo(caller);
}

/// "~1" and "~0" of a JSON Pointer's token as the "/" and "~" that they stand for.
std::string unescaped(std::string_view token) {
  std::string text;
  for (std::size_t i = 0; i < token.size(); ++i) text += token[i] != '~' ? token[i] : token[++i] == '1' ? '/' : '~';
  return text;
}

/// /cover/0/url as .cover[0].url
std::string path_of(std::string_view pointer) {
  std::string path;
  while (!pointer.empty()) {
    std::size_t slash = pointer.find('/', 1);
    std::string_view token = pointer.substr(1, slash == std::string_view::npos ? slash : slash - 1);
    bool index = !token.empty() && token.find_first_not_of("0123456789") == std::string_view::npos;
    path.append(index ? "[" : ".").append(unescaped(token)).append(index ? "]" : "");
    pointer = slash == std::string_view::npos ? std::string_view() : pointer.substr(slash);
  }
  return path;
}

}  // namespace

void check_metadata_schemas(std::string_view table, std::string_view content_type, Datum metadata,
                            std::vector<validation::Finding> &findings) {
  static TableWatch watch({"metadata_schemas"});
  watch.rebuild(read_schemas);
  if (schemas.empty()) return;
  std::size_t count = 0;
  auto check = [&](std::string_view type) {
    auto found = schemas.find(Key{table, type});
    if (found == schemas.end()) return;
    Jsonb *document = call([&] { return DatumGetJsonbP(metadata); });
    for (const jsonschema::Violation &one : found->second->violations(document)) {
      if (count++ == kMaxFindings) return;
      findings.push_back(
          validation::row_finding("metadata.schema", "metadata" + path_of(one.instance_path),
                                  "metadata" + path_of(one.instance_path) + " " + one.message,
                                  "See " + one.schema_path + " of its schema in nexus.metadata_schemas."));
    }
  };
  check("");
  if (!content_type.empty()) check(content_type);
}

}  // namespace nexus::pg
