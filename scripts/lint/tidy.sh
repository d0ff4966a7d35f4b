#!/usr/bin/env bash
# The core and the bridge pass clang-tidy (.clang-tidy).
set -euo pipefail
cmake --preset dev -B build/tidy -DNEXUS_TESTS=OFF >/dev/null
cmake --build build/tidy --target unicode_tables >/dev/null
git ls-files 'extension/core/*.cpp' 'extension/core/**/*.cpp' 'bridge/*.cpp' 'bridge/**/*.cpp' | sort -u |
  xargs -r -P "$(nproc)" -n 1 clang-tidy --quiet -p build/tidy
