# shellcheck shell=bash
# Shared by the scripts of this folder: where things are, who runs the server, how a cluster starts and stops.
set -euo pipefail

SELF=$(realpath "$0")
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

# The server never runs as root, so another user must be able to reach this folder. Where nobody else can (a checkout
# below /root), root works in a copy that is brought up to date each time, and does the same there.
if [ "$(id -u)" = 0 ] && ! setpriv --reuid=65534 --regid=65534 --clear-groups -- test -x "$ROOT"; then
  export NEXUS_VECTORS=${NEXUS_VECTORS:-$ROOT/../shared/vectors} NEXUS_TOOLS=${NEXUS_TOOLS:-$ROOT/../shared/tools}
  copy=/var/tmp/creatornexus-$(printf '%s' "$ROOT" | cksum | cut -d' ' -f1)
  mkdir -p "$copy"
  echo "only root can reach $ROOT: working in $copy" >&2
  find . \( -path ./.run -o -path ./build \) -prune -o -type f ! -name '*.o' ! -name '*.d' ! -name '*.so' -print |
    sort >"$copy/.files.new"
  if [ -f "$copy/.files" ]; then
    comm -23 "$copy/.files" "$copy/.files.new" | (cd "$copy" && xargs -r -d '\n' rm -f)
  fi
  tar --files-from="$copy/.files.new" -cf - | tar -C "$copy" -xf -
  mv "$copy/.files.new" "$copy/.files"
  exec "$copy/${SELF#"$ROOT"/}" "$@"
fi

RUN=${NEXUS_RUN_DIR:-$ROOT/.run} # clusters, logs and secrets of this checkout
PG_SYSTEM=/usr/lib/postgresql/15

# A private copy of the server's tree under .run/pg: PostgreSQL finds its files relative to its binaries, so the
# extension is installed there, and neither the system's installation nor another checkout is touched.
PG_TREE=$ROOT/.run/pg
PG_HOME=$PG_TREE$PG_SYSTEM
PG_BIN=$PG_HOME/bin
export PG_CONFIG=$PG_BIN/pg_config
# Debian keeps the compilers' names there, by way of ccache: a second checkout builds in seconds.
export PATH=$PG_BIN:/usr/lib/ccache:$PATH CCACHE_BASEDIR=${CCACHE_BASEDIR:-$ROOT} CCACHE_NOHASHDIR=1
export LC_ALL=C.UTF-8 TZ=UTC PGTZ=UTC
unset PGHOST PGPORT PGUSER PGDATABASE PGPASSWORD PGOPTIONS PGSERVICE

say() { printf '%s\n' "$*" >&2; }
die() {
  say "error: $*"
  exit 1
}

# initdb and postgres refuse to run as root: as root they run as user postgres.
as_server() {
  if [ "$(id -u)" != 0 ]; then
    "$@"
  else
    setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"
  fi
}

# A folder that the server's user may write.
server_dir() {
  mkdir -p "$1"
  if [ "$(id -u)" = 0 ]; then chown postgres:postgres "$1"; fi
}

make_pg_tree() {
  if [ -x "$PG_BIN/postgres" ] && cmp -s "$PG_BIN/postgres" "$PG_SYSTEM/bin/postgres"; then return; fi
  rm -rf "$PG_TREE"
  mkdir -p "$PG_HOME" "$PG_TREE/usr/share/postgresql" "$PG_TREE/usr/include"
  cp -a "$PG_SYSTEM/bin" "$PG_HOME/bin"
  cp -as "$PG_SYSTEM/lib" "$PG_HOME/lib"
  cp -as /usr/share/postgresql/15 "$PG_TREE/usr/share/postgresql/15"
  ln -s /usr/include/postgresql "$PG_TREE/usr/include/postgresql"
}

install_extension() {
  make_pg_tree
  make -s -j"$(nproc)" all
  make -s install >/dev/null
}

# The socket's path may have 107 bytes at most; a deep checkout gets its socket under /tmp.
socket_dir() {
  local dir=$RUN/$1
  if [ ${#dir} -gt 80 ]; then dir=/tmp/creatornexus-$(printf '%s' "$RUN/$1" | cksum | cut -d' ' -f1); fi
  printf '%s' "$dir"
}

# cluster_start NAME [SETTING=VALUE ...]: a UTF-8, UTC cluster in .run/NAME that listens on a socket only.
cluster_start() {
  local name=$1 dir socket
  shift
  dir=$RUN/$name
  socket=$(socket_dir "$name")
  server_dir "$dir"
  server_dir "$socket"
  chmod 700 "$dir" "$socket"
  if [ ! -f "$dir/data/PG_VERSION" ]; then
    as_server initdb -D "$dir/data" -U postgres -E UTF8 --locale=C.UTF-8 --auth=trust >"$dir.initdb.log" 2>&1 ||
      die "initdb failed, see $dir.initdb.log"
    cat >>"$dir/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$socket'
timezone = 'UTC'
log_timezone = 'UTC'
log_error_verbosity = terse
log_parameter_max_length_on_error = 0
shared_buffers = 256MB
CONF
    local setting
    for setting in "$@"; do printf '%s\n' "$setting" >>"$dir/data/postgresql.conf"; done
  fi
  if ! as_server pg_ctl -D "$dir/data" status >/dev/null 2>&1; then
    as_server pg_ctl -D "$dir/data" -w -l "$dir/server.log" start >/dev/null ||
      die "the server did not start, see $dir/server.log"
  fi
}

cluster_stop() {
  local dir=$RUN/$1
  if [ -f "$dir/data/postmaster.pid" ]; then as_server pg_ctl -D "$dir/data" -w -m fast stop >/dev/null || true; fi
}

schema_changes() { sed -n 's/^\([a-z0-9_]*\) .*/\1/p' sql/schema/sqitch.plan; }

# sqitch_run CLUSTER DATABASE COMMAND [ARGUMENT...]: sqitch deploy, verify, revert, ... of the schema on that database.
sqitch_run() {
  local cluster=$1 database=$2 command=$3
  shift 3
  (cd sql/schema && sqitch "$command" --target "db:pg://postgres@/$database?host=$(socket_dir "$cluster")" "$@")
}

# create_database CLUSTER NAME [--fast]: a UTF-8 database with the extension and the 16 tables, deployed by sqitch as a
# user would; --fast leaves sqitch and its registry out, for databases that live for one test.
create_database() {
  local host
  host=$(socket_dir "$1")
  createdb -h "$host" -U postgres -E UTF8 -T template0 "$2"
  if [ "${3:-}" = --fast ]; then
    scripts/psql_deploy.sh -h "$host" -U postgres -d "$2"
  else
    sqitch_run "$1" "$2" deploy >"$RUN/$1.sqitch.log" 2>&1 || {
      cat "$RUN/$1.sqitch.log" >&2
      die "the migrations failed on database $2"
    }
  fi
}
