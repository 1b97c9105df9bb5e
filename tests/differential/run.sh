#!/usr/bin/env bash
# Runs serin through the scenarios and compares with the recordings of Flux 1.25.4.
#
#   run.sh --playground PROGRAM --serin PROGRAM [--jobs N] [--only REGEX] [--out DIR] [--results FILE] [--keep]
#
# A scenario passes when it was recorded and differs from Flux in nothing but what accepted-gitops names; when all were run, each
# line there has to be needed. N scenarios run at a time (4: they mostly wait). --out keeps the recordings and the daemons' logs
# (build/differential); --keep also the temporary directories.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
scenarios=(release policies automation helmrelease commit-settings list-images yaml-edits api-errors first-sync rejected-push generators-command drift ssh-and-identity gc-on
  generators-patch ignore gc-off force-push unknown-kind bad-manifests branch-missing allow-namespace startup-errors git-paths no-repository readonly save-install cli-errors) # the long ones first

playground='' serin='' jobs=4 only=. out=$top/build/differential results=/dev/null keep=''
while [ $# -gt 0 ]; do
  case $1 in
    --playground) playground=$(realpath -- "$2") && shift 2 ;;
    --serin) serin=$(realpath -m -- "$2") && shift 2 ;;
    --jobs) jobs=$2 && shift 2 ;;
    --only) only=$2 && shift 2 ;;
    --out) out=$(realpath -m -- "$2") && shift 2 ;;
    --results) results=$(realpath -m -- "$2") && shift 2 ;;
    --keep) keep=--keep && shift ;;
    *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
  esac
done
if [ ! -x "$serin" ] || [ ! -x "$playground" ]; then
  echo "--serin and --playground name no program: '$serin', '$playground'" >&2
  printf 'fail\tdifferential\tno program to run\n' >>"$results"
  exit 1
fi

mkdir -p "$out/bin"
ln -sf "$serin" "$out/bin/fluxctl" # by that name serin speaks as fluxctl does
export here out results keep serin playground
export PYTHON=${PYTHON:-python3} PYTHONDONTWRITEBYTECODE=1

one() { # SCENARIO
  local name=$1 log=$out/$1.log outcome=fail began=$SECONDS
  rm -f "$out/$name.json" "$out/$name".daemon*.log
  if "$PYTHON" "$here/gitops.py" run --playground "$playground" --scenarios "$here/scenarios/gitops/$name.yaml" --out "$out" $keep \
    --accept "$here/accepted-gitops" --cli "$out/bin/fluxctl" --daemon "$serin run --kube-config= --git-url={git_url} --git-branch={git_branch}
      --listen=127.0.0.1:{listen_port} --registry-insecure-host=127.0.0.1 --k8s-secret-volume-mount-path={home} --state-dir={state_dir} {flags}" >"$log" 2>&1 </dev/null &&
    "$PYTHON" "$here/gitops.py" diff "$here/recordings/flux/$name.json" "$out/$name.json" --accept "$here/accepted-gitops" >>"$log" 2>&1; then
    outcome=pass
  fi
  printf '%s\tdifferential\t%s\n' "$outcome" "$name" >>"$results"
  printf '%s %s (%d s)\n' "$outcome" "$name" $((SECONDS - began))
  [ $outcome = pass ] && return
  sed 's/^/    /' "$log"
  tail -n 25 "$out/$name".daemon*.log | sed 's/^/    /'
  return 1
}
export -f one

failed=0
printf '%s\n' "${scenarios[@]}" | grep -E -- "$only" | xargs -P "$jobs" -I{} bash -c 'one {}' || failed=1
if [ "$only" = . ]; then # a scenario that was not recorded has nothing to say about what is needed
  outcome=pass
  "$PYTHON" "$here/gitops.py" diff "$here/recordings/flux" "$out" --accept "$here/accepted-gitops" --all-needed >"$out/needed.log" 2>&1 || true
  if grep ': accepted without need: ' "$out/needed.log"; then
    outcome=fail failed=1
  fi
  printf '%s\tdifferential\tevery accepted difference is needed\n' $outcome >>"$results"
fi
[ $failed = 0 ]
