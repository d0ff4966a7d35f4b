#include "core/validation/limits.hpp"

#include "glue/validation_row.hpp"

#include <algorithm>
#include <string>

#include "glue/datum.hpp"
#include "glue/jsonb_view.hpp"
#include "glue/trigger.hpp"

extern "C" {
#include "access/detoast.h"
#include "catalog/partition.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
}

namespace nexus::pg {

namespace {

using validation::Finding;
using validation::row_finding;

bool fits(Oid type, Shape shape) {
  bool text = type == TEXTOID || type == VARCHAROID || type == BPCHAROID;
  switch (shape) {
    case Shape::title:
    case Shape::line:
    case Shape::text:
    case Shape::url:
    case Shape::file:
      return text;
    case Shape::tags:
    case Shape::urls:
      return type == TEXTARRAYOID || type == VARCHARARRAYOID;
    case Shape::metadata:
      return type == JSONBOID;
    case Shape::time:
      return type == TIMESTAMPOID || type == TIMESTAMPTZOID;
    case Shape::times:
      return type == TIMESTAMPARRAYOID;
    case Shape::none:
      return text || type == INT4OID;
  }
  return false;
}

Shape shape_of(std::string_view name, Oid type) {
  auto is = [name](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  switch (type) {
    case TEXTOID:
    case VARCHAROID:
    case BPCHAROID:
      if (name == "instance_url") return Shape::url;
      if (name.size() > 4 && name.substr(name.size() - 4) == "_url") return Shape::file;
      if (is({"name", "title"})) return Shape::title;
      return type == TEXTOID ? Shape::text : Shape::line;
    case TEXTARRAYOID:
    case VARCHARARRAYOID:
      return Shape::tags;
    case JSONBOID:
      return is({"metadata", "parameters", "dimensions", "remote_refs"}) ? Shape::metadata : Shape::text;
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
      return Shape::time;
    case TIMESTAMPARRAYOID:
      return Shape::times;
    default:
      return Shape::none;
  }
}

struct Elements {
  Datum *values = nullptr;
  bool *nulls = nullptr;
  int count = 0;
};

Elements elements_of(Datum array) {
  return call([array]() -> Elements {
    Elements elements;
    ArrayType *values = DatumGetArrayTypeP(array);
    deconstruct_array(values, ARR_ELEMTYPE(values), -1, false, TYPALIGN_INT, &elements.values, &elements.nulls,
                      &elements.count);
    return elements;
  });
}

const char *root_name(Relation relation, MemoryContext context) {
  if (!relation->rd_rel->relispartition) return MemoryContextStrdup(context, RelationGetRelationName(relation));
  const char *name = get_rel_name(llast_oid(get_partition_ancestors(RelationGetRelid(relation))));
  if (name == nullptr) elog(ERROR, "the parent of partition %s is missing", RelationGetRelationName(relation));
  return MemoryContextStrdup(context, name);
}

}  // namespace

GuardedRow::GuardedRow(FunctionCallInfo fcinfo, std::span<const GuardedColumn> columns) {
  begin(fcinfo);
  Columns *known = known_columns(fcinfo);
  if (known == nullptr) {
    known = call([&]() -> Columns * {
      MemoryContext context = fcinfo->flinfo->fn_mcxt;
      auto *made = static_cast<Columns *>(MemoryContextAllocZero(context, sizeof(Columns)));
      made->number = static_cast<AttrNumber *>(MemoryContextAllocZero(context, sizeof(AttrNumber) * columns.size()));
      made->columns = columns.data();
      made->count = columns.size();
      made->relation = RelationGetRelid(trigger_->tg_relation);
      made->table = root_name(trigger_->tg_relation, context);
      TupleDesc descriptor = RelationGetDescr(trigger_->tg_relation);
      for (std::size_t i = 0; i < columns.size(); ++i) {
        int number = SPI_fnumber(descriptor, columns[i].name.data());
        if (number > 0 && fits(getBaseType(TupleDescAttr(descriptor, number - 1)->atttypid), columns[i].shape))
          made->number[i] = static_cast<AttrNumber>(number);
      }
      fcinfo->flinfo->fn_extra = made;
      return made;
    });
  }
  use(known);
}

GuardedRow::GuardedRow(FunctionCallInfo fcinfo) {
  begin(fcinfo);
  Columns *known = known_columns(fcinfo);
  if (known == nullptr) {
    known = call([&]() -> Columns * {
      MemoryContext context = fcinfo->flinfo->fn_mcxt;
      TupleDesc descriptor = RelationGetDescr(trigger_->tg_relation);
      auto size = static_cast<std::size_t>(descriptor->natts);
      auto *made = static_cast<Columns *>(MemoryContextAllocZero(context, sizeof(Columns)));
      auto *columns = static_cast<GuardedColumn *>(MemoryContextAllocZero(context, sizeof(GuardedColumn) * size));
      made->number = static_cast<AttrNumber *>(MemoryContextAllocZero(context, sizeof(AttrNumber) * size));
      made->columns = columns;
      made->relation = RelationGetRelid(trigger_->tg_relation);
      made->table = root_name(trigger_->tg_relation, context);
      for (int i = 0; i < descriptor->natts; ++i) {
        Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
        if (attribute->attisdropped || attribute->attgenerated != '\0') continue;
        Shape shape = shape_of(NameStr(attribute->attname), getBaseType(attribute->atttypid));
        if (shape == Shape::none) continue;
        columns[made->count] = {MemoryContextStrdup(context, NameStr(attribute->attname)), shape, false};
        made->number[made->count++] = attribute->attnum;
      }
      fcinfo->flinfo->fn_extra = made;
      return made;
    });
  }
  use(known);
}

void GuardedRow::begin(FunctionCallInfo fcinfo) {
  if (!CALLED_AS_TRIGGER(fcinfo)) throw Error("39P01", "a guard is called by triggers only");
  trigger_ = reinterpret_cast<TriggerData *>(fcinfo->context);
  if (!TRIGGER_FIRED_FOR_ROW(trigger_->tg_event) || TRIGGER_FIRED_BY_DELETE(trigger_->tg_event))
    throw Error("39P01", "a guard is a row trigger of INSERT or UPDATE");
  // All columns are taken apart at once: to ask for each alone costs more than the guard does with most of them.
  call([this] {
    slot_getallattrs(new_slot());
    if (!inserted()) slot_getallattrs(trigger_->tg_trigslot);
  });
}

GuardedRow::Columns *GuardedRow::known_columns(FunctionCallInfo fcinfo) const {
  auto *known = static_cast<Columns *>(fcinfo->flinfo->fn_extra);
  return known != nullptr && known->relation == RelationGetRelid(trigger_->tg_relation) ? known : nullptr;
}

void GuardedRow::use(const Columns *columns) {
  columns_ = {columns->columns, columns->count};
  number_ = columns->number;
  table_ = columns->table;
}

Datum GuardedRow::result() const {
  if (!before()) return PointerGetDatum(nullptr);
  return PointerGetDatum(inserted() ? trigger_->tg_trigtuple : trigger_->tg_newtuple);
}

int GuardedRow::index_of(std::string_view column) const {
  for (std::size_t i = 0; i < columns_.size(); ++i)
    if (column == columns_[i].name) return static_cast<int>(i);
  return -1;
}

int GuardedRow::known(std::string_view column) const {
  int index = index_of(column);
  if (index < 0) throw Error("XX000", "column " + std::string(column) + " is not among the guarded ones");
  return index;
}

AttrNumber GuardedRow::number_of(std::string_view column) const {
  int index = index_of(column);
  return index < 0 ? InvalidAttrNumber : number_[index];
}

std::optional<Datum> GuardedRow::value(TupleTableSlot *slot, int index) const {
  int column = number_[index] - 1;
  if (column < 0 || slot->tts_isnull[column]) return std::nullopt;
  return slot->tts_values[column];
}

std::optional<std::string_view> GuardedRow::as_text(TupleTableSlot *slot, std::string_view column) const {
  auto datum = value(slot, known(column));
  if (!datum) return std::nullopt;
  return text_view(*datum);
}

std::optional<std::int32_t> GuardedRow::integer(std::string_view column) const {
  auto datum = this->datum(column);
  if (!datum) return std::nullopt;
  return DatumGetInt32(*datum);
}

std::optional<Timestamp> GuardedRow::timestamp(std::string_view column) const {
  auto datum = this->datum(column);
  if (!datum) return std::nullopt;
  return DatumGetTimestamp(*datum);
}

std::vector<std::string_view> texts_of(Datum array) {
  std::vector<std::string_view> texts;
  Elements elements = elements_of(array);
  if (static_cast<std::size_t>(elements.count) > validation::kMaxTags) return texts;
  for (int i = 0; i < elements.count; ++i)
    if (!elements.nulls[i]) texts.push_back(text_view(elements.values[i]));
  return texts;
}

std::vector<std::string_view> GuardedRow::texts(std::string_view column) const {
  auto datum = this->datum(column);
  return datum ? texts_of(*datum) : std::vector<std::string_view>();
}

bool GuardedRow::changed(int index) const {
  if (inserted()) return true;
  auto is = value(trigger_->tg_newslot, index), was = value(trigger_->tg_trigslot, index);
  if (!is || !was) return is.has_value() != was.has_value();
  auto *attribute = TupleDescAttr(RelationGetDescr(trigger_->tg_relation), number_[index] - 1);
  return !same_value(*is, *was, attribute);
}

bool GuardedRow::judged_changed() const {
  for (std::size_t i = 0; i < columns_.size(); ++i)
    if (columns_[i].judged && changed(static_cast<int>(i))) return true;
  return false;
}

bool GuardedRow::relevant_changed() const {
  if (inserted()) return true;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    int index = static_cast<int>(i);
    if (!changed(index)) continue;
    if (columns_[i].shape != Shape::time || columns_[i].name == "scheduled_at") return true;
    auto infinite = [&](TupleTableSlot *slot) {
      auto datum = value(slot, index);
      return datum && TIMESTAMP_NOT_FINITE(DatumGetTimestamp(*datum));
    };
    if (infinite(new_slot()) || infinite(trigger_->tg_trigslot)) return true;
  }
  return false;
}

void GuardedRow::check_shape(std::vector<Finding> &findings, bool changed_only) const {
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].shape == Shape::none) continue;
    auto datum = value(new_slot(), static_cast<int>(i));
    if (!datum) continue;
    if (changed_only && !changed(static_cast<int>(i))) continue;
    check_column(static_cast<int>(i), *datum, findings);
  }
}

