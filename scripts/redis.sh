#!/usr/bin/env bash
# Runs one real Redis for the tests.
#
#   scripts/redis.sh start [--dir DIR] [--port N] [--with PID]    prints its URL
#   scripts/redis.sh stop  [--dir DIR]                            stops it and deletes its data
#
# It takes no password and keeps its data over a restart with the same DIR. --with PID stops it when that process ends, however
# it ends.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir="${TMPDIR:-/tmp}/swiftwater-redis-$(id -u)"

# shellcheck source-path=SCRIPTDIR source=server.sh
. "$here/server.sh"

prepare() { command -v redis-server >/dev/null || fail "needs redis-server: run scripts/install.sh"; }

address() { echo "redis://127.0.0.1:$1"; }

run() {
  mkdir -p "$dir/data"
  launch redis-server --bind 127.0.0.1 --port "$1" --dir "$dir/data" --save "" --appendonly yes
}

# It listens before it has loaded its data.
answers() {
  local reply
  listening "$1" || return 1
  reply=$(
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'PING\r\n' >&3
    timeout 5 head -n 1 <&3
  ) 2>/dev/null || return 1
  case "$reply" in +PONG*) ;; *) return 1 ;; esac
}

serve "$@"
