//! The preset `bids`: bids of an online auction house as the Nexmark benchmark describes them,
//! about 230 bytes each as JSON.
//!
//! Of 50 events 1 is a new person, 3 are new auctions and 46 are bids; bid n therefore knows which
//! persons and auctions exist by then. Unlike the benchmark's own generator every column is seeded,
//! the text included.

use arrow::array::{ArrayRef, Int64Array, StringArray, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::DataType;

use super::column::{Column, Generated, Rows, Timeline, array};
use super::random::{Stream, below, log_uniform};
use super::text::Text;
use super::timestamp::EventTime;

const BIDS_PER_ROUND: u64 = 46;
pub(super) const AUCTIONS_PER_ROUND: u64 = 3;
/// Persons and auctions are numbered from here.
pub(super) const FIRST_ID: u64 = 1000;
/// Every hundredth person or auction is a hot one.
pub(super) const HOT_EVERY: u64 = 100;
const AUCTIONS_IN_FLIGHT: u64 = 100;
pub(super) const ACTIVE_PERSONS: u64 = 1000;
/// A bid may name a person or an auction this far ahead of the newest one.
pub(super) const LEAD: u64 = 10;
const HOT_CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];
const CHANNELS: u64 = 10_000;
/// Chosen so that a bid takes about 230 bytes as JSON.
const EXTRA_LENGTH: (u32, u32) = (12, 52);

const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz";

/// The columns auction, bidder, price, channel, url, `date_time` and extra.
pub(crate) fn columns(seed: u64) -> Vec<Generated> {
    let stream = |name| Stream::new(seed, name, 0);
    let which = stream("channel");
    let (channels, urls) = channels(seed);
    let columns: [(&str, Box<dyn Column>); 7] = [
        ("auction", Box::new(Numbers(stream("auction"), auction))),
        ("bidder", Box::new(Numbers(stream("bidder"), bidder))),
        ("price", Box::new(Numbers(stream("price"), price))),
        ("channel", Box::new(Channel { which, texts: channels })),
        ("url", Box::new(Channel { which, texts: urls })),
        ("date_time", Box::new(EventTime::MILLIS)),
        ("extra", Box::new(Text::new(seed, "extra", EXTRA_LENGTH, LETTERS))),
    ];
    let named = columns.into_iter();
    named.map(|(name, column)| Generated::new(name, column, seed)).collect()
}

/// Whole numbers of a row and its random word.
struct Numbers(Stream, fn(u64, u64) -> i64);

impl Column for Numbers {
    fn data_type(&self) -> DataType {
        DataType::Int64
    }

    fn values(&self, rows: Rows, _time: Timeline) -> ArrayRef {
        let Self(stream, number) = self;
        array(Int64Array::from_iter_values(rows.iter().map(|row| number(row, stream.at(row)))))
    }
}

/// A number that is far below 2^63 in an `int64` column.
#[inline]
pub(super) const fn signed(id: u64) -> i64 {
    id.cast_signed()
}

/// Half of the bids go to the newest hot auction, the others to one of those in flight.
#[inline]
fn auction(row: u64, word: u64) -> i64 {
    let newest = row / BIDS_PER_ROUND * AUCTIONS_PER_ROUND + (AUCTIONS_PER_ROUND - 1);
    let id = if word & 1 == 0 {
        newest / HOT_EVERY * HOT_EVERY
    } else {
        let oldest = newest.saturating_sub(AUCTIONS_IN_FLIGHT);
        oldest + below(word, newest - oldest + 1 + LEAD)
    };
    signed(FIRST_ID + id)
}

/// Three of four bids come from the newest hot person, the others from an active one.
#[inline]
fn bidder(row: u64, word: u64) -> i64 {
    let newest = row / BIDS_PER_ROUND;
    let id = if word & 3 == 0 {
        let active = (newest + 1).min(ACTIVE_PERSONS);
        newest + 1 - active + below(word, active + LEAD)
    } else {
        newest / HOT_EVERY * HOT_EVERY + 1
    };
    signed(FIRST_ID + id)
}

/// Log-uniform from 100 to 100 000 000.
#[inline]
fn price(_row: u64, word: u64) -> i64 {
    log_uniform(word)
}

/// Text that goes with the bid's channel: half of the bids use one of the four hot ones.
struct Channel {
    which: Stream,
    texts: StringArray,
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "there are 10 004 channels")]
const fn channel_number(word: u64) -> u32 {
    let hot = HOT_CHANNELS.len() as u64;
    if word & 1 == 0 {
        (word >> 1 & (hot - 1)) as u32
    } else {
        (hot + below(word, CHANNELS)) as u32
    }
}

impl Column for Channel {
    fn data_type(&self) -> DataType {
        DataType::Utf8
    }

    fn values(&self, rows: Rows, _time: Timeline) -> ArrayRef {
        let numbers = rows.iter().map(|row| channel_number(self.which.at(row)));
        take(&self.texts, &UInt32Array::from_iter_values(numbers), None)
            .unwrap_or_else(|_| new_null_array(&DataType::Utf8, rows.count))
    }
}

/// Names and URLs of all channels; nine of ten URLs of a cold one carry its id.
fn channels(seed: u64) -> (StringArray, StringArray) {
    let paths = Stream::new(seed, "url", 0);
    let path = |channel: u64| {
        let words = paths.of_row(channel);
        let mut parts = (0..3).map(|part| {
            let letters = words.of_row(part);
            (0..5).map(|i| char::from(b'a' + below(letters.at(i), 26).to_le_bytes()[0])).collect()
        });
        let mut next = || -> String { parts.next().unwrap_or_default() };
        let (a, b, c) = (next(), next(), next());
        format!("https://www.auctions.example/{a}/{b}/{c}/item.htm?query=1")
    };
    let ids = Stream::new(seed, "channel_id", 0);
    let cold_url = |channel: u64| {
        let word = ids.at(channel);
        let base = path(HOT_CHANNELS.len() as u64 + channel);
        if below(word, 10) == 0 {
            base
        } else {
            format!("{base}&channel_id={}", word & 0x7FFF_FFFF)
        }
    };
    let hot_names = HOT_CHANNELS.iter().map(|name| (*name).to_owned());
    let names = hot_names.chain((0..CHANNELS).map(|n| format!("channel-{n}")));
    let urls = (0..HOT_CHANNELS.len() as u64).map(path);
    (
        StringArray::from_iter_values(names),
        StringArray::from_iter_values(urls.chain((0..CHANNELS).map(cold_url))),
    )
}
