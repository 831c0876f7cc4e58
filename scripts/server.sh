# shellcheck shell=bash
# What the scripts that run a server share; sourced with `dir`, the server's directory, set.
# A server leaves its process id in $dir/pid and its output in $dir/server.log.

: "${dir:?}"

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
