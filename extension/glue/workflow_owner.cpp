// Owner agreement: what a row refers to belongs to the row's owner. Foreign keys bypass row security and know no owner,
// so each reference that is new costs one look-up by primary key here; row security never sees it, and one message
// stands for "not there" and "not yours".
#include <string>

#include "glue/table_cache.hpp"
#include "glue/trigger.hpp"
#include "glue/types_identity.hpp"

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "utils/acl.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
}

namespace nexus::pg {

namespace {

/// What is asked of the row that a reference names. All pointers live in the current memory context.
struct Parent {
  bool found = false;
  const char *user = nullptr;  // column user_id, as stored; NULL if the table has none or it is NULL
  std::size_t user_size = 0;
  bool has_user_column = false;
  int owner_key = 0;                  // else the key of the row it belongs to,
  const char *owner_table = nullptr;  // in this table
  const char *matched = nullptr;      // the column that must agree, as text
};

char *output(Datum value, Oid type) {
  Oid function;
  bool varlena;
  getTypeOutputInfo(type, &function, &varlena);
  return OidOutputFunctionCall(function, value);
}

/// Reads the row `id` of `table` in `schema` whatever the caller may see: only its owner is compared.
Parent read_parent(Oid schema, const char *table, int id, const char *matched) {
  return call([=]() -> Parent {
    Parent parent;
    Oid oid = get_relname_relid(table, schema);
    if (!OidIsValid(oid))
      ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("table %s does not exist", table)));
    Relation relation = table_open(oid, AccessShareLock);
    RelationGetIndexList(relation);
    if (!OidIsValid(relation->rd_pkindex))
      ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("table %s has no primary key", table)));
    Relation index = index_open(relation->rd_pkindex, AccessShareLock);
    // The newest committed rows, as a foreign key sees them, and those that the running command has made so far.
    Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    snapshot->curcid = GetCurrentCommandId(false) + 1;
    TupleTableSlot *slot = table_slot_create(relation, nullptr);
    IndexScanDesc scan = index_beginscan(relation, index, snapshot, 1, 0);
    ScanKeyData key;
    ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(id));
    index_rescan(scan, &key, 1, nullptr, 0);
    if (index_getnext_slot(scan, ForwardScanDirection, slot)) {
      parent.found = true;
      TupleDesc descriptor = RelationGetDescr(relation);
      for (int i = 1; i <= descriptor->natts; ++i) {
        Form_pg_attribute attribute = TupleDescAttr(descriptor, i - 1);
        if (attribute->attisdropped) continue;
        const char *name = NameStr(attribute->attname);
        bool is_user = std::strcmp(name, "user_id") == 0;
        bool is_post = std::strcmp(name, "social_post_id") == 0;
        bool is_matched = matched[0] != '\0' && std::strcmp(name, matched) == 0;
        if (is_user) parent.has_user_column = true;
        if (!is_user && !is_post && !is_matched) continue;
        bool null;
        Datum value = slot_getattr(slot, i, &null);
        if (null) continue;
        if (is_user) {
          text *packed = DatumGetTextPP(value);
          parent.user_size = VARSIZE_ANY_EXHDR(packed);
          parent.user =
              static_cast<const char *>(memcpy(palloc(parent.user_size + 1), VARDATA_ANY(packed), parent.user_size));
        }
        if (is_post) {
          parent.owner_key = DatumGetInt32(value);
          parent.owner_table = "social_posts";
        }
        if (is_matched) parent.matched = output(value, attribute->atttypid);
      }
    }
    index_endscan(scan);
    ExecDropSingleTupleTableSlot(slot);
    UnregisterSnapshot(snapshot);
    index_close(index, AccessShareLock);
    table_close(relation, AccessShareLock);
    return parent;
  });
}

/// The owner of the row that `parent` is, std::nullopt if it has none.
std::optional<std::string> owner_of(Oid schema, const Parent &parent) {
  if (!parent.has_user_column && parent.owner_table != nullptr)
    return owner_of(schema, read_parent(schema, parent.owner_table, parent.owner_key, ""));
  if (parent.user == nullptr) return std::nullopt;
  return std::string(parent.user, parent.user_size);
}

/// True for a session that row security confines to one end user's rows: it acts as nexus_app and as nobody greater.
bool is_confined(Relation relation) {
  return call([relation]() -> bool {
    Oid role = GetUserId();
    Oid app = get_role_oid("nexus_app", true);
    if (!OidIsValid(app) || superuser_arg(role) || !has_privs_of_role(role, app)) return false;
    Oid worker = get_role_oid("nexus_worker", true);
    if (OidIsValid(worker) && has_privs_of_role(role, worker)) return false;
    return !has_privs_of_role(role, RelationGetForm(relation)->relowner);
  });
}

struct Reference {
  int column;
  const char *name, *table, *matched;
};

std::string as_text(const RowTrigger &row, int column) {
  auto value = row.now(column);
  if (!value) return {};
  Oid type = TupleDescAttr(RelationGetDescr(row.relation()), column - 1)->atttypid;
  return call([&] { return output(*value, type); });
}

