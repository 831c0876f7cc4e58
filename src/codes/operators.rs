//! Codes of operators.

use super::Code;

pub(super) const CODES: &[Code] = &[
    (
        "SW0301",
        "A column is unknown.",
        "The hint lists the columns at that node, with their types. Names are case-sensitive; text stands in single quotes, double quotes enclose a column's name.",
    ),
    (
        "SW0302",
        "A function is unknown.",
        "Every scalar function of DataFusion is available, see https://datafusion.apache.org/user-guide/sql/scalar_functions.html.",
    ),
    (
        "SW0303",
        "An expression does not fit the types of its columns.",
        "The message names the types. `CAST(x AS BIGINT)` converts and fails for a value that has no such form, `TRY_CAST` gives null for it. A predicate must be boolean: compare something.",
    ),
    (
        "SW0304",
        "An expression cannot be read as SQL.",
        "The message gives the place in the expression. Text stands in single quotes; a column whose name is a keyword or has other characters than letters, digits and `_` in double quotes.",
    ),
    (
        "SW0305",
        "An expression asks for what a stream cannot give row by row.",
        "Aggregates, window functions and subqueries look at several rows. The hint names the operator that does; a query of a `sql` node can do more, see docs/guide/sql.md.",
    ),
    (
        "SW0306",
        "A pattern is not a regular expression.",
        "The syntax is that of the Rust crate regex (https://docs.rs/regex/#syntax): no look-around and no back-references. A literal bracket, dot or parenthesis takes a backslash before it.",
    ),
    (
        "SW0307",
        "A column has no name, or the name of another one.",
        "Write `expression AS name`. Beside `*`, leave out the column of the same name: `* EXCEPT (name)`.",
    ),
    ("SW0308", "The columns of a `select` cannot be read.", "See `swiftwater describe select`."),
    (
        "SW0309",
        "The ports of a `route` cannot be read.",
        "Port names are letters, digits, `_` and `-`; `errors` and `late` are taken. See `swiftwater describe route`.",
    ),
    (
        "SW0310",
        "The inputs of a `union` have different columns.",
        "The message lists all differences. A `select` before the `union` renames, casts or adds columns.",
    ),
    (
        "SW0311",
        "A `sample` does not say how much to keep.",
        "Write `fraction` (above 0, at most 1) or `every` (at least 1). See `swiftwater describe sample`.",
    ),
    (
        "SW0312",
        "A `throttle` has a rate or a burst that lets nothing pass.",
        "`rows_per_second` is above 0, `burst` at least 1.",
    ),
    (
        "SW0313",
        "A rule of an `assert` cannot be read.",
        "A rule has one check: not_null, range, one_of, matches or max_null_rate with `column`, or predicate, or unique. See `swiftwater describe assert`.",
    ),
    (
        "SW0320",
        "The key of a node is empty, or names a column twice.",
        "`key` (or `on` of a join) lists the columns that tell rows apart, each once.",
    ),
    (
        "SW0321",
        "The options of a `lag` do not fit together.",
        "It needs a `key`, `columns` as a map of new names and the columns they look back at, and an `offset` of 1 to 1000.",
    ),
    (
        "SW0322",
        "The options of a `join` do not fit together.",
        "A join has two inputs, at least one column in `on` whose types are equal on both sides, and exactly one of `within`, `as_of` and `window`. See `swiftwater describe join`.",
    ),
    (
        "SW0323",
        "The options of a `top` do not fit together.",
        "`by` lists SQL expressions with `asc` or `desc`, `n` is at least 1. See `swiftwater describe top`.",
    ),
    (
        "SW0371",
        "The options of a `join_point_in_time` do not fit together.",
        "The first input is the requests, each other one stands once in `features` with a `ttl`; keys are of the same types. See `swiftwater describe join_point_in_time`.",
    ),
    (
        "SW0372",
        "The options of a `drift` do not fit together.",
        "It needs a `window` of whole milliseconds, `reference_rows` of 1 or more, and columns of numbers. See `swiftwater describe drift`.",
    ),
    (
        "SW0373",
        "The options of a `profile` do not fit together.",
        "It needs a `window` of whole milliseconds, columns of numbers, text or bool, each once, and quantiles from 0 to 1. See `swiftwater describe profile`.",
    ),
    (
        "SW0390",
        "The options of a `fidelity` cannot be met.",
        "Windows are whole milliseconds, thresholds lie from 0 to 1. Name columns that both inputs have; with one input, `mark` is the column that is null for real rows. See `swiftwater describe fidelity`.",
    ),
    (
        "SW3310",
        "A node holds more keys than one task can number.",
        "Raise the node's `parallelism`, or let keys be forgotten sooner (`ttl`).",
    ),
    (
        "SW3311",
        "Stored state does not fit the node that takes it back.",
        "The state was written for other columns or options. Give the node another name to start it with empty state, or start from an earlier version of the topology.",
    ),
    (
        "SW0340",
        "The windows of a `window` cannot be laid out.",
        "One of `tumbling`, `hopping`, `session` and `cumulative` says their shape, in whole milliseconds. See `swiftwater describe window`.",
    ),
    (
        "SW0341",
        "A column of `aggregate` is no expression over aggregates.",
        "Each column is an expression such as `max(price) - min(price)`. Columns of the input stand inside of aggregates, those of the key anywhere.",
    ),
    (
        "SW0342",
        "A `group` cannot be run as it is written.",
        "`ttl` and `every` are at least a millisecond; without `key` one task computes the only row. See `swiftwater describe group`.",
    ),
    (
        "SW0360",
        "A feature of an `aggregate` cannot be computed as it is written.",
        "A feature is a call such as `sum(amount)` with a window such as `1h`. See `swiftwater describe aggregate` for all functions.",
    ),
    (
        "SW0361",
        "A node that learns (`scale`, `encode`, `impute`, `outlier`) cannot be run as it is written.",
        "The message names the column and what is wrong with it. See `swiftwater describe KIND` for the methods and what each needs.",
    ),
    (
        "SW0362",
        "A file of parameters cannot be read.",
        "`parameters` names a file of JSON lines, or of CSV with a header, as the port `parameters` of a node with the same columns gives them: column, key, category, statistic, value, version.",
    ),
    (
        "SW0395",
        "A node `anonymize` cannot be run as it is written.",
        "The message names the column and what is wrong with it. Every column needs a method, or `others` says what happens to the rest; `hash` and `token` need a `key`.",
    ),
    (
        "SW0396",
        "A node `release_private` would not be private as it is written.",
        "The message says what is missing: the unit, the bound of contributions, a budget, or a public domain for each column that is counted by, listed without looking at the data.",
    ),
    (
        "SW3201",
        "An expression could not be evaluated for a row.",
        "The message quotes the expression and the reason, such as a division by zero, an overflow or a text that is no number. `TRY_CAST`, `nullif(x, 0)` or CASE give null instead; `on_error` of the node says where such rows go.",
    ),
    (
        "SW3210",
        "A row broke a rule of an `assert`.",
        "The message names the rule and the value. `on_breach` of the rule says what happens.",
    ),
    (
        "SW3211",
        "Too many rows of a batch had no value.",
        "The rule is a `max_null_rate`. Small batches judge harshly: raise `min_rows`.",
    ),
    (
        "SW3212",
        "A row repeated an earlier one of its batch.",
        "The rule is a `unique`; it sees one batch at a time. The first of the rows passed.",
    ),
    (
        "SW3260",
        "A value is too short for a format-preserving token.",
        "Where few values are possible, a token can be undone by trying them: 6 digits or 4 letters and digits are the least. Take `hash` or `mask`; `on_error` of the node says where such rows go.",
    ),
    (
        "SW3261",
        "A row has a value outside of the public domain of a `release_private`.",
        "List the value in `domain` if it is public, or write `outside: other` or `outside: drop`. A dead letter holds the whole row and is not protected.",
    ),
    (
        "SW3262",
        "The privacy budget of the data does not suffice for a release.",
        "Nothing was published, and nothing more can be with the guarantee that was given. Other data, or a later period with a dataset and a ledger of its own, has a budget of its own.",
    ),
    (
        "SW3263",
        "The privacy ledger cannot be read or written, or there are no random bits.",
        "Nothing was published. Bring the file back as it was: it is the only witness of what was spent.",
    ),
    (
        "SW3264",
        "The privacy ledger is about something else.",
        "All nodes over the same data share one ledger with the same dataset, unit and budget. A node whose tables, domains or noise have changed needs another `series`.",
    ),
];
