//! Epochs that Kafka transactions commit: all of one is seen, or nothing, by whichever process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::{Value, json};
use swiftwater_engine::{
    CommitPoint, Committed, Epoch, ErrorKind, Position, Shared, SinkPlan, Stream,
};

use crate::driver::{
    LIMIT, Reader, Writer, commit_point, numbers, options, plan_sink, plan_source,
};
use crate::support::{Broker, Record, Topic, unique, wait_until};

/// One process of a topology: its commit point, recovered, and its sinks.
struct Process {
    shared: Arc<Shared>,
    point: Arc<dyn CommitPoint>,
    recovered: Option<Committed>,
    sinks: Vec<Writer>,
}

impl Process {
    /// The first sink's commit point commits for all.
    fn start(plans: &[&SinkPlan]) -> Self {
        let shared = Arc::default();
        let point = commit_point(plans[0].commit_point.as_ref(), &shared);
        let recovered = point.recover().unwrap();
        let sinks = plans.iter().map(|plan| Writer::join(plan, &shared).unwrap()).collect();
        Self { shared, point, recovered, sinks }
    }

    /// Writes the numbers to each sink and stages the epoch.
    fn stage(&mut self, epoch: Epoch, from: i64, to: i64) {
        for sink in &mut self.sinks {
            sink.write(&numbers(from, to)).unwrap();
        }
        for sink in &mut self.sinks {
            assert!(sink.stage(epoch).unwrap().to_string().len() < 1000);
        }
    }

    fn commit(&self, epoch: Epoch) -> swiftwater_engine::Result<()> {
        self.point.commit(&committed(epoch), &[])
    }
}

fn committed(epoch: Epoch) -> Committed {
    Committed { epoch, manifest: format!("manifests/{epoch}-abc") }
}

fn sink(topic: &Topic, id: &str, more: Value) -> SinkPlan {
    let mut all = json!({"topic": topic.name(), "transactional_id": id});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let all = options(Broker::shared(), all);
    plan_sink(all, &numbers(0, 1), Stream::append()).unwrap()
}

/// What a reader of committed records sees.
fn seen(topic: &Topic) -> Vec<i64> {
    let mut all: Vec<i64> =
        topic.read_all().iter().map(|r| r.json()["n"].as_i64().unwrap()).collect();
    all.sort_unstable();
    all
}

/// Waits until a reader of committed records sees `count` from 0 on: a commit returns before the
/// markers that end the transaction have come to every partition.
fn sees(topic: &Topic, count: i64) {
    wait_until(&format!("{count} records to be seen"), LIMIT, || {
        let all = seen(topic);
        assert!(all.len() as i64 <= count, "{} records are seen", all.len());
        all == (0..count).collect::<Vec<_>>()
    });
}

/// Offset and metadata that a group has committed for a partition.
fn remembered(group: &str, topic: &Topic, partition: i32) -> Option<(i64, String)> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", Broker::shared().bootstrap())
        .set("group.id", group)
        .set("isolation.level", "read_committed")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition(topic.name(), partition);
    let list = consumer.committed_offsets(list, LIMIT).unwrap();
    let element = list.elements().into_iter().next().unwrap();
    let offset = element.offset().to_raw().filter(|offset| *offset >= 0)?;
    Some((offset, element.metadata().to_owned()))
}

#[test]
fn outputs_are_seen_once_their_epoch_is_committed() {
    let topic = Topic::create(Broker::shared(), "seen", 2);
    let id = unique("tx");
    let mut process = Process::start(&[&sink(&topic, &id, json!({}))]);
    assert_eq!(process.recovered, None);
    process.stage(1, 0, 5000);
    assert_eq!(seen(&topic), [0; 0], "staged, not committed");
    process.commit(1).unwrap();
    sees(&topic, 5000);
    assert_eq!(remembered(&id, &topic, 0), Some((1, committed(1).manifest)));
    process.stage(2, 5000, 5010);
    assert_eq!(seen(&topic).len(), 5000);
    process.commit(2).unwrap();
    sees(&topic, 5010);
    assert_eq!(remembered(&id, &topic, 0), Some((2, committed(2).manifest)));
}

