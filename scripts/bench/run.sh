#!/usr/bin/env bash
# Builds what the benchmarks need and runs them: figures and ratios, no assertions on time.
#
#   scripts/bench/run.sh [--apps N] [--json FILE]     1,000 apps (4,050 objects) unless told; 2,500 make 10,125
#   scripts/bench/run.sh --canaries [N] [--analysed K] [--new COUNT...] [--apps N] [--json FILE]
#                                                     1,000 canaries, 100 of them in analysis, unless told; --apps: beside a sync
#   scripts/bench/run.sh --releases [--repositories N] [--tags M] [--workloads W] [--json FILE]
#                                                     100 repositories of 30 tags, 1,000 automated workloads, unless told
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
install_packages "${BUILD_PACKAGES[@]}"
find_python
build_playground
if [ "${1:-}" = --canaries ]; then
  shift
  canaries=()
  if [[ ${1:-} =~ ^[0-9]+$ ]]; then
    canaries=(--canaries "$1")
    shift
  fi
  say "building serin (build/release)"
  build_serin release serin
  exec "$PYTHON" "$top/scripts/bench/canaries.py" --playground "$PLAYGROUND" --serin "$top/build/release/src/cmd/serin" "${canaries[@]}" "$@"
fi
if [ "${1:-}" = --releases ]; then
  shift
  install_packages curl docker-registry
  say "building serin (build/release)"
  build_serin release serin
  exec "$PYTHON" "$top/scripts/bench/releases.py" --playground "$PLAYGROUND" --serin "$top/build/release/src/cmd/serin" "$@"
fi
say "building serin (build/release) and the bare client"
build_serin release serin
(cd "$top/scripts/bench/bare" && go build -buildvcs=false -o "$top/build/bench/bare" .)
exec "$PYTHON" "$top/scripts/bench/first_sync.py" --playground "$PLAYGROUND" --serin "$top/build/release/src/cmd/serin" \
  --bare "$top/build/bench/bare" "$@"
