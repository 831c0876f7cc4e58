#!/usr/bin/env bash
# Runs one real PostgreSQL, in a cluster of its own, for the tests.
#
#   scripts/postgres.sh start [--dir DIR] [--port N] [--with PID]    prints its URL
#   scripts/postgres.sh stop  [--dir DIR]                            stops it and deletes its data
#
# User swiftwater (a superuser), password swiftwater-secret, asked for with SCRAM. It speaks TLS to who wants it, with a
# certificate for localhost and 127.0.0.1 by the authority in DIR/ca.pem. PostgreSQL refuses to run as root: it then runs as the user
# postgres. --with PID stops it when that process ends, however it ends.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir="${TMPDIR:-/tmp}/swiftwater-postgres-$(id -u)"
# A fast shutdown: it does not wait for clients.
stop_signal=INT

# shellcheck source-path=SCRIPTDIR source=server.sh
. "$here/server.sh"

# Debian keeps the server's programs off the path.
bin() {
  local newest
  newest=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -n 1) || true
  if [ -x "$newest/initdb" ]; then echo "$newest"; else dirname "$(command -v initdb)"; fi
}

prepare() {
  [ -x "$(bin 2>/dev/null)/postgres" ] || fail "needs PostgreSQL: run scripts/install.sh"
  command -v openssl >/dev/null || fail "needs openssl: run scripts/install.sh"
}

address() { echo "postgres://swiftwater:swiftwater-secret@127.0.0.1:$1/postgres"; }

# What runs a command as a user that PostgreSQL accepts, without a process between.
as_user=()
if [ "$(id -u)" = 0 ]; then as_user=(setpriv --reuid postgres --regid postgres --init-groups); fi

make_certificate() (
  cd "$dir/tls"
  openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=swiftwater test authority" -keyout ca.key -out ca.pem
  openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr
  openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -out server.pem \
    -extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n')
  cp ca.pem "$dir/ca.pem"
  chmod 600 server.key
)

initialise() {
  mkdir -p "$dir/data" "$dir/tls"
  make_certificate >"$dir/openssl.log" 2>&1 || fail "openssl failed: see $dir/openssl.log"
  echo swiftwater-secret >"$dir/tls/password"
  if [ ${#as_user[@]} -gt 0 ]; then chown -R postgres: "$dir/data" "$dir/tls"; fi
  ${as_user[@]+"${as_user[@]}"} test -w "$dir/data" || fail "the user postgres cannot get to $dir"
  ${as_user[@]+"${as_user[@]}"} "$(bin)/initdb" -D "$dir/data" -U swiftwater --pwfile "$dir/tls/password" \
    -A scram-sha-256 -E UTF8 --locale=C >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log" >&2; fail "initdb failed"; }
}

run() {
  [ -f "$dir/data/PG_VERSION" ] || initialise
  launch ${as_user[@]+"${as_user[@]}"} "$(bin)/postgres" -D "$dir/data" -p "$1" -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories= -c ssl=on -c ssl_cert_file="$dir/tls/server.pem" -c ssl_key_file="$dir/tls/server.key" \
    -c ssl_ca_file="$dir/tls/ca.pem" -c max_connections=100
}

answers() { "$(bin)/pg_isready" -q -h 127.0.0.1 -p "$1"; }

serve "$@"
