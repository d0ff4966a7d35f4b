#!/usr/bin/env bash
# scripts/token.sh USER_ID: a token (JWT, HS256) for the bridge of "make up", good for an hour, as that end user.
source "$(dirname "$0")/lib.sh"

[ $# = 1 ] || die "usage: scripts/token.sh USER_ID"
[ -f "$RUN/jwt-secret" ] || die "no bridge here yet: make up"
python3 - "$RUN/jwt-secret" "$1" <<'PY'
import base64, hashlib, hmac, json, sys, time

def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")

with open(sys.argv[1], "rb") as file:
    secret = file.read()
claims = {"sub": sys.argv[2], "role": "nexus_app", "exp": int(time.time()) + 3600}
body = b".".join(base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
print((body + b"." + base64url(hmac.new(secret, body, hashlib.sha256).digest())).decode())
PY