#[test]
fn a_newer_process_shuts_the_older_out_and_goes_on_after_its_last_epoch() {
    let topic = Topic::create(Broker::shared(), "fence", 2);
    let plan = sink(&topic, &unique("tx"), json!({}));
    let mut first = Process::start(&[&plan]);
    first.stage(1, 0, 10);
    first.commit(1).unwrap();
    first.stage(2, 10, 20);
    let mut second = Process::start(&[&plan]);
    assert_eq!(second.recovered, Some(committed(1)));
    let error = first.commit(2).unwrap_err();
    assert_eq!((error.code, error.kind), ("SW4310", ErrorKind::State), "{error}");
    assert!(error.hint.unwrap().contains("newer process"));
    // What it writes afterwards goes nowhere, and it cannot commit the next epoch either.
    let error = first.sinks[0].write(&numbers(20, 30)).unwrap_err();
    assert_eq!((error.code, error.kind), ("SW4310", ErrorKind::State), "{error}");
    assert_eq!(first.commit(3).unwrap_err().code, "SW4310");
    sees(&topic, 10);
    second.stage(2, 10, 25);
    second.commit(2).unwrap();
    sees(&topic, 25);
}

#[test]
fn a_fenced_writer_in_mid_epoch_is_told_so() {
    let topic = Topic::create(Broker::shared(), "zombie", 1);
    let plan = sink(&topic, &unique("tx"), json!({}));
    let mut first = Process::start(&[&plan]);
    first.stage(1, 0, 10);
    let second = Process::start(&[&plan]);
    let deadline = Instant::now() + LIMIT;
    let error = loop {
        assert!(Instant::now() < deadline, "the old process goes on");
        let wrote = first.sinks[0].write(&numbers(10, 20));
        if let Err(error) = wrote.and_then(|()| first.sinks[0].stage(1).map(drop)) {
            break error;
        }
    };
    assert_eq!((error.code, error.kind), ("SW4310", ErrorKind::State), "{error}");
    assert_eq!(second.recovered, None);
    assert_eq!(seen(&topic), [0; 0]);
}

#[test]
fn a_death_between_staging_and_commit_leaves_nothing() {
    let topic = Topic::create(Broker::shared(), "death", 2);
    let plan = sink(&topic, &unique("tx"), json!({}));
    let mut first = Process::start(&[&plan]);
    first.stage(1, 0, 100);
    // No word to the broker: as after SIGKILL, the transaction stays open there.
    drop(first);
    assert_eq!(seen(&topic), [0; 0]);
    let mut second = Process::start(&[&plan]);
    assert_eq!(second.recovered, None);
    second.stage(1, 200, 300);
    second.commit(1).unwrap();
    // The next start returns only when the transaction before has ended everywhere.
    let third = Process::start(&[&plan]);
    assert_eq!(third.recovered, Some(committed(1)));
    assert_eq!(seen(&topic), (200..300).collect::<Vec<_>>(), "of the first nothing is ever seen");
}

#[test]
fn empty_epochs_are_committed_too() {
    let topic = Topic::create(Broker::shared(), "empty", 1);
    let plan = sink(&topic, &unique("tx"), json!({}));
    let mut process = Process::start(&[&plan]);
    for epoch in 1..=3 {
        process.sinks[0].stage(epoch).unwrap();
        process.commit(epoch).unwrap();
    }
    process.stage(4, 0, 10);
    process.commit(4).unwrap();
    process.commit(5).unwrap();
    sees(&topic, 10);
    let next = Process::start(&[&plan]);
    assert_eq!(next.recovered, Some(committed(5)));
}

#[test]
fn two_sinks_share_one_transaction() {
    let topics =
        [Topic::create(Broker::shared(), "one", 2), Topic::create(Broker::shared(), "two", 1)];
    let id = unique("tx");
    let plans = [
        sink(&topics[0], &id, json!({})),
        sink(&topics[1], &id, json!({"compression": "none", "key": ["n"]})),
    ];
    let mut process = Process::start(&[&plans[0], &plans[1]]);
    process.stage(1, 0, 3000);
    assert_eq!((seen(&topics[0]).len(), seen(&topics[1]).len()), (0, 0));
    process.commit(1).unwrap();
    topics.iter().for_each(|topic| sees(topic, 3000));
    // One that dies takes the other's rows with it.
    process.stage(2, 3000, 3010);
    drop(process);
    let next = Process::start(&[&plans[0], &plans[1]]);
    assert_eq!(next.recovered, Some(committed(1)));
    assert_eq!((seen(&topics[0]).len(), seen(&topics[1]).len()), (3000, 3000));

    let other = sink(&topics[1], &id, json!({"linger": "20ms"}));
    let Err(error) = Writer::join(&other, &next.shared) else {
        panic!("one producer has one linger");
    };
    assert_eq!((error.code, error.kind), ("SW2141", ErrorKind::Config), "{error}");
    assert!(error.to_string().contains("`linger`"), "{error}");
}

