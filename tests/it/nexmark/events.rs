//! The rows of the generator as the oracle sees them.

use std::sync::OnceLock;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMillisecondType};

use super::run::{Variables, run};

/// Events of a test.
pub(super) const EVENTS: u64 = 100_000;

/// Someone who registered.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) city: String,
    pub(super) state: String,
    pub(super) at: i64,
}

/// An auction.
#[derive(Debug, Clone)]
pub(super) struct Auction {
    pub(super) id: i64,
    pub(super) item: String,
    pub(super) reserve: i64,
    pub(super) at: i64,
    pub(super) expires: i64,
    pub(super) seller: i64,
    pub(super) category: i64,
}

/// A bid.
#[derive(Debug, Clone)]
pub(super) struct Bid {
    pub(super) auction: i64,
    pub(super) bidder: i64,
    pub(super) price: i64,
    pub(super) channel: String,
    pub(super) url: String,
    pub(super) at: i64,
    pub(super) extra: String,
}

/// Everything that happened; times in milliseconds since 1970.
pub(super) struct Events {
    pub(super) persons: Vec<Person>,
    pub(super) auctions: Vec<Auction>,
    pub(super) bids: Vec<Bid>,
}

fn whole(rows: &RecordBatch, name: &str) -> Vec<i64> {
    rows.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().to_vec()
}

fn millis(rows: &RecordBatch, name: &str) -> Vec<i64> {
    rows.column_by_name(name).unwrap().as_primitive::<TimestampMillisecondType>().values().to_vec()
}

fn text(rows: &RecordBatch, name: &str) -> Vec<String> {
    let column = rows.column_by_name(name).unwrap().as_string::<i32>();
    column.iter().flatten().map(str::to_owned).collect()
}

fn generated(preset: &str, variables: &Variables) -> Vec<RecordBatch> {
    let text = format!(
        r#"name: events
sources:
  all:
    generate:
      {{preset: {preset}, seed: "${{SEED}}", count: "${{EVENTS}}", event_rate: "${{EVENT_RATE}}", start: "2026-01-01T00:00:00Z"}}
sinks:
  out: {{input: all, blackhole: {{}}}}
"#
    );
    run(&text, variables, None)
}

fn persons(rows: &RecordBatch) -> Vec<Person> {
    let (ids, times) = (whole(rows, "id"), millis(rows, "date_time"));
    let texts = ["name", "city", "state"].map(|name| text(rows, name));
    let [names, cities, states] = &texts;
    let person = |i: usize| Person {
        id: ids[i],
        name: names[i].clone(),
        city: cities[i].clone(),
        state: states[i].clone(),
        at: times[i],
    };
    (0..rows.num_rows()).map(person).collect()
}

fn auctions(rows: &RecordBatch) -> Vec<Auction> {
    let [id, reserve, seller, category] =
        ["id", "reserve", "seller", "category"].map(|name| whole(rows, name));
    let [at, expires] = ["date_time", "expires"].map(|name| millis(rows, name));
    let items = text(rows, "item_name");
    let auction = |i: usize| Auction {
        id: id[i],
        item: items[i].clone(),
        reserve: reserve[i],
        at: at[i],
        expires: expires[i],
        seller: seller[i],
        category: category[i],
    };
    (0..rows.num_rows()).map(auction).collect()
}

fn bids(rows: &RecordBatch) -> Vec<Bid> {
    let [auction, bidder, price] = ["auction", "bidder", "price"].map(|name| whole(rows, name));
    let [channel, url, extra] = ["channel", "url", "extra"].map(|name| text(rows, name));
    let at = millis(rows, "date_time");
    let bid = |i: usize| Bid {
        auction: auction[i],
        bidder: bidder[i],
        price: price[i],
        channel: channel[i].clone(),
        url: url[i].clone(),
        at: at[i],
        extra: extra[i].clone(),
    };
    (0..rows.num_rows()).map(bid).collect()
}

impl Events {
    fn generate(rate: u64) -> Self {
        let of = |preset: &str| generated(preset, &Variables::new(EVENTS, rate));
        Self {
            persons: of("nexmark_persons").iter().flat_map(persons).collect(),
            auctions: of("nexmark_auctions").iter().flat_map(auctions).collect(),
            bids: of("nexmark_bids").iter().flat_map(bids).collect(),
        }
    }

    /// A thousand events a second: 100 seconds.
    pub(super) fn seconds() -> &'static Self {
        static EVENTS: OnceLock<Events> = OnceLock::new();
        EVENTS.get_or_init(|| Self::generate(SECONDS))
    }

    /// An event a second: more than a day.
    pub(super) fn days() -> &'static Self {
        static EVENTS: OnceLock<Events> = OnceLock::new();
        EVENTS.get_or_init(|| Self::generate(DAYS))
    }
}

/// Events a second of [`Events::seconds`].
pub(super) const SECONDS: u64 = 1000;
/// Events a second of [`Events::days`].
pub(super) const DAYS: u64 = 1;
