//! File text → what is told about it: code, place, words and cure.

mod support;

use support::{Fixed, kinds};
use swiftwater_config::{Diagnostics, parse};

#[test]
fn show() {
    let text = std::fs::read_to_string(std::env::var("SHOW").unwrap()).unwrap();
    for case in text.split("=====\n") {
        match parse(case, &kinds(), &Fixed) {
            Ok(loaded) => println!("OK\n{}\n{:#?}", loaded.redacted_yaml(), loaded.topology),
            Err(found) => println!("{found}\n"),
        }
    }
    let _: Option<Diagnostics> = None;
}