#[test]
fn offsets_of_sources_are_committed_with_the_outputs() {
    let (from, to) =
        (Topic::create(Broker::shared(), "from", 2), Topic::create(Broker::shared(), "to", 1));
    from.produce((0..20).map(|n| Record::new(format!("{{\"n\":{n}}}")).partition(n % 2)));
    let group = unique("group");
    let source = json!({"topic": from.name(), "group": group});
    let source = plan_source(options(Broker::shared(), source)).unwrap();
    let plan = sink(&to, &unique("tx"), json!({}));
    let mut process = Process::start(&[&plan]);
    let mut reader = Reader::open_shared(&source, &process.shared).unwrap();
    reader.read(20);
    process.stage(1, 0, 20);
    // An instance each, as the engine hands positions over; and a source of another system.
    let one = |partition: i32, offset| {
        ("node".to_owned(), Position([(format!("{}/{partition}", from.name()), offset)].into()))
    };
    let other = ("elsewhere".to_owned(), Position([("file.csv".to_owned(), 7)].into()));
    process.point.commit(&committed(1), &[one(0, 10), one(1, 9), other]).unwrap();
    let expected = |offset| Some((offset, committed(1).manifest));
    assert_eq!(remembered(&group, &from, 0), expected(10));
    assert_eq!(remembered(&group, &from, 1), expected(9));
    // Offsets of an epoch that is aborted are not committed either.
    process.stage(2, 20, 30);
    let next = Process::start(&[&plan]);
    process.point.commit(&committed(2), &[one(1, 10)]).unwrap_err();
    assert_eq!(remembered(&group, &from, 1), expected(9));
    assert_eq!(next.recovered, Some(committed(1)));
}

#[test]
fn a_source_alone_can_be_the_commit_point() {
    let topic = Topic::create(Broker::shared(), "alone", 1);
    topic.produce((0..10).map(|n| Record::new(format!("{{\"n\":{n}}}"))));
    let (group, id) = (unique("group"), unique("tx"));
    for pattern in [false, true] {
        let (key, name) = if pattern {
            ("pattern", format!("{}.*", topic.name()))
        } else {
            ("topic", topic.name().to_owned())
        };
        let all = json!({key: name, "group": group, "transactional_id": id});
        let source = plan_source(options(Broker::shared(), all)).unwrap();
        let shared: Arc<Shared> = Arc::default();
        let point = commit_point(source.commit_point.as_ref(), &shared);
        let epoch = if pattern { 2 } else { 1 };
        assert_eq!(point.recover().unwrap(), pattern.then(|| committed(1)));
        let mut reader = Reader::open_shared(&source, &shared).unwrap();
        if !pattern {
            reader.read(10);
        }
        let positions = [("node".to_owned(), reader.position())];
        point.commit(&committed(epoch), &positions).unwrap();
        assert_eq!(remembered(&group, &topic, 0), Some((10, committed(epoch).manifest)));
        assert_eq!(remembered(&id, &topic, 0), Some((epoch as i64, committed(epoch).manifest)));
    }
}

#[test]
fn a_transaction_that_took_too_long_is_not_committed_and_the_next_start_goes_on() {
    let topic = Topic::create(Broker::shared(), "late", 1);
    let plan = sink(&topic, &unique("tx"), json!({"transaction_timeout": "1s"}));
    let mut process = Process::start(&[&plan]);
    process.stage(1, 0, 10);
    let staged = Instant::now();
    wait_until("the transaction to be too old", LIMIT, || {
        staged.elapsed() > Duration::from_millis(1100)
    });
    let error = process.commit(1).unwrap_err();
    assert_eq!((error.code, error.kind), ("SW4311", ErrorKind::Unavailable), "{error}");
    assert_eq!(seen(&topic), [0; 0]);
    // A sink that goes on writing ends the run, which then goes on from the last commit.
    let error = process.sinks[0].write(&numbers(10, 20)).unwrap_err();
    assert_eq!((error.code, error.kind), ("SW4311", ErrorKind::State), "{error}");
    // The same process starts over: a new producer, and the sinks open again.
    assert_eq!(process.point.recover().unwrap(), None);
    process.sinks = vec![Writer::join(&plan, &process.shared).unwrap()];
    process.stage(1, 0, 10);
    process.commit(1).unwrap();
    sees(&topic, 10);
}

