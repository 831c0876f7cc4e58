#!/usr/bin/env bash
# Installs what building (`scripts/install.sh build`) and testing (`scripts/install.sh test`) need and this machine
# lacks. On Debian and Ubuntu it uses apt, with sudo where it is not root; elsewhere it says what to install.
set -euo pipefail

purpose=${1:-test}
missing=()

# need PACKAGE COMMAND: the package is missing where the command is.
need() { command -v "$2" >/dev/null || missing+=("$1"); }

# need_library PACKAGE NAME: the same for a library's headers, by its pkg-config name.
need_library() {
  command -v pkg-config >/dev/null && pkg-config --exists "$2" && return
  missing+=("$1")
}

# version_at_least HAVE WANT
version_at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# librdkafka is C, built with cmake, against the system's OpenSSL and zlib.
need cmake cmake
need g++ c++
need make make
need pkg-config pkg-config
need_library libssl-dev openssl
need_library zlib1g-dev zlib

if [ "$purpose" != build ]; then
  # Apache Kafka 4 wants Java 17, Maven fetches it.
  java_version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9.]*\).*/\1/p' || true)
  if ! version_at_least "${java_version:-0}" 17; then
    missing+=(openjdk-headless) # its version is chosen below
  fi
  need maven mvn
  # pip brings the checkers, and Go where the machine has none; scripts/tool.sh says which.
  need python3 python3
  python3 -m pip --version >/dev/null 2>&1 || missing+=(python3-pip)
  # scripts/python.sh keeps the libraries that tests compare with in an environment of their own.
  python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
  need util-linux flock
  need openssl openssl
  # scripts/postgres.sh and scripts/redis.sh run servers of their own, beside those that the packages may have started.
  command -v postgres >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || missing+=(postgresql)
  need redis-server redis-server
fi

# scripts/tool.sh takes promtool out of Debian's package, for which apt must know its packages.
refresh=""
if [ "$purpose" != build ] && command -v apt-cache >/dev/null && ! command -v promtool >/dev/null; then
  apt-cache show prometheus >/dev/null 2>&1 || refresh=yes
fi

if [ ${#missing[@]} -gt 0 ] || [ -n "$refresh" ]; then
  if ! command -v apt-get >/dev/null; then
    echo "install.sh: please install these, or what your system calls them: ${missing[*]}" >&2
    exit 1
  fi
  echo "installing ${missing[*]:-the package lists of apt}"
  as_root=()
  if [ "$(id -u)" != 0 ]; then as_root=(sudo); fi
  ${as_root[@]+"${as_root[@]}"} apt-get update -q
  # Debian 12 has Java 17, Debian 13 has 21, Ubuntu has both.
  java=openjdk-17-jre-headless
  apt-cache show $java >/dev/null 2>&1 || java=openjdk-21-jre-headless
  missing=("${missing[@]/#openjdk-headless/$java}")
  [ ${#missing[@]} -eq 0 ] || ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends "${missing[@]}"
fi

if [ "$purpose" != build ]; then "$(dirname "${BASH_SOURCE[0]}")/python.sh" >/dev/null; fi

if ! command -v cargo >/dev/null; then
  echo "install.sh: please install Rust from https://rustup.rs; rust-toolchain.toml then chooses the version" >&2
  exit 1
fi
