//! Queries over windows: q5, q7, q8, q11, q12, q15, q16 and q17.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;

use super::events::{Bid, DAYS, EVENTS, Events, SECONDS};
use super::run::{Variables, assert_same, file, rows, run};

fn check(names: &[&str], rate: u64, columns: &[&str], expected: &[String]) {
    for name in names {
        for parallelism in [None, Some(2)] {
            // The highest row of all keys is found on one task.
            if parallelism.is_some() && (name.ends_with("_sql") || ["q12"].contains(name)) {
                continue;
            }
            let found = run(&file(name), &Variables::new(EVENTS, rate), parallelism);
            assert_same(name, &rows(&found, columns), expected.to_vec());
        }
    }
}

#[test]
fn q5_finds_the_hottest_auctions() {
    let mut counts: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    for bid in &Events::seconds().bids {
        let newest = bid.at.div_euclid(2000) * 2000;
        for start in (0..5).map(|i| newest - i * 2000) {
            *counts.entry((start, bid.auction)).or_default() += 1;
        }
    }
    let mut most: BTreeMap<i64, i64> = BTreeMap::new();
    for ((start, _), count) in &counts {
        let most = most.entry(*start).or_default();
        *most = (*most).max(*count);
    }
    let hottest = counts.iter().filter(|((start, _), count)| most[start] == **count);
    let expected: Vec<String> = hottest
        .map(|((start, auction), count)| format!("{auction}|{count}|{start}|{}", start + 10_000))
        .collect();
    check(
        &["q5", "q5_sql"],
        SECONDS,
        &["auction", "bids", "window_start", "window_end"],
        &expected,
    );
}

#[test]
fn q7_finds_the_highest_bids() {
    let mut highest: BTreeMap<i64, i64> = BTreeMap::new();
    for bid in &Events::seconds().bids {
        let highest = highest.entry(bid.at.div_euclid(10_000)).or_default();
        *highest = (*highest).max(bid.price);
    }
    let best = Events::seconds().bids.iter();
    let best = best.filter(|b| highest[&b.at.div_euclid(10_000)] == b.price);
    let expected: Vec<String> =
        best.map(|b| format!("{}|{}|{}|{}", b.auction, b.bidder, b.price, b.at)).collect();
    check(&["q7", "q7_sql"], SECONDS, &["auction", "bidder", "price", "date_time"], &expected);
}

#[test]
fn q8_finds_new_sellers() {
    let Events { persons, auctions, .. } = Events::seconds();
    let sellers: BTreeSet<(i64, i64)> =
        auctions.iter().map(|a| (a.seller, a.at.div_euclid(10_000))).collect();
    let who = persons.iter().filter(|p| sellers.contains(&(p.id, p.at.div_euclid(10_000))));
    let expected: Vec<String> =
        who.map(|p| format!("{}|{}|{}", p.id, p.name, p.at.div_euclid(10_000) * 10_000)).collect();
    check(&["q8", "q8_sql"], SECONDS, &["id", "name", "window_start"], &expected);
}

#[test]
fn q11_counts_bids_in_sessions() {
    let mut times: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for bid in &Events::seconds().bids {
        times.entry(bid.bidder).or_default().push(bid.at);
    }
    let mut expected = Vec::new();
    for (bidder, times) in times {
        let sessions = times.chunk_by(|a, b| b - a < 10_000);
        expected.extend(sessions.map(|session| {
            let (first, last) = (session[0], session[session.len() - 1]);
            format!("{bidder}|{}|{first}|{}", session.len(), last + 10_000)
        }));
    }
    let columns = ["bidder", "bids", "window_start", "window_end"];
    check(&["q11", "q11_sql"], SECONDS, &columns, &expected);
}

#[test]
fn q12_counts_every_bid_once_by_the_clock() {
    let found = run(&file("q12"), &Variables::new(EVENTS, SECONDS), None);
    let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
    for row in rows(&found, &["bidder", "bids"]) {
        let (bidder, bids) = row.split_once('|').unwrap();
        *counts.entry(bidder.parse().unwrap()).or_default() += bids.parse::<i64>().unwrap();
    }
    let mut expected: BTreeMap<i64, i64> = BTreeMap::new();
    for bid in &Events::seconds().bids {
        *expected.entry(bid.bidder).or_default() += 1;
    }
    assert_eq!(counts, expected);
}

