#!/usr/bin/env bash
# scripts/connect_demo.sh: as a demo user and over HTTP, connects an account at a provider on this machine (npm:
# oauth2-mock-server), as a browser would, and shows what the user and what the database sees of it.
source "$(dirname "$0")/lib.sh"

url=http://127.0.0.1:${NEXUS_SERVER_PORT:-3000}
port=${NEXUS_PROVIDER_PORT:-3004}
provider=http://127.0.0.1:$port
psql="psql -XqAt -h $(socket_dir up) -U postgres nexus"
token=$(scripts/token.sh seed-1-1)

mkdir -p "$RUN/npm/accounts"
cp test/accounts/* "$RUN/npm/accounts"
if ! (cd "$RUN/npm/accounts" && timeout 300 npm install --no-audit --no-fund --no-package-lock --prefer-offline >npm.log 2>&1); then
  echo "npm is not reachable, so that there is no provider to connect with"
  exit 77
fi
node "$RUN/npm/accounts/provider.mjs" "$port" demo >"$RUN/provider.log" 2>&1 </dev/null &
trap 'kill $! 2>/dev/null || true' EXIT
for _ in $(seq 100); do
  if curl -sf "$provider/_log" >/dev/null; then break; fi
  sleep 0.1
done
curl -sf "$provider/_log" >/dev/null || die "the provider does not start: is port $port taken? NEXUS_PROVIDER_PORT names another"
curl -sf -X PUT "$provider/_control" -d '{"expires_in": 31536000}' >/dev/null # it is gone when this script ends

$psql -v base="$provider" <<'SQL'
INSERT INTO nexus.oauth_providers (name, platform, authorization_endpoint, token_endpoint, userinfo_endpoint, revocation_endpoint, client_id, client_auth, scopes)
VALUES ('demo', 'demo', :'base' || '/authorize', :'base' || '/token', :'base' || '/userinfo', :'base' || '/revoke', 'demo app', 'none', '{read,write}')
ON CONFLICT (name) DO UPDATE SET authorization_endpoint = EXCLUDED.authorization_endpoint, token_endpoint = EXCLUDED.token_endpoint,
  userinfo_endpoint = EXCLUDED.userinfo_endpoint, revocation_endpoint = EXCLUDED.revocation_endpoint;
SQL

cookies=$(mktemp)
trap 'kill $! 2>/dev/null || true; rm -f "$cookies"' EXIT
answer=$(curl -sf -c "$cookies" "$url/accounts/connect" -H "Authorization: Bearer $token" -d '{"platform": "demo"}') ||
  die "connecting did not begin: see $RUN/bridge.log"
authorization=$(sed -n 's/.*"authorization_url":"\([^"]*\)".*/\1/p' <<<"$answer")
echo "the browser goes to: $(sed 's/\(state\|code_challenge\)=[^&]*/\1=.../g' <<<"$authorization")"
back=$(curl -s -o /dev/null -w '%{redirect_url}' "$authorization")
echo "and comes back to: ${back%%\?*}"
echo "the user sees: $(curl -sf -b "$cookies" "$back")"
echo "the database has: $($psql -c "SELECT platform, account_id, status, left(access_token, 12) || '...', left(refresh_token, 12) || '...', token_version
  FROM social_accounts WHERE user_id = 'seed-1-1' AND platform = 'demo'")"
echo "with the key: $($psql -c "SELECT string_agg(concat_ws(' ', key_id, place, sealed), ', ') FROM nexus.sealing_keys()")"
