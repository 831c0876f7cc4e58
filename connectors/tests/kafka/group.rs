//! Several members of one group: nothing is lost when partitions move.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::driver::{LIMIT, Reader, options, plan_source, repeated};
use crate::support::{Broker, Record, Topic, unique, wait_until};

fn produce(topic: &Topic, from: i64, to: i64) {
    let record = |n: i64| Record::new(format!("{{\"n\":{n}}}")).key(n.to_string());
    topic.produce((from..to).map(record));
}

/// A member joins and leaves while rows flow; what was read by all together is everything.
fn members_come_and_go(more: Value) {
    let topic = Topic::create(Broker::shared(), "moves", 6);
    let group = unique("group");
    let mut all = json!({"topic": topic.name(), "group": group, "session_timeout": "6s"});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let plan = plan_source(options(Broker::shared(), all)).unwrap();
    let stop = AtomicBool::new(false);
    let mut numbers = thread::scope(|scope| {
        let stays = scope.spawn(|| {
            let mut reader = Reader::open_instance(&plan, 0, 2).unwrap();
            while !stop.load(Ordering::Acquire) {
                reader.poll().unwrap();
                reader.commit(false);
            }
            reader.commit(true);
            let numbers = reader.numbers();
            reader.close();
            numbers
        });
        produce(&topic, 0, 2000);
        let mut comes = Reader::open_instance(&plan, 1, 2).unwrap();
        comes.until("partitions", |r| r.position().0.len() == 3);
        produce(&topic, 2000, 4000);
        comes.until("rows", |r| r.rows.len() > 100);
        let mut numbers = comes.numbers();
        comes.commit(true);
        comes.close();
        produce(&topic, 4000, 6000);
        wait_until("all offsets to be committed", LIMIT, || {
            let ends: Vec<_> = topic.ends().into_iter().map(Some).collect();
            topic.committed(&group) == ends
        });
        stop.store(true, Ordering::Release);
        numbers.extend(stays.join().unwrap());
        numbers
    });
    let twice = repeated(&numbers);
    assert!(twice.is_empty(), "an orderly move repeats nothing, not {} rows", twice.len());
    numbers.sort_unstable();
    assert_eq!(numbers, (0..6000).collect::<Vec<_>>());
}

#[test]
fn cooperative_members_lose_nothing() {
    members_come_and_go(json!({}));
}

#[test]
fn eager_members_lose_nothing() {
    members_come_and_go(json!({"assignment": "range"}));
}

#[test]
fn members_by_the_new_protocol_lose_nothing() {
    members_come_and_go(json!({"group_protocol": "consumer"}));
}

#[test]
fn partitions_that_went_are_not_committed() {
    let topic = Topic::create(Broker::shared(), "went", 2);
    produce(&topic, 0, 100);
    let group = unique("group");
    let all = json!({"topic": topic.name(), "group": group});
    let plan = plan_source(options(Broker::shared(), all)).unwrap();
    let mut first = Reader::open_instance(&plan, 0, 2).unwrap();
    first.read(100);
    let before = first.position();
    let mut second = Reader::open_instance(&plan, 1, 2).unwrap();
    // The first gives up one partition, which commits both; the second commits the same.
    wait_until("both to have one", LIMIT, || {
        first.poll().unwrap();
        second.poll().unwrap();
        first.position().0.len() == 1 && second.position().0.len() == 1
    });
    let theirs = second.position().0.into_iter().next().unwrap();
    produce(&topic, 100, 200);
    wait_until("the second to move on", LIMIT, || {
        second.poll().unwrap();
        second.position().0.values().all(|next| *next > theirs.1)
    });
    second.commit(true);
    let partition: usize = theirs.0.rsplit_once('/').unwrap().1.parse().unwrap();
    let moved = topic.committed(&group)[partition];
    first.committer().commit(&before, true).unwrap();
    assert_eq!(topic.committed(&group)[partition], moved, "the old owner's position is left out");
}

#[test]
fn a_static_member_gets_its_partitions_back() {
    let topic = Topic::create(Broker::shared(), "static", 2);
    produce(&topic, 0, 100);
    let group = unique("group");
    let all = json!({"topic": topic.name(), "group": group, "instance_id": "one"});
    let plan = plan_source(options(Broker::shared(), all)).unwrap();
    for round in 0..2 {
        let mut reader = Reader::open(&plan).unwrap();
        reader.until("partitions", |r| r.position().0.len() == 2);
        if round == 0 {
            reader.read(100).commit(true);
        }
        assert_eq!(reader.position().0.values().sum::<i64>(), 100);
        reader.close();
    }
}

#[test]
fn instances_of_a_bounded_source_end_together() {
    let topic = Topic::create(Broker::shared(), "together", 3);
    produce(&topic, 0, 3000);
    let all = json!({"topic": topic.name(), "group": unique("group"), "until": "latest"});
    let plan = plan_source(options(Broker::shared(), all)).unwrap();
    let read = |instance| {
        let mut reader = Reader::open_instance(&plan, instance, 4).unwrap();
        reader.read_to_end();
        reader.commit(true);
        let numbers = reader.numbers();
        reader.close();
        numbers
    };
    let mut numbers: Vec<i64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|instance| scope.spawn(move || read(instance))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers, (0..3000).collect::<Vec<_>>());
}
