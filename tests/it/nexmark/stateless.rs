//! Queries that look at one bid at a time: q0, q1, q2, q10, q13, q14, q21 and q22.

use chrono::{DateTime, Timelike};

use super::events::{Bid, EVENTS, Events, SECONDS};
use super::run::{Variables, assert_same, file, rows, run};

fn check(names: &[&str], columns: &[&str], oracle: impl Fn(&Bid) -> Option<String>) {
    let expected: Vec<String> = Events::seconds().bids.iter().filter_map(oracle).collect();
    for name in names {
        let found = run(&file(name), &Variables::new(EVENTS, SECONDS), None);
        assert_same(name, &rows(&found, columns), expected.clone());
    }
}

/// The price x 0.908 with three decimals.
fn euros(price: i64) -> String {
    let thousandths = price * 908;
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}

const BID: [&str; 5] = ["auction", "bidder", "price", "date_time", "extra"];

#[test]
fn q0_passes_every_bid() {
    check(&["q0", "q0_sql"], &BID, |b| {
        Some(format!("{}|{}|{}|{}|{}", b.auction, b.bidder, b.price, b.at, b.extra))
    });
}

#[test]
fn q1_converts_prices() {
    check(&["q1", "q1_sql"], &BID, |b| {
        Some(format!("{}|{}|{}|{}|{}", b.auction, b.bidder, euros(b.price), b.at, b.extra))
    });
}

#[test]
fn q2_selects_auctions() {
    check(&["q2", "q2_sql"], &["auction", "price"], |b| {
        (b.auction % 123 == 0).then(|| format!("{}|{}", b.auction, b.price))
    });
}

#[test]
fn q10_dates_bids() {
    check(&["q10"], &["auction", "bidder", "price", "day", "minute"], |b| {
        let time = DateTime::from_timestamp_millis(b.at).unwrap();
        let (day, minute) = (time.format("%Y-%m-%d"), time.format("%H-%M"));
        Some(format!("{}|{}|{}|{day}|{minute}", b.auction, b.bidder, b.price))
    });
}

#[test]
fn q13_adds_values_of_a_side_table() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("side.json");
    // Every third number is missing.
    let numbers = (0..10_000).filter(|n| n % 3 > 0);
    let lines: Vec<String> =
        numbers.map(|n| format!("{{\"side\": {n}, \"value\": \"v{n}\"}}\n")).collect();
    std::fs::write(&path, lines.concat()).unwrap();
    let variables = Variables::new(EVENTS, SECONDS).with("SIDE_INPUT", path.to_str().unwrap());
    let found = run(&file("q13"), &variables, None);
    let bids = Events::seconds().bids.iter().filter(|b| b.auction % 10_000 % 3 > 0);
    let expected: Vec<String> = bids
        .map(|b| format!("{}|{}|{}|v{}", b.auction, b.bidder, b.price, b.auction % 10_000))
        .collect();
    assert_same("q13", &rows(&found, &["auction", "bidder", "price", "value"]), expected);
}

#[test]
fn q14_tells_the_part_of_the_day_and_counts_letters() {
    let columns = ["auction", "bidder", "price", "bid_time", "date_time", "extra", "letters_c"];
    let events = Events::days();
    let expected = events.bids.iter().filter(|b| {
        let thousandths = b.price * 908;
        thousandths > 1_000_000_000 && thousandths < 50_000_000_000
    });
    let expected: Vec<String> = expected
        .map(|b| {
            let part = match DateTime::from_timestamp_millis(b.at).unwrap().hour() {
                8..=18 => "day",
                0..=6 | 20.. => "night",
                _ => "other",
            };
            let letters = b.extra.chars().filter(|c| *c == 'c').count();
            let (price, at, extra) = (euros(b.price), b.at, &b.extra);
            format!("{}|{}|{price}|{part}|{at}|{extra}|{letters}", b.auction, b.bidder)
        })
        .collect();
    for name in ["q14", "q14_sql"] {
        let found = run(&file(name), &Variables::new(EVENTS, super::events::DAYS), None);
        assert_same(name, &rows(&found, &columns), expected.clone());
    }
}

#[test]
fn q21_numbers_channels() {
    check(&["q21", "q21_sql"], &["auction", "bidder", "price", "channel", "channel_id"], |b| {
        let id = match b.channel.to_lowercase().as_str() {
            "apple" => "0",
            "google" => "1",
            "facebook" => "2",
            "baidu" => "3",
            _ => {
                let parameters = b.url.split_once('?')?.1;
                let mut parameters = parameters.split('&').filter_map(|p| p.split_once('='));
                parameters.find(|(name, _)| *name == "channel_id")?.1
            }
        };
        Some(format!("{}|{}|{}|{}|{id}", b.auction, b.bidder, b.price, b.channel))
    });
}

#[test]
fn q22_splits_urls() {
    let columns = ["auction", "bidder", "price", "channel", "dir1", "dir2", "dir3"];
    check(&["q22", "q22_sql"], &columns, |b| {
        let parts: Vec<&str> = b.url.split('/').collect();
        let directories = parts[3..6].join("|");
        Some(format!("{}|{}|{}|{}|{directories}", b.auction, b.bidder, b.price, b.channel))
    });
}
