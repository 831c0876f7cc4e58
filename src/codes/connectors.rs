//! Codes of connectors.

use super::Code;

pub(super) const CODES: &[Code] = &[
    (
        "SW2001",
        "A field of the node means nothing to its kind.",
        "Remove the field that the message names: what would be ignored is refused.",
    ),
    (
        "SW2002",
        "A generated column names no distribution, or several.",
        "Give it exactly one of sequence, uniform, choice, zipf, constant, timestamp, text, uuid.",
    ),
    (
        "SW2003",
        "An option of `generate` has an impossible value.",
        "The message names the column and says what is possible.",
    ),
    (
        "SW2004",
        "The values of a generated column do not fit its `type`.",
        "Use a wider type, or bounds that fit the one given.",
    ),
    (
        "SW2005",
        "A generated column has outgrown its `type`.",
        "Use a wider type, or let the sequence `restart`.",
    ),
    (
        "SW2006",
        "The event-time column is missing or holds no timestamps.",
        "Name a column of a timestamp type in `event_time`, or declare it as one in `schema`.",
    ),
    (
        "SW2007",
        "A rate or a time of `generate` has an impossible value.",
        "Rates are above 0; times are written like 2026-01-01T00:00:00Z.",
    ),
    (
        "SW2010",
        "A path, a URL or the `store` options do not lead to files.",
        "Give a local path, or the URL of an S3, Google or Azure store with the options that belong to it.",
    ),
    (
        "SW2011",
        "A path of files matches nothing, or is a pattern where it cannot be one.",
        "Correct the path; a source that is to wait for files needs `watch: true`, and a sink needs a directory.",
    ),
    (
        "SW2012",
        "Files cannot be listed or read now.",
        "It is tried again. Look whether the disk or the store can be reached, and whether this process may read there.",
    ),
    (
        "SW2013",
        "The format of files, or an option of it, is impossible.",
        "The message names the option and says what is possible.",
    ),
    (
        "SW2014",
        "A file was there when the source looked for files, and has gone since.",
        "Nothing of it was read. Let files stay until they are read, or set such records aside with `on_error`.",
    ),
    (
        "SW2015",
        "A file is damaged, cut short, or made of something else than its format says.",
        "What could be read was read; the rest counts as one bad record. Write the file again, or correct `format`.",
    ),
    (
        "SW2016",
        "A line of a file is longer than `max_record`, or has a quote that is never closed.",
        "It counts as one bad record. Raise `max_record`, or correct the line that the message names.",
    ),
    (
        "SW2017",
        "A file lacks a required column, has one of an impossible type, or has no header.",
        "Declare the columns as the files have them; a column without `!` may be missing.",
    ),
    (
        "SW2018",
        "A value of a file does not fit the declared column.",
        "It counts as one bad record. Declare the column as the files have it.",
    ),
    (
        "SW2019",
        "The columns of files cannot be told from the files themselves.",
        "Declare them in `schema`.",
    ),
    (
        "SW2020",
        "A directory or a file cannot be written now, perhaps because the disk is full.",
        "It is tried again, and no row is lost. Free some space, or let this process write there.",
    ),
    (
        "SW2021",
        "The system could not make a file durable.",
        "The topology stops and its offsets stay at the last epoch, so no row is lost. Look after the disk before the next start.",
    ),
    (
        "SW2022",
        "An object store cannot be written now, or is slower than the rows come.",
        "It is tried again, and no row is lost. Look whether the store can be reached, and whether the credentials may write there.",
    ),
    (
        "SW2023",
        "An object store has forgotten the parts of a file that was not complete yet.",
        "The topology stops and its offsets stay at the last epoch, so no row is lost. Let the rule of the bucket that removes unfinished uploads wait longer than `roll.every`.",
    ),
    (
        "SW2024",
        "A value holds a line break, and the files are bare lines.",
        "Write `json`, `csv` or `parquet`.",
    ),
    (
        "SW2025",
        "A file's encoder failed where it should not.",
        "The topology stops and its offsets stay at the last epoch. Report it with the columns of the sink's input.",
    ),
    (
        "SW2026",
        "Files cannot be partitioned so.",
        "Name columns of text, whole numbers, booleans, dates or timestamps in `partition_by`, and leave some for the files.",
    ),
    (
        "SW2027",
        "The memory of a `files` sink is full because the disk or the store is slower than the rows come.",
        "It is tried again. Raise `memory`, or write less: fewer partitions, stronger compression.",
    ),
    (
        "SW2028",
        "Files of a committed epoch were staged, never appeared, and are gone.",
        "Start with the `path` and the kind that the sink had. If somebody removed the hidden files or the bucket's unfinished uploads, the message says how to go on without them.",
    ),
    (
        "SW2029",
        "A file that was being read when a snapshot was taken is not there any more.",
        "Put the file back, or remove the snapshots to start anew.",
    ),
    (
        "SW2041",
        "An option of `stdout` has an impossible value.",
        "The message names the option and says what is possible.",
    ),
    (
        "SW2042",
        "Standard output is closed, or cannot be written.",
        "The program that reads the output has ended, or the disk it is redirected to is full.",
    ),
    (
        "SW2051",
        "An HTTP endpoint refused a row.",
        "The message holds its status and the beginning of its answer. Correct the rows before the sink, or set refused ones aside with `on_error`.",
    ),
    (
        "SW2052",
        "An HTTP endpoint does not answer, or says that it is busy or broken.",
        "It is tried again, and no row is lost. Look whether it runs and can be reached from here.",
    ),
    (
        "SW2053",
        "An HTTP endpoint says that the address or the credentials are wrong, or its certificate is not trusted.",
        "It is tried again, and no row is lost. Correct `url`, `method`, `auth`, `headers` or `ca_file`, or what the endpoint allows.",
    ),
    (
        "SW2054",
        "An option of the `http` sink has an impossible value.",
        "The message names the option and says what is possible.",
    ),
    (
        "SW2055",
        "An HTTPS connection cannot be prepared.",
        "Give `ca_file` as a PEM file with one or more certificates, or install the system's certificates (`ca-certificates`).",
    ),
    (
        "SW2056",
        "An HTTP endpoint is slower than the rows come in, and the memory of its sink is full.",
        "Larger requests (`batch`) or a higher `concurrency` help where the endpoint can take more; `memory` buys time for a burst.",
    ),
    (
        "SW2059",
        "The system gives no further threads for speaking over the network.",
        "Raise the limit of processes (`ulimit -u`, or the container's `pids` limit).",
    ),
];
