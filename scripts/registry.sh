#!/usr/bin/env bash
# Runs one real schema registry (Apicurio Registry, in memory, by its Confluent-compatible API) for the tests.
#
#   scripts/registry.sh start [--dir DIR] [--port N] [--with PID]    prints its URL
#   scripts/registry.sh stop  [--dir DIR]                            stops it; what it held is gone
#
# --with PID stops it when that process ends, however it ends.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# The newest release that runs on Java 17 and whose description is complete in the repository.
version=2.6.13.Final
installed="${XDG_CACHE_HOME:-$HOME/.cache}/swiftwater/apicurio-registry-$version"
dir="${TMPDIR:-/tmp}/swiftwater-registry-$(id -u)"
port="" watched=""

# shellcheck source-path=SCRIPTDIR source=server.sh
. "$here/server.sh"

fail() { echo "registry.sh: $*" >&2; exit 1; }

# Downloads it once; a half-finished download never takes the final name.
fetch() {
  [ -d "$installed" ] && return
  command -v mvn >/dev/null || fail "needs Maven to fetch the registry: run scripts/install.sh"
  mkdir -p "$(dirname "$installed")"
  local partial
  partial=$(mktemp -d "$installed.XXXXXX")
  if ! mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
    -Dartifact="io.apicurio:apicurio-registry-app:$version:tar.gz:all" -DoutputDirectory="$partial" >&2 \
    || ! tar -xzf "$partial/apicurio-registry-app-$version-all.tar.gz" -C "$partial"; then
    rm -rf "$partial"
    fail "could not fetch io.apicurio:apicurio-registry-app:$version with Maven"
  fi
  rm "$partial/apicurio-registry-app-$version-all.tar.gz"
  mv -T "$partial" "$installed" 2>/dev/null || rm -rf "$partial"
}

# Asks for the list of subjects, which is the last thing that begins to work.
answers() {
  local status
  listening "$1" || return 1
  status=$(
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'GET /apis/ccompat/v7/subjects HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
    timeout 5 head -n 1 <&3
  ) 2>/dev/null || return 1
  case "$status" in *" 200 "*) ;; *) return 1 ;; esac
}

start() {
  local deadline
  fetch
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  if alive; then cat "$dir/url"; return; fi
  [ -n "$port" ] || port=$(free_port "")
  echo "http://127.0.0.1:$port/apis/ccompat/v7" >"$dir/url"
  QUARKUS_HTTP_HOST=127.0.0.1 QUARKUS_HTTP_PORT=$port QUARKUS_LOG_LEVEL=WARN \
    launch java -Xmx256m -jar "$installed/apicurio-registry-app-$version-runner.jar"
  [ -z "$watched" ] || watch_over "$watched"
  deadline=$((SECONDS + 120))
  until answers "$port"; do
    if ! alive || [ $SECONDS -ge $deadline ]; then
      cat "$dir/server.log" >&2
      fail "the registry did not start"
    fi
    sleep 0.2
  done
  cat "$dir/url"
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
    if [ -f "$dir/url" ]; then rm -rf "$dir"; fi
    ;;
  *) sed -n '2,/^set -/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
