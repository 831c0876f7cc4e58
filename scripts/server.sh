# shellcheck shell=bash
# What the scripts that run a server share; sourced with `dir`, the server's directory, set.
# A server leaves its process id in $dir/pid, its address in $dir/address and its output in $dir/server.log.

: "${dir:?}"

fail() { echo "$(basename "$0"): $*" >&2; exit 1; }

# Prints the comment at the head of the script that was called.
usage() { sed -n '2,/^set -/s/^# \{0,1\}//p' "$0" >&2; exit 2; }

pid_of() { [ -f "$dir/pid" ] && cat "$dir/pid"; }

alive() {
  local pid
  pid=$(pid_of) && kill -0 "$pid" 2>/dev/null
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A port that is free and not among the arguments, of which there may be none. It lies below the kernel's range for outgoing connections, so
# that no client takes it in the meantime.
free_port() {
  local candidate
  while :; do
    candidate=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    case " $* " in *" $candidate "*) continue ;; esac
    listening "$candidate" || { echo "$candidate"; return; }
  done
}

# Becomes a command in a session of its own, so that Ctrl-C in the terminal does not reach it. To be run with `&`; exec
# makes $! the process id of the command and not that of a shell around it.
detached() {
  if command -v setsid >/dev/null; then exec setsid "$@"; else exec nohup "$@"; fi
}

launch() {
  : >"$dir/server.log"
  detached "$@" </dev/null >>"$dir/server.log" 2>&1 &
  echo $! >"$dir/pid"
}

# Kills the server and deletes its directory when process $1 ends, however that ends.
watch_over() {
  local server
  server=$(pid_of)
  # It ends with the server as well, so that a restart does not leave two.
  # shellcheck disable=SC2016 # the variables are those of the inner shell
  detached bash -c 'while kill -0 "$1" 2>/dev/null; do kill -0 "$2" 2>/dev/null || exit 0; sleep 0.5; done
    kill -9 "$2"; rm -rf "$3"' watch "$1" "$server" "$dir" </dev/null >/dev/null 2>&1 &
}

# Sends signal $1 and waits for the process to be gone; one that ignores SIGTERM for 30 s is killed.
end() {
  local pid deadline=$((SECONDS + 30))
  pid=$(pid_of) || return 0
  kill "-$1" "$pid" 2>/dev/null || true
  while kill -0 "$pid" 2>/dev/null; do
    [ $SECONDS -lt $deadline ] || { kill -9 "$pid" 2>/dev/null || true; deadline=$((SECONDS + 30)); }
    sleep 0.05
  done
  rm -f "$dir/pid"
}

# The whole of a script whose server needs no more than this: `start` and `stop` with --dir, --port and --with. The script
# has the functions `prepare` (install it), `address PORT`, `run PORT` (which calls `launch`) and `answers PORT`, and may set
# `stop_signal`.
serve() {
  local command=${1:-} port="" watched=""
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
    start) start_server ;;
    stop)
      end "${stop_signal:-TERM}"
      # Only a directory that this script filled is deleted.
      if [ -f "$dir/address" ]; then rm -rf "$dir"; fi
      ;;
    *) usage ;;
  esac
}

# Starts the server unless it runs, waits until it answers, and prints its address.
start_server() {
  local deadline=$((SECONDS + 120))
  prepare
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  if alive; then cat "$dir/address"; return; fi
  [ -n "$port" ] || port=$(free_port "")
  address "$port" >"$dir/address"
  run "$port"
  [ -z "$watched" ] || watch_over "$watched"
  until answers "$port"; do
    if ! alive || [ $SECONDS -ge $deadline ]; then
      cat "$dir/server.log" >&2
      fail "the server did not start"
    fi
    sleep 0.1
  done
  cat "$dir/address"
}
