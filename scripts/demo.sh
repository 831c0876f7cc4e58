#!/usr/bin/env bash
# Runs the demo: `scripts/demo.sh embedded` needs no server, `scripts/demo.sh real` starts an Apache Kafka for it.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# The demo gets Ctrl-C itself and drains; that is how it is meant to end.
demo() {
  # Without --quiet here: a first build takes minutes, and says what it does.
  cargo build --release
  trap : INT
  cargo run --quiet --release -- demo "$@" || [ $? -eq 130 ]
}

case "${1:-embedded}" in
  embedded) demo ;;
  real)
    directory=$(mktemp -d "${TMPDIR:-/tmp}/swiftwater-demo.XXXXXX")
    trap '"$here/kafka.sh" stop --dir "$directory"' EXIT
    brokers=$("$here/kafka.sh" start --dir "$directory" --with $$)
    demo --brokers "$brokers"
    ;;
  *) echo "demo.sh: KAFKA is embedded or real, not ${1@Q}" >&2; exit 2 ;;
esac
