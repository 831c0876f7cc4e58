#!/usr/bin/env bash
# Runs one real model server (MLServer) for the tests, with the scikit-learn models of connectors/tests/models/make.py.
#
#   scripts/models.sh start [--dir DIR] [--port N] [--with PID]    prints its URL
#   scripts/models.sh stop  [--dir DIR]                            stops it and deletes its data
#
# It speaks the Open Inference Protocol v2 over HTTP. --with PID stops it when that process ends, however it ends. The first start
# puts MLServer into the cache.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir="${TMPDIR:-/tmp}/swiftwater-models-$(id -u)"
packages=(mlserver==1.7.1 mlserver-sklearn==1.7.1)

# shellcheck source-path=SCRIPTDIR source=server.sh
. "$here/server.sh"

version=$(python3 -c 'import platform; print(platform.python_version())') || fail "needs Python 3.11 or newer: run scripts/install.sh"
venv="${XDG_CACHE_HOME:-$HOME/.cache}/swiftwater/models-$(echo "$version ${packages[*]}" | cksum | cut -d' ' -f1)"

prepare() {
  [ ! -e "$venv/complete" ] || return 0
  mkdir -p "$(dirname "$venv")"
  exec 9>"$venv.lock"
  flock 9
  if [ ! -e "$venv/complete" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv" >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${packages[@]}" >&2 || fail "could not install MLServer"
    touch "$venv/complete"
  fi
  exec 9>&-
}

address() { echo "http://127.0.0.1:$1"; }

run() {
  mkdir -p "$dir/models"
  "$venv/bin/python" "$here/../connectors/tests/models/make.py" "$dir/models"
  # Without a process of its own for each model.
  cat > "$dir/models/settings.json" <<JSON
{"host": "127.0.0.1", "http_port": $1, "grpc_port": $(free_port "$1"), "metrics_endpoint": null, "parallel_workers": 0, "debug": false}
JSON
  launch "$venv/bin/mlserver" start "$dir/models"
}

answers() { curl -sf -m 5 "http://127.0.0.1:$1/v2/models/candidate/ready" >/dev/null; }

serve "$@"
