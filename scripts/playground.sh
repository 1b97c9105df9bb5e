#!/usr/bin/env bash
# serin on a laptop, from nothing: installs what it needs, builds, starts a cluster whose pods answer, Prometheus and a gateway, makes
# a git repository, runs serin between them, and stays up until Ctrl-C.
#
#   scripts/playground.sh [--dir DIR] [--forget] [--port N] [--kubeconfig FILE]
#
#   --dir DIR           where cluster, repository and logs are kept (build/playground)
#   --forget            begin with an empty cluster and a fresh repository; else the last ones go on
#   --port N            where serin listens on 127.0.0.1 (3030, or a free port if that is taken)
#   --kubeconfig FILE   use that cluster (kind, minikube, ...) in place of the playground's own, with what it has of mesh, metrics, images
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"

dir=$top/build/playground forget='' port='' kubeconfig='' gateway='' proxy='' metrics='' slack='' registry=''
while [ $# -gt 0 ]; do
  case $1 in
    --dir | --port | --kubeconfig) [ $# -gt 1 ] || die "$1 needs a value" ;;
  esac
  case $1 in
    --dir) dir=$2 && shift 2 ;;
    --forget) forget=1 && shift ;;
    --port) port=$2 && shift 2 ;;
    --kubeconfig)
      [ -r "$2" ] || die "--kubeconfig $2: there is no such file"
      kubeconfig=$(realpath -- "$2") && shift 2
      ;;
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0" && exit ;;
    *) die "unknown argument $1 (--help says which there are)" ;;
  esac
done
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
exec 8>"$dir/lock"
flock -w 2 8 || die "another playground is at work in $dir (--dir takes another folder)"
repository=$dir/repository.git url=file://$dir/repository.git

pids=()
# The end, however it comes: what was started is stopped, last first.
# shellcheck disable=SC2317 # run by the trap
finish() {
  trap - EXIT INT TERM
  local i
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    kill "${pids[i]}" 2>/dev/null || continue
    wait "${pids[i]}" 2>/dev/null || true
  done
}
trap finish EXIT
trap 'echo; say "stopping"; exit 0' INT TERM

start_cluster() {
  build_playground
  say "starting the cluster and the mesh (state in $dir/cluster)"
  choose_free 8080
  : >"$dir/cluster.out"
  "$PLAYGROUND" up --dir "$dir/cluster" ${forget:+--forget} --mesh --mesh-port "$free" --serin "$serin" \
    --prometheus "$top/scripts/lib/prometheus.sh" >"$dir/cluster.out" 2>"$dir/cluster.log" </dev/null &
  wait_for_lines 2 "$dir/cluster.out" $! "$dir/cluster.log"
  kubeconfig=$(head -n 1 "$dir/cluster.out")
  read -r _ gateway _ proxy _ metrics _ < <(tail -n 1 "$dir/cluster.out")
}

start_slack() {
  : >"$dir/slack.out"
  "$PLAYGROUND" slack --out "$dir/slack.log" >"$dir/slack.out" 2>&1 </dev/null &
  wait_for_lines 1 "$dir/slack.out" $! "$dir/slack.out"
  slack=$(cat "$dir/slack.out")
}

# wait_for_lines N FILE PID LOG: until the process, which is ours from now on, has written so many.
wait_for_lines() {
  pids+=("$3")
  until [ "$(wc -l <"$2")" -ge "$1" ]; do
    kill -0 "$3" 2>/dev/null || { cat "$4" >&2 && die "it did not start: see $4"; }
    sleep 0.2
  done
}

# The registry keeps its address over restarts: the repository names it.
start_registry() {
  local address=$dir/registry/address
  if [ -n "$forget" ]; then
    rm -rf "$dir/registry"
  fi
  mkdir -p "$dir/registry"
  if [ -f "$address" ]; then
    registry=$(cat "$address")
    is_free "${registry##*:}" || die "the images are at $registry, and something else is there now (--forget begins anew)"
  else
    choose_free 5000
    registry=127.0.0.1:$free
  fi
  "$top/scripts/lib/registry.sh" "$dir/registry" "$registry" >"$dir/registry.log" 2>&1 </dev/null &
  pids+=("$!")
  until ! is_free "${registry##*:}"; do
    kill -0 "$!" 2>/dev/null || { cat "$dir/registry.log" >&2 && die "the registry did not start"; }
    sleep 0.1
  done
  printf '%s\n' "$registry" >"$address"
}

