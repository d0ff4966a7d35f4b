#!/usr/bin/env bash
# C++ is formatted by .clang-format.
set -euo pipefail
git ls-files '*.cpp' '*.hpp' | xargs -r clang-format --dry-run -Werror