/// True if both names mean one platform of nexus.platforms. Asked only where the names differ.
bool same_platform(const std::string &left, const std::string &right) {
  TableRows platforms = read_own_table("platforms");
  for (int row = 0; row < platforms.count; ++row) {  // (slug, name, aliases, custom)
    bool has_left = false, has_right = false;
    auto meet = [&](std::string_view name) {
      has_left |= name == left;
      has_right |= name == right;
    };
    meet(text_view(*platforms.value(row, 1)));
    Datum *aliases = nullptr;
    int count = 0;
    call([&] {
      bool *nulls;
      deconstruct_array(DatumGetArrayTypeP(*platforms.value(row, 3)), TEXTOID, -1, false, TYPALIGN_INT, &aliases,
                        &nulls, &count);
    });
    for (int i = 0; i < count; ++i) meet(text_view(aliases[i]));
    if (has_left && has_right) return true;
  }
  return false;
}

[[noreturn]] void refuse(const RowTrigger &row, const Reference &reference, int id) {
  row.fail(Error("NX003", std::string(row.table()) + "." + reference.name + " " + std::to_string(id) +
                              " does not exist or belongs to another user")
               .hint(std::string("Name a row of ") + reference.table + " that has the same owner."),
           reference.column);
}

/// Looks the reference up; its owner must be `owner` where that is known.
std::optional<std::string> follow(const RowTrigger &row, const Reference &reference,
                                  const std::optional<std::string> &owner) {
  Oid schema = RelationGetNamespace(row.relation());
  int id = DatumGetInt32(*row.now(reference.column));
  Parent parent = read_parent(schema, reference.table, id, reference.matched);
  if (!parent.found) refuse(row, reference, id);
  auto found = owner_of(schema, parent);
  if (owner && found != owner) refuse(row, reference, id);
  if (reference.matched[0] != '\0') {
    int column = row.column(reference.matched);
    std::string here = as_text(row, column);
    bool agree = parent.matched != nullptr && here == parent.matched;
    if (!agree && parent.matched != nullptr && std::strcmp(reference.matched, "platform") == 0)
      agree = same_platform(here, parent.matched);
    if (!agree)
      row.fail(Error("23514", std::string(row.table()) + "." + reference.matched + " differs from that of " +
                                  reference.name + " " + std::to_string(id))
                   .hint(std::string("Take the ") + reference.matched + " of the row in " + reference.table + "."),
               column);
  }
  return found;
}

}  // namespace

// Arguments: the column of the owner's id ('' where the first reference leads to the owner), 'required' if it must not
// be NULL ('' otherwise), then three for each reference: column, table, and the column that must be the same in both
// rows ('' for none).
NEXUS_FUNCTION(nexus_owner_agreement_trigger) {
  constexpr int kMaxReferences = 8;
  RowTrigger row(fcinfo);
  int count = (row.argument_count() - 2) / 3;
  if (row.argument_count() < 2 || count > kMaxReferences || row.argument_count() != 2 + 3 * count)
    throw Error("39P01", "owner_agreement_trigger takes two arguments and three for each reference");

  std::optional<std::string> owner;
  bool owner_is_new = row.is_insert();
  bool confined = is_confined(row.relation());
  const char *owner_column = row.argument(0);
  if (owner_column[0] != '\0') {
    int column = row.column(owner_column);
    auto value = row.now(column);
    if (!value && row.argument(1)[0] != '\0') row.fail_null(column);
    if (value) owner = text_view(*value);
    if (!row.is_insert() && row.changes(column)) {
      owner_is_new = true;
      if (row.before(column) || confined)
        row.fail(Error("NX003", std::string("the owner of a row of ") + row.table() + " cannot change"), column);
    }
    if (confined && owner_is_new && (!owner || owner != current_user_id()))
      row.fail(Error("NX003", std::string(row.table()) + "." + owner_column + " is not the current user")
                   .hint("A user writes rows in the own name only."),
               column);
  }

  Reference references[kMaxReferences];
  bool any_new = false;
  int present = 0;
  for (int i = 0; i < count; ++i) {
    const char *name = row.argument(2 + 3 * i);
    Reference reference{row.column(name), name, row.argument(3 + 3 * i), row.argument(4 + 3 * i)};
    bool changed =
        row.changes(reference.column) || (reference.matched[0] != '\0' && row.changes(row.column(reference.matched)));
    if (!row.now(reference.column)) continue;
    references[present++] = reference;
    any_new |= changed;
  }
  if (present == 0 || (!any_new && !owner_is_new)) return row.result();

  int first = 0;
  if (owner_column[0] == '\0') {
    // Nothing to compare with: the foreign key alone says whether the parent exists.
    if (present == 1 && !confined && references[0].matched[0] == '\0') return row.result();
    if (confined && !current_user_id()) refuse(row, references[0], DatumGetInt32(*row.now(references[0].column)));
    owner = follow(row, references[0], confined ? current_user_id() : std::nullopt);
    first = 1;
  }
  for (int i = first; i < present; ++i) {
    bool unchanged = !owner_is_new && !row.changes(references[i].column) &&
                     (references[i].matched[0] == '\0' || !row.changes(row.column(references[i].matched)));
    if (unchanged && owner_column[0] != '\0') continue;
    follow(row, references[i], owner);
  }
  return row.result();
}

}  // namespace nexus::pg