# use_registry FOLDER: its manifests take their images from the registry, which has them, and some newer ones.
use_registry() {
  local images
  grep -rlE '^ *(- )?image: ' "$1" --include='*.yaml' | xargs sed -i -E "s#^( *(- )?image: )(([a-z0-9-]+\.)+[a-z]+/)?#\\1$registry/#"
  mapfile -t images < <(grep -rhoE "image: $registry/.*" "$1" --include='*.yaml' | sed "s#^image: $registry/##" | sort -u)
  "$PYTHON" "$top/scripts/playground-push" --registry "$registry" "${images[@]}" podinfo:3.1.1 podinfo:3.1.2 >/dev/null
}

make_repository() {
  if [ -n "$forget" ]; then
    rm -rf "$repository"
  fi
  if [ -d "$repository" ]; then
    say "the repository of the last time goes on, with what was tried in it ($url; --forget begins anew)"
    return
  fi
  say "making a repository from repo-layout/"
  local work
  work=$(mktemp -d "$dir/work.XXXXXX")
  cp -R "$top/repo-layout/." "$work"
  if [ -n "$registry" ]; then
    use_registry "$work"
  fi
  git init -q --bare -b master "$repository"
  git -C "$work" init -q -b master
  git -C "$work" add -A
  git -C "$work" -c user.name=Playground -c user.email=playground@example.com -c commit.gpgSign=false commit -q -m 'Begin'
  git -C "$work" push -q "$repository" master
  rm -rf "$work"
}

is_free() { # PORT
  ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

choose_free() { # FIRST: sets free to the first port from there that is
  for free in $(seq "$1" $(($1 + 69))); do
    if is_free "$free"; then return; fi
  done
  die "no free port from $1 to $free"
}

# ask PATH: one request to serin's API.
ask() {
  "$PYTHON" -c 'import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())' \
    "http://127.0.0.1:$port/api/flux/$1" 2>/dev/null
}

start_serin() {
  if [ -z "$port" ]; then
    choose_free 3030
    port=$free
  fi
  say "starting serin (log in $dir/serin.log)"
  local names=()
  if [ -n "$proxy" ]; then # what cluster DNS is to a pod
    names=("http_proxy=$proxy" "no_proxy=127.0.0.1,localhost")
  fi
  env "${names[@]}" "$serin" run --kubeconfig="$kubeconfig" --git-url="$url" --git-branch=master --git-poll-interval=1s \
    --sync-garbage-collection --listen="127.0.0.1:$port" --state-dir="$dir/state" \
    ${registry:+--registry-insecure-host="$registry" --registry-scan-interval=1s --automation-interval=2s} \
    ${slack:+--slack-url="$slack" --slack-channel=releases} >"$dir/serin.log" 2>&1 </dev/null &
  local pid=$! head
  pids+=("$pid")
  head=$(git -C "$repository" rev-parse master)
  say "waiting for the first sync"
  until [ "$(ask "v6/sync?ref=$head")" = '[]' ]; do
    kill -0 "$pid" 2>/dev/null || { tail -n 20 "$dir/serin.log" >&2 && die "serin ended"; }
    if [ $((SECONDS - asked)) -gt 120 ]; then
      tail -n 20 "$dir/serin.log" >&2
      die "no sync after two minutes"
    fi
    sleep 0.2
  done
}

serin=$top/build/release/src/cmd/serin
[ -x "$serin" ] || say "the first time takes some ten minutes: packages, serin itself, then the program that is the cluster"
if [ -n "$port" ]; then
  { [[ $port =~ ^[1-9][0-9]{0,4}$ ]] && [ "$port" -le 65535 ]; } || die "--port $port is no port"
  is_free "$port" || die "--port $port: something listens on 127.0.0.1:$port already"
fi
install_packages "${BUILD_PACKAGES[@]}" curl docker-registry kubernetes-client prometheus
find_python
say "building serin (build/release; what did not change stays)"
build_serin release serin || die "serin could not be built"
if [ -z "$kubeconfig" ]; then
  start_cluster
  start_slack
  start_registry
fi
make_repository
asked=$SECONDS
start_serin
# What runs after what was done the last time; all of these are in the registry.
runs=$(git -C "$repository" show master:prod/backend/deployment.yaml | sed -n 's/^.*podinfo:\([0-9.]*\).*$/\1/p' | head -n 1)
case $runs in
  '' | 3.1.0) runs=3.1.0 next=3.1.1 ;;
  *) next=3.1.0 ;;