fn day(bid: &Bid) -> String {
    DateTime::from_timestamp_millis(bid.at).unwrap().format("%Y-%m-%d").to_string()
}

/// In which of the three bands the price lies.
fn band(price: i64) -> usize {
    match price {
        ..10_000 => 0,
        10_000..1_000_000 => 1,
        _ => 2,
    }
}

/// What is counted of a day, in all and in each band.
#[derive(Default)]
struct Day {
    minute: String,
    bids: [usize; 4],
    bidders: [BTreeSet<i64>; 4],
    auctions: [BTreeSet<i64>; 4],
}

impl Day {
    fn add(&mut self, bid: &Bid) {
        let time = DateTime::from_timestamp_millis(bid.at).unwrap();
        self.minute = std::mem::take(&mut self.minute).max(time.format("%H:%M").to_string());
        for at in [0, 1 + band(bid.price)] {
            self.bids[at] += 1;
            self.bidders[at].insert(bid.bidder);
            self.auctions[at].insert(bid.auction);
        }
    }

    fn counts(&self) -> String {
        let sizes = |sets: &[BTreeSet<i64>; 4]| sets.each_ref().map(BTreeSet::len);
        let all = [self.bids, sizes(&self.bidders), sizes(&self.auctions)].concat();
        let all: Vec<String> = all.iter().map(usize::to_string).collect();
        all.join("|")
    }
}

const COUNTS: [&str; 12] = [
    "total_bids",
    "rank1_bids",
    "rank2_bids",
    "rank3_bids",
    "total_bidders",
    "rank1_bidders",
    "rank2_bidders",
    "rank3_bidders",
    "total_auctions",
    "rank1_auctions",
    "rank2_auctions",
    "rank3_auctions",
];

#[test]
fn q15_counts_by_day() {
    let mut days: BTreeMap<String, Day> = BTreeMap::new();
    for bid in &Events::days().bids {
        days.entry(day(bid)).or_default().add(bid);
    }
    let expected: Vec<String> =
        days.iter().map(|(day, counts)| format!("{day}|{}", counts.counts())).collect();
    assert_eq!(expected.len(), 2, "a window that closes before the end, and one at the end");
    check(&["q15", "q15_sql"], DAYS, &[&["day"][..], &COUNTS].concat(), &expected);
}

#[test]
fn q16_counts_by_channel_and_day() {
    let mut days: BTreeMap<(&str, String), Day> = BTreeMap::new();
    for bid in &Events::days().bids {
        days.entry((&bid.channel, day(bid))).or_default().add(bid);
    }
    let expected: Vec<String> = days
        .iter()
        .map(|((channel, day), d)| format!("{channel}|{day}|{}|{}", d.minute, d.counts()))
        .collect();
    let columns = [&["channel", "day", "minute"][..], &COUNTS].concat();
    check(&["q16", "q16_sql"], DAYS, &columns, &expected);
}

#[test]
fn q17_counts_by_auction_and_day() {
    let mut days: BTreeMap<(i64, String), Vec<i64>> = BTreeMap::new();
    for bid in &Events::days().bids {
        days.entry((bid.auction, day(bid))).or_default().push(bid.price);
    }
    let expected: Vec<String> = days
        .iter()
        .map(|((auction, day), prices)| {
            let of = |b: usize| prices.iter().filter(|p| band(**p) == b).count();
            let counts = format!("{}|{}|{}|{}", prices.len(), of(0), of(1), of(2));
            let (min, max) = (prices.iter().min().unwrap(), prices.iter().max().unwrap());
            let sum: i64 = prices.iter().sum();
            let average = sum as f64 / prices.len() as f64;
            format!("{auction}|{day}|{counts}|{min}|{max}|{average:.4}|{sum}")
        })
        .collect();
    let numbers = ["min_price", "max_price", "avg_price", "sum_price"];
    let columns = [&["auction", "day"][..], &COUNTS[..4], &numbers].concat();
    check(&["q17", "q17_sql"], DAYS, &columns, &expected);
}
