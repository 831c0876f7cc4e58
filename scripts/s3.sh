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
port="" watched=""

# shellcheck source-path=SCRIPTDIR source=server.sh
. "$here/server.sh"

fail() { echo "s3.sh: $*" >&2; exit 1; }

start() {
  local server deadline
  server=$("$here/tool.sh" versitygw)
  mkdir -p "$dir/data/test" "$dir/sidecar"
  dir=$(cd "$dir" && pwd)
  if alive; then cat "$dir/endpoint"; return; fi
  [ -n "$port" ] || port=$(free_port "")
  echo "http://127.0.0.1:$port" >"$dir/endpoint"
  # Metadata goes beside the objects, because not every file system has extended attributes.
  ROOT_ACCESS_KEY=swiftwater ROOT_SECRET_KEY=swiftwater-secret \
    launch "$server" --port "127.0.0.1:$port" posix --sidecar "$dir/sidecar" "$dir/data"
  deadline=$((SECONDS + 30))
  until listening "$port"; do
    if ! alive || [ $SECONDS -ge $deadline ]; then
      cat "$dir/server.log" >&2
      fail "the server did not start"
    fi
    sleep 0.1
  done
  [ -z "$watched" ] || watch_over "$watched"
  cat "$dir/endpoint"
}

command=${1:-}
[ $# -eq 0 ] || shift
while [ $# -gt 0 ]; do
  case "$1" in
    --dir) dir=${2:?--dir needs a directory}; shift 2 ;;
    --port) port=${2:?--port needs a number}; shift 2 ;;
    --with) watched=${2:?--with needs a process id}; shift 2 ;;
    *) fail "unknown option $1" ;;
  esac
done
case "$command" in
  start) start ;;
  stop)
    end TERM
    # Only a directory that this script filled is deleted.
    if [ -f "$dir/endpoint" ]; then rm -rf "$dir"; fi
    ;;
  *) sed -n '2,/^set -/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
