//! What goes in: events and their answers, round by round.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::oracle::Event;
use super::setting::Setting;
use super::{KEYS, LIMIT, PARTITIONS};
use crate::support::Topic;

/// Pause between two steps of a steady feed, and rounds of a step.
const PAUSE: Duration = Duration::from_millis(25);
const ROUNDS: i64 = 2;

/// Writes rounds: one event of each key, and the answers to them.
pub(super) struct Feed {
    producer: BaseProducer,
    events: String,
    answers: String,
    /// Rounds that were written.
    rounds: i64,
}

impl Feed {
    pub(super) fn new(setting: &Setting) -> Self {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", &setting.brokers)
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            .create()
            .unwrap();
        let (events, answers) = (setting.events.name().into(), setting.answers.name().into());
        Self { producer, events, answers, rounds: 0 }
    }

    fn send(&self, topic: &str, partition: i32, payload: &str) {
        let mut record = BaseRecord::<(), str>::to(topic).payload(payload).partition(partition);
        while let Err((_, back)) = self.producer.send(record) {
            self.producer.poll(Duration::from_millis(10));
            record = back;
        }
    }

    /// Hands `rounds` further rounds over.
    fn hand_over(&mut self, rounds: i64) {
        for seq in self.rounds + 1..=self.rounds + rounds {
            for key in 0..KEYS {
                let event = Event::new(key, seq);
                let Event { value, at, .. } = event;
                let partition = (key % PARTITIONS as u64) as i32;
                let text = format!(r#"{{"key":{key},"seq":{seq},"value":{value},"at":{at}}}"#);
                self.send(&self.events, partition, &text);
                if let Some(answer) = event.answer() {
                    let (score, at) = (answer.score, answer.at);
                    let text =
                        format!(r#"{{"key":{key},"seq":{seq},"score":{score},"replied":{at}}}"#);
                    self.send(&self.answers, partition, &text);
                }
            }
        }
        self.rounds += rounds;
        self.producer.poll(Duration::ZERO);
    }

    /// Writes `rounds` further rounds; returns when all are there.
    pub(super) fn write(&mut self, rounds: i64) {
        self.hand_over(rounds);
        self.producer.flush(LIMIT).unwrap();
    }
}

/// A feed that goes on at a steady rate.
pub(super) struct Steady {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<i64>,
}

impl Steady {
    pub(super) fn start(mut feed: Feed) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let write = move || {
            while !stopped.load(Ordering::Acquire) {
                feed.hand_over(ROUNDS);
                std::thread::sleep(PAUSE);
            }
            feed.producer.flush(LIMIT).unwrap();
            feed.rounds
        };
        let thread = std::thread::Builder::new().name("feed".into()).spawn(write).unwrap();
        Self { stop, thread }
    }

    /// Ends it; the number of rounds that were written.
    pub(super) fn end(self, events: &Topic) -> i64 {
        self.stop.store(true, Ordering::Release);
        let rounds = self.thread.join().unwrap();
        let there: i64 = events.ends().into_iter().sum();
        assert_eq!(there, rounds * KEYS.cast_signed(), "the test's own producer lost or doubled");
        rounds
    }
}