void GuardedRow::check_unseen(std::vector<Finding> &findings) const {
  for (const char *name : {"title", "caption", "description", "script"})
    if (number_of(name) != 0)
      if (auto words = text(name)) validation::check_unseen(name, *words, findings);
}

void GuardedRow::check_column(int index, Datum datum, std::vector<Finding> &findings) const {
  const GuardedColumn &column = columns_[static_cast<std::size_t>(index)];
  switch (column.shape) {
    case Shape::none:
      break;
    case Shape::title:
      validation::check_title(column.name, text_view(datum), findings);
      break;
    case Shape::line:
      validation::check_line(column.name, text_view(datum), findings);
      break;
    case Shape::text:  // a stored text is not fetched for its size
      validation::check_text_size(column.name, call([&] { return toast_raw_datum_size(datum); }) - VARHDRSZ, findings);
      break;
    case Shape::url:
      if (auto url = text_view(datum); !url.empty()) validation::check_url(column.name, url, findings);
      break;
    case Shape::file:
      if (auto file = text_view(datum); !file.empty()) validation::check_file_reference(column.name, file, findings);
      break;
    case Shape::tags:
    case Shape::urls:
    case Shape::times:
      check_array(column, datum, findings);
      break;
    case Shape::metadata: {
      validation::JsonShape shape;
      shape.bytes = call([&] { return toast_raw_datum_size(datum); }) - VARHDRSZ;
      if (shape.bytes <= validation::kMaxMetadataBytes) {
        JsonView document = JsonView::of(call([&] { return DatumGetJsonbP(datum); }));
        auto found = document.shape();
        shape = {document.is_object(), shape.bytes, found.depth, found.keys};
      }
      validation::check_metadata(column.name, shape, findings);
      break;
    }
    case Shape::time:
      if (TIMESTAMP_NOT_FINITE(DatumGetTimestamp(datum))) {
        std::string name(column.name);
        findings.push_back(row_finding(name + ".infinite", name, name + " is infinite", "Use a date, or NULL."));
      }
      break;
  }
}

