#include "glue/trigger.hpp"

extern "C" {
#include "utils/datum.h"
}

namespace nexus::pg {

namespace {

const char *to_server(const std::string &utf8) {
  if (GetDatabaseEncoding() == PG_UTF8) return utf8.c_str();
  return pg_any_to_server(utf8.c_str(), static_cast<int>(utf8.size()), PG_UTF8);
}

}  // namespace

bool same_value(Datum left, Datum right, Form_pg_attribute attribute) {
  if (attribute->attbyval) return left == right;
  if (attribute->attlen == -1) {
    auto *a = reinterpret_cast<struct varlena *>(DatumGetPointer(left));
    auto *b = reinterpret_cast<struct varlena *>(DatumGetPointer(right));
    if (VARSIZE_ANY(a) == VARSIZE_ANY(b) && std::memcmp(a, b, VARSIZE_ANY(a)) == 0) return true;
  }
  return call([&]() -> bool { return datum_image_eq(left, right, attribute->attbyval, attribute->attlen); });
}

RowTrigger::RowTrigger(FunctionCallInfo fcinfo) {
  if (!CALLED_AS_TRIGGER(fcinfo)) throw Error("39P01", "a trigger function is called by triggers only");
  data_ = reinterpret_cast<TriggerData *>(fcinfo->context);
  TriggerEvent event = data_->tg_event;
  if (!TRIGGER_FIRED_BEFORE(event) || !TRIGGER_FIRED_FOR_ROW(event) || TRIGGER_FIRED_BY_DELETE(event))
    throw Error("39P01", "this trigger function is for BEFORE INSERT OR UPDATE, FOR EACH ROW");
  bool update = TRIGGER_FIRED_BY_UPDATE(event);
  old_row_ = update ? data_->tg_trigtuple : nullptr;
  new_row_ = update ? data_->tg_newtuple : data_->tg_trigtuple;
}

int RowTrigger::find_column(const char *name) const noexcept {
  TupleDesc descriptor = RelationGetDescr(data_->tg_relation);
  for (int i = 0; i < descriptor->natts; ++i) {
    Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
    if (!attribute->attisdropped && std::strcmp(NameStr(attribute->attname), name) == 0) return i + 1;
  }
  return 0;
}

int RowTrigger::column(const char *name) const {
  int number = find_column(name);
  if (number == 0)
    throw Error("55000", std::string("table ") + table() + " lacks column " + name)
        .hint("Run the migrations, then attach the schema again.");
  return number;
}

std::optional<Datum> RowTrigger::now(int column) const {
  bool null = false;
  Datum value = heap_getattr(new_row_, column, RelationGetDescr(data_->tg_relation), &null);
  if (null) return std::nullopt;
  return value;
}

std::optional<Datum> RowTrigger::before(int column) const {
  if (old_row_ == nullptr) return std::nullopt;
  bool null = false;
  Datum value = heap_getattr(old_row_, column, RelationGetDescr(data_->tg_relation), &null);
  if (null) return std::nullopt;
  return value;
}

bool RowTrigger::changes(int column) const {
  if (is_insert()) return true;
  auto old_value = before(column), new_value = now(column);
  if (!old_value || !new_value) return old_value.has_value() != new_value.has_value();
  return !same_value(*old_value, *new_value, TupleDescAttr(RelationGetDescr(data_->tg_relation), column - 1));
}

void RowTrigger::set(int column, std::optional<Datum> value) {
  Datum datum = value.value_or(0);
  bool null = !value.has_value();
  new_row_ = call([&]() -> HeapTuple {
    return heap_modify_tuple_by_cols(new_row_, RelationGetDescr(data_->tg_relation), 1, &column, &datum, &null);
  });
}

void RowTrigger::fail(const Error &error, int column) const {
  const char *state = error.sqlstate();
  call([&] {
    ereport(ERROR, (errcode(MAKE_SQLSTATE(state[0], state[1], state[2], state[3], state[4])),
                    errmsg("%s", to_server(error.message())),
                    error.detail().empty() ? 0 : errdetail("%s", to_server(error.detail())),
                    error.hint().empty() ? 0 : errhint("%s", to_server(error.hint())),
                    errtablecol(data_->tg_relation, column)));
  });
  std::abort();  // not reached: the error above is thrown
}

void RowTrigger::fail_null(int column) const {
  const char *name = NameStr(TupleDescAttr(RelationGetDescr(data_->tg_relation), column - 1)->attname);
  fail(Error("23502", std::string("null value in column \"") + name + "\" of relation \"" + table() +
                          "\" violates not-null constraint"),
       column);
}

}  // namespace nexus::pg
