//! The presets `nexmark_persons`, `nexmark_auctions` and `nexmark_bids`: three views of one sequence
//! of events at an online auction house, as the Nexmark benchmark describes it (Tucker et al., 2002;
//! its Beam and Flink editions for the numbers).
//!
//! Of 50 events the first is a new person, three are new auctions and 46 are bids. Every column is
//! seeded, those included that the benchmark's own generator draws anew in each process.

use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, TimeUnit};

use super::bids::{self, ACTIVE_PERSONS, AUCTIONS_PER_ROUND, FIRST_ID, HOT_EVERY, LEAD, signed};
use super::column::{Column, Generated, Rows, array};
use super::random::{Stream, below, log_uniform};
use super::text::Text;
use super::timeline::{Slots, Timeline};
use super::timestamp::EventTime;

const EVENTS_PER_ROUND: u64 = 50;
/// Events between the opening of an auction and that of the one a hundred later: half of the longest
/// time that an auction lasts.
const EVENTS_IN_FLIGHT: u64 = 1666;
const FIRST_CATEGORY: u64 = 10;
const CATEGORIES: u64 = 5;

const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz";
const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];
const CITIES: [&str; 10] = [
    "Tucson", "Fresno", "Nampa", "Eugene", "Tacoma", "Laramie", "Salem", "Spokane", "Oakland",
    "Mesa",
];
const FIRST_NAMES: [&str; 10] =
    ["Ada", "Blaise", "Carl", "Dorothy", "Emmy", "Fritz", "Grace", "Hedy", "Ivan", "Joan"];
const LAST_NAMES: [&str; 9] =
    ["Abel", "Bell", "Curie", "Dirac", "Euler", "Fermi", "Gauss", "Hertz", "Ito"];

/// One of the three kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entity {
    /// People who register.
    Person,
    /// Auctions that open.
    Auction,
    /// Bids.
    Bid,
}

impl Entity {
    /// Which events are of this kind.
    pub(crate) const fn slots(self) -> Slots {
        let (first, width) = match self {
            Self::Person => (0, 1),
            Self::Auction => (1, 3),
            Self::Bid => (4, 46),
        };
        Slots { first, width, of: EVENTS_PER_ROUND }
    }

    /// The columns of its events.
    pub(crate) fn columns(self, seed: u64) -> Vec<Generated> {
        let columns = match self {
            Self::Person => person(seed),
            Self::Auction => auction(seed),
            Self::Bid => return bids::columns(seed),
        };
        let named = columns.into_iter();
        named.map(|(name, column)| Generated::new(name, column, seed)).collect()
    }
}

type Named = (&'static str, Box<dyn Column>);

fn person(seed: u64) -> Vec<Named> {
    let stream = |name: &str| Stream::new(seed, &format!("person.{name}"), 0);
    vec![
        ("id", Box::new(Whole(stream("id"), |row, _| signed(FIRST_ID + row)))),
        ("name", Box::new(Made(stream("name"), name))),
        ("email_address", Box::new(Made(stream("email_address"), email))),
        ("credit_card", Box::new(Made(stream("credit_card"), credit_card))),
        ("city", Box::new(Made(stream("city"), |s| one_of(&CITIES, s.at(0)).to_owned()))),
        ("state", Box::new(Made(stream("state"), |s| one_of(&STATES, s.at(0)).to_owned()))),
        ("date_time", Box::new(EventTime::MILLIS)),
        ("extra", Box::new(Text::new(seed, "person.extra", (90, 150), LETTERS))),
    ]
}

fn auction(seed: u64) -> Vec<Named> {
    let stream = |name: &str| Stream::new(seed, &format!("auction.{name}"), 0);
    let initial = stream("initial_bid");
    vec![
        ("id", Box::new(Whole(stream("id"), |row, _| signed(FIRST_ID + row)))),
        ("item_name", Box::new(Text::new(seed, "auction.item_name", (3, 20), LETTERS))),
        ("description", Box::new(Text::new(seed, "auction.description", (3, 100), LETTERS))),
        ("initial_bid", Box::new(Whole(initial, |_, word| log_uniform(word)))),
        ("reserve", Box::new(Reserve { initial, above: stream("reserve") })),
        ("date_time", Box::new(EventTime::MILLIS)),
        ("expires", Box::new(Expires(stream("expires")))),
        ("seller", Box::new(Whole(stream("seller"), seller))),
        (
            "category",
            Box::new(Whole(stream("category"), |_, word| {
                signed(FIRST_CATEGORY + below(word, CATEGORIES))
            })),
        ),
        ("extra", Box::new(Text::new(seed, "auction.extra", (200, 360), LETTERS))),
    ]
}

/// Three of four auctions are opened by the newest hot person, the others by an active one.
fn seller(row: u64, word: u64) -> i64 {
    let newest = row / AUCTIONS_PER_ROUND;
    let id = if word & 3 == 0 {
        let active = (newest + 1).min(ACTIVE_PERSONS);
        newest + 1 - active + below(word, active + LEAD)
    } else {
        newest / HOT_EVERY * HOT_EVERY
    };
    signed(FIRST_ID + id)
}

fn one_of<'a>(all: &[&'a str], word: u64) -> &'a str {
    let at = usize::try_from(below(word, all.len() as u64)).unwrap_or(0);
    all.get(at).copied().unwrap_or_default()
}

