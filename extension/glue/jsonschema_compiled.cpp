#include "glue/jsonschema_compiled.hpp"

#include "glue/datum.hpp"

extern "C" {
#include "catalog/pg_collation_d.h"
#include "regex/regex.h"
}

namespace nexus::pg {

namespace {

constexpr std::size_t kKeptValues = 10000;  // of the last document, so that the next one finds its memory

}  // namespace

int ServerMatcher::add(std::string_view expression) {
  if (GetDatabaseEncoding() != PG_UTF8) throw Error("0A000", "pattern and patternProperties need a database in UTF8");
  expressions_.push_back(nullptr);
  MemoryContext context = context_;
  text *made = call([context, expression] {
    MemoryContext caller = MemoryContextSwitchTo(context);
    text *value = cstring_to_text_with_len(expression.data(), static_cast<int>(expression.size()));
    MemoryContextSwitchTo(caller);
    RE_compile_and_cache(value, REG_ADVANCED | REG_NOSUB, C_COLLATION_OID);
    return value;
  });
  expressions_.back() = made;
  return static_cast<int>(expressions_.size()) - 1;
}

bool ServerMatcher::matches(int expression, std::string_view text) {
  struct varlena *pattern = expressions_[static_cast<std::size_t>(expression)];
  return call([pattern, text] {
    return RE_compile_and_execute(pattern, const_cast<char *>(text.data()), static_cast<int>(text.size()),
                                  REG_ADVANCED | REG_NOSUB, C_COLLATION_OID, 0, nullptr);
  });
}

CompiledSchema::CompiledSchema(MemoryContext context, Jsonb *schema, std::optional<std::string_view> draft)
    : context_(context), draft_(draft), matcher_(context) {
  std::size_t size = VARSIZE(schema);
  void *copy = MemoryContextAllocExtended(context, size, MCXT_ALLOC_NO_OOM);
  if (copy == nullptr) throw std::bad_alloc();
  std::memcpy(copy, schema, size);
  source_ = static_cast<Jsonb *>(copy);
  jsonschema::Document document;
  read_jsonb(source_, walk_, document, interrupt());
  jsonschema::Draft which = draft ? jsonschema::parse_draft(*draft) : jsonschema::draft_of(document);
  schema_.emplace(std::move(document), which, matcher_, interrupt());
}

CompiledSchema *CompiledSchema::make(MemoryContext parent, Jsonb *schema, std::optional<std::string_view> draft) {
  MemoryContext context =
      call([parent] { return AllocSetContextCreate(parent, "nexus compiled JSON Schema", ALLOCSET_SMALL_SIZES); });
  MemoryContext caller = MemoryContextSwitchTo(context);
  try {
    auto *compiled = make_in<CompiledSchema>(context, context, schema, draft);
    MemoryContextSwitchTo(caller);
    return compiled;
  } catch (...) {
    MemoryContextSwitchTo(caller);
    throw;
  }
}

bool CompiledSchema::is_for(Jsonb *schema, std::optional<std::string_view> draft) const {
  return draft_ == draft && VARSIZE(source_) == VARSIZE(schema) && std::memcmp(source_, schema, VARSIZE(schema)) == 0;
}

void CompiledSchema::read(Jsonb *document) {
  if (document_.size() > kKeptValues) document_ = {};
  read_jsonb(document, walk_, document_, interrupt());
}

bool CompiledSchema::is_valid(Jsonb *document) {
  read(document);
  return jsonschema::is_valid(*schema_, document_, interrupt());
}

std::vector<jsonschema::Violation> CompiledSchema::violations(Jsonb *document) {
  read(document);
  return jsonschema::violations(*schema_, document_, interrupt());
}

}  // namespace nexus::pg
