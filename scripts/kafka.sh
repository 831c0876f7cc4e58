#!/usr/bin/env bash
# Runs one real Apache Kafka broker (KRaft mode) from its published Maven jars, for the demo and the tests.
#
#   scripts/kafka.sh start  [--dir DIR] [--port N] [--secure] [--with PID] [--set KEY=VALUE]...
#   scripts/kafka.sh stop   [--dir DIR] [--keep]    stop it; without --keep its data is deleted
#   scripts/kafka.sh kill   [--dir DIR]             SIGKILL, data kept: `start` with the same DIR recovers it
#   scripts/kafka.sh status [--dir DIR]             its addresses as NAME=value lines; exit 1 when it does not answer
#   scripts/kafka.sh tool   [--dir DIR] TOOL ARGS...   one of Kafka's own tools (a class of org.apache.kafka.tools), e.g.
#                           tool TopicCommand --list
#                           tool AclCommand --add --allow-principal User:alice --operation Read --topic bids
#                           tool consumer.ConsoleConsumer --topic bids --from-beginning --timeout-ms 5000
#
# `start` returns once the broker answers, and prints its bootstrap address (the plaintext listener) on standard
# output and nothing else. Ports are free ones unless --port says which. A DIR that was used before keeps its data
# and its ports. --with PID stops the broker and deletes DIR when that process ends, however it ends.
#
# --secure adds the listeners SASL_PLAINTEXT and SASL_SSL (PLAIN and SCRAM-SHA-256, SCRAM-SHA-512) and SSL (client
# certificate required), and access control: user admin (password admin-secret) and the holder of client.p12
# (password changeit) may do everything, user alice (password alice-secret) only what AclCommand grants, and the plaintext
# listener stays open to everything so that a test can prepare topics. ca.pem in DIR is the authority to trust.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$here/kafka/pom.xml")
jars="${XDG_CACHE_HOME:-$HOME/.cache}/swiftwater/kafka-$version-$(cksum <"$here/kafka/pom.xml" | cut -d' ' -f1)"
dir="${TMPDIR:-/tmp}/swiftwater-kafka-$(id -u)"
port="" secure="" watched="" keep="" settings=() rest=()

# shellcheck source-path=SCRIPTDIR source=server.sh
. "$here/server.sh"

parse() {
  while [ $# -gt 0 ]; do
    case "$1" in
      --dir) dir=${2:?--dir needs a directory}; shift 2 ;;
      --port) port=${2:?--port needs a number}; shift 2 ;;
      --with) watched=${2:?--with needs a process id}; shift 2 ;;
      --set) settings+=("${2:?--set needs KEY=VALUE}"); shift 2 ;;
      --secure) secure=yes; shift ;;
      --keep) keep=yes; shift ;;
      *) [ "$command" = tool ] || fail "unknown option $1"; rest=("$@"); return ;;
    esac
  done
}

# Downloads the jars once; a half-finished download never takes the final name.
fetch_jars() {
  [ -d "$jars" ] && return
  command -v mvn >/dev/null || fail "needs Maven to fetch the broker: run scripts/install.sh"
  mkdir -p "$(dirname "$jars")"
  local partial
  partial=$(mktemp -d "$jars.XXXXXX")
  mvn -B -q -f "$here/kafka/pom.xml" dependency:copy-dependencies -DoutputDirectory="$partial" >&2 \
    || { rm -rf "$partial"; fail "could not fetch org.apache.kafka:kafka_2.13:$version with Maven"; }
  mv -T "$partial" "$jars" 2>/dev/null || rm -rf "$partial"
}

run_java() { java -Xmx256m -Dlog4j2.configurationFile="$here/kafka/log4j2-tools.properties" -cp "$jars/*" "$@"; }

# Sends an ApiVersions request (key 18, version 0) and waits for the length of its answer.
answers() {
  local reply
  reply=$(
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf '\0\0\0\012\0\022\0\0\0\0\0\001\377\377' >&3
    timeout 5 head -c 8 <&3 | od -An -tx1 | tr -d ' \n'
  ) 2>/dev/null || return 1
  [ "${reply:8:8}" = 00000001 ]
}

address() { sed -n "s/^$1=//p" "$dir/addresses"; }

# The server's key pair, one for a client, and the server's certificate as PEM for clients to trust.
make_certificates() {
  local key=(-keyalg RSA -keysize 2048 -validity 3650 -storetype PKCS12 -storepass changeit -keypass changeit)
  keytool -genkeypair -alias server "${key[@]}" -keystore "$dir/server.p12" -dname CN=localhost \
    -ext san=dns:localhost,ip:127.0.0.1
  keytool -genkeypair -alias client "${key[@]}" -keystore "$dir/client.p12" -dname CN=swiftwater-client
  keytool -exportcert -rfc -alias server -keystore "$dir/server.p12" -storepass changeit -file "$dir/ca.pem"
  keytool -exportcert -alias client -keystore "$dir/client.p12" -storepass changeit |
    keytool -importcert -noprompt -alias client -keystore "$dir/trust.p12" -storetype PKCS12 -storepass changeit
  if command -v openssl >/dev/null; then
    openssl pkcs12 -in "$dir/client.p12" -passin pass:changeit -nokeys -out "$dir/client.pem"
    openssl pkcs12 -in "$dir/client.p12" -passin pass:changeit -nocerts -nodes -out "$dir/client.key"
  fi
}

