//! Queries that join streams or keep the best row of a key: q3, q4, q6, q9, q13, q18, q19 and q20.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::events::{Auction, Bid, EVENTS, Events, SECONDS};
use super::run::{Variables, assert_same, file, rows, run, upserted};

fn variables() -> Variables {
    Variables::new(EVENTS, SECONDS)
}

/// Auctions by number.
fn auctions() -> HashMap<i64, &'static Auction> {
    Events::seconds().auctions.iter().map(|a| (a.id, a)).collect()
}

/// The bids that came while their auction was open, by auction, in their order.
fn valid() -> BTreeMap<i64, Vec<&'static Bid>> {
    let auctions = auctions();
    let mut valid: BTreeMap<i64, Vec<&Bid>> = BTreeMap::new();
    for bid in &Events::seconds().bids {
        let open = auctions.get(&bid.auction);
        if open.is_some_and(|a| (a.at..=a.expires).contains(&bid.at)) {
            valid.entry(bid.auction).or_default().push(bid);
        }
    }
    valid
}

/// The highest of an auction's bids, of equal ones the first.
fn winner<'a>(bids: &[&'a Bid]) -> &'a Bid {
    bids.iter().rev().max_by_key(|b| b.price).unwrap()
}

#[test]
fn q3_finds_sellers_of_three_states() {
    let persons = Events::seconds().persons.iter();
    let kept = persons.filter(|p| ["OR", "ID", "CA"].contains(&p.state.as_str()));
    let kept: HashMap<i64, _> = kept.map(|p| (p.id, p)).collect();
    let of_category = Events::seconds().auctions.iter().filter(|a| a.category == 10);
    let expected: Vec<String> = of_category
        .filter_map(|a| Some((kept.get(&a.seller)?, a.id)))
        .map(|(p, auction)| format!("{}|{}|{}|{auction}", p.name, p.city, p.state))
        .collect();
    for name in ["q3", "q3_sql"] {
        let found = run(&file(name), &variables(), None);
        assert_same(name, &rows(&found, &["name", "city", "state", "auction"]), expected.clone());
    }
}

#[test]
fn q4_averages_winning_prices() {
    let auctions = auctions();
    let mut finals: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for (auction, bids) in valid() {
        finals.entry(auctions[&auction].category).or_default().push(winner(&bids).price);
    }
    let average = |prices: &Vec<i64>| prices.iter().sum::<i64>() as f64 / prices.len() as f64;
    let expected: Vec<String> =
        finals.iter().map(|(c, prices)| format!("{c}|{:.4}", average(prices))).collect();
    for name in ["q4", "q4_sql"] {
        let found = run(&file(name), &variables(), None);
        let found = upserted(&found, &["category"], &["category", "average"]);
        assert_same(name, &found, expected.clone());
    }
}

#[test]
fn q6_averages_the_last_ten_of_each_seller() {
    let auctions = auctions();
    // Auctions are over in the order of their last bids.
    let mut over: Vec<(i64, i64, i64)> = valid()
        .into_iter()
        .map(|(auction, bids)| (bids.last().unwrap().at, auction, winner(&bids).price))
        .collect();
    over.sort_unstable();
    let mut last: HashMap<i64, VecDeque<i64>> = HashMap::new();
    let mut expected = Vec::new();
    for (_, auction, price) in over {
        let seller = auctions[&auction].seller;
        let prices = last.entry(seller).or_default();
        prices.push_back(price);
        if prices.len() > 10 {
            prices.pop_front();
        }
        let average = prices.iter().sum::<i64>() as f64 / prices.len() as f64;
        expected.push(format!("{seller}|{auction}|{average:.4}"));
    }
    let found = run(&file("q6"), &variables(), None);
    assert_same("q6", &rows(&found, &["seller", "auction", "average"]), expected);
}

#[test]
fn q9_finds_winning_bids() {
    let auctions = auctions();
    let expected: Vec<String> = valid()
        .into_iter()
        .map(|(auction, bids)| {
            let (bid, auction) = (winner(&bids), auctions[&auction]);
            let of_auction = format!("{}|{}|{}", auction.item, auction.seller, auction.reserve);
            format!("{}|{of_auction}|{}|{}|{}", auction.id, bid.bidder, bid.price, bid.at)
        })
        .collect();
    let columns = ["auction", "item_name", "seller", "reserve", "bidder", "price", "date_time"];
    for name in ["q9", "q9_sql"] {
        let found = run(&file(name), &variables(), None);
        assert_same(name, &upserted(&found, &["auction"], &columns), expected.clone());
    }
}

#[test]
fn q18_keeps_last_bids() {
    let mut last: BTreeMap<(i64, i64), &Bid> = BTreeMap::new();
    for bid in &Events::seconds().bids {
        last.insert((bid.bidder, bid.auction), bid);
    }
    let row = |b: &&Bid| format!("{}|{}|{}|{}", b.auction, b.bidder, b.price, b.at);
    let expected: Vec<String> = last.values().map(row).collect();
    let columns = ["auction", "bidder", "price", "date_time"];
    for name in ["q18", "q18_sql"] {
        let found = run(&file(name), &variables(), None);
        let found = upserted(&found, &["bidder", "auction"], &columns);
        assert_same(name, &found, expected.clone());
    }
}

#[test]
fn q19_keeps_the_ten_highest_bids() {
    let mut by_auction: BTreeMap<i64, Vec<&Bid>> = BTreeMap::new();
    for bid in &Events::seconds().bids {
        by_auction.entry(bid.auction).or_default().push(bid);
    }
    let mut expected = Vec::new();
    for (auction, mut bids) in by_auction {
        bids.sort_by_key(|b| std::cmp::Reverse(b.price));
        let ranked = bids.iter().zip(1..=10);
        expected.extend(ranked.map(|(b, rank)| format!("{auction}|{rank}|{}|{}", b.price, b.at)));
    }
    for name in ["q19", "q19_sql"] {
        let found = run(&file(name), &variables(), None);
        let columns = ["auction", "rank", "price", "date_time"];
        let found = upserted(&found, &["auction", "rank"], &columns);
        assert_same(name, &found, expected.clone());
    }
}

#[test]
fn q20_adds_auctions_to_bids() {
    let auctions = auctions();
    let of_category =
        Events::seconds().bids.iter().filter_map(|b| Some((b, auctions.get(&b.auction)?)));
    let expected: Vec<String> = of_category
        .filter(|(_, a)| a.category == 10)
        .map(|(b, a)| {
            let (item, seller) = (&a.item, a.seller);
            format!("{}|{}|{}|{}|{item}|{seller}", b.auction, b.bidder, b.price, b.at)
        })
        .collect();
    let columns = ["auction", "bidder", "price", "date_time", "item_name", "seller"];
    for name in ["q20", "q20_sql"] {
        let found = run(&file(name), &variables(), None);
        assert_same(name, &rows(&found, &columns), expected.clone());
    }
}
