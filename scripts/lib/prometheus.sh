#!/usr/bin/env bash
# Runs Prometheus (Debian package prometheus) in the foreground: its data in a folder, asking one address every second.
#
#   scripts/lib/prometheus.sh DIR LISTEN TARGET        (both HOST:PORT)
set -euo pipefail
[ $# = 3 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2 && exit 2; }
dir=$1 listen=$2 target=$3
mkdir -p "$dir"
cat >"$dir/prometheus.yml" <<YAML
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
scrape_configs:
- job_name: playground
  honor_labels: true
  static_configs: [{targets: ["$target"]}]
YAML
exec prometheus --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/data" --storage.tsdb.retention.time=6h \
  --web.listen-address="$listen" --log.level=warn
