#!/usr/bin/env bash
# Runs a command beside the servers that the tests need, and stops them when it ends.
#
#   scripts/with-servers.sh cargo test --release --workspace
#
# SWIFTWATER_TEST_BROKERS (host:port of a Kafka), SWIFTWATER_TEST_S3 (URL of an S3-compatible server with the credentials
# of scripts/s3.sh) and SWIFTWATER_TEST_REGISTRY (URL of a schema registry) name servers that are there already; what they
# do not name is started here.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
directory=$(mktemp -d "${TMPDIR:-/tmp}/swiftwater-servers.XXXXXX")

stop() {
  "$here/kafka.sh" stop --dir "$directory/kafka"
  "$here/s3.sh" stop --dir "$directory/s3"
  "$here/registry.sh" stop --dir "$directory/registry"
  rm -rf "$directory"
}
trap stop EXIT
# With a trap of its own, Ctrl-C ends the command and then this script in order.
trap 'exit 130' INT
trap 'exit 143' TERM

if [ -z "${SWIFTWATER_TEST_BROKERS:-}" ]; then
  SWIFTWATER_TEST_BROKERS=$("$here/kafka.sh" start --dir "$directory/kafka" --with $$)
fi
if [ -z "${SWIFTWATER_TEST_S3:-}" ]; then
  SWIFTWATER_TEST_S3=$("$here/s3.sh" start --dir "$directory/s3" --with $$)
fi
if [ -z "${SWIFTWATER_TEST_REGISTRY:-}" ]; then
  SWIFTWATER_TEST_REGISTRY=$("$here/registry.sh" start --dir "$directory/registry" --with $$)
fi
export SWIFTWATER_TEST_BROKERS SWIFTWATER_TEST_S3 SWIFTWATER_TEST_REGISTRY
echo "Kafka at $SWIFTWATER_TEST_BROKERS, S3 at $SWIFTWATER_TEST_S3, schemas at $SWIFTWATER_TEST_REGISTRY"

"$@"
