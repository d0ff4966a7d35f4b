#include "glue/hashtags_rules.hpp"

#include "glue/hashtags_spi.hpp"

namespace nexus::pg {

void check_hashtag_history(std::string_view user_id) {
  static SpiStatement allowed(
      "SELECT nexus.current_user_id() IS NOT DISTINCT FROM $1 OR pg_has_role($2, $3, 'USAGE')"
      "  OR EXISTS (SELECT FROM pg_roles r WHERE r.rolname IN ('nexus_owner', 'nexus_worker')"
      "              AND pg_has_role($2, r.oid, 'USAGE'))"
      "  OR EXISTS (SELECT FROM nexus.attachment a JOIN pg_namespace n ON n.nspname = a.schema_name"
      "               JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'social_posts'"
      "              WHERE pg_has_role($2, c.relowner, 'USAGE'))",
      {TEXTOID, OIDOID, OIDOID});
  Oid asking = call([] { return GetOuterUserId(); }), owner = call([] { return GetUserId(); });
  if (asking == owner) return;
  if (allowed.read({text_datum(user_id), ObjectIdGetDatum(asking), ObjectIdGetDatum(owner)}).integer(0, 1) != 0) return;
  throw Error("42501", "user_id is not the current user").hint("Leave user_id out, or give your own.");
}

std::size_t hashtag_room(const std::string &platform, std::size_t written) {
  static SpiStatement most(
      "SELECT min(r.max)::bigint FROM nexus.platform_rules r WHERE r.platform = $1 AND r.field = 'hashtags'"
      "   AND r.kind = 'entity_count' AND r.severity = 'error' AND r.content_type IS NULL AND r.when_media IS NULL"
      "   AND coalesce(r.valid_from <= current_date, true) AND coalesce(r.valid_to >= current_date, true)",
      {TEXTOID});
  SpiRows rows = most.read({text_datum(platform)});
  if (rows.is_null(0, 1)) return kMaxHashtags;
  auto limit = static_cast<std::size_t>(rows.integer(0, 1));
  return limit > written ? limit - written : 0;
}

}  // namespace nexus::pg
