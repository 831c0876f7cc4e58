//! The project's Rust sources as text: which files there are, and their code without comments.

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub(crate) const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// One file, named by its path from the root of the repository.
pub(crate) struct Source {
    /// Such as `engine/src/batch.rs`.
    pub(crate) path: String,
    /// The whole text.
    pub(crate) text: String,
}

/// Every `.rs` file of the repository in the order of their paths.
pub(crate) fn sources() -> Vec<Source> {
    let paths = files("rs");
    assert!(paths.len() > 50, "only {} sources were found", paths.len());
    paths.iter().map(|path| read(path)).collect()
}

/// Every file of the repository with this extension, in order.
pub(crate) fn files(extension: &str) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    collect(Path::new(ROOT), extension, &mut paths);
    paths.sort();
    paths
}

fn collect(directory: &Path, extension: &str, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            // Hidden folders and build directories hold nothing of ours.
            if !name.starts_with('.') && !path.join("CACHEDIR.TAG").exists() {
                collect(&path, extension, paths);
            }
        } else if path.extension().is_some_and(|e| e == extension) {
            paths.push(path);
        }
    }
}

fn read(path: &Path) -> Source {
    let relative = path.strip_prefix(ROOT).unwrap();
    Source {
        path: relative.to_string_lossy().into_owned(),
        text: fs::read_to_string(path).unwrap(),
    }
}

impl Source {
    /// The code alone: comments are gone, string and character literals are empty.
    pub(crate) fn code(&self) -> String {
        code(&self.text)
    }
}

/// Where a literal or a comment that starts at the beginning of `rest` ends, if one starts there.
fn skip(rest: &str) -> Option<usize> {
    let after = |end: &str, from: usize| {
        rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len())
    };
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(after("*/", 2));
    }
    if rest.starts_with('"') {
        return Some(quoted(rest));
    }
    let raw = rest.strip_prefix('b').unwrap_or(rest);
    if let Some(raw) = raw.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            return Some(after(&end, rest.len() - raw.len() + hashes + 1));
        }
    }
    if let Some(letter) = rest.strip_prefix('\'') {
        // A lifetime has no second quote after one letter; an escape always has one.
        let length = letter.chars().next()?.len_utf8();
        if letter.starts_with('\\') {
            return Some(after("'", 3));
        }
        return letter[length..].starts_with('\'').then_some(length + 2);
    }
    None
}

fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// `text` without comments and without the insides of literals.
pub(crate) fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        // Inside a word, `r"` and `'` mean nothing.
        let word = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let literal = !word || matches!(letter, '"' | '/');
        if let Some(end) = skip(rest).filter(|_| literal) {
            if rest[..end].ends_with('"') {
                code.push_str("\"\"");
            }
            rest = &rest[end..];
        } else {
            code.push(letter);
            rest = &rest[letter.len_utf8()..];
        }
    }
    code
}

#[test]
fn code_has_no_comments_and_no_literals() {
    let text = "let a = \"un\\\"safe\"; // unsafe\nlet b: &'static str = r#\"unsafe \"x\"#;\n\
                /* unsafe */ let c = '\"'; let d = '\\''; fn e<'a>() {} let f = b\"unsafe\";";
    let code = code(text);
    assert!(!code.contains("unsafe"), "{code}");
    assert!(code.contains("let c = ; let d = ; fn e<'a>() {}"), "{code}");
}
