//! Codes of models and of the rows that are made from them.

use super::Code;

pub(super) const CODES: &[Code] = &[
    (
        "SW0384",
        "What `synthesize` is asked for cannot be.",
        "The message names the two things that contradict each other, or the option: a `min` is at most its `max`, orders do not go round in a circle, a unique key takes no condition. See `swiftwater describe synthesize`.",
    ),
    (
        "SW0385",
        "A model cannot be used.",
        "The file is not what `learn` released (another format, or changed: its checksum does not fit), or no row of the model is as it is asked for. The message says which; leave a condition out, or learn from rows that have such values.",
    ),
    (
        "SW0386",
        "The options of a `learn` do not fit together.",
        "It needs a `pane` of whole milliseconds and at least one column that is not a key. See `swiftwater describe learn`.",
    ),
    (
        "SW3250",
        "A made-up row cannot be brought into the order that is asked for.",
        "The model has hardly a row in this order, neither as it is drawn nor with the two values exchanged. Leave the order out, or learn from rows that keep it.",
    ),
    (
        "SW3251",
        "A model that came in the stream cannot be taken up.",
        "The model before it stays in use. The message says whether it was damaged or cannot give rows as they are asked for. `on_error` of the node says what becomes of such models.",
    ),
];
