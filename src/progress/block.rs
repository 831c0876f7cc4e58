//! The text of the block: one line for the topology, one for each node.

use std::io;
use std::time::Instant;

use swiftwater_config::ByteSize;
use swiftwater_engine::Health;

use crate::live::{NodeRates, Quantiles, Snapshot};
use crate::terminal::{Style, colour, paint};

/// What stays the same while a topology runs.
pub(crate) struct Header {
    /// Name of the topology.
    pub(crate) topology: String,
    /// Where metrics are served.
    pub(crate) url: Option<String>,
    /// When it started.
    pub(crate) started: Instant,
    /// The memory budget in bytes.
    pub(crate) budget: u64,
}

/// The lines of the block.
pub(super) fn lines(header: &Header, snapshot: &Snapshot, health: &Health) -> Vec<String> {
    let colours = colour(&io::stderr());
    let rule = paint(colours, Style::Faint, &"─".repeat(200));
    let mut lines = vec![rule, headline(header, snapshot, health, colours)];
    let widest = snapshot.nodes.iter().map(|n| n.node.chars().count()).max();
    let width = widest.unwrap_or_default().max(4);
    let columns = format!(
        "{:<width$} {:>9} {:>9} {:>5} {:>7} {:>9} {:>8} {:>8}  ",
        "node", "in/s", "out/s", "busy", "blocked", "lag", "p50", "p99"
    );
    lines.push(paint(colours, Style::Faint, &columns));
    lines.extend(snapshot.nodes.iter().map(|node| line(node, width, health, colours)));
    lines
}

fn headline(header: &Header, snapshot: &Snapshot, health: &Health, colours: bool) -> String {
    let seconds = header.started.elapsed().as_secs();
    let clock = format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut parts = vec![paint(colours, Style::Strong, &header.topology), clock];
    if health.draining {
        parts.push(paint(colours, Style::Doubtful, "draining"));
    }
    if snapshot.epoch_age_seconds > 0.0 {
        parts.push(format!("epoch age {}", time(snapshot.epoch_age_seconds)));
    }
    if let Some(resident) = snapshot.resident_bytes {
        let mib = |bytes: u64| ByteSize(bytes >> 20 << 20);
        parts.push(format!("memory {} of {}", mib(resident), mib(header.budget)));
    }
    parts.extend(header.url.clone());
    parts.join("  ")
}

fn line(node: &NodeRates, width: usize, health: &Health, colours: bool) -> String {
    let latency = node.e2e_latency_seconds.or(node.ingest_to_ack_seconds);
    let quantile = |of: fn(Quantiles) -> f64| latency.map_or(String::new(), |l| time(of(l)));
    let blocked = format!("{:>7}", share(node.backpressured));
    let blocked = match node.backpressured {
        b if b >= 0.5 => paint(colours, Style::Bad, &blocked),
        b if b >= 0.1 => paint(colours, Style::Doubtful, &blocked),
        _ => blocked,
    };
    let mut text = format!(
        "{:<width$} {:>9} {:>9} {:>5} {blocked} {:>9} {:>8} {:>8}",
        node.node,
        rate(node.rows_in_per_second),
        rate(node.rows_out_per_second),
        share(node.busy),
        node.lag_records.map_or(String::new(), count),
        quantile(|l| l.p50),
        quantile(|l| l.p99),
    );
    if node.dead_letters > 0 {
        let letters = format!("  {} dead letters", count(node.dead_letters));
        text.push_str(&paint(colours, Style::Doubtful, &letters));
    }
    let state = health.nodes.get(&node.node).map_or("", |n| n.state.as_str());
    if state != "running" {
        text.push_str(&format!("  {state}"));
    }
    text
}

fn share(part: f64) -> String {
    format!("{:.0}%", part * 100.0)
}

#[expect(clippy::cast_precision_loss, reason = "a count shown with three digits")]
fn count(rows: u64) -> String {
    rate(rows as f64)
}

/// A count with three digits and a letter.
fn rate(rows: f64) -> String {
    match rows {
        r if r >= 1e9 => format!("{:.2}G", r / 1e9),
        r if r >= 1e6 => format!("{:.2}M", r / 1e6),
        r if r >= 1e4 => format!("{:.1}k", r / 1e3),
        r => format!("{r:.0}"),
    }
}

/// A time with its unit.
fn time(seconds: f64) -> String {
    match seconds {
        s if s >= 100.0 => format!("{s:.0}s"),
        s if s >= 1.0 => format!("{s:.1}s"),
        s if s >= 0.01 => format!("{:.0}ms", s * 1e3),
        s => format!("{:.1}ms", s * 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_short() {
        let shown: Vec<_> = [0.0, 999.4, 12_345.0, 1_234_567.0].map(rate).into();
        assert_eq!(shown, ["0", "999", "12.3k", "1.23M"]);
        let shown: Vec<_> = [0.0012, 0.25, 3.12, 600.0].map(time).into();
        assert_eq!(shown, ["1.2ms", "250ms", "3.1s", "600s"]);
    }
}
