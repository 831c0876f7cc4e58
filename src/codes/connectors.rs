//! Codes of connectors.

use super::Code;

pub(super) const CODES: &[Code] = &[
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
