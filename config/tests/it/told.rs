//! What a file is told: place, code, words and cure, and nothing else.

use swiftwater_config::{Diagnostic, parse};

use crate::kinds::{Fixed, kinds};

/// Line, column, code, part of the message, part of the hint.
pub(crate) type Told = (usize, usize, &'static str, &'static str, &'static str);

fn found(text: &str) -> Vec<Diagnostic> {
    match parse(text, &kinds(), &Fixed) {
        Ok(loaded) => loaded.warnings.0,
        Err(found) => found.0,
    }
}

/// The text is told exactly this, in this order.
#[track_caller]
pub(crate) fn check(text: &str, expected: &[Told]) {
    let found = found(text);
    let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
    let shown = shown.join("\n");
    assert_eq!(found.len(), expected.len(), "{text}\n{shown}");
    for (told, (line, column, code, message, hint)) in found.iter().zip(expected) {
        let place = told.location.map(|l| (l.line, l.column));
        assert_eq!((place, told.code), (Some((*line, *column)), *code), "{text}\n{shown}");
        assert!(told.message.contains(message), "`{message}` in\n{text}\n{shown}");
        let given = told.hint.as_deref().unwrap_or_default();
        assert!(given.contains(hint), "`{hint}` in\n{text}\n{shown}");
    }
}

/// A file whose source has these options, which begin in line 4, column 12.
pub(crate) fn with_kafka(options: &str) -> String {
    let sink = "sinks:\n  out: {input: bids, stdout: {}}\n";
    format!("name: t\nsources:\n  bids:\n    kafka: {options}\n{sink}")
}

/// A file whose operator is this, in line 4 from column 3.
pub(crate) fn with_operator(operator: &str) -> String {
    format!(
        "name: t\nsources: {{bids: {{generate: {{}}}}}}\noperators:\n  {operator}\nsinks: {{out: {{input: [bids, op], stdout: {{}}}}}}\n"
    )
}
