//! Rows that the endpoint refuses.

use serde_json::json;
use swiftwater_engine::Rejected;

use super::server::{Seen, Server, status};
use super::*;

/// Refuses requests with a row that is `poison`.
fn picky(poison: &'static [i64]) -> Server {
    Server::start(move |_, request: &Seen| {
        let bad = request.rows().into_iter().find(|n| poison.contains(n));
        match bad {
            Some(n) => status(400).with_text(format!("row {n} is\nnot for us")),
            None => status(200),
        }
    })
}

fn payloads(rejected: &[Rejected]) -> Vec<String> {
    let text = |r: &Rejected| String::from_utf8(r.payload.clone().unwrap().to_vec()).unwrap();
    rejected.iter().map(text).collect()
}

#[test]
fn one_poison_row_of_a_hundred_is_one_dead_letter() {
    let server = picky(&[42]);
    let mut hook = Hook::new(&server);
    hook.write(0..100).unwrap();
    assert!(hook.settle().is_empty());
    let rejected = hook.sink.take_rejected();
    assert_eq!(payloads(&rejected), [r#"{"n":42}"#]);
    let [letter] = &rejected[..] else { panic!() };
    let host = server.address();
    assert_eq!(letter.code, "SW2051");
    assert_eq!(
        letter.message,
        format!("deliver a row to `{host}`: it answered 400 Bad Request: row 42 is not for us")
    );
    // 100, 50, 25, 12 or 13, 6 or 7, 3 or 4, 1 or 2 rows, and perhaps 1.
    assert!((7..=8).contains(&letter.attempts), "{}", letter.attempts);
    let good: Vec<_> = (0..100).filter(|n| *n != 42).collect();
    assert_eq!(server.delivered(), good, "each of the others once, and in order");
    assert!(hook.sink.take_rejected().is_empty());
}

#[test]
fn poison_in_any_place_is_found() {
    let server = picky(&[0, 1, 57, 98, 99]);
    let mut hook = Hook::with_options(&server, json!({"body": "ndjson", "concurrency": 3}));
    hook.write(0..60).unwrap();
    hook.write(60..100).unwrap();
    assert!(hook.settle().is_empty());
    let mut rejected = payloads(&hook.sink.take_rejected());
    rejected.sort_unstable();
    let expected = [r#"{"n":0}"#, r#"{"n":1}"#, r#"{"n":57}"#, r#"{"n":98}"#, r#"{"n":99}"#];
    assert_eq!(rejected, expected);
    let mut delivered = server.delivered();
    delivered.sort_unstable();
    assert_eq!(delivered, (2..57).chain(58..98).collect::<Vec<_>>());
}

#[test]
fn halves_have_keys_of_their_own() {
    let server = picky(&[3]);
    let mut hook = Hook::new(&server);
    hook.write(0..4).unwrap();
    hook.settle();
    let keys: Vec<_> =
        server.seen().iter().map(|s| s.header("idempotency-key").to_owned()).collect();
    let expected = ["0+4", "0+2", "2+2", "2+1", "3+1"];
    assert_eq!(keys, expected.map(|key| format!("test/hook/7/{key}")));
}

#[test]
fn an_answer_that_repeats_a_secret_does_not_spread_it() {
    let server = Server::start(|_, request: &Seen| {
        status(400).with_text(format!("you sent {}", request.header("authorization")))
    });
    let mut hook = Hook::with_options(&server, json!({"auth": {"bearer": "t0p-s3cret"}}));
    hook.write(0..1).unwrap();
    hook.settle();
    let [letter] = &hook.sink.take_rejected()[..] else { panic!() };
    assert!(letter.message.ends_with("400 Bad Request: you sent Bearer ***"), "{}", letter.message);
    assert_eq!(server.seen()[0].header("authorization"), "Bearer t0p-s3cret");
}
