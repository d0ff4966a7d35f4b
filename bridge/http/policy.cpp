#include "bridge/http/policy.hpp"

namespace nexus::bridge {
namespace {

using Limit = std::shared_ptr<RateLimiter> Policy::*;

std::shared_ptr<RateLimiter> limit_of(Rate rate, const Policy *before, Rate rate_before, Limit limit) {
  const bool same = before != nullptr && rate.per_second == rate_before.per_second && rate.burst == rate_before.burst;
  return same ? before->*limit : std::make_shared<RateLimiter>(rate);
}

}  // namespace

Policy::Policy(const Settings &settings, const Policy *before)
    : settings(settings),
      session_keys(settings.session_keys),
      authenticator(settings.jwt_secret, settings.jwt_aud, settings.db_anon_role, settings.jwt_role_claim_key,
                    settings.jwt_cache_max_entries) {
  if (!settings.account_keys.empty()) accounts = std::make_unique<AccountServices>(settings);
  authenticator.take_sessions(session_keys, settings.session_role);
  const Settings &old = before == nullptr ? settings : before->settings;
  address_limit = limit_of({settings.rate_limit_address, settings.rate_limit_address_burst}, before,
                           {old.rate_limit_address, old.rate_limit_address_burst}, &Policy::address_limit);
  user_limit = limit_of({settings.rate_limit_user, settings.rate_limit_user_burst}, before,
                        {old.rate_limit_user, old.rate_limit_user_burst}, &Policy::user_limit);
  sign_in_limit = limit_of({settings.rate_limit_sign_in, settings.rate_limit_sign_in_burst}, before,
                           {old.rate_limit_sign_in, old.rate_limit_sign_in_burst}, &Policy::sign_in_limit);
}

}  // namespace nexus::bridge