void GuardedRow::check_times(const std::string &name, Datum datum, std::vector<Finding> &findings) const {
  Elements times = call([datum]() -> Elements {
    Elements elements;
    deconstruct_array(DatumGetArrayTypeP(datum), TIMESTAMPOID, sizeof(Timestamp), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
                      &elements.values, &elements.nulls, &elements.count);
    return elements;
  });
  for (int i = 0; i < times.count; ++i) {
    if (times.nulls[i] || !TIMESTAMP_NOT_FINITE(DatumGetTimestamp(times.values[i]))) continue;
    findings.push_back(row_finding(name + ".infinite", name, name + " holds an infinite time", "Leave it out."));
    return;
  }
}

void GuardedRow::check_array(const GuardedColumn &column, Datum datum, std::vector<Finding> &findings) const {
  struct Counted {
    int dimensions, count;
    bool nulls;
  };
  auto counted = call([datum]() -> Counted {
    ArrayType *array = DatumGetArrayTypeP(datum);
    return {ARR_NDIM(array), ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)), array_contains_nulls(array)};
  });
  std::string name(column.name);
  if (counted.dimensions > 1)
    findings.push_back(
        row_finding(name + ".not_flat", name, name + " has more than one dimension", "Use an array of one dimension."));
  if (counted.nulls)
    findings.push_back(row_finding(name + ".null", name, name + " contains NULL", "Leave the NULL elements out."));
  auto count = static_cast<std::size_t>(counted.count);
  auto too_many = [&](std::size_t most, const char *what) {
    if (count <= most) return false;
    findings.push_back(row_finding(name + ".too_many", name, name + " has more than " + std::to_string(most) + what,
                                   "Leave out " + std::to_string(count - most) + " of them."));
    return true;
  };
  if (column.shape == Shape::times) {
    if (!too_many(validation::kMaxTimes, " times")) check_times(name, datum, findings);
    return;
  }
  if (column.shape == Shape::urls ? too_many(validation::kMaxUrls, " addresses")
                                  : !validation::check_tag_count(name, count, findings))
    return;
  Elements elements = elements_of(datum);
  std::vector<std::string_view> texts;
  for (int i = 0; i < elements.count; ++i)
    if (!elements.nulls[i]) texts.push_back(text_view(elements.values[i]));
  if (column.shape == Shape::tags) {
    validation::check_tags(name, texts, findings);
    return;
  }
  for (std::size_t i = 0; i < texts.size(); ++i)
    validation::check_url(name + "[" + std::to_string(i) + "]", texts[i], findings);
}

}  // namespace nexus::pg
