//! Codes of event time, state, epochs and snapshots.

use super::Code;

pub(super) const CODES: &[Code] = &[
    (
        "SW0219",
        "Epochs of an exactly-once topology are shorter than suits one of its sinks (warning).",
        "Set a longer `checkpoint.interval`; rows are seen downstream once their epoch is committed.",
    ),
    (
        "SW0220",
        "Rows that replace earlier ones flow into a node that takes each row for itself.",
        "Results that are corrected later, such as early results of a window, need a sink that knows keys (`kafka` with `key`, `postgres`, `redis`). Or let the operator before give final results only.",
    ),
    (
        "SW0221",
        "`late` is set on a node that has no late rows.",
        "Only operators that wait for event time, such as `window` and `join`, tell late rows apart. Leave the field out.",
    ),
    (
        "SW0222",
        "State or `exactly_once` needs a source that can be read again from where a snapshot stands.",
        "Use a source such as `kafka`, `files` or `generate`.",
    ),
    (
        "SW0223",
        "`exactly_once` needs sinks that can hold an epoch back until it is committed.",
        "Use a `kafka`, `postgres`, `redis` or `files` sink, or `guarantee: at_least_once`.",
    ),
    (
        "SW0224",
        "The sinks of an exactly-once topology commit in two systems.",
        "One transaction spans one Kafka cluster: write to one cluster, or make two topologies of it.",
    ),
    (
        "SW0330",
        "An operator needs event time, and its input has none.",
        "Name the column at the source (`event_time: {column: date_time, out_of_orderness: 4s}`), and keep the column in every `select` on the way.",
    ),
    (
        "SW3301",
        "A row has no event time: the column is null.",
        "The row is set aside as `on_error` of its source says. Filter such rows out, or fill the column, before they are written to the source.",
    ),
    (
        "SW3302",
        "A row came after the watermark had passed it: its window is closed.",
        "Late rows are counted in `swiftwater_late_rows_total`. A larger `out_of_orderness` at the source waits longer for them; `late: <sink>` keeps them.",
    ),
    (
        "SW4310",
        "A newer process of the same topology has taken over.",
        "This one stops: only one process of a topology with state runs at a time, and the one that was started last wins. Give the other topology another name if they are two.",
    ),
    (
        "SW4311",
        "An epoch was aborted, or nobody knows whether it was committed.",
        "Nothing to do: the topology goes on from what is committed. If it comes often, look at the brokers.",
    ),
    (
        "SW4320",
        "`checkpoint.store` is no URL of an object store.",
        "Write `file:///var/lib/swiftwater`, `s3://bucket/prefix`, `gs://…` or `az://…`; a directory begins with `/` or `./`.",
    ),
    (
        "SW4321",
        "The object store of the snapshots does not answer, or its disk is full.",
        "It is tried again within `retry.budget`; until it is back no epoch is committed, and the sources wait. Nothing is lost.",
    ),
    (
        "SW4322",
        "The manifest of the last committed epoch is missing, damaged or of another version.",
        "Set `checkpoint.store` to where the snapshots are. To start anew without them, delete what is left with `swiftwater state reset`.",
    ),
    (
        "SW4323",
        "A file of a snapshot is missing or damaged.",
        "Restore it from a copy of the object store. To start anew without it, delete the snapshots with `swiftwater state reset`.",
    ),
    (
        "SW4324",
        "The snapshots are newer than what the commit point remembers.",
        "The offsets of the topology's group expired (brokers forget those of idle groups after seven days) or were deleted. To start anew, delete the snapshots with `swiftwater state reset`.",
    ),
    (
        "SW4325",
        "A node was changed so that its state does not fit any more.",
        "Undo the change, or give the node another name: it then starts without state.",
    ),
    (
        "SW4326",
        "The state is larger than its share of `memory`.",
        "Give the topology more `memory`, a shorter `ttl`, or smaller windows. The last epoch is kept: nothing is lost.",
    ),
    (
        "SW4327",
        "State that is larger than its share of `memory` cannot be written to the local disk, or not read back.",
        "Make room on the disk, name another directory with `checkpoint: {spill: /path}`, or give the topology more `memory`. The last epoch is kept: nothing is lost.",
    ),
];
