#!/usr/bin/env bash
# Checks what is in docker/ as far as that goes without a Docker engine: the Dockerfile, the Compose file, Prometheus's
# configuration, the alert rules with their own tests, and the dashboard. That rules and dashboard name only series
# that exist, and that the health check works, is a test (tests/it/monitoring.rs).
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
tool() { scripts/tool.sh "$1"; }
promtool=$(tool promtool)

"$(tool hadolint)" docker/Dockerfile
echo "docker/Dockerfile: ok"

if docker compose version >/dev/null 2>&1; then
  docker compose -f docker/compose.yaml config --quiet
else
  "$(tool compose-config)" docker/compose.yaml >/dev/null
fi
echo "docker/compose.yaml: ok"

# Every file that the Compose file mounts or builds from is there.
while read -r path; do
  [ -e "docker/$path" ] || { echo "docker/compose.yaml mounts docker/$path, which is not there" >&2; exit 1; }
done < <(sed -n 's/.*[- "[]\(\.\.\{0,1\}\/[^:"]*\):.*/\1/p' docker/compose.yaml)

# The token that it reads exists only in its container, hence syntax only; the rules are checked by themselves.
"$promtool" check config --syntax-only docker/prometheus.yml
"$promtool" check rules docker/alerts.yml
"$promtool" test rules docker/alerts_test.yml
for dashboard in docker/grafana/*.json; do
  python3 -m json.tool "$dashboard" >/dev/null
  echo "$dashboard: ok"
done

# One version of Kafka everywhere.
version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' scripts/kafka/pom.xml)
if grep 'image: apache/kafka:' docker/compose.yaml | grep -v ":$version\$"; then
  echo "docker/compose.yaml names another Kafka than $version of scripts/kafka/pom.xml" >&2
  exit 1
fi
