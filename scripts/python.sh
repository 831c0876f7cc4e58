#!/usr/bin/env bash
# Prints the path of a Python with the libraries that tests compare with (tests/oracle/requirements.txt), and puts it
# into the cache first where it is not there yet.
#
#   scripts/python.sh             the interpreter, such as ~/.cache/swiftwater/python-123/bin/python
#   scripts/python.sh ARGS...     runs it
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
locked="$here/../tests/oracle/requirements.txt"
fail() { echo "python.sh: $*" >&2; exit 1; }

# Another directory when the libraries or the Python under them change. A venv cannot be moved, so the mark is made
# last: what was interrupted is made again.
version=$(python3 -c 'import platform; print(platform.python_version())') \
  || fail "needs Python 3.11 or newer: run scripts/install.sh"
directory="${XDG_CACHE_HOME:-$HOME/.cache}/swiftwater/python-$( (echo "$version" && cat "$locked") | cksum | cut -d' ' -f1)"

prepare() {
  [ ! -e "$directory/complete" ] || return 0
  rm -rf "$directory"
  python3 -m venv "$directory" >&2 || fail "could not make a virtual environment: run scripts/install.sh"
  "$directory/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$locked" >&2 \
    || fail "could not install what tests/oracle/requirements.txt names"
  touch "$directory/complete"
}

mkdir -p "$(dirname "$directory")"
# Of two that come at once, one waits for the other.
exec 9>"$directory.lock"
flock 9
prepare
exec 9>&-

if [ $# -eq 0 ]; then
  echo "$directory/bin/python"
else
  exec "$directory/bin/python" "$@"
fi
