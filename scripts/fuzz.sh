#!/usr/bin/env bash
# make fuzz: every parser and decoder under libFuzzer with sanitizers, FUZZ_SECONDS (default 30) each.
source "$(dirname "$0")/lib.sh"

scripts/deps.sh
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz >/dev/null
for program in build/fuzz/*_fuzz; do
  name=$(basename "$program")
  mkdir -p "build/fuzz/corpus/$name"
  say "== $name"
  "$program" -max_total_time="${FUZZ_SECONDS:-30}" -max_len=4096 -timeout=5 -rss_limit_mb=2048 -print_final_stats=1 \
    "build/fuzz/corpus/$name" 2>&1 | grep -E 'ERROR|SUMMARY|stat::(number_of_executed_units|average_exec_per_sec)|BINGO' || true
  if compgen -G 'crash-*' >/dev/null || compgen -G 'timeout-*' >/dev/null; then die "$name found a fault"; fi
done
