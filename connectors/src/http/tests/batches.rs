//! What goes out together, in which order, and when it counts as done.

use serde_json::json;

use super::server::{Server, status};
use super::*;

fn ok() -> Server {
    Server::start(|_, _| status(200))
}

#[test]
fn rows_arrive_in_order_and_are_acknowledged() {
    let server = ok();
    let mut hook = Hook::with_options(&server, json!({"batch": {"rows": 64}}));
    for start in (0..2000).step_by(100) {
        hook.write(start..start + 100).unwrap();
    }
    assert!(hook.settle().is_empty());
    assert_eq!(server.delivered(), (0..2000).collect::<Vec<_>>());
    assert!(server.seen().iter().all(|request| request.rows().len() <= 64));
    assert_eq!(hook.sink.delivery().held(), 0);
    let metrics = hook.metrics.text().unwrap();
    let counted = format!(
        "swiftwater_http_requests_total{{sink=\"hook\",status=\"200\",topology=\"test\"}} {}",
        server.seen().len()
    );
    assert!(metrics.contains(&counted), "{metrics}");
    let timed = "swiftwater_http_request_seconds_count{sink=\"hook\",topology=\"test\"}";
    assert!(metrics.contains(timed), "{metrics}");
}

#[test]
fn every_form_of_body_is_sent_as_such() {
    let type_and_bodies = |options| {
        let server = ok();
        let mut hook = Hook::with_options(&server, options);
        hook.write(1..3).unwrap();
        assert!(hook.settle().is_empty());
        let seen = server.seen();
        let methods: Vec<_> = seen.iter().map(|s| s.method.to_string()).collect();
        let bodies: Vec<_> = seen.iter().map(|s| s.body.clone()).collect();
        (methods.join(" "), seen[0].header("content-type").to_owned(), bodies.join(" | "))
    };
    let all = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
    assert_eq!(type_and_bodies(json!({})), all("POST", "application/json", r#"[{"n":1},{"n":2}]"#));
    assert_eq!(
        type_and_bodies(json!({"body": "ndjson", "method": "PUT"})),
        all("PUT", "application/x-ndjson", "{\"n\":1}\n{\"n\":2}\n")
    );
    assert_eq!(
        type_and_bodies(json!({"body": "object"})),
        all("POST POST", "application/json", r#"{"n":1} | {"n":2}"#)
    );
}

#[test]
fn headers_and_credentials_are_sent() {
    let server = ok();
    let auth = json!({"basic": {"username": "ann", "password": "pass:word"}});
    let headers = json!({"X-Team": "ads", "content-type": "application/vnd.bids+json"});
    let mut hook = Hook::with_options(&server, json!({"auth": auth, "headers": headers}));
    hook.write(0..1).unwrap();
    hook.settle();
    let [request] = &server.seen()[..] else { panic!() };
    assert_eq!(request.path, "/bids");
    assert_eq!(request.header("authorization"), "Basic YW5uOnBhc3M6d29yZA==");
    assert_eq!(request.header("x-team"), "ads");
    assert_eq!(request.header("content-type"), "application/vnd.bids+json");
    assert_eq!(request.header("idempotency-key"), "test/hook/7/0+1");
    assert!(request.header("user-agent").starts_with("swiftwater/"));
}

#[test]
fn the_key_of_a_request_can_have_another_header_or_none() {
    for (name, sent) in [("X-Request-Id", "test/hook/7/0+3"), ("", "")] {
        let server = ok();
        let mut hook = Hook::with_options(&server, json!({"idempotency_header": name}));
        hook.write(0..3).unwrap();
        hook.settle();
        let [request] = &server.seen()[..] else { panic!() };
        assert_eq!(request.header("idempotency-key"), "");
        assert_eq!(request.header("x-request-id"), sent);
    }
}

#[test]
fn rows_collect_while_a_request_is_under_way() {
    let server = Server::gated("127.0.0.1:0".parse().unwrap(), |_, _| status(200));
    let mut hook = Hook::new(&server);
    for n in 0..5 {
        hook.write(n..n + 1).unwrap();
    }
    server.let_all_through();
    assert!(hook.settle().is_empty());
    let requests: Vec<_> = server.seen().iter().map(server::Seen::rows).collect();
    assert_eq!(requests, [vec![0], vec![1, 2, 3, 4]]);
}

#[test]
fn rows_linger_until_a_request_is_full_or_an_epoch_must_end() {
    let server = ok();
    let batch = json!({"rows": 10, "linger": "1h"});
    let mut hook = Hook::with_options(&server, json!({"batch": batch}));
    hook.write(0..25).unwrap();
    let errors = hook.serve_until(|_, _| server.delivered().len() == 20);
    assert!(errors.is_empty());
    hook.sink.barrier(Barrier { epoch: 1, flush: false }).unwrap();
    assert_eq!(hook.durable(), 0, "5 rows wait for company");
    assert_eq!(hook.sink.delivery().under_way(), 0);
    hook.flush();
    hook.settle();
    assert_eq!(server.delivered(), (0..25).collect::<Vec<_>>());
}

#[test]
fn rows_that_have_lingered_go_out_without_further_rows() {
    let server = ok();
    let mut hook = Hook::with_options(&server, json!({"batch": {"linger": "30ms"}}));
    hook.write(0..1).unwrap();
    hook.write(1..2).unwrap();
    hook.settle();
    assert_eq!(server.seen().len(), 1);
    assert_eq!(server.delivered(), [0, 1]);
}

#[test]
fn several_requests_are_under_way_and_the_oldest_decides() {
    let server = Server::gated("127.0.0.1:0".parse().unwrap(), |_, _| status(200));
    let options = json!({"concurrency": 4, "body": "object"});
    let mut hook = Hook::with_options(&server, options);
    for n in 0..6 {
        hook.write(n..n + 1).unwrap();
    }
    hook.serve_until(|_, _| server.seen().len() == 4);
    assert_eq!(hook.sink.delivery().under_way(), 4);
    assert_eq!(hook.durable(), 0);
    server.let_all_through();
    assert!(hook.settle().is_empty());
    let mut rows = server.delivered();
    rows.sort_unstable();
    assert_eq!(rows, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_batch_is_not_acknowledged_before_an_older_one() {
    // The first row is answered 503 again and again, the others are taken.
    let server =
        Server::start(|n, request| status(if request.rows() == [0] && n < 12 { 503 } else { 200 }));
    let options = json!({"concurrency": 3, "body": "object"});
    let mut hook = Hook::with_options(&server, options);
    hook.write(0..3).unwrap();
    let mut highest = 0;
    let errors = hook.serve_until(|_, durable| {
        highest = highest.max(durable);
        assert!(durable == 0 || server.delivered().contains(&0));
        durable == 1
    });
    assert!(!errors.is_empty());
    let mut rows = server.delivered();
    rows.sort_unstable();
    assert_eq!(rows, [0, 1, 2]);
}

#[test]
fn empty_batches_are_acknowledged_in_their_turn() {
    let server = Server::gated("127.0.0.1:0".parse().unwrap(), |_, _| status(200));
    let mut hook = Hook::new(&server);
    hook.write(0..0).unwrap();
    assert_eq!(hook.durable(), 1);
    hook.write(0..1).unwrap();
    hook.write(1..1).unwrap();
    assert_eq!(hook.durable(), 1);
    server.let_through(1);
    hook.settle();
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn a_row_larger_than_a_request_goes_out_on_its_own() {
    let server = ok();
    let mut hook = Hook::with_options(&server, json!({"batch": {"bytes": "20B", "linger": "1h"}}));
    hook.write(1_000_000_000_000..1_000_000_000_003).unwrap();
    hook.write(1..5).unwrap();
    hook.flush();
    hook.settle();
    let sizes: Vec<_> = server.seen().iter().map(|request| request.rows().len()).collect();
    assert_eq!(sizes, [1, 1, 1, 2, 2]);
}

#[test]
fn a_slow_endpoint_pushes_back() {
    let server = Server::gated("127.0.0.1:0".parse().unwrap(), |_, _| status(200));
    let limit = 4000;
    let mut hook = Hook::open(&server, json!({}), limit);
    let (mut next, mut refused) = (0, None);
    while refused.is_none() {
        match hook.write(next..next + 10) {
            Ok(()) => next += 10,
            Err(error) => refused = Some(error),
        }
        assert!(next < 1000, "an endpoint that does not answer takes no more than the limit");
    }
    let refused = refused.unwrap();
    assert_eq!((refused.kind, refused.code), (swiftwater_engine::ErrorKind::Unavailable, "SW2056"));
    assert!(next >= 100 && hook.sink.delivery().held() <= limit);
    server.let_all_through();
    hook.write(next..next + 10).unwrap();
    assert!(hook.settle().is_empty());
    assert_eq!(server.delivered(), (0..next + 10).collect::<Vec<_>>());
}

#[test]
fn a_batch_larger_than_the_memory_is_taken_alone() {
    let server = ok();
    let mut hook = Hook::open(&server, json!({}), 100);
    hook.write(0..1000).unwrap();
    hook.write(1000..2000).unwrap();
    assert!(hook.settle().is_empty());
    assert_eq!(server.delivered(), (0..2000).collect::<Vec<_>>());
}
