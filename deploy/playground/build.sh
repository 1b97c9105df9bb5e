#!/usr/bin/env bash
# Builds the playground's program once into a cache and prints its path. Needs Go 1.24 or newer and 4 GB of disk; some six minutes the first time,
# nothing after that. SERIN_PLAYGROUND_CACHE names another cache folder. What it is doing goes to stderr.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here"
version=$(sed -n 's/^\tk8s.io\/kubernetes \(v[0-9.]*\)$/\1/p' go.mod)
sources=$(find . -name '*.go' ! -name '*_test.go' -print0 | LC_ALL=C sort -z | xargs -0 cat go.mod go.sum | sha256sum | cut -c1-12)
cache=${SERIN_PLAYGROUND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/serin-playground}
binary=$cache/$version-$sources/playground
if [ -x "$binary" ]; then
  echo "$binary"
  exit
fi

# Progress: on a terminal one line that is written over, elsewhere a line every 15 seconds.
progress() { # TEXT
  if [ -t 2 ]; then
    printf '\r[%4ds] playground: %s\033[K' "$SECONDS" "$1" >&2
  elif [ $((SECONDS - shown)) -ge 15 ]; then
    printf '[%4ds] playground: %s\n' "$SECONDS" "$1" >&2
    shown=$SECONDS
  fi
}

# What Go says of itself: the first lines, which are the cause of the rest.
told=0
tell() { # LINE
  told=$((told + 1))
  [ "$told" -le 20 ] || return 0
  [ ! -t 2 ] || printf '\r\033[K' >&2
  printf '%s\n' "$1" >&2
}

shown=-15
mkdir -p "${binary%/*}"
exec 9>"$cache/lock"
if ! flock -n 9; then
  progress "waiting for another build"
  flock 9
fi
if [ ! -x "$binary" ]; then
  list=$(mktemp)
  trap 'rm -f "$list"' EXIT
  fetched=0 failed=''
  progress "fetching modules"
  while IFS= read -r line; do
    case $line in
      "go: downloading "*) fetched=$((fetched + 1)) && progress "fetching modules: $fetched" ;;
      "list failed") failed=1 ;;
      *) tell "$line" ;;
    esac
  done < <(go list -mod=readonly -deps . 2>&1 >"$list" || echo "list failed")
  [ -z "$failed" ] || { echo "playground: its modules could not be fetched (GOPROXY=$(go env GOPROXY))" >&2 && exit 1; }
  total=$(wc -l <"$list")
  info=k8s.io/component-base/version
  IFS=. read -r major minor _ <<<"${version#v}"
  compiled=0
  while IFS= read -r line; do
    if [ "$line" = "build failed" ]; then
      failed=1
    elif grep -qxF -- "$line" "$list"; then
      compiled=$((compiled + 1))
      progress "$compiled packages built, $total at most"
    else
      tell "$line"
    fi
  done < <(go build -v -mod=readonly -trimpath -buildvcs=false -o "$binary.part" -ldflags \
    "-s -w -X $info.gitVersion=$version -X $info.gitMajor=$major -X $info.gitMinor=$minor" . 2>&1 || echo "build failed")
  [ -z "$failed" ] || exit 1
  shown=-15
  progress "built in $SECONDS s"
  [ ! -t 2 ] || echo >&2
  mv "$binary.part" "$binary"
fi
echo "$binary"
