//! Log lines on stderr: text where a person watches, one JSON object a line elsewhere.
//!
//! Every line carries the topology, the trace id of this run and, where it concerns one, the node
//! and the epoch: fields of the spans around an event become fields of its line. The secrets of the
//! topology are blanked out of every line, whichever library wrote it.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, OnceLock};

use chrono::{SecondsFormat, Utc};
use clap::ValueEnum;
use serde_json::{Map, Value, json};
use swiftwater_config::SecretValues;
use swiftwater_engine::{Error, Result};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

use crate::terminal::{self, Style};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// Text on a terminal, JSON elsewhere
    #[default]
    Auto,
    /// One JSON object a line
    Json,
    /// Text
    Text,
}

/// Fields in the order they were recorded.
#[derive(Debug, Clone, Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.put(field, Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

/// What every line of this process carries, once the topology is known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identity(Arc<OnceLock<(String, String)>>);

impl Identity {
    /// Names the topology and the trace id of its run; only the first call counts.
    pub(crate) fn set(&self, topology: &str, trace_id: &str) {
        self.0.get_or_init(|| (topology.to_owned(), trace_id.to_owned()));
    }
}

/// What no line of this process may show, once the topology is known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets(Arc<OnceLock<SecretValues>>);

impl Secrets {
    /// Names the values; only the first call counts.
    pub(crate) fn set(&self, values: &SecretValues) {
        self.0.get_or_init(|| values.clone());
    }

    /// The text without them, and without the user information of URLs.
    fn scrub(&self, text: &str) -> String {
        self.0.get().map_or_else(|| SecretValues::default().scrub(text), |known| known.scrub(text))
    }
}

/// Writes one line for each event.
struct Lines {
    json: bool,
    colour: bool,
    identity: Identity,
    secrets: Secrets,
}

impl Lines {
    /// Before the line is written as JSON, because a secret may have characters that JSON escapes.
    fn scrub(&self, fields: &mut Map<String, Value>) {
        for (name, value) in fields.iter_mut() {
            if let Value::String(text) = value
                && name != "node"
            {
                *text = self.secrets.scrub(text);
            }
        }
    }

    fn json_line(&self, level: Level, target: &str, fields: Map<String, Value>) -> String {
        let mut line = Map::new();
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        line.insert("time".into(), now.into());
        line.insert("level".into(), json!(level.as_str().to_lowercase()));
        if let Some((topology, trace_id)) = self.identity.0.get() {
            line.insert("topology".into(), topology.as_str().into());
            line.insert("trace_id".into(), trace_id.as_str().into());
        }
        let mut rest = fields;
        for first in ["node", "epoch", "message"] {
            if let Some(value) = rest.shift_remove(first) {
                line.insert(first.into(), value);
            }
        }
        line.extend(rest);
        line.insert("target".into(), target.into());
        Value::Object(line).to_string()
    }

    fn text_line(&self, level: Level, mut fields: Map<String, Value>) -> String {
        let style = match level {
            Level::ERROR => Style::Bad,
            Level::WARN => Style::Doubtful,
            Level::INFO => Style::Good,
            _ => Style::Faint,
        };
        let plain = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let now = Utc::now().format("%H:%M:%S%.3f").to_string();
        let mut line = format!(
            "{} {}",
            terminal::paint(self.colour, Style::Faint, &now),
            terminal::paint(self.colour, style, &format!("{level:5}"))
        );
        // A person reads one topology at a time: its name and trace id are left to the JSON form.
        fields.shift_remove("topology");
        fields.shift_remove("trace_id");
        if let Some(node) = fields.shift_remove("node") {
            let node = terminal::paint(self.colour, Style::Strong, &plain(node));
            line = format!("{line} {node}:");
        }
        if let Some(message) = fields.shift_remove("message") {
            line = format!("{line} {}", plain(message));
        }
        for (name, value) in fields {
            let name = terminal::paint(self.colour, Style::Faint, &format!("{name}="));
            line = format!("{line} {name}{}", plain(value));
        }
        line
    }
}

impl<S> Layer<S> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = cx.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, cx: Context<'_, S>) {
        let Some(span) = cx.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in cx.event_scope(event).into_iter().flat_map(|s| s.from_root()) {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.0.extend(outer.0.clone());
            }
        }
        event.record(&mut fields);
        self.scrub(&mut fields.0);
        let metadata = event.metadata();
        let line = if self.json {
            self.json_line(*metadata.level(), metadata.target(), fields.0)
        } else {
            self.text_line(*metadata.level(), fields.0)
        };
        // A log line that cannot be written has nowhere to be reported.
        io::stderr().lock().write_all(format!("{line}\n").as_bytes()).ok();
    }
}

/// Log lines under way.
pub(crate) struct Logging {
    /// What every line carries.
    pub(crate) identity: Identity,
    /// What no line shows.
    pub(crate) secrets: Secrets,
    /// Whether lines are JSON.
    pub(crate) json: bool,
}

/// Sends log lines to stderr from here on.
///
/// # Errors
/// `Config` for a filter that cannot be read.
pub(crate) fn start(format: Format, filter: &str) -> Result<Logging> {
    let stderr = io::stderr();
    let json = match format {
        Format::Json => true,
        Format::Text => false,
        Format::Auto => !stderr.is_terminal(),
    };
    let parsed = EnvFilter::try_new(filter).map_err(|error| {
        Error::config("SW4102", format!("read the log filter `{filter}`"))
            .with_source(error)
            .with_hint("write a level (`error`, `warn`, `info`, `debug`, `trace`) or `info,swiftwater_connectors=debug`")
    })?;
    let (identity, secrets) = (Identity::default(), Secrets::default());
    let lines = Lines {
        json,
        colour: terminal::colour(&stderr),
        identity: identity.clone(),
        secrets: secrets.clone(),
    };
    let subscriber = tracing_subscriber::registry().with(parsed).with(lines);
    tracing::subscriber::set_global_default(subscriber)
        .map_err(|error| Error::bug("start logging twice").with_source(error))?;
    Ok(Logging { identity, secrets, json })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(json: bool) -> Lines {
        let identity = Identity::default();
        identity.set("bids", "abc");
        Lines { json, colour: false, identity, secrets: Secrets::default() }
    }

    fn fields() -> Map<String, Value> {
        let fields = json!({"message": "retrying", "error": "broken \"pipe\"", "node": "out"});
        fields.as_object().unwrap().clone()
    }

    #[test]
    fn a_json_line_carries_topology_node_and_trace_id() {
        let line = lines(true).json_line(Level::WARN, "swiftwater", fields());
        let read: Value = serde_json::from_str(&line).unwrap();
        for (name, expected) in [
            ("level", "warn"),
            ("topology", "bids"),
            ("trace_id", "abc"),
            ("node", "out"),
            ("message", "retrying"),
            ("error", "broken \"pipe\""),
        ] {
            assert_eq!(read[name], expected, "{name} in {line}");
        }
    }

    #[test]
    fn a_text_line_puts_the_node_first() {
        let line = lines(false).text_line(Level::WARN, fields());
        assert!(line.ends_with("WARN  out: retrying error=broken \"pipe\""), "{line}");
    }
}
