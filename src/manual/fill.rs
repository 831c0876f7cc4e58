//! Breaks prose into lines.

/// Breaks each paragraph of `text` into lines of at most `width` characters that start with
/// `indent`, and joins the lines a paragraph was written in. List items keep a line of their own,
/// code blocks stay as they are; the first line carries no indent.
pub(crate) fn fill(text: &str, width: usize, indent: &str) -> String {
    let mut blocks: Vec<String> = Vec::new();
    let mut code = false;
    for paragraph in text.trim().split("\n\n") {
        let fences = paragraph.matches("```").count();
        if code || fences > 0 {
            blocks.push(paragraph.lines().collect::<Vec<_>>().join(&format!("\n{indent}")));
            code ^= fences % 2 == 1;
        } else {
            let items = items(paragraph);
            let filled = items.iter().map(|item| fill_item(item, width, indent));
            blocks.push(filled.collect::<Vec<_>>().join(&format!("\n{indent}")));
        }
    }
    blocks.join(&format!("\n\n{indent}"))
}

/// The list items of a paragraph, or the paragraph itself, each as one line.
fn items(paragraph: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for line in paragraph.lines().map(str::trim) {
        match items.last_mut() {
            Some(last) if !starts_item(line) => {
                last.push(' ');
                last.push_str(line);
            }
            _ => items.push(line.to_owned()),
        }
    }
    items
}

fn starts_item(line: &str) -> bool {
    line.starts_with("- ") || line.starts_with("* ") || line.starts_with('|')
}

fn fill_item(item: &str, width: usize, indent: &str) -> String {
    if item.starts_with('|') {
        return item.to_owned();
    }
    let hanging = if starts_item(item) { "  " } else { "" };
    let mut lines = vec![String::new()];
    for word in item.split_whitespace() {
        let room = width.saturating_sub(indent.chars().count());
        let line = lines.last().map_or(0, |l| l.chars().count());
        if line > 0 && line + 1 + word.chars().count() > room {
            lines.push(format!("{hanging}{word}"));
        } else if let Some(last) = lines.last_mut() {
            if line > 0 {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines.join(&format!("\n{indent}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_joined_and_broken_anew() {
        let text =
            "One two\nthree four.\n\nFive:\n- six seven eight\n- nine\n\n```yaml\na:  1\n```";
        assert_eq!(
            fill(text, 14, "  "),
            "One two\n  three four.\n\n  Five:\n  - six seven\n    eight\n  - nine\n\n  ```yaml\n  a:  1\n  ```"
        );
    }
}
