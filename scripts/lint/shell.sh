#!/usr/bin/env bash
# Shell scripts pass shellcheck.
set -euo pipefail
git ls-files '*.sh' .ci/run | xargs -r shellcheck -x -P scripts -S warning
