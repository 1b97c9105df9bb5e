#!/usr/bin/env bash
# Runs a registry of images (Debian package docker-registry) in the foreground, with its data in a folder.
#
#   scripts/lib/registry.sh DIR LISTEN        (LISTEN is HOST:PORT)
set -euo pipefail
[ $# = 2 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2 && exit 2; }
dir=$1 listen=$2
mkdir -p "$dir/data"
cat >"$dir/config.yml" <<YAML
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: "$dir/data"}
  delete: {enabled: true}
http: {addr: "$listen"}
YAML
exec docker-registry serve "$dir/config.yml"
