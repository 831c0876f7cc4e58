#!/usr/bin/env bash
# Runs a command beside the servers that the tests need, and stops them when it ends.
#
#   scripts/with-servers.sh cargo test --release --workspace
#
# SWIFTWATER_TEST_BROKERS (host:port of a Kafka), SWIFTWATER_TEST_S3 (URL of an S3-compatible server with the credentials
# of scripts/s3.sh), SWIFTWATER_TEST_REGISTRY (URL of a schema registry), SWIFTWATER_TEST_POSTGRES (URL of a PostgreSQL, with
# the rights of a superuser) and SWIFTWATER_TEST_REDIS (URL of a Redis) name servers that are there already; what they do not
# name is started here. SWIFTWATER_TEST_PYTHON is a Python with the libraries of tests/oracle/requirements.txt.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
directory=$(mktemp -d "${TMPDIR:-/tmp}/swiftwater-servers.XXXXXX")
# PostgreSQL runs as a user of its own, who has to get to its data.
chmod 711 "$directory"

stop() {
  "$here/kafka.sh" stop --dir "$directory/kafka"
  "$here/s3.sh" stop --dir "$directory/s3"
  "$here/registry.sh" stop --dir "$directory/registry"
  "$here/postgres.sh" stop --dir "$directory/postgres"
  "$here/redis.sh" stop --dir "$directory/redis"
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
if [ -z "${SWIFTWATER_TEST_POSTGRES:-}" ]; then
  SWIFTWATER_TEST_POSTGRES=$("$here/postgres.sh" start --dir "$directory/postgres" --with $$)
fi
if [ -z "${SWIFTWATER_TEST_REDIS:-}" ]; then
  SWIFTWATER_TEST_REDIS=$("$here/redis.sh" start --dir "$directory/redis" --with $$)
fi
if [ -z "${SWIFTWATER_TEST_PYTHON:-}" ]; then
  SWIFTWATER_TEST_PYTHON=$("$here/python.sh")
fi
export SWIFTWATER_TEST_PYTHON
export SWIFTWATER_TEST_BROKERS SWIFTWATER_TEST_S3 SWIFTWATER_TEST_REGISTRY SWIFTWATER_TEST_POSTGRES SWIFTWATER_TEST_REDIS
echo "Kafka at $SWIFTWATER_TEST_BROKERS, S3 at $SWIFTWATER_TEST_S3, schemas at $SWIFTWATER_TEST_REGISTRY,"
echo "Redis at $SWIFTWATER_TEST_REDIS, and a PostgreSQL"

"$@"