fn name(words: Stream) -> String {
    format!("{} {}", one_of(&FIRST_NAMES, words.at(0)), one_of(&LAST_NAMES, words.at(1)))
}

fn letters(words: Stream, count: u64) -> String {
    (0..count).map(|i| char::from(b'a' + below(words.at(i), 26).to_le_bytes()[0])).collect()
}

fn email(words: Stream) -> String {
    format!("{}@{}.example", letters(words.of_row(0), 7), letters(words.of_row(1), 5))
}

fn credit_card(words: Stream) -> String {
    let four = |i| format!("{:04}", below(words.at(i), 10_000));
    [four(0), four(1), four(2), four(3)].join(" ")
}

/// Whole numbers of a row and its random word.
struct Whole(Stream, fn(u64, u64) -> i64);

impl Column for Whole {
    fn data_type(&self) -> DataType {
        DataType::Int64
    }

    fn values(&self, rows: Rows, _time: Timeline) -> ArrayRef {
        let Self(stream, number) = self;
        array(Int64Array::from_iter_values(rows.iter().map(|row| number(row, stream.at(row)))))
    }
}

/// Text of a row's own stream of words.
struct Made(Stream, fn(Stream) -> String);

impl Column for Made {
    fn data_type(&self) -> DataType {
        DataType::Utf8
    }

    fn values(&self, rows: Rows, _time: Timeline) -> ArrayRef {
        let Self(stream, make) = self;
        array(StringArray::from_iter_values(rows.iter().map(|row| make(stream.of_row(row)))))
    }
}

/// The reserve of an auction: some price above its initial bid.
struct Reserve {
    initial: Stream,
    above: Stream,
}

impl Column for Reserve {
    fn data_type(&self) -> DataType {
        DataType::Int64
    }

    fn values(&self, rows: Rows, _time: Timeline) -> ArrayRef {
        let price = |row| log_uniform(self.initial.at(row)) + log_uniform(self.above.at(row));
        array(Int64Array::from_iter_values(rows.iter().map(price)))
    }
}

/// When an auction ends: after at least a millisecond, and on average when a hundred more are open.
struct Expires(Stream);

impl Column for Expires {
    fn data_type(&self) -> DataType {
        DataType::Timestamp(TimeUnit::Millisecond, None)
    }

    fn values(&self, rows: Rows, time: Timeline) -> ArrayRef {
        let millis = |micros: i64| micros.div_euclid(1000);
        let expires = |row| {
            let opens = millis(time.at(row));
            let later = millis(time.of_event(time.slots.event(row) + EVENTS_IN_FLIGHT));
            let longest = later.saturating_sub(opens).max(0).unsigned_abs() * 2;
            opens + 1 + signed(below(self.0.at(row), longest.max(1)))
        };
        array(TimestampMillisecondArray::from_iter_values(rows.iter().map(expires)))
    }
}
