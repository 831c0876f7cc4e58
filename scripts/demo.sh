#!/usr/bin/env bash
# Runs the demo: `scripts/demo.sh embedded` needs no server, `scripts/demo.sh real` starts an Apache Kafka for it.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
case "${1:-embedded}" in
  embedded) exec cargo run --quiet --release -- demo ;;
  real)
    directory=$(mktemp -d "${TMPDIR:-/tmp}/swiftwater-demo.XXXXXX")
    # The demo gets Ctrl-C itself and drains; the broker goes after it.
    trap '"$here/kafka.sh" stop --dir "$directory"' EXIT
    trap : INT
    brokers=$("$here/kafka.sh" start --dir "$directory" --with $$)
    cargo run --quiet --release -- demo --brokers "$brokers"
    ;;
  *) echo "demo.sh: KAFKA is embedded or real, not ${1@Q}" >&2; exit 2 ;;
esac
