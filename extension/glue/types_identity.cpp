// nexus.current_user_id(): claims count only in a session that logged in as the bridge; session_user survives SET ROLE
// and SECURITY DEFINER, so that no SQL client can name another user.
#include "glue/types_identity.hpp"

#include <map>

#include "glue/datum.hpp"
#include "glue/table_cache.hpp"

extern "C" {
#include "utils/acl.h"
#include "utils/fmgrprotos.h"
}

namespace nexus::pg {

namespace {

constexpr const char *kClaims = "request.jwt.claims";

struct Logins {
  std::string bridge;
  std::map<std::string, std::string> users;
};

const Logins &logins() {
  static TableWatch watch({"attachment", "login_users"});
  static Logins logins;
  watch.rebuild([] {
    Logins read;
    TableRows attachment = read_own_table("attachment");
    for (int row = 0; row < attachment.count; ++row)  // (one, schema_name, bridge_role, attached_at)
      if (auto role = attachment.value(row, 3)) read.bridge = NameStr(*DatumGetName(*role));
    TableRows users = read_own_table("login_users");
    for (int row = 0; row < users.count; ++row)  // (login_role, user_id)
      read.users.emplace(NameStr(*DatumGetName(*users.value(row, 1))), text_view(*users.value(row, 2)));
    logins = std::move(read);
  });
  return logins;
}

/// The claim "sub" of the setting; the text of the last call is kept, since most statements of a session repeat it.
const std::optional<std::string> &claimed_user() {
  static std::string claims;
  static std::optional<std::string> user;
  const char *setting = call([] { return GetConfigOption(kClaims, true, false); });
  if (setting == nullptr) setting = "";
  if (claims == setting) return user;
  std::optional<std::string> claimed;
  if (*setting != '\0') {
    Datum sub = call([setting]() -> Datum {
      Datum document = DirectFunctionCall1(jsonb_in, CStringGetDatum(setting));
      LOCAL_FCINFO(info, 2);  // jsonb_object_field_text answers NULL, which DirectFunctionCall2 takes for a fault
      InitFunctionCallInfoData(*info, nullptr, 2, InvalidOid, nullptr, nullptr);
      info->args[0] = {document, false};
      info->args[1] = {PointerGetDatum(cstring_to_text("sub")), false};
      Datum value = jsonb_object_field_text(info);
      return info->isnull ? PointerGetDatum(nullptr) : value;
    });
    if (DatumGetPointer(sub) != nullptr) claimed = text_view(sub);
    if (claimed && claimed->empty()) claimed.reset();
  }
  claims = setting;
  user = std::move(claimed);
  return user;
}

}  // namespace

const std::optional<std::string> &current_user_id() {
  static std::optional<std::string> direct;
  const Logins &known = logins();
  std::string login = call([] { return GetUserNameFromId(GetSessionUserId(), false); });
  if (login == known.bridge) return claimed_user();
  direct.reset();
  if (auto found = known.users.find(login); found != known.users.end()) direct = found->second;
  return direct;
}

NEXUS_FUNCTION(nexus_current_user_id) {
  const auto &user = current_user_id();
  if (!user) PG_RETURN_NULL();
  return text_datum(*user);
}

}  // namespace nexus::pg
