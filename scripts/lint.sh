#!/usr/bin/env bash
# make lint: the rules of scripts/lint alone.
exec "$(dirname "$0")/check.sh" lint
