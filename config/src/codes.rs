//! Every code this crate reports, for `swiftwater explain` and the reference of errors.

/// Code, what it means, and what to do about it, in the order of the codes.
pub const CODES: &[(&str, &str, &str)] = &[
    (
        "SW0100",
        "The topology file cannot be read.",
        "Check that the path is right, that this user may read the file, and that it is UTF-8 text.",
    ),
    (
        "SW0101",
        "The file is not valid YAML or JSON, or it is empty.",
        "Mend the line that is shown: most often it is an indentation, a missing space after a colon, or a value with `: `, `{` or `[` that wants quotes. A file holds one topology; tags such as `!include` are not known.",
    ),
    (
        "SW0102",
        "A field of a node is neither a common field nor a kind of its section.",
        "Take the name that is suggested, or see `swiftwater list` for all kinds. A kind of another role belongs into another section.",
    ),
    (
        "SW0103",
        "A field or option that is required is missing.",
        "Add it; `swiftwater describe KIND` shows what it means, and `swiftwater create KIND` writes a file with every option.",
    ),
    (
        "SW0104",
        "A value has the wrong type.",
        "Write what is expected at that place. Quotes make a string of a number; without quotes `12` is a number and `true` a truth value.",
    ),
    (
        "SW0105",
        "A variable that the file refers to is not set.",
        "Set it in the environment or in the file of `--env-file`, or give it a default in the topology: `${NAME:-default}`.",
    ),
    (
        "SW0106",
        "What begins with `${` is not an interpolation, or stands where none can be.",
        "Write `${NAME}`, `${NAME:-default}` or `${file:/path}`, in a value and not in the name of a field. A plain `${` is written `$${`.",
    ),
    (
        "SW0107",
        "An option or field is not known.",
        "Take the name that is suggested; `swiftwater describe KIND` lists all options of a kind.",
    ),
    (
        "SW0108",
        "A common field has no meaning for a node of this role, or excludes another one.",
        "Remove it, or move it to the node that is meant.",
    ),
    (
        "SW0109",
        "A duration or a size is not understood.",
        "Write a number and its unit: `250ms`, `4s`, `1.5h`; `512KiB`, `64MiB`, `1GB`.",
    ),
    (
        "SW0110",
        "The options of a node do not fit together.",
        "The message says what the kind expects; `swiftwater describe KIND` shows an example.",
    ),
    (
        "SW0111",
        "A value is not one of those that are allowed.",
        "Take one of the values that are listed.",
    ),
    (
        "SW0112",
        "A number, or the length of a list or string, is out of bounds.",
        "Stay within the bounds that the message names.",
    ),
    (
        "SW0113",
        "A string does not have the form that is asked for.",
        "Write it in the form that the message shows.",
    ),
    (
        "SW0114",
        "A node has no kind.",
        "Add the key that says what the node is, with its options: `kafka: {topic: bids}`, `filter: \"price > 0\"`.",
    ),
    (
        "SW0115",
        "A node has two kinds.",
        "Make two nodes of it and let the second one name the first as its `input`.",
    ),
    (
        "SW0116",
        "A message format is not known.",
        "Take the name that is suggested; `swiftwater list` shows all formats.",
    ),
    (
        "SW0117",
        "A name is not allowed.",
        "Names of nodes are lowercase letters, digits and `_`, with a letter first; the name of a topology may hold `-` too.",
    ),
    (
        "SW0118",
        "A field is given twice, or two nodes have the same name.",
        "Keep one of them, or rename one of the nodes: names are unique in the whole file.",
    ),
    (
        "SW0119",
        "A secret file cannot be read.",
        "Mount the secret at that path, or correct the path; the user that runs Swiftwater must be allowed to read it.",
    ),
    (
        "SW0120",
        "The type of a column is not known.",
        "Use the types that the message lists, such as `int64`, `utf8`, `timestamp_ms`, `decimal(10,2)`, `list<utf8>`, or a nested map of columns.",
    ),
    (
        "SW0121",
        "The file is too large or nested too deeply.",
        "Split it into several topologies, and look for an alias that multiplies its content.",
    ),
    (
        "SW0122",
        "A secret file can be read by every user of the machine (warning).",
        "Take the permission away: `chmod o-r`, or `defaultMode: 0400` of a Kubernetes secret volume.",
    ),
    (
        "SW0123",
        "An option is deprecated (warning).",
        "`swiftwater describe KIND` says what has taken its place.",
    ),
    (
        "SW0201",
        "An input, a dead-letter target or a target of late rows names a node that does not exist.",
        "Take the name that is suggested, or add the node.",
    ),
    (
        "SW0202",
        "Nodes feed each other in a circle.",
        "A topology flows one way: remove one of the inputs that are listed, or go through a Kafka topic.",
    ),
    (
        "SW0205",
        "Nobody reads what a source or an operator puts out (warning).",
        "Name the node as the `input` of another one, or remove it.",
    ),
    (
        "SW0210",
        "A node is used in a role it does not have: a sink as an input, a source as a target.",
        "Name a source or an operator as input, and a sink or an operator as target.",
    ),
    (
        "SW0211",
        "An operator or a sink has no input.",
        "Add `input: name of a node`, or make it the `dead_letter` target of a node.",
    ),
    (
        "SW0213",
        "A test names a source or a sink that does not exist.",
        "A test's `input` names sources and its `expect` names sinks.",
    ),
    (
        "SW0214",
        "The topology has no source or no sink.",
        "Add a node under `sources:` and one under `sinks:`.",
    ),
    (
        "SW0215",
        "The name of a feature view does not end with its version.",
        "Name it like `card_features_v1`: lowercase letters, digits and `_`, then `_v` and a number from 1.",
    ),
];

/// The meaning and the cure of a code.
#[must_use]
pub fn explain(code: &str) -> Option<(&'static str, &'static str)> {
    let entry = CODES.iter().find(|(known, _, _)| known.eq_ignore_ascii_case(code));
    entry.map(|(_, summary, cure)| (*summary, *cure))
}
