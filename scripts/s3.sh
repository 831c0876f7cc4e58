#!/usr/bin/env bash
# Runs one real S3-compatible server (versitygw, over a local directory) for the tests.
#
#   scripts/s3.sh start [--dir DIR] [--port N] [--with PID]    prints its endpoint, such as http://127.0.0.1:23456
#   scripts/s3.sh stop  [--dir DIR]                            stops it and deletes its data
#
# Access key swiftwater, secret key swiftwater-secret, region us-east-1, path-style addresses, bucket `test`.
# --with PID stops it when that process ends, however it ends.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir="${TMPDIR:-/tmp}/swiftwater-s3-$(id -u)"

# shellcheck source-path=SCRIPTDIR source=server.sh
. "$here/server.sh"

prepare() { "$here/tool.sh" versitygw >/dev/null; }

address() { echo "http://127.0.0.1:$1"; }

run() {
  mkdir -p "$dir/data/test" "$dir/sidecar"
  # Metadata goes beside the objects, because not every file system has extended attributes.
  ROOT_ACCESS_KEY=swiftwater ROOT_SECRET_KEY=swiftwater-secret \
    launch "$("$here/tool.sh" versitygw)" --port "127.0.0.1:$1" posix --sidecar "$dir/sidecar" "$dir/data"
}

answers() { listening "$1"; }

serve "$@"
