//! The manual page of one kind or message format, in Markdown.

use serde_json::Value;
use swiftwater_engine::registry::{FormatManual, Manual};

use super::fill;
use super::options::{Schema, list};
use crate::graph::role_name;

/// Width of the text of a page.
const WIDTH: usize = 100;

/// The page of a kind, with headings of `level` and deeper.
pub(crate) fn kind_page(manual: &Manual, level: usize) -> String {
    let title = format!("`{}` {}", manual.kind, role_name(manual.role));
    let mut page = body(&title, &manual.schema, level);
    let heading = "#".repeat(level + 1);
    let example = manual.example.trim();
    page.push_str(&format!("\n{heading} Example\n\n```yaml\n{example}\n```\n"));
    page
}

/// The page of a message format, with headings of `level` and deeper.
pub(crate) fn format_page(manual: &FormatManual, level: usize) -> String {
    body(&format!("`{}` format", manual.name), &manual.schema, level)
}

fn body(title: &str, schema: &Value, level: usize) -> String {
    let (top, heading) = ("#".repeat(level), "#".repeat(level + 1));
    let schema = Schema::new(schema);
    let text = fill(schema.description(), WIDTH, "");
    let mut page = format!("{top} {title}\n\n{text}\n\n{heading} Options\n\n");
    let options = schema.options();
    if !schema.is_map() {
        page.push_str(&format!("Written as {}.\n", schema.form()));
        let inner = schema.inner_options();
        if !inner.is_empty() {
            page.push('\n');
            page.push_str(&list(&inner, 0));
        }
    } else if options.is_empty() {
        page.push_str("None.\n");
    } else {
        page.push_str(&list(&options, 0));
    }
    page
}

/// Text on one line.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first paragraph of a message format's manual.
pub(crate) fn format_summary(manual: &FormatManual) -> String {
    let text = Schema::new(&manual.schema).description();
    one_line(text.split("\n\n").next().unwrap_or_default())
}
