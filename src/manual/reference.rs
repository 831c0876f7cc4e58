//! The pages of `docs/reference`: everything the binary knows of its kinds, formats and errors.

use swiftwater_config::Role;
use swiftwater_engine::Registry;

use super::{format_page, format_summary, kind_page, one_line};
use crate::codes;

/// File names and their text.
pub(crate) fn reference(registry: &Registry) -> Vec<(&'static str, String)> {
    vec![
        ("sources.md", kinds(registry, Role::Source, "Sources", "Where rows come from.")),
        ("operators.md", kinds(registry, Role::Operator, "Operators", "What happens to rows.")),
        ("sinks.md", kinds(registry, Role::Sink, "Sinks", "Where rows go.")),
        ("formats.md", formats(registry)),
        ("errors.md", errors()),
    ]
}

const GENERATED: &str =
    "<!-- Written by `swiftwater docs docs/reference`; edit the options' doc comments. -->";

fn kinds(registry: &Registry, role: Role, title: &str, about: &str) -> String {
    let manuals: Vec<_> = registry.manuals().iter().filter(|m| m.role == role).collect();
    let mut page = format!("# {title}\n\n{GENERATED}\n\n{about}\n\n");
    for manual in &manuals {
        let (kind, summary) = (manual.kind, one_line(manual.summary()));
        let anchor = format!("{kind}-{}", crate::graph::role_name(role));
        page.push_str(&format!("- [`{kind}`](#{anchor}): {summary}\n"));
    }
    for manual in manuals {
        page.push_str(&format!("\n{}", kind_page(manual, 2)));
    }
    page
}

fn formats(registry: &Registry) -> String {
    let mut page = format!(
        "# Message formats\n\n{GENERATED}\n\nThe `format` field of a source or sink names one, \
         alone (`format: json`) or with its options (`format: {{csv: {{delimiter: \";\"}}}}`).\n\n"
    );
    for format in registry.formats() {
        let name = format.name;
        page.push_str(&format!("- [`{name}`](#{name}-format): {}\n", format_summary(format)));
    }
    for format in registry.formats() {
        page.push_str(&format!("\n{}", format_page(format, 2)));
    }
    page
}

fn errors() -> String {
    let mut page = format!(
        "# Error codes\n\n{GENERATED}\n\nA code keeps its meaning for ever. `swiftwater explain CODE` \
         shows one of them.\n"
    );
    for (digits, title) in codes::RANGES {
        let mut codes = codes::all().filter(|(code, _, _)| code.starts_with(digits)).peekable();
        if codes.peek().is_none() {
            continue;
        }
        page.push_str(&format!("\n## {title}\n\n| code | meaning | cure |\n|---|---|---|\n"));
        for (code, meaning, cure) in codes {
            let cell = |text: &str| one_line(text).replace('|', "\\|");
            page.push_str(&format!("| {code} | {} | {} |\n", cell(meaning), cell(cure)));
        }
    }
    page
}
