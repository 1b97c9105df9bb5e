#!/usr/bin/env bash
# serin on a laptop, from nothing: installs what it needs, builds, starts a cluster, makes a git repository, runs serin between the
# two, and stays up until Ctrl-C.
#
#   scripts/playground.sh [--dir DIR] [--forget] [--port N] [--kubeconfig FILE]
#
#   --dir DIR           where cluster, repository and logs are kept (build/playground)
#   --forget            begin with an empty cluster and a fresh repository; else the last ones go on
#   --port N            where serin listens on 127.0.0.1 (3030, or a free port if that is taken)
#   --kubeconfig FILE   use that cluster (kind, minikube, ...) in place of the playground's own
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"

dir=$top/build/playground forget='' port='' kubeconfig=''
while [ $# -gt 0 ]; do
  case $1 in
    --dir | --port | --kubeconfig) [ $# -gt 1 ] || die "$1 needs a value" ;;
  esac
  case $1 in
    --dir) dir=$2 && shift 2 ;;
    --forget) forget=1 && shift ;;
    --port) port=$2 && shift 2 ;;
    --kubeconfig) kubeconfig=$(realpath -e -- "$2") && shift 2 ;;
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0" && exit ;;
    *) die "unknown argument $1 (--help says which there are)" ;;
  esac
done
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
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
  say "starting the cluster (state in $dir/cluster)"
  "$PLAYGROUND" up --dir "$dir/cluster" ${forget:+--forget} >"$dir/cluster.out" 2>"$dir/cluster.log" </dev/null &
  local pid=$!
  pids+=("$pid")
  until [ -s "$dir/cluster.out" ]; do
    kill -0 "$pid" 2>/dev/null || { cat "$dir/cluster.log" >&2 && die "the cluster did not start"; }
    sleep 0.2
  done
  kubeconfig=$(head -n 1 "$dir/cluster.out")
}

make_repository() {
  if [ -n "$forget" ]; then
    rm -rf "$repository"
  fi
  if [ -d "$repository" ]; then
    say "the repository of the last time goes on ($url)"
    return
  fi
  say "making a repository from repo-layout/"
  local work
  work=$(mktemp -d "$dir/work.XXXXXX")
  cp -R "$top/repo-layout/." "$work"
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

choose_port() {
  if [ -n "$port" ]; then
    return
  fi
  for port in 3030 $(seq 3031 3099); do
    if is_free "$port"; then return; fi
  done
  die "no free port from 3030 to 3099: --port N"
}

# ask PATH: one request to serin's API.
ask() {
  "$PYTHON" -c 'import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())' \
    "http://127.0.0.1:$port/api/flux/$1" 2>/dev/null
}

start_serin() {
  choose_port
  say "starting serin (log in $dir/serin.log)"
  "$top/build/release/src/cmd/serin" run --kubeconfig="$kubeconfig" --git-url="$url" --git-branch=master --git-poll-interval=1s \
    --sync-garbage-collection --listen="127.0.0.1:$port" --state-dir="$dir/state" >"$dir/serin.log" 2>&1 </dev/null &
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

install_packages "${BUILD_PACKAGES[@]}" kubernetes-client
find_python
say "building serin (build/release)"
build_serin release serin || die "serin could not be built"
if [ -z "$kubeconfig" ]; then
  start_cluster
fi
make_repository
asked=$SECONDS
start_serin
say "synced: $(git -C "$repository" rev-parse --short master) is in the cluster"
cat <<TEXT

  cluster      export KUBECONFIG=$kubeconfig
  repository   $url (branch master)
  serin        http://127.0.0.1:$port, log in $dir/serin.log

Three things to try, in another terminal (each takes about a second):

  1. Push a change:
       git clone -c user.name=me -c user.email=me@example.com $url demo && cd demo
       sed -i 's/podinfo:3.1.0/podinfo:3.1.1/' prod/backend/deployment.yaml
       git commit -qam 'Release podinfo 3.1.1' && git push -q
       kubectl -n prod get deployment backend -o wide
  2. Break something, and see it heal:
       kubectl -n prod delete service flagger-loadtester
       kubectl -n prod get service flagger-loadtester
  3. Remove a file, and see its object go:
       git rm -q prod/loadtest/service.yaml && git commit -qm 'No load test' && git push -q
       kubectl -n prod get service flagger-loadtester

Ctrl-C ends it; what is in the cluster and in the repository is there again the next time (--forget begins anew).

TEXT
status=0
wait -n "${pids[@]}" || status=$?
tail -n 20 "$dir/serin.log" "${dir}/cluster.log" 2>/dev/null >&2 || true
die "something ended by itself (status $status)"