esac
say "synced: $(git -C "$repository" rev-parse --short master) is in the cluster"
cat <<TEXT

  cluster      export KUBECONFIG=$kubeconfig
  repository   $url (branch master)
  serin        http://127.0.0.1:$port, log in $dir/serin.log

Three things to try, in another terminal, after the export of the first line (each takes about a second):

  1. Push a change:
       git clone -c user.name=me -c user.email=me@example.com $url demo && cd demo
       sed -i 's/podinfo:$runs/podinfo:$next/' prod/backend/deployment.yaml
       git commit -qam 'Release podinfo $next' && git push -q
       kubectl -n prod get deployment backend -o wide
  2. Break something, and see it heal:
       kubectl -n prod delete service flagger-loadtester
       kubectl -n prod get service flagger-loadtester
  3. Remove a file, and see its object go:
       git rm -q prod/sidecar/default.yaml && git commit -qm 'No sidecar' && git push -q
       kubectl -n prod get sidecars
TEXT
if [ -n "$gateway" ]; then
  cat <<TEXT

And with canaries, for which pods answer here:

  application  $gateway (the gateway; any Host is the frontend's), http_proxy=$proxy for names of Services
  metrics      $metrics/metrics; faults of pods: $metrics/faults
  alerts       $dir/slack.log
  images       $registry; push one with scripts/playground-push NAME:TAG

  4. Release to a few at first (the push of 1. did it too: kubectl -n prod get canaries; tail -f $dir/slack.log):
       kubectl apply -f $top/deploy/playground/podinfo.yaml && kubectl -n test wait canary/podinfo --for=condition=promoted
       kubectl -n test set image deployment/podinfo podinfod=ghcr.io/stefanprodan/podinfo:6.0.1
       kubectl -n test get canary podinfo --watch
       for i in \$(seq 20); do curl -s -H 'Host: app.example.com' $gateway/version; done | grep -c 6.0.1
  5. Release something bad (half of its requests fail; or 6.0.3-delay-700ms), and see it taken back:
       kubectl -n test set image deployment/podinfo podinfod=ghcr.io/stefanprodan/podinfo:6.0.2-errors-50
       kubectl -n test describe canary podinfo
     Or break a good one while it is out, from here until it is undone (curl -X DELETE $metrics/faults):
       curl -X PUT $metrics/faults -d '{"namespace": "test", "workload": "podinfo", "error_percent": 50}'
  6. Let some go first: insiders and Firefox get a new frontend (image: podinfo:3.1.1 in prod/frontend/deployment.yaml, pushed as in 1.):
       curl -s -b type=insider $gateway/version; curl -s $gateway/version
  7. Ask a person before a promotion, who then opens the gate:
       kubectl -n test patch canary podinfo --type=json -p '[{"op": "add", "path": "/spec/analysis/webhooks/-",
         "value": {"name": "person", "type": "confirm-promotion", "url": "http://flagger-loadtester.test/gate/check"}}]'
       kubectl -n test set image deployment/podinfo podinfod=ghcr.io/stefanprodan/podinfo:6.0.4
       curl -x $proxy -d '{"name": "podinfo", "namespace": "test"}' http://flagger-loadtester.test/gate/open

And with images; git pull shows the commits:

  8. Release another image of the repository's workload, by a commit:
       export FLUX_URL=http://127.0.0.1:$port/api/flux; PATH=\$PATH:${serin%/*}
       serin list-images -n prod -w deployment/backend
       serin release --workload=prod:deployment/backend -i $registry/stefanprodan/podinfo:3.1.2
  9. Let new images release themselves, and push one:
       serin automate -n prod -w deployment/backend && serin policy -n prod -w deployment/backend --tag-all='semver:~3.1'
       $top/scripts/playground-push --dir $dir podinfo:3.1.3
       kubectl -n prod get deployment backend -o wide --watch
TEXT
fi
cat <<TEXT

Ctrl-C ends it; what is in the cluster and in the repository is there again the next time (--forget begins anew).

TEXT
status=0
wait -n "${pids[@]}" || status=$?
tail -n 20 "$dir/serin.log" "${dir}/cluster.log" 2>/dev/null >&2 || true
die "something ended by itself (status $status)"
