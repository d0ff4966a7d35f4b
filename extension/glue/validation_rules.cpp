#include "glue/validation_rules.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/text/utf8.hpp"
#include "glue/datum.hpp"
#include "glue/jsonb_view.hpp"
#include "glue/table_cache.hpp"

extern "C" {
#include "access/xact.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
}

namespace nexus::pg {

namespace {

using validation::Override;
using validation::OverrideScope;
using validation::Rule;
using validation::RuleSet;

/// Memory for the tables' rows, gone when they have been compiled.
class Scratch {
 public:
  Scratch() {
    call([this] {
      context_ = AllocSetContextCreate(CurrentMemoryContext, "nexus rules", ALLOCSET_DEFAULT_SIZES);
      outer_ = MemoryContextSwitchTo(context_);
    });
  }
  ~Scratch() {
    MemoryContextSwitchTo(outer_);
    MemoryContextDelete(context_);
  }
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;

 private:
  MemoryContext context_ = nullptr, outer_ = nullptr;
};

/// A row by the names of its columns.
class Row {
 public:
  Row(const TableRows &rows, int row) : rows_(rows), row_(row) {}

  std::optional<Datum> value(const char *column) const {
    int number = SPI_fnumber(rows_.descriptor, column);
    if (number <= 0) throw Error("XX000", std::string("column ") + column + " is missing in a table of the extension");
    return rows_.value(row_, number);
  }
  std::string text(const char *column) const {
    auto datum = value(column);
    return datum ? std::string(text_view(*datum)) : std::string();
  }
  std::optional<double> number(const char *column) const {
    auto datum = value(column);
    if (!datum) return std::nullopt;
    return call([&] { return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, *datum)); });
  }
  std::optional<std::int32_t> date(const char *column) const {
    auto datum = value(column);
    if (!datum) return std::nullopt;
    return DatumGetDateADT(*datum);
  }
  std::optional<JsonView> json(const char *column) const {
    auto datum = value(column);
    if (!datum) return std::nullopt;
    return JsonView::of(call([&] { return DatumGetJsonbP(*datum); }));
  }
  std::vector<std::string> texts(const char *column) const {
    std::vector<std::string> texts;
    auto datum = value(column);
    if (!datum) return texts;
    Datum *values = nullptr;
    bool *nulls = nullptr;
    int count = 0;
    call([&] {
      deconstruct_array(DatumGetArrayTypeP(*datum), TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
    });
    for (int i = 0; i < count; ++i)
      if (!nulls[i]) texts.emplace_back(text_view(values[i]));
    return texts;
  }

 private:
  const TableRows &rows_;
  int row_;
};

// Characters may be given by their code points, too: the server's encoding need not have them.
std::string characters_of(const JsonView &codes) {
  std::string characters;
  for (std::size_t i = 0; i < codes.size(); ++i)
    if (JsonView code = codes.element(i); code.is_number())
      text::append(characters, static_cast<char32_t>(code.number()));
  return characters;
}

std::vector<std::string> list_of(const std::optional<JsonView> &params) {
  std::vector<std::string> list;
  if (params && params->is_string()) list.emplace_back(params->text());
  if (params && params->is_array())
    for (std::size_t i = 0; i < params->size(); ++i)
      if (JsonView entry = params->element(i); entry.is_string()) list.emplace_back(entry.text());
  return list;
}

Rule rule_of(const Row &row) {
  Rule rule;
  rule.rule_id = row.text("rule_id");
  rule.field = validation::parse_field(row.text("field"));
  rule.content_type = row.text("content_type");
  if (row.value("when_media")) rule.when_media = validation::parse_filter(row.text("when_media"));
  rule.kind = validation::parse_kind(row.text("kind"));
  rule.unit = validation::parse_unit(row.text("unit"));
  rule.min = row.number("min");
  rule.max = row.number("max");
  rule.severity = validation::parse_severity(row.text("severity"));
  rule.source = row.text("source");
  if (row.value("source_url")) rule.source += " (" + row.text("source_url") + ")";
  if (auto day = row.date("valid_from")) rule.valid_from = *day;
  if (auto day = row.date("valid_to")) rule.valid_to = *day;
  auto params = row.json("params");
  rule.list = list_of(params);
  if (rule.kind == validation::RuleKind::characters && params && params->is_array())
    rule.list = {characters_of(*params)};
  if (params && params->is_object())
    if (auto cost = params->member("white_space_cost"); cost && cost->is_number())
      rule.white_space_cost = cost->number();
  return rule;
}

Override override_of(const Row &row) {
  Override entry;
  entry.rule_id = row.text("rule_id");
  entry.min = row.number("min");
  entry.max = row.number("max");
  entry.list = list_of(row.json("params"));
  std::string severity = row.text("severity");
  entry.off = severity == "off";
  if (!severity.empty() && !entry.off) entry.severity = validation::parse_severity(severity);
  return entry;
}

std::unique_ptr<RuleSet> compile() {
  Scratch scratch;
  auto rules = std::make_unique<RuleSet>();
  TableRows platforms = read_own_table("platforms");
  for (int i = 0; i < platforms.count; ++i) {
    Row row(platforms, i);
    rules->add_platform(row.text("slug"), row.text("name"), row.texts("aliases"));
  }
  TableRows rows = read_own_table("platform_rules");
  for (int i = 0; i < rows.count; ++i) {
    Row row(rows, i);
    rules->add_rule(row.text("platform"), rule_of(row));
  }
  TableRows overrides = read_own_table("rule_overrides");
  for (int i = 0; i < overrides.count; ++i) {
    Row row(overrides, i);
    std::string scope = row.text("scope");
    rules->add_override(scope == "all"    ? OverrideScope::all
                        : scope == "user" ? OverrideScope::user
                                          : OverrideScope::account,
                        row.text("scope_id"), override_of(row));
  }
  return rules;
}

}  // namespace

const RuleSet &validation_rules() {
  static TableWatch watch({"platforms", "platform_rules", "rule_overrides"});
  static std::unique_ptr<RuleSet> rules;
  watch.rebuild([] { rules = compile(); });
  return *rules;
}

Enforcement enforcement_of(std::string_view table) {
  static TableWatch watch({"enforcement"});
  static std::map<std::string, Enforcement, std::less<>> modes;
  watch.rebuild([] {
    Scratch scratch;
    std::map<std::string, Enforcement, std::less<>> read;
    TableRows rows = read_own_table("enforcement");
    for (int i = 0; i < rows.count; ++i) {
      Row row(rows, i);
      std::string mode = row.text("mode");
      read[NameStr(*DatumGetName(*row.value("table_name")))] = mode == "off"      ? Enforcement::off
                                                               : mode == "record" ? Enforcement::record
                                                               : mode == "warn"   ? Enforcement::warn
                                                                                  : Enforcement::error;
    }
    modes = std::move(read);
  });
  auto found = modes.find(table);
  return found == modes.end() ? Enforcement::error : found->second;
}

std::int32_t today() {
  TimestampTz now = GetCurrentTransactionStartTimestamp();
  std::int64_t days = now / USECS_PER_DAY;
  if (now % USECS_PER_DAY < 0) --days;
  return static_cast<std::int32_t>(days);
}

}  // namespace nexus::pg
