//! Codes of the engine: what it finds in the graph, and at run time.

use super::Code;

pub(super) const CODES: &[Code] = &[
    (
        "SW0203",
        "A node has more or fewer inputs than its kind takes.",
        "Most kinds take one: put a `union` before them to join several. `union` takes two or more.",
    ),
    (
        "SW0204",
        "The port of an input does not exist, or leads nowhere.",
        "The hint lists the outputs of that node. Dead letters are no port to read from: name the sink in `on_error` of the node that sets records aside.",
    ),
    (
        "SW0206",
        "A sink has a `parallelism`.",
        "A sink runs on one task: remove it. The nodes before it may have one.",
    ),
    (
        "SW0207",
        "`partition_by` has no effect.",
        "It spreads rows over the node's tasks: set `parallelism` above 1, or remove it.",
    ),
    (
        "SW0208",
        "The inputs of a sink have different columns.",
        "Give dead letters and rows sinks of their own; bring rows of several nodes together in a `union` or `select`.",
    ),
    (
        "SW0209",
        "`memory` is so small that little is left beside the process itself.",
        "Give it what the hint says, or more.",
    ),
    (
        "SW0216",
        "A feature view comes from something that is no output of a source or an operator.",
        "Name a node, or `node.port`, in `from`.",
    ),
    (
        "SW0217",
        "A column that a feature view names is not among those of its node.",
        "Take one of the columns that are listed, or let the node put the column out.",
    ),
    (
        "SW0218",
        "A feature view says something of a column that is not so: its type, that it is never null, that it is a time.",
        "Write what the message says the column is, or change it in a `select`.",
    ),
    (
        "SW0290",
        "A kind has a remark about its options.",
        "The message says what to expect; the topology runs.",
    ),
    (
        "SW3000",
        "A batch could not be processed as columns.",
        "The cause is in the message. If the columns are as declared, this is a bug: please report it.",
    ),
    (
        "SW3303",
        "A row of features does not say when it was available: its column is null.",
        "Correct the producer, or leave `available_at` out where event time alone shall count.",
    ),
    (
        "SW4001",
        "The system gives no further thread.",
        "Raise the limit of processes (`ulimit -u`, or the container's `pids` limit), or lower `parallelism`.",
    ),
    (
        "SW4002",
        "What was in flight was not finished within `drain_timeout`.",
        "The message names the nodes that were still at work. Nothing is lost: what was not committed is read again after a restart. Raise `drain_timeout` where a sink needs longer.",
    ),
    (
        "SW4003",
        "Offsets could not be committed.",
        "The cause is in the message. Newer offsets are tried at the next epoch; what was not committed is read again after a restart.",
    ),
    (
        "SW4004",
        "The topology was aborted by a second signal.",
        "Nothing is lost: what was not committed is read again after a restart. One signal alone drains.",
    ),
    (
        "SW9001",
        "Swiftwater made a mistake of its own.",
        "Please report it with the message and, where possible, the topology file.",
    ),
];
