//! Codes of kafka.

use super::Code;

pub(super) const CODES: &[Code] = &[
    (
        "SW2101",
        "A `kafka` node does not say which topic, or which broker.",
        "A source takes one of `topic: bids`, `topics: [a, b]` and `pattern: bids-.*`, a sink `topic`; `brokers` names one or more as `host:9092,other:9092`.",
    ),
    (
        "SW2102",
        "A librdkafka property under `properties` is unknown, has an impossible value, or is one that the engine answers for.",
        "The hint names the option that does what the property did. librdkafka's CONFIGURATION.md lists the others with their types and ranges.",
    ),
    (
        "SW2103",
        "The security options would send a secret in the clear, or hold half of a certificate and key pair.",
        "Use `tls`, or say `insecure: true` where the network is trusted; mutual TLS needs both `certificate` and `key`.",
    ),
    (
        "SW2104",
        "A column of `metadata` has the name of another column.",
        "Give it a name that no column of `schema` has.",
    ),
    (
        "SW2105",
        "A `start` or `until` cannot be read.",
        "Write `earliest`, `latest`, `{timestamp: 2026-01-31T12:00:00Z}`, or `{offsets: {0: 1200}}`; with several topics the partitions are written as `bids/0`.",
    ),
    (
        "SW2110",
        "No broker answers.",
        "It is tried again. Check `brokers`, and that the addresses which the brokers advertise can be reached from here; the message has the last reason.",
    ),
    (
        "SW2111",
        "The broker refuses the login or the certificate.",
        "Check `security`: listener, mechanism, user, password, and the authority that signed the broker's certificate.",
    ),
    (
        "SW2112",
        "The topic does not exist.",
        "Create it, or correct its name; a sink makes it with `create: {partitions: 4}`.",
    ),
    (
        "SW2113",
        "The user may not do this.",
        "Grant READ on topic and group to a source's user, WRITE on the topic to a sink's, and CREATE where it makes the topic.",
    ),
    (
        "SW2114",
        "The Kafka client cannot be made from its settings.",
        "The message has librdkafka's reason: most often a file of `tls` that cannot be read.",
    ),
    (
        "SW2115",
        "A request to Kafka failed for a reason that may pass.",
        "It is tried again; the message has Kafka's reason.",
    ),
    (
        "SW2116",
        "The records at the committed offset are gone.",
        "They were deleted before they were read, or the topic was made anew. Decide where to go on: `kafka-consumer-groups --reset-offsets`, or a new `group`. It never jumps by itself, because that would lose records silently.",
    ),
    (
        "SW2117",
        "The consumer was shut out of its group.",
        "Another process with the same `instance_id` has taken its place: give each process one of its own.",
    ),
    (
        "SW2118",
        "Offsets could not be committed to Kafka.",
        "The message has Kafka's reason. Nothing is lost: a later epoch commits them, or the rows are read again after a restart.",
    ),
    (
        "SW2120",
        "A record has no value, and `tombstones: reject` forbids that.",
        "Use `tombstones: null_row` or `skip` where records without a value are expected, or set them aside with `on_error`.",
    ),
    (
        "SW2121",
        "A record's key or header is not UTF-8 text, as its column demands.",
        "Use `bytes_as: binary`, or set such records aside with `on_error`.",
    ),
    (
        "SW2130",
        "The sink cannot make records as its options say.",
        "The message names the option and the columns there are. A key, partition, timestamp or header comes from a column of a fitting type; convert it in a `select` before the sink.",
    ),
    (
        "SW2131",
        "A record is larger than its topic takes.",
        "Raise `max.message.bytes` of the topic, or set such records aside with `on_error`.",
    ),
    (
        "SW2132",
        "Records could not be delivered within the retry budget, or the producer was shut out.",
        "Nothing past them is committed; they are read again at the next start. `retry: {budget: …}` says how long is tried.",
    ),
    (
        "SW2133",
        "A row names a partition that the topic does not have.",
        "Correct the column of `partition`, or add partitions to the topic.",
    ),
    (
        "SW2134",
        "The topic cannot be created as `create` says.",
        "The message has Kafka's reason, such as more copies than there are brokers.",
    ),
    (
        "SW2136",
        "The broker refuses a record.",
        "The message has Kafka's reason. A compacted topic takes no record without a key, and a broker may refuse timestamps that are far off.",
    ),
    (
        "SW2140",
        "The embedded broker could not start.",
        "It listens on a free port of 127.0.0.1; the message has the reason.",
    ),
    (
        "SW2199",
        "A raw measurement of Kafka failed.",
        "It belongs to the benchmarks: look whether the broker and the topic are there.",
    ),
    (
        "SW2141",
        "The kafka sinks of an exactly-once topology cannot share a producer.",
        "They write through one producer, whose transaction spans all of them: give each the option that the message names with the same value. Where a topic takes smaller batches than the producer makes, the hint has the property to set.",
    ),
    (
        "SW2142",
        "The key of a kafka sink is not the key by which its input's rows replace each other.",
        "Kafka replaces records by their key, so that `key` must name the same columns.",
    ),
];
