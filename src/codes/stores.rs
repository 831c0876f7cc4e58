//! Codes of PostgreSQL, Redis and lookups.

use super::Code;

pub(super) const CODES: &[Code] = &[
    (
        "SW2201",
        "The options do not say how to reach PostgreSQL, or contradict each other.",
        "Give `url`, or `host` and `user`; `sslmode` is disable, require or verify_full; `ca_file` is a PEM file.",
    ),
    (
        "SW2202",
        "An option of the `postgres` sink does not go with its input.",
        "The message names the option. Rows that replace each other need the `key` of their stream.",
    ),
    (
        "SW2203",
        "PostgreSQL refuses the login, or a statement for want of a table or a right.",
        "The message holds its words and the SQLSTATE. Correct the options, or what the server allows.",
    ),
    (
        "SW2204",
        "The table does not fit the rows.",
        "The message lists all that does not fit: rename, cast or drop columns with a `select` before the sink, or alter the table.",
    ),
    (
        "SW2205",
        "PostgreSQL cannot be reached, is busy, or broke off.",
        "It is tried again, and no row is lost. Look after the server, its locks and its disk; `timeout` says how long an answer may take.",
    ),
    (
        "SW2206",
        "PostgreSQL does not take a row: a value does not fit its column, or breaks a constraint.",
        "The message holds its words and the SQLSTATE. Correct the rows before the sink, or set refused ones aside with `on_error`.",
    ),
    (
        "SW2207",
        "Rows of an epoch that were staged in PostgreSQL are not all there, or cannot be read.",
        "The server lost them in a failover, or somebody removed them; a standby that takes over must have everything (synchronous replication). The topology goes on from the last epoch.",
    ),
    (
        "SW2208",
        "The table has rows of later epochs than the snapshots of the topology.",
        "Another process of this topology goes on already: stop one. If the snapshots were removed to begin anew, the message says which row to delete.",
    ),
    (
        "SW2211",
        "The options do not say how to reach Redis, or contradict each other.",
        "Give `url` as `redis://host:6379/0`, or `rediss://…` for TLS, where `ca_file` may name the authority to trust.",
    ),
    (
        "SW2212",
        "An option of the `redis` sink, or a key with columns in braces, does not go with its input.",
        "The message names the option. Keys are written like `features:{bidder}`.",
    ),
    (
        "SW2213",
        "Redis refuses the login or a command.",
        "The message holds its words. Correct `url`, `username` and `password`, or what the server allows.",
    ),
    (
        "SW2215",
        "Redis cannot be reached, is busy, or broke off.",
        "It is tried again, and no row is lost. Look after the server and its memory; `timeout` says how long an answer may take.",
    ),
    (
        "SW2216",
        "A row cannot be written to Redis: its key has a null, or holds something of another type.",
        "Use a prefix of its own for the keys, filter such rows out, or set them aside with `on_error`.",
    ),
    (
        "SW2217",
        "Rows of an epoch that were staged in Redis are not all there, or cannot be read.",
        "Let Redis persist what it holds and evict nothing (`appendonly yes`, `maxmemory-policy noeviction`). The message says how to go on.",
    ),
    (
        "SW2218",
        "Redis has rows of later epochs than the snapshots of the topology.",
        "Another process of this topology goes on already: stop one. If the snapshots were removed to begin anew, the message says which key to delete.",
    ),
    (
        "SW2231",
        "An option of `lookup` does not go with its input, or has an impossible value.",
        "The message names the option and says what is possible.",
    ),
    (
        "SW2232",
        "A store of a `lookup` cannot be asked so: the query, the address, a header or a certificate.",
        "The message says what is wrong. A query compares each column of `key` with an array of its own, `WHERE id = ANY($1)`.",
    ),
    (
        "SW2233",
        "An HTTP service that rows are looked up at does not answer, or says that it is busy or broken.",
        "It is asked again for the time of `retry`. Look whether it runs and can be reached from here.",
    ),
    (
        "SW2235",
        "What was looked up does not have the columns that `add` declares.",
        "Declare the columns as they are there, or correct the row, the file or the service. The topology goes on from the last epoch.",
    ),
    (
        "SW2236",
        "Nothing was found for a row's key.",
        "`on_miss` says what becomes of such rows: keep, drop, reject or fail.",
    ),
    (
        "SW2237",
        "An option of `score` does not go with its input, or has an impossible value.",
        "The message names the option and says what is possible. See `swiftwater describe score`.",
    ),
    (
        "SW2238",
        "A model gave no score for a row.",
        "The message has the server's answer, or which input was null, NaN or infinite. `fallback` gives such rows values instead; `timeout` and `retry` say how long the server has.",
    ),
];