#[test]
fn records_that_the_topic_does_not_take_do_not_end_the_transaction() {
    let limit = [("max.message.bytes", "20000"), ("cleanup.policy", "compact")];
    let topic = Topic::create_with(Broker::shared(), "limits", 1, &limit);
    let texts = ["x".repeat(10), "x".repeat(50_000), "x".repeat(19_900), "x".repeat(20)];
    let records = RecordBatch::try_from_iter([
        ("s", Arc::new(StringArray::from(texts.to_vec())) as ArrayRef),
        ("k", Arc::new(StringArray::from(vec![Some("a"), Some("b"), Some("c"), None]))),
    ])
    .unwrap();
    let plan = |properties: Value| {
        let all = json!({
            "topic": topic.name(), "transactional_id": unique("tx"), "key": ["k"],
            "compression": "none", "properties": properties,
        });
        plan_sink(options(Broker::shared(), all), &records, Stream::append()).unwrap()
    };
    let large = plan(json!({}));
    let shared: Arc<Shared> = Arc::default();
    commit_point(large.commit_point.as_ref(), &shared).recover().unwrap();
    let Err(error) = Writer::join(&large, &shared) else {
        panic!("batches are larger than the topic takes");
    };
    assert_eq!((error.code, error.kind), ("SW2141", ErrorKind::Config), "{error}");
    assert!(error.hint.unwrap().contains("20000"));

    let mut process = Process::start(&[&plan(json!({"batch.size": "20000"}))]);
    process.sinks[0].write(&records).unwrap();
    process.sinks[0].stage(1).unwrap();
    let codes: Vec<&str> = process.sinks[0].rejected.iter().map(|r| r.code).collect();
    assert_eq!(codes, ["SW2131", "SW2131", "SW2136"]);
    process.commit(1).unwrap();
    assert_eq!(topic.read(1, LIMIT).len(), 1);
}

#[test]
fn a_small_buffer_makes_the_writer_wait_in_a_transaction_too() {
    let topic = Topic::create(Broker::shared(), "narrow", 4);
    let mut process = Process::start(&[&sink(&topic, &unique("tx"), json!({"key": ["n"]}))]);
    for from in 0..20 {
        process.sinks[0].write(&numbers(from * 5000, from * 5000 + 5000)).unwrap();
    }
    process.sinks[0].stage(1).unwrap();
    process.commit(1).unwrap();
    sees(&topic, 100_000);
}

fn upserts() -> RecordBatch {
    let text = |all: &[&str]| Arc::new(StringArray::from(all.to_vec())) as ArrayRef;
    RecordBatch::try_from_iter([
        ("user", text(&["a", "b", "a", "b"])),
        ("total", Arc::new(Int64Array::from(vec![1, 2, 3, 2])) as ArrayRef),
        ("_op", text(&["insert", "insert", "update", "delete"])),
    ])
    .unwrap()
}

#[test]
fn deletions_of_an_upsert_stream_become_tombstones() {
    let stream = || Stream::append().upserting(vec!["user".into()]);
    let all = |topic: &Topic, more: Value| {
        let mut all = json!({"topic": topic.name(), "key": ["user"]});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        options(Broker::shared(), all)
    };
    for (keep, first) in [
        (false, json!({"user": "a", "total": 1})),
        (true, { json!({"user": "a", "total": 1, "_op": "insert"}) }),
    ] {
        let topic = Topic::create(Broker::shared(), "upserts", 1);
        let plan = plan_sink(all(&topic, json!({"keep_op": keep})), &upserts(), stream()).unwrap();
        assert!(plan.takes_upserts);
        let mut writer = Writer::open_alone(&plan).unwrap();
        writer.write(&upserts()).unwrap();
        writer.flush().unwrap();
        let read = topic.read_all();
        assert_eq!(read.len(), 4);
        assert_eq!(read[0].json(), first);
        assert_eq!((read[3].key.as_deref(), &read[3].payload), (Some(&b"b"[..]), &None));
        assert_eq!(read.iter().filter(|r| r.payload.is_none()).count(), 1);
    }
    let topic = Topic::create(Broker::shared(), "keys", 1);
    let keyless = json!({"key": []});
    assert!(!plan_sink(all(&topic, keyless), &upserts(), stream()).unwrap().takes_upserts);
    let other = plan_sink(all(&topic, json!({"key": ["total"]})), &upserts(), stream());
    let Err(error) = other else {
        panic!("the key of the rows is another");
    };
    assert_eq!((error.code, error.kind), ("SW2142", ErrorKind::Config), "{error}");
}
