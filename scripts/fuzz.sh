#!/usr/bin/env bash
# make fuzz: every parser and decoder under libFuzzer with sanitizers, FUZZ_SECONDS (default 30) each. FUZZ="text_fuzz" picks some.
source "$(dirname "$0")/lib.sh"

scripts/deps.sh
cmake --preset fuzz >/dev/null
# shellcheck disable=SC2086
cmake --build --preset fuzz ${FUZZ:+--target $FUZZ} >/dev/null
for name in ${FUZZ:-$(find test/fuzz -name '*_fuzz.cpp' -printf '%f\n' | sed 's/\.cpp$//' | sort)}; do
  program=build/fuzz/$name words=
  if [ -f "test/fuzz/dict/$name.dict" ]; then words=-dict=test/fuzz/dict/$name.dict; fi
  mkdir -p "build/fuzz/corpus/$name"
  longest=4096
  if [ "$name" = bridge_probe_fuzz ]; then # files of each kind to begin with
    longest=65536
    if ! compgen -G "build/fuzz/corpus/$name/*.*" >/dev/null; then
      /usr/bin/python3 test/media/files.py build/fuzz/seeds 120 1
      find build/fuzz/seeds -type f -size -64k ! -name manifest.jsonl -exec mv -t "build/fuzz/corpus/$name" {} +
    fi
  fi
  say "== $name"
  "$program" -max_total_time="${FUZZ_SECONDS:-30}" -max_len=$longest -timeout=5 -rss_limit_mb=2048 -print_final_stats=1 \
    ${words:+"$words"} "build/fuzz/corpus/$name" 2>&1 | grep -E 'ERROR|SUMMARY|stat::(number_of_executed_units|average_exec_per_sec)|BINGO' || true
  if compgen -G 'crash-*' >/dev/null || compgen -G 'timeout-*' >/dev/null; then die "$name found a fault"; fi
done
