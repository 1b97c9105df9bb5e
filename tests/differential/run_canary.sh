#!/usr/bin/env bash
# Runs `serin canary` through the scenarios of canary analysis and compares with the recordings of Flagger 1.44.0.
#
#   run_canary.sh --playground PROGRAM --serin PROGRAM [--jobs N] [--only NAME...] [--out DIR] [--results FILE] [--again]
#
# A scenario passes when it was recorded and differs from Flagger in nothing but what accepted-canary.yaml names. --again runs once more
# what failed. --out keeps the recordings and the log of serin (build/differential-canary).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)

playground='' serin='' jobs=14 only=() out=$top/build/differential-canary results=/dev/null again=''
while [ $# -gt 0 ]; do
  case $1 in
    --playground) playground=$(realpath -- "$2") && shift 2 ;;
    --serin) serin=$(realpath -m -- "$2") && shift 2 ;;
    --jobs) jobs=$2 && shift 2 ;;
    --only) shift && while [ $# -gt 0 ] && [[ $1 != --* ]]; do only+=("$1") && shift; done ;;
    --out) out=$(realpath -m -- "$2") && shift 2 ;;
    --results) results=$(realpath -m -- "$2") && shift 2 ;;
    --again) again=1 && shift ;;
    *) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
  esac
done
if [ ! -x "$serin" ] || [ ! -x "$playground" ]; then
  echo "--serin and --playground name no program: '$serin', '$playground'" >&2
  printf 'fail\tdifferential\tno program to run\n' >>"$results"
  exit 1
fi

PYTHON=${PYTHON:-python3}
export PYTHONDONTWRITEBYTECODE=1
rm -rf "$out"
mkdir -p "$out"
subset=()
if [ ${#only[@]} -gt 0 ]; then
  subset=(--subset)
  only=(--only "${only[@]}")
fi

record() { # JOBS [--only NAME...]
  local n=$1
  shift
  "$PYTHON" "$here/canary.py" run --playground "$playground" --label serin --crds "$top/deploy/crds.yaml" --jobs "$n" \
    --operator "$serin canary --kubeconfig {kubeconfig} --metrics-server {metrics_url} --event-webhook {events_url} --port {port}" \
    --log "$out/serin.log" --scenarios "$here/scenarios/canary" "$@" --out "$out" || true
}

compare() { # RESULTS
  "$PYTHON" "$here/canary.py" diff "$here/recordings/flagger" "$out" --allow "$here/accepted-canary.yaml" --results "$1" "${subset[@]}"
}

record "$jobs" "${only[@]}"
if [ -n "$again" ]; then
  compare "$out/first" || true
  mapfile -t failed < <(awk -F'\t' '$1 == "fail" && $3 !~ / / { print $3 }' "$out/first")
  if [ ${#failed[@]} -gt 0 ]; then
    echo "once more, one at a time: ${failed[*]}"
    record 1 --only "${failed[@]}"
  fi
fi
compare "$results"
