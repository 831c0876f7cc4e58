//! Three million bids through a real broker, with everything that happens to a service in a day:
//! it is stopped and started, its broker restarts, a second process joins the group.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rdkafka::message::Message;

use crate::support::{Broker, Launch, Record, Swiftwater, Topic, wait_until};

const BIDS: u64 = 3_000_000;
const PARTITIONS: i32 = 4;
const LIMIT: Duration = Duration::from_secs(300);
/// Bids a second of a process that something happens to in mid-stream: fast enough to keep every
/// part busy, and slow enough that a quarter of the bids takes longer than any of those waits.
const SLOW: u64 = 10_000;

fn price(n: u64) -> u64 {
    n.wrapping_mul(2_654_435_761) % 10_000
}

fn is_serious(n: u64) -> bool {
    price(n) >= 4_000
}

/// A bid of about 230 bytes whose `auction` is its number.
fn bid(n: u64) -> String {
    format!(
        "{{\"auction\":{n},\"bidder\":{},\"price\":{},\"channel\":\"channel-{:05}\",\
         \"url\":\"https://auctions.example/item/{n:010}/view.htm?channel_id={:08}\",\
         \"date_time\":{},\"extra\":\"{:050}\"}}",
        n % 10_007,
        price(n),
        n % 10_000,
        n % 65_536,
        1_700_000_000_000 + n / 10,
        n
    )
}

fn topology(broker: &Broker, bids: &Topic, out: &Topic, files: &Path, rate: Option<u64>) -> String {
    let (throttle, input) = match rate {
        Some(rate) => {
            let throttle = format!("{{input: bids, throttle: {{rows_per_second: {rate}}}}}");
            (format!("  slow: {throttle}\n"), "slow")
        }
        None => (String::new(), "bids"),
    };
    format!(
        r#"
name: end_to_end
checkpoint: {{interval: 200ms}}
memory: 512MiB
sources:
  bids:
    kafka: {{brokers: "{brokers}", topic: {bids}, group: {bids}, start: earliest}}
    format: json
    schema: {{auction: int64!, bidder: int64, price: int64, channel: utf8, date_time: timestamp_ms}}
    event_time: {{column: date_time}}
operators:
{throttle}  serious: {{input: {input}, filter: "price >= 4000"}}
  priced: {{input: serious, select: [auction, bidder, "price * 2 AS doubled", channel]}}
sinks:
  topic: {{input: priced, kafka: {{brokers: "{brokers}", topic: {out}, key: [bidder]}}, format: json}}
  files: {{input: priced, files: {{path: "{files}", roll: {{every: 2s}}}}, format: parquet}}
"#,
        brokers = broker.bootstrap(),
        bids = bids.name(),
        out = out.name(),
        files = files.display(),
    )
}

/// How often each bid came out.
struct Tally(Vec<u8>);

impl Tally {
    fn new() -> Self {
        Self(vec![0; BIDS as usize])
    }

    fn add(&mut self, auction: i64, doubled: i64) {
        let n = u64::try_from(auction).unwrap();
        assert_eq!(doubled as u64, price(n) * 2, "auction {n}");
        let count = &mut self.0[n as usize];
        *count = count.saturating_add(1);
    }

    /// Fails where a bid is lost or one came that should not have; returns how many came again.
    fn repeated(&self, place: &str) -> usize {
        let of = |n: usize| (n, self.0[n], is_serious(n as u64));
        let lost: Vec<_> = (0..self.0.len()).map(of).filter(|(_, c, s)| *s && *c == 0).collect();
        assert!(lost.is_empty(), "{} lost from {place}, the first {:?}", lost.len(), lost.first());
        let strange = (0..self.0.len()).map(of).find(|(_, c, s)| !*s && *c > 0);
        assert_eq!(strange, None, "in {place}");
        self.0.iter().map(|c| usize::from(c.saturating_sub(1))).sum()
    }
}

fn in_topic(topic: &Topic) -> Tally {
    let mut tally = Tally::new();
    topic.visit(|message| {
        let row: serde_json::Value = serde_json::from_slice(message.payload().unwrap()).unwrap();
        assert_eq!(message.key().unwrap(), row["bidder"].to_string().as_bytes());
        tally.add(row["auction"].as_i64().unwrap(), row["doubled"].as_i64().unwrap());
    });
    tally
}

fn in_files(directory: &Path) -> Tally {
    let mut tally = Tally::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.ends_with(".parquet"), "{name} was left behind");
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap());
        for batch in reader.unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let column = |name: &str| Arc::clone(batch.column_by_name(name).unwrap());
            let (auctions, doubled) = (column("auction"), column("doubled"));
            let auctions = auctions.as_primitive::<Int64Type>().values();
            let doubled = doubled.as_primitive::<Int64Type>().values();
            auctions.iter().zip(doubled.iter()).for_each(|(a, d)| tally.add(*a, *d));
        }
    }
    tally
}

fn committed(bids: &Topic) -> u64 {
    let offsets = bids.committed(bids.name()).into_iter().flatten();
    offsets.map(|offset| u64::try_from(offset).unwrap()).sum()
}

fn wait_committed(bids: &Topic, wanted: u64, process: &Swiftwater) {
    wait_until(&format!("{wanted} bids to be committed\n{}", process.log()), LIMIT, || {
        committed(bids) >= wanted
    });
}

fn produce(bids: &Topic, from: u64, to: u64) {
    let record = |n: u64| Record::new(bid(n)).partition((n % PARTITIONS as u64) as i32);
    bids.produce((from..to).map(record));
}

#[test]
fn three_million_bids_are_all_accounted_for() {
    let broker = Broker::start(&[]);
    let bids = Topic::create(&broker, "bids", PARTITIONS);
    let out = Topic::create(&broker, "serious", PARTITIONS);
    let directory = tempfile::tempdir().unwrap();
    let files = directory.path().join("out");
    let slow = || Launch::new(topology(&broker, &bids, &out, &files, Some(SLOW)));
    let fast = || Launch::new(topology(&broker, &bids, &out, &files, None));
    produce(&bids, 0, BIDS / 2);

    // The broker restarts under way, then the process is stopped in order.
    let mut first = slow().start();
    first.wait_ready();
    wait_committed(&bids, 2 * SLOW, &first);
    broker.stop();
    broker.start_again();
    let at_restart = committed(&bids);
    wait_committed(&bids, at_restart + SLOW, &first);
    assert_eq!(first.drain(LIMIT), 143, "{}", first.log());
    let at_stop = committed(&bids);
    assert!(at_stop < BIDS / 2, "all {at_stop} were done before the stop");

    // A second process joins. It finishes its half of the partitions, and the first leaves in the
    // middle of the other half.
    let mut first = slow().start();
    first.wait_ready();
    produce(&bids, BIDS / 2, BIDS);
    let mut second = fast().start();
    second.wait_ready();
    wait_committed(&bids, BIDS / 2, &second);
    assert_eq!(first.drain(LIMIT), 143, "{}", first.log());
    let at_leave = committed(&bids);
    assert!(at_leave < BIDS, "all {at_leave} were done before the first process left");
    wait_committed(&bids, BIDS, &second);
    assert_eq!(second.drain(LIMIT), 143, "{}", second.log());

    assert_eq!(bids.committed(bids.name()), vec![Some((BIDS / 4) as i64); 4]);
    let repeated = (in_topic(&out).repeated("the topic"), in_files(&files).repeated("the files"));
    println!(
        "{BIDS} bids, 0 lost; written again: {} in the topic, {} in files",
        repeated.0, repeated.1
    );
}
