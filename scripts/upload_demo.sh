#!/usr/bin/env bash
# scripts/upload_demo.sh: as a demo user, uploads 20 MB with tus-js-client (npm) through a proxy that cuts the connection
# after 7 MB, and shows where it went on and what is stored. Ends with 77 where npm is not reachable.
source "$(dirname "$0")/lib.sh"

url=http://127.0.0.1:${NEXUS_SERVER_PORT:-3000}
work=$RUN/npm/media
mkdir -p "$work"
cp test/http/media/* "$work"
if ! (cd "$work" && timeout 300 npm install --no-audit --no-fund --ignore-scripts --no-package-lock --prefer-offline >npm.log 2>&1); then
  echo "npm is not reachable, so that there is no tus-js-client"
  exit 77
fi
said=$(cd "$work" && timeout 120 node resume.js "$url/files" "$("$OLDPWD/scripts/token.sh" seed-1-1)" 20000000 7000000) || die "the upload did not end: $said"
echo "method status offset-asked offset-answered"
grep -v '^done' <<<"$said"
key=$(sed -n 's/^done \([^ ]*\) .*/\1/p' <<<"$said")
sent=$(sed -n 's/^done [^ ]* //p' <<<"$said")
stored=$(psql -XqAt -h "$(socket_dir up)" -U postgres nexus -c "SELECT storage_key FROM nexus.media_files WHERE file_key = '$key'")
kept=$(sha256sum "$RUN/media/objects/${stored:0:2}/$stored" | cut -d' ' -f1)
[ "$sent" = "$kept" ] || die "what is stored is not what was sent"
grep -qE '^PATCH 204 [1-9][0-9]* 20000000$' <<<"$said" || die "it did not go on where it was cut"
echo "stored: $kept, as it was sent"
