//! Codes of the engine at run time.

use super::Code;

pub(super) const CODES: &[Code] = &[
    (
        "SW3000",
        "A batch could not be processed as columns.",
        "The cause is in the message. If the columns are as declared, this is a bug: please report it.",
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