secure_properties() {
  local login=org.apache.kafka.common.security
  cat <<EOF
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
ssl.keystore.location=$dir/server.p12
ssl.keystore.type=PKCS12
ssl.keystore.password=changeit
ssl.key.password=changeit
ssl.truststore.location=$dir/trust.p12
ssl.truststore.type=PKCS12
ssl.truststore.password=changeit
listener.name.ssl.ssl.client.auth=required
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:admin;User:CN=swiftwater-client
EOF
  local listener
  for listener in sasl_plaintext sasl_ssl; do
    cat <<EOF
listener.name.$listener.plain.sasl.jaas.config=$login.plain.PlainLoginModule required user_admin="admin-secret" user_alice="alice-secret";
listener.name.$listener.scram-sha-256.sasl.jaas.config=$login.scram.ScramLoginModule required;
listener.name.$listener.scram-sha-512.sasl.jaas.config=$login.scram.ScramLoginModule required;
EOF
  done
}

# Writes server.properties and addresses for a new data directory.
configure() {
  local plain controller names=(PLAINTEXT) ports
  plain=${port:-$(free_port "")}
  controller=$(free_port "$plain")
  ports=("$plain")
  if [ -n "$secure" ]; then
    names+=(SASL_PLAINTEXT SASL_SSL SSL)
    for _ in 1 2 3; do ports+=("$(free_port "${ports[@]}" "$controller")"); done
    [ -f "$dir/ca.pem" ] || make_certificates >"$dir/certificates.log" 2>&1 || fail "keytool failed: see $dir/certificates.log"
  fi
  local listeners="" i
  : >"$dir/addresses"
  for i in "${!names[@]}"; do
    listeners+="${names[$i]}://127.0.0.1:${ports[$i]},"
    echo "${names[$i]}=127.0.0.1:${ports[$i]}" >>"$dir/addresses"
  done
  {
    cat <<EOF
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:$controller
listeners=${listeners}CONTROLLER://127.0.0.1:$controller
advertised.listeners=${listeners%,}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL
inter.broker.listener.name=PLAINTEXT
log.dirs=$dir/data
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
log.cleaner.dedupe.buffer.size=16777216
EOF
    [ -z "$secure" ] || secure_properties
    local setting
    for setting in ${settings[@]+"${settings[@]}"}; do echo "$setting"; done
  } >"$dir/server.properties"
}

format() {
  [ -f "$dir/data/meta.properties" ] && return
  local users=()
  [ -z "$secure" ] || users=(
    --add-scram 'SCRAM-SHA-256=[name=admin,password=admin-secret]' --add-scram 'SCRAM-SHA-512=[name=admin,password=admin-secret]'
    --add-scram 'SCRAM-SHA-256=[name=alice,password=alice-secret]' --add-scram 'SCRAM-SHA-512=[name=alice,password=alice-secret]')
  run_java kafka.tools.StorageTool format --standalone --cluster-id "$(run_java kafka.tools.StorageTool random-uuid)" \
    --config "$dir/server.properties" ${users[@]+"${users[@]}"} >"$dir/format.log" 2>&1 ||
    { cat "$dir/format.log" >&2; fail "could not format $dir/data"; }
}

# The broker logs its last start-up line once the controller has let it serve; then it must answer too.
wait_until_up() {
  local deadline=$((SECONDS + ${SWIFTWATER_KAFKA_START_SECONDS:-120})) plain
  plain=$(address PLAINTEXT)
  while [ $SECONDS -lt $deadline ]; do
    alive || return 1
    if grep -q 'Kafka Server started' "$dir/server.log" && answers "${plain#*:}"; then return 0; fi
    sleep 0.1
  done
  return 1
}

start() {
  command -v java >/dev/null || fail "needs Java 17 or newer: run scripts/install.sh"
  fetch_jars
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  if alive; then address PLAINTEXT; return; fi
  local attempt new=""
  [ -f "$dir/data/meta.properties" ] || new=yes
  for attempt in 1 2 3; do
    [ -z "$new" ] || configure
    format
    launch java -Xms256m -Xmx1g -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -Djava.awt.headless=true \
      -Dlog4j2.configurationFile="$here/kafka/log4j2.properties" -cp "$jars/*" kafka.Kafka "$dir/server.properties"
    if wait_until_up; then
      [ -z "$watched" ] || watch_over "$watched"
      address PLAINTEXT
      return
    fi
    alive && kill -9 "$(pid_of)"
    # Somebody else took a port in the moment between choosing and binding it: choose again.
    if [ "$attempt" -lt 3 ] && [ -n "$new" ] && [ -z "$port" ] && grep -q 'Address already in use' "$dir/server.log"; then
      rm -rf "$dir/data"
      continue
    fi
    tail -n 40 "$dir/server.log" >&2
    fail "the broker did not start; its whole log is $dir/server.log"
  done
}

command=${1:-}
[ $# -eq 0 ] || shift
parse "$@"
case "$command" in
  start) start ;;
  stop)
    end TERM
    # Only a directory that this script filled is deleted.
    if [ -z "$keep" ] && [ -f "$dir/server.properties" ]; then rm -rf "$dir"; fi
    ;;
  kill) end KILL ;;
  status)
    alive || { echo "no broker in $dir" >&2; exit 1; }
    plain=$(address PLAINTEXT)
    answers "${plain#*:}" || { echo "the broker in $dir does not answer" >&2; exit 1; }
    cat "$dir/addresses"
    echo "DIR=$dir"
    echo "PID=$(pid_of)"
    ;;
  tool)
    alive || fail "no broker in $dir"
    run_java "org.apache.kafka.tools.${rest[0]:?tool needs the name of a tool}" --bootstrap-server "$(address PLAINTEXT)" "${rest[@]:1}"
    ;;
  *) usage ;;
esac
