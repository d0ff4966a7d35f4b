#!/usr/bin/env bash
# make check: everything that proves the project, on a cluster of its own. Ends with "N passed, N failed".
# scripts/check.sh STAGE...: only those of: lint unit regress isolation differential tap http tour. REGRESS="a b" picks regression tests,
# TAP="test/t/x.t" TAP files, DIFFERENTIAL="x graphemes" the differential tests, DIFFERENTIAL_COUNT how many cases each,
# HTTP="test/http/x.t" HTTP tests, NEXUS_BRIDGE=build/asan/bridge/creatornexus-bridge the program under them (presets asan, tsan).
source "$(dirname "$0")/lib.sh"

stages=("$@")
if [ ${#stages[@]} -eq 0 ]; then stages=(lint unit regress isolation differential tap http tour); fi
wanted() { [[ " ${stages[*]} " == *" $1 "* ]]; }

own_bridge=${NEXUS_BRIDGE:-} # else that of the dev preset
bridge=$(realpath -m "${own_bridge:-build/dev/bridge/creatornexus-bridge}")
logs=$RUN/check-logs
counts=$logs/counts # a line "passed failed" for each stage that ended
mkdir -p "$logs"
: >"$counts"

# count STAGE PASSED FAILED
count() {
  printf '%d %d\n' "$2" "$3" >>"$counts"
  say "$(printf '%-10s %4d passed, %d failed  (%ds)' "$1" "$2" "$3" "$SECONDS")"
}

stage_lint() {
  local ok=0 bad=0 name
  for name in scripts/lint/*.sh; do
    if "$name" >"$logs/lint-$(basename "$name" .sh).log" 2>&1; then
      ok=$((ok + 1))
    else
      bad=$((bad + 1))
      say "lint: $name failed:"
      tail -n 30 "$logs/lint-$(basename "$name" .sh).log" >&2
    fi
  done
  count lint $ok $bad
}

# cmake_build [ARGUMENT...]: the dev preset, quietly unless it fails
cmake_build() {
  if ! { cmake --preset dev && cmake --build --preset dev "$@"; } >"$logs/cmake.log" 2>&1; then
    tail -n 40 "$logs/cmake.log" >&2
    return 1
  fi
}

stage_unit() {
  local log=$logs/unit.log ok bad
  if ! cmake_build --target nexus_unit; then
    count unit 0 1
    return
  fi
  build/dev/nexus_unit >"$log" 2>&1 || grep -E 'FAILED|Failure|error' "$log" | head -n 40 >&2 || true
  ok=$(grep -c '^\[       OK \]' "$log" || true)
  bad=$(grep -c '^\[  FAILED  \].*ms)$' "$log" || true)
  grep -q '^\[==========\].*ran' "$log" || bad=$((bad + 1)) # the runner itself died
  count unit "$ok" "$bad"
}

# pg_regress LIKE stages: run NAME COMMAND..., counting the lines of each test
count_regress() {
  local name=$1 log=$logs/$1.log ok bad
  shift
  "$@" >"$log" 2>&1 || {
    grep -vE '\.\.\. ok' "$log" | tail -n 15 >&2
    head -n 80 regression.diffs >&2 2>/dev/null || true
  }
  ok=$(grep -cE '\.\.\. ok' "$log" || true)
  bad=$(grep -cE '\.\.\. FAILED' "$log" || true)
  if [ "$ok" = 0 ] && [ "$bad" = 0 ]; then bad=1; fi
  count "$name" "$ok" "$bad"
}

regress_names() { find "test/$1" -maxdepth 1 -name "*.$2" -printf '%f\n' | sed "s/\.$2\$//" | sort; }

stage_regress() {
  local tests=${REGRESS:-$(regress_names sql sql)}
  if [ -n "${REGRESS:-}" ]; then tests="00_setup ${REGRESS/00_setup/}"; fi
  # shellcheck disable=SC2086
  count_regress regress "$(dirname "$("$PG_CONFIG" --pgxs)")/../test/regress/pg_regress" --inputdir=test --outputdir=. \
    --bindir="$PG_BIN" --host="$(socket_dir check)" --user=postgres --dbname=nexus_regress $tests
}

stage_isolation() {
  local tests
  tests=$(regress_names specs spec)
  if [ -z "$tests" ]; then return; fi
  create_database check nexus_isolation --fast # pg_isolation_regress would make an empty one
  # shellcheck disable=SC2086
  count_regress isolation "$(dirname "$("$PG_CONFIG" --pgxs)")/../test/isolation/pg_isolation_regress" --inputdir=test --outputdir=. \
    --bindir="$PG_BIN" --host="$(socket_dir check)" --user=postgres --use-existing --dbname=nexus_isolation $tests
}

# Beside other implementations (test/differential), on random input of fixed seeds: a difference without a known reason
# fails. Debian's Python has the packages of some; what needs npm says so where npm cannot be reached, and is left out.
stage_differential() {
  local name log ok=0 bad=0 said
  create_database check nexus_differential --fast
  for name in ${DIFFERENTIAL:-$(regress_names differential py)}; do
    log=$logs/differential-$name.log
    PGHOST=$(socket_dir check) PGUSER=postgres PGDATABASE=nexus_differential \
      /usr/bin/python3 "test/differential/$name.py" ${DIFFERENTIAL_COUNT:+"$DIFFERENTIAL_COUNT"} >"$log" 2>&1 || tail -n 30 "$log" >&2
    grep 'skipped,' "$log" >&2 || true
    said=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" || echo '0 passed, 1 failed')
    ok=$((ok + ${said%% *}))
    said=${said#*, }
    bad=$((bad + ${said%% *}))
  done
  count differential "$ok" "$bad"
}

# prove NAME FILES...: every assertion counts
count_prove() {
  local name=$1 log=$logs/$1.log dir=$RUN/$1-work ok bad
  shift
  rm -rf "$dir" # a failed run leaves its clusters
  server_dir "$dir"
  (
    export TESTDIR=$dir PG_REGRESS=$PG_HOME/lib/pgxs/src/test/regress/pg_regress NEXUS_ROOT=$ROOT
    export NEXUS_BRIDGE=$bridge HOME=$dir
    as_server prove --verbose --merge -I "$PG_HOME/lib/pgxs/src/test/perl" -I "$ROOT/test/perl" "$@"
  ) >"$log" 2>&1 || grep -E '^(not ok|# |Bailout|Dubious)|Failed|Wstat|died' "$log" | head -n 60 >&2 || true
  ok=$(grep -cE '^ok ' "$log" || true)
  bad=$(grep -cE '^not ok ' "$log" || true)
  if ! tail -n 3 "$log" | grep -q '^Result: PASS' && [ "$bad" = 0 ]; then bad=1; fi
  count "$name" "$ok" "$bad"
}

stage_tap() {
  # shellcheck disable=SC2086
  count_prove tap ${TAP:-test/t/*.t}
}

stage_http() {
  if ! compgen -G 'test/http/*.t' >/dev/null; then return; fi
  if [ -z "$own_bridge" ] && ! cmake_build; then
    count http 0 1
    return
  fi
  server_dir "$RUN/npm" # real clients are kept there
  # shellcheck disable=SC2086
  count_prove http ${HTTP:-test/http/*.t}
}

# What "make up" does and prints, on ports and a folder of its own.
stage_tour() {
  local log=$logs/tour.log ok bad=0
  export NEXUS_RUN_DIR=$RUN/tour NEXUS_SERVER_PORT=$((20000 + RANDOM % 10000)) NEXUS_ADMIN_SERVER_PORT=$((30001 + RANDOM % 2000)) NEXUS_SINK_PORT=$((32001 + RANDOM % 350)) NEXUS_HOOK_PORT=$((32401 + RANDOM % 350))
  NEXUS_RUN_DIR=$RUN/tour scripts/down.sh >/dev/null 2>&1 || true
  rm -rf "$NEXUS_RUN_DIR"
  mkdir -p "$NEXUS_RUN_DIR"
  { scripts/up.sh && scripts/up.sh && scripts/tour.sh --run && scripts/status.sh; } >"$log" 2>&1 || {
    bad=1
    tail -n 20 "$log" >&2
  }
  scripts/down.sh >>"$log" 2>&1 || bad=1
  unset NEXUS_RUN_DIR NEXUS_SERVER_PORT NEXUS_ADMIN_SERVER_PORT NEXUS_SINK_PORT NEXUS_HOOK_PORT
  ok=$(grep -c '^\$ ' "$log" || true)
  count tour "$((ok - bad))" "$bad"
}

scripts/deps.sh
if wanted regress || wanted isolation || wanted differential || wanted tap || wanted http; then install_extension; fi
if wanted tap; then make -s -C test/module all && make -s -C test/module install >/dev/null; fi
if wanted regress || wanted isolation || wanted differential; then
  cluster_stop check
  rm -rf "$RUN/check" # a cluster of its own, new each time
  cluster_start check "fsync = off" "max_connections = 50"
  trap 'cluster_stop check' EXIT
fi

# Lint takes what the others leave of the processors; of TAP and HTTP tests each waits more than it works. The tour installs
# the extension anew, which no test may meet.
lint='' tap=''
await() { [ -z "$1" ] || wait "$1" || true; }
for stage in "${stages[@]}"; do
  case $stage in
    lint) (renice -n 19 "$BASHPID" >/dev/null && stage_lint) & lint=$! ;;
    tap) stage_tap & tap=$! ;;
    tour) await "$tap" && stage_tour ;;
    *) "stage_$stage" ;;
  esac
done
await "$tap"
await "$lint"

read -r passed failed < <(awk '{p += $1; f += $2} END {print p + 0, f + 0}' "$counts")
[ "$(wc -l <"$counts")" = ${#stages[@]} ] || failed=$((failed + 1)) # a stage that died counted nothing
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
