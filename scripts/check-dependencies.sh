#!/usr/bin/env bash
# Holds the dependencies to deny.toml: licences, bans and sources always, advisories where their database is reachable.
set -euo pipefail

deny=$("$(dirname "${BASH_SOURCE[0]}")/tool.sh" cargo-deny)
"$deny" check licenses bans sources
# The database is a Git repository that a machine without access to it cannot have; that is said, and is no failure.
if timeout 120 "$deny" fetch db; then
  "$deny" check advisories
else
  echo "advisories: NOT CHECKED, their database could not be fetched" >&2
fi
