//! Codes of the command line and of tests inside topology files.

use super::Code;

pub(super) const CODES: &[Code] = &[
    (
        "SW4101",
        "Standard output does not take what is written.",
        "Look whether the disk behind it is full. A reader that goes away is no error.",
    ),
    (
        "SW4102",
        "The log filter cannot be read.",
        "Write a level (`error`, `warn`, `info`, `debug`, `trace`), or levels by part: `info,swiftwater_connectors=debug`.",
    ),
    (
        "SW4103",
        "The system does not hand over SIGINT and SIGTERM.",
        "This is rare; look whether the process runs under an unusual supervisor or sandbox.",
    ),
    (
        "SW4104",
        "The HTTP interface cannot listen on its address.",
        "Another process has the port, or the address is not one of this machine. Give another one with `--http`; `--http 0` takes any free port, `--http off` none.",
    ),
    (
        "SW4105",
        "The file with the HTTP token cannot be used.",
        "It must be readable and hold one token of 16 characters or more: `openssl rand -hex 32 > token`.",
    ),
    (
        "SW4106",
        "The HTTP interface would be open to other machines without a token.",
        "Give `--http-token-file`, or listen on 127.0.0.1.",
    ),
    (
        "SW4107",
        "The file given with `--env-file` cannot be read.",
        "Write one NAME=value on each line; lines that start with `#` are skipped.",
    ),
    ("SW4108", "The code that was to be explained does not exist.", "Codes look like SW0107."),
    (
        "SW4109",
        "The kind that was named does not exist.",
        "`swiftwater list` shows all sources, operators, sinks and message formats.",
    ),
    (
        "SW4110",
        "A file of the reference cannot be written.",
        "Look whether the directory exists and may be written to.",
    ),
    (
        "SW4111",
        "The snapshot or the node that was named does not exist.",
        "`swiftwater state list` shows the epochs, `swiftwater state show` the nodes with state.",
    ),
    (
        "SW4112",
        "The directory of a backfill has no absolute path.",
        "Run the command in a directory that exists, or give an absolute path.",
    ),
    (
        "SW4113",
        "`backfill` was told of a source or sink that the topology does not have.",
        "Name one of those under `sources:` or `sinks:`.",
    ),
    (
        "SW4114",
        "A source of a backfill never ends.",
        "Give its history as files, `--from SOURCE=PATH`, or a `count` to a generator.",
    ),
    (
        "SW4115",
        "Served and replayed features differ in more rows than `--most` allows.",
        "The report shows which features, and on which side rows or values are missing.",
    ),
    (
        "SW4116",
        "A feature view would change under its readers.",
        "Leave the version that is live as it is, and make a new one beside it (`card_features_v2`). What people read, new features, `ttl` and `freshness` may change.",
    ),
    (
        "SW4117",
        "The registry of feature views, or its page, cannot be read or written.",
        "Name the JSON file that `swiftwater features` wrote, or a place that may be written.",
    ),
    (
        "SW4118",
        "Rows that are to be compared come too late in their files.",
        "Wait for them with a larger `--disorder`, or sort the files by event time.",
    ),
    (
        "SW4119",
        "The temporary directory of a comparison cannot be used.",
        "Look at the space and the rights of the system's temporary directory, or set TMPDIR.",
    ),
    (
        "SW4120",
        "A column that is to be compared is not on both sides.",
        "Name columns that both have; the names are told apart by case.",
    ),
    (
        "SW4201",
        "A test feeds a source that the topology does not have.",
        "Name one of the sources under `sources:` in the test's `input`.",
    ),
    (
        "SW4202",
        "A row of a test names an unknown column, lacks a required one, or holds a value of another type.",
        "Write the row by the columns of its source or sink; `swiftwater plan` shows them.",
    ),
    (
        "SW4203",
        "The `at` of a test row is no time since the start of the test.",
        "Write a duration: `at: 14s`.",
    ),
    (
        "SW4204",
        "A test expects rows of a sink that the topology does not have.",
        "Name one of the sinks under `sinks:` in the test's `expect`.",
    ),
    (
        "SW4206",
        "Rows that a sink received have no form as JSON, so they cannot be compared.",
        "Leave the column out before the sink, or convert it with `select`.",
    ),
    (
        "SW4131",
        "The rows of a comparison of fidelity cannot be had.",
        "Give files that are there and have rows, and name columns that both sides have; the hint lists them. A column whose types differ between the sides is compared when `--categorical` names it.",
    ),
    (
        "SW4132",
        "Synthetic rows do not reach the normalised score that was asked for.",
        "The report lists the columns and pairs with the lowest scores. There is no normalised score where hardly a pair of real columns depends on each other.",
    ),
    (
        "SW4133",
        "The page of a comparison of fidelity cannot be written.",
        "Look whether the directory of `--html` exists and may be written to.",
    ),
];
