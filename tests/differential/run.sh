#!/usr/bin/env bash
# Runs serin through the scenarios, compares with the recordings of Flux 1.25.4, and sends it what fluxctl sent.
#
#   run.sh --playground PROGRAM --serin PROGRAM [--jobs N] [--only REGEX] [--out DIR] [--results FILE] [--again] [--keep]
#
# A scenario passes when it was recorded and differs from Flux in nothing but what accepted-gitops names; when all were run, each
# line there has to be needed. replay/SCENARIO passes when what the real fluxctl sent in it is answered as it was: accepted-replay names
# what is not, and has to. N scenarios run at a time (4: they mostly wait). --out keeps the recordings and the daemons' logs
# (build/differential); --keep also the temporary directories.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
scenarios=(release policies automation helmrelease commit-settings list-images yaml-edits api-errors first-sync rejected-push generators-command drift ssh-and-identity gc-on
  generators-patch ignore gc-off force-push unknown-kind bad-manifests branch-missing allow-namespace startup-errors git-paths no-repository readonly save-install cli-errors) # the long ones first

playground='' serin='' jobs=4 only=. out=$top/build/differential results=/dev/null keep='' again=''
while [ $# -gt 0 ]; do
  case $1 in
    --playground) playground=$(realpath -- "$2") && shift 2 ;;
    --serin) serin=$(realpath -m -- "$2") && shift 2 ;;
    --jobs) jobs=$2 && shift 2 ;;
    --only) only=$2 && shift 2 ;;
    --out) out=$(realpath -m -- "$2") && shift 2 ;;
    --results) results=$(realpath -m -- "$2") && shift 2 ;;
    --again) again=1 && shift ;;
    --keep) keep=--keep && shift ;;
    *) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
  esac
done
if [ ! -x "$serin" ] || [ ! -x "$playground" ]; then
  echo "--serin and --playground name no program: '$serin', '$playground'" >&2
  printf 'fail\tdifferential\tno program to run\n' >>"$results"
  exit 1
fi

mkdir -p "$out/bin" "$out/replay"
ln -sf "$serin" "$out/bin/fluxctl" # by that name serin speaks as fluxctl does
daemon="$serin run --kube-config= --git-url={git_url} --git-branch={git_branch} --listen=127.0.0.1:{listen_port} --registry-insecure-host=127.0.0.1
  --k8s-secret-volume-mount-path={home} --state-dir={state_dir} {flags}"
export here out results keep again playground daemon
export PYTHON=${PYTHON:-python3} PYTHONDONTWRITEBYTECODE=1

like_flux() { # SCENARIO: does all that was recorded of it
  rm -f "$out/$1.json" "$out/$1".daemon*.log
  "$PYTHON" "$here/gitops.py" run --playground "$playground" --scenarios "$here/scenarios/gitops/$1.yaml" --out "$out" $keep \
    --accept "$here/accepted-gitops" --cli "$out/bin/fluxctl" --daemon "$daemon" &&
    "$PYTHON" "$here/gitops.py" diff "$here/recordings/flux/$1.json" "$out/$1.json" --accept "$here/accepted-gitops"
}

like_fluxd() { # SCENARIO: answers what the real fluxctl sent
  rm -f "$out/replay/$1.json" "$out/replay/$1".daemon*.log
  "$PYTHON" "$here/replay.py" "$1" --playground "$playground" --out "$out/replay" \
    --accept "$here/accepted-gitops" --accept-replay "$here/accepted-replay" --cli "$out/bin/fluxctl" --daemon "$daemon"
}

one() { # [replay/]SCENARIO
  local name=$1 log=$out/$1.log act=like_flux outcome=fail began=$SECONDS
  [[ $name != replay/* ]] || act=like_fluxd
  if $act "${name#replay/}" >"$log" 2>&1 </dev/null; then
    outcome=pass
  elif [ -n "$again" ]; then
    sed 's/^/    /' "$log"
    if $act "${name#replay/}" >"$log" 2>&1 </dev/null; then
      outcome=pass
      echo "UNSTEADY: it passed the second time: $name"
    fi
  fi
  printf '%s\tdifferential\t%s\n' "$outcome" "$name" >>"$results"
  printf '%s %s (%d s)\n' "$outcome" "$name" $((SECONDS - began))
  [ $outcome = pass ] && return
  sed 's/^/    /' "$log"
  tail -n 25 "$out/$name".daemon*.log | sed 's/^/    /'
  return 1
}
export -f one like_flux like_fluxd

failed=0
if ! replays=$("$PYTHON" "$here/replay.py" --list); then
  failed=1
  printf 'fail\tdifferential\twhat fluxctl sent is known\n' >>"$results"
fi
# shellcheck disable=SC2086 # a list of words
printf '%s\n' "${scenarios[@]}" $replays | grep -E -- "$only" | xargs -P "$jobs" -I{} bash -c 'one {}' || failed=1
if [ "$only" = . ]; then # a scenario that was not recorded has nothing to say about what is needed
  outcome=pass
  "$PYTHON" "$here/gitops.py" diff "$here/recordings/flux" "$out" --accept "$here/accepted-gitops" --all-needed >"$out/needed.log" 2>&1 || true
  if grep ': accepted without need: ' "$out/needed.log"; then
    outcome=fail failed=1
  fi
  printf '%s\tdifferential\tevery accepted difference is needed\n' $outcome >>"$results"
fi
[ $failed = 0 ]
