//! Builds the tree from the parser's events, without recursion.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, ScalarStyle, Tag};

use super::{DEEPEST, MOST_VALUES, Result, fault};
use crate::diagnostic::Diagnostic;
use crate::document::{Content, Entry, Node, Span};
use crate::scalar;

/// A list or map that is not closed yet.
struct Open {
    node: Node,
    anchor: usize,
    /// The key of a map whose value comes next.
    key: Option<(String, Span)>,
    /// That key is a `<<` without quotes.
    merges: bool,
    /// The values of `<<` keys, added when the map closes.
    merged: Vec<Node>,
}

#[derive(Default)]
pub(super) struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    /// The document's value, once it was read.
    pub(super) root: Option<Node>,
    documents: usize,
    values: usize,
}

impl Builder {
    /// Takes the next event of the parser.
    pub(super) fn event(&mut self, event: Event<'_>, span: Span) -> Result<()> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => self.document(span),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::Scalar(text, style, anchor, tag) => {
                if let Some(open) = self.open.last_mut()
                    && open.key.is_none()
                {
                    open.merges = text == "<<" && style == ScalarStyle::Plain && tag.is_none();
                }
                let content = typed(&text, style, tag, span)?;
                self.add(Node { content, span }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.start(Content::List(Vec::new()), anchor, tag, span)
            }
            Event::MappingStart(anchor, tag) => {
                self.start(Content::Map(Vec::new()), anchor, tag, span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
        }
    }

    fn document(&mut self, span: Span) -> Result<()> {
        self.documents += 1;
        if self.documents > 1 {
            return Err(fault(
                "SW0101",
                "the file holds several documents",
                "write each topology into a file of its own",
                span,
            ));
        }
        Ok(())
    }

    fn start(
        &mut self,
        content: Content,
        anchor: usize,
        tag: Option<Cow<'_, Tag>>,
        span: Span,
    ) -> Result<()> {
        refuse_tag(
            tag.filter(|tag| {
                !(tag.is_yaml_core_schema() && matches!(tag.suffix.as_str(), "map" | "seq"))
            }),
            span,
        )?;
        if let Some(open) = self.open.last()
            && matches!(open.node.content, Content::Map(_))
            && open.key.is_none()
        {
            return Err(fault(
                "SW0101",
                "a key is a list or a map",
                "keys are plain words; put a `{` or `[` that belongs to the text in quotes",
                span,
            ));
        }
        if self.open.len() >= DEEPEST {
            return Err(too_large(&format!("nested deeper than {DEEPEST} levels"), span));
        }
        let node = Node { content, span };
        self.open.push(Open { node, anchor, key: None, merges: false, merged: Vec::new() });
        Ok(())
    }

    fn end(&mut self, span: Span) -> Result<()> {
        let Some(mut open) = self.open.pop() else {
            return Ok(());
        };
        open.node.span.end = span.end;
        if let Content::Map(entries) = &mut open.node.content {
            for source in open.merged {
                merge(entries, source);
            }
        }
        self.add(open.node, open.anchor)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<()> {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            return Err(fault(
                "SW0101",
                "an alias to a value that holds the alias",
                "write the value out",
                span,
            ));
        };
        self.values += size;
        if self.values > MOST_VALUES {
            return Err(too_large(&format!("larger than {MOST_VALUES} values"), span));
        }
        if depth(node) + self.open.len() > DEEPEST {
            return Err(too_large(&format!("nested deeper than {DEEPEST} levels"), span));
        }
        let node = node.clone();
        self.add(node, 0)
    }

    /// Puts a finished value where it belongs.
    fn add(&mut self, node: Node, anchor: usize) -> Result<()> {
        self.values += 1;
        if self.values > MOST_VALUES {
            let span = node.span;
            return Err(too_large(&format!("larger than {MOST_VALUES} values"), span));
        }
        if anchor > 0 {
            let size = count(&node);
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.node.content {
            Content::List(items) => items.push(node),
            Content::Map(entries) => match open.key.take() {
                None => open.key = Some(key(node, entries)?),
                Some((_, key_span)) if std::mem::take(&mut open.merges) => {
                    open.merged.extend(merge_sources(node, key_span)?);
                }
                Some((key, key_span)) => entries.push(Entry { key, key_span, value: node }),
            },
            _ => {}
        }
        Ok(())
    }
}

fn key(node: Node, entries: &[Entry]) -> Result<(String, Span)> {
    let span = node.span;
    let key = match node.content {
        Content::Text(text) => text,
        Content::Bool(value) => value.to_string(),
        Content::Number(number) => number.to_string(),
        Content::Null | Content::List(_) | Content::Map(_) => {
            return Err(fault("SW0101", "a key is missing", "a field is `name: value`", span));
        }
    };
    if let Some(first) = entries.iter().find(|entry| entry.key == key) {
        let line = first.key_span.start.line;
        return Err(fault(
            "SW0118",
            &format!("`{key}` is given twice"),
            &format!("the first one is in line {line}; keep one of them"),
            span,
        ));
    }
    Ok((key, span))
}

fn merge_sources(node: Node, key_span: Span) -> Result<Vec<Node>> {
    let sources = match node.content {
        Content::List(items) => items,
        _ => vec![node],
    };
    if sources.iter().all(|source| matches!(source.content, Content::Map(_))) {
        return Ok(sources);
    }
    Err(fault(
        "SW0101",
        "`<<` merges something that is not a map",
        "write `<<: *name`, where `&name` marks a map",
        key_span,
    ))
}

/// Adds the fields that are not there yet: what a map says itself, and what came before, wins.
fn merge(entries: &mut Vec<Entry>, source: Node) {
    if let Content::Map(fields) = source.content {
        for field in fields {
            if !entries.iter().any(|entry| entry.key == field.key) {
                entries.push(field);
            }
        }
    }
}

fn typed(text: &str, style: ScalarStyle, tag: Option<Cow<'_, Tag>>, span: Span) -> Result<Content> {
    let core = tag.as_ref().filter(|tag| tag.is_yaml_core_schema());
    match core.map(|tag| tag.suffix.as_str()) {
        Some("str") => Ok(Content::Text(text.into())),
        Some("int" | "float" | "bool" | "null") => match scalar::plain(text) {
            Content::Text(_) => Err(fault(
                "SW0101",
                "the value does not fit its tag",
                "leave the tag out; values are typed by the field they fill",
                span,
            )),
            content => Ok(content),
        },
        _ => {
            refuse_tag(tag.filter(|tag| tag.handle != "!" || !tag.suffix.is_empty()), span)?;
            Ok(match style {
                ScalarStyle::Plain => scalar::plain(text),
                _ => Content::Text(text.into()),
            })
        }
    }
}

fn refuse_tag(tag: Option<Cow<'_, Tag>>, span: Span) -> Result<()> {
    match tag {
        None => Ok(()),
        Some(_) => Err(fault(
            "SW0101",
            "a tag that topology files do not know",
            "leave it out, or put a text that starts with `!` in quotes",
            span,
        )),
    }
}

fn too_large(what: &str, span: Span) -> Box<Diagnostic> {
    fault("SW0121", &format!("the file is {what}"), "split it into several topologies", span)
}

fn count(node: &Node) -> usize {
    match &node.content {
        Content::List(items) => 1 + items.iter().map(count).sum::<usize>(),
        Content::Map(entries) => 1 + entries.iter().map(|e| count(&e.value)).sum::<usize>(),
        _ => 1,
    }
}

fn depth(node: &Node) -> usize {
    match &node.content {
        Content::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Content::Map(entries) => 1 + entries.iter().map(|e| depth(&e.value)).max().unwrap_or(0),
        _ => 1,
    }
}
