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

# shellcheck source-path=SCRIPTDIR source=server.sh
. "$here/server.sh"

# Downloads it once; a half-finished download never takes the final name.
prepare() {
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

address() { echo "http://127.0.0.1:$1/apis/ccompat/v7"; }

run() {
  QUARKUS_HTTP_HOST=127.0.0.1 QUARKUS_HTTP_PORT=$1 QUARKUS_LOG_LEVEL=WARN \
    launch java -Xmx256m -jar "$installed/apicurio-registry-app-$version-runner.jar"
}

serve "$@"
