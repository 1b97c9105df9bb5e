#!/usr/bin/env bash
# Runs end-to-end tests against an older release of Kubernetes, for instance: tests/older/run.sh v1.20.15 'drift|take'
# Its API server and its controllers are built once from their Go modules, into a cache (10 to 20 minutes of two cores); etcd, the
# stand-in for the kubelet and the proxy are the playground's. The second argument chooses tests as --only of tests/e2e/run.py does.
# SERIN and PLAYGROUND name programs that are there, in place of that of the preset asan and of one that is built.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib/common.sh
. "$here/../../scripts/lib/common.sh"
version=${1:-}
only=${2:-^(a push is in|a field|replicas|crds|edits|drift while|a restart changes|taking over|one leader|nothing is asked)}
[[ $version =~ ^v1\.([0-9]+)\.[0-9]+$ ]] || die "which release? For instance: $0 v1.20.15"
minor=${BASH_REMATCH[1]}
staged=v0.${version#v1.}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/serin-older/$version
source=$cache/source programs=$cache/programs

# The Go of its time, which is a module too: what it uses of Go's inside may be gone today.
use_its_go() {
  local go
  case $minor in
    20) go=go1.15.15 ;;
    21 | 22) go=go1.16.15 ;;
    23 | 24) go=go1.18.10 ;;
    25 | 26) go=go1.19.13 ;;
    27 | 28) go=go1.20.14 ;;
    *) return 0 ;;
  esac
  PATH=$(GOFLAGS='' GOTOOLCHAIN=$go go env GOROOT)/bin:$PATH
  export PATH GOTOOLCHAIN=local
}

# The release's own module, with the modules it is made of by their versions in place of their folders in its repository.
fetch() {
  local module
  module=$(cd / && go mod download -json "k8s.io/kubernetes@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  [ -n "$module" ] || die "there is no module k8s.io/kubernetes@$version"
  rm -rf "$source"
  cp -r "$module" "$source"
  chmod -R u+w "$source"
  rm -rf "$source/vendor"
  sed -i -E "s#=> \./staging/src/(k8s\.io/[a-z-]+)#=> \1 $staged#" "$source/go.mod"
}

# The schemas of the built-in kinds, without which there is no server-side apply; older releases make them in each build. The generator
# knows only a GOPATH, so it gets one of links.
generate_schemas() {
  local out=pkg/generated/openapi tree=$cache/tree packages name
  [ ! -e "$source/$out/zz_generated.openapi.go" ] || return 0
  go build -o "$cache/openapi-gen" k8s.io/kube-openapi/cmd/openapi-gen
  rm -rf "$tree"
  mkdir -p "$tree/src/k8s.io"
  for name in api apimachinery kube-aggregator apiextensions-apiserver; do
    go mod download "k8s.io/$name"
    ln -s "$(go list -m -f '{{.Dir}}' "k8s.io/$name")" "$tree/src/k8s.io/$name"
  done
  packages=$(cd "$tree/src" && grep -rl --include='*.go' '+k8s:openapi-gen=' k8s.io/*/ | xargs -n 1 dirname | sort -u | paste -sd,)
  (cd "$tree/src" && GO111MODULE=off GOFLAGS='' GOPATH=$tree "$cache/openapi-gen" --logtostderr -i "$packages" \
    -p "k8s.io/kubernetes/$out" -O zz_generated.openapi -h /dev/null -r "$cache/violations" --output-base "$cache/made")
  cp "$cache/made/k8s.io/kubernetes/$out/zz_generated.openapi.go" "$source/$out/"
}

# The controllers had other names up to 1.27, and a port without TLS up to 1.21.
wrap_controllers() {
  local port=''
  [ "$minor" -ge 28 ] && return 0
  [ "$minor" -ge 22 ] || port=--port=0
  mkdir -p "$programs/real"
  mv "$programs/kube-controller-manager" "$programs/real/"
  cat >"$programs/kube-controller-manager" <<TEXT
#!/bin/sh
for flag; do
  shift
  case \$flag in
    --controllers=*) flag='--controllers=*,-nodelifecycle,-cloud-node-lifecycle,-service,-route' ;;
  esac
  set -- "\$@" "\$flag"
done
exec '$programs/real/kube-controller-manager' $port "\$@"
TEXT
  chmod 755 "$programs/kube-controller-manager"
}

build() (
  info=k8s.io/component-base/version
  export GOFLAGS=-mod=mod
  use_its_go
  fetch
  cd "$source"
  generate_schemas
  rm -rf "$programs"
  mkdir -p "$programs"
  go build -tags providerless -ldflags "-s -w -X $info.gitVersion=$version -X $info.gitMajor=1 -X $info.gitMinor=$minor" \
    -o "$programs/" ./cmd/kube-apiserver ./cmd/kube-controller-manager
  wrap_controllers
)

find_python
find_go
[ -n "${PLAYGROUND:-}" ] || build_playground
if [ ! -e "$cache/built" ]; then
  say "building Kubernetes $version"
  mkdir -p "$cache"
  run_logged "older-$version" build || die "Kubernetes $version could not be built"
  rm -rf "$source" "$cache/tree" "$cache/made"
  touch "$cache/built"
fi
# A playground that starts these programs, and is itself in all else.
cat >"$cache/playground" <<TEXT
#!/bin/sh
[ "\$1" != up ] || { shift && set -- up --components '$programs' "\$@"; }
exec '$PLAYGROUND' "\$@"
TEXT
chmod 755 "$cache/playground"
if [ -z "${SERIN:-}" ]; then
  build_serin asan serin
  SERIN=$top/build/asan/src/cmd/serin
fi
exec "$PYTHON" "$top/tests/e2e/run.py" --playground "$cache/playground" --serin "$SERIN" --only "$only"
