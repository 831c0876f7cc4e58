//! An endpoint that is away, busy or wrongly addressed: nothing is lost, nothing is hurried.

use serde_json::json;
use swiftwater_engine::ErrorKind;

use super::server::{Server, status};
use super::*;

#[test]
fn a_server_error_is_reported_and_the_same_request_sent_again() {
    let server = Server::start(|n, _| status(if n < 2 { 500 + 3 * n as u16 } else { 200 }));
    let mut hook = Hook::with_options(&server, json!({"auth": {"bearer": "t0p-s3cret"}}));
    hook.write(0..10).unwrap();
    let errors = hook.settle();
    let host = server.address();
    let messages: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        messages,
        [
            format!("deliver rows to `{host}`: it answered 500 Internal Server Error [SW2052]"),
            format!("deliver rows to `{host}`: it answered 503 Service Unavailable [SW2052]"),
        ]
    );
    assert!(errors.iter().all(|error| error.kind == ErrorKind::Unavailable));
    assert_eq!(server.delivered(), (0..10).collect::<Vec<_>>());
    let seen = server.seen();
    assert!(
        seen.iter()
            .all(|s| s.body == seen[0].body && s.header("idempotency-key") == "test/hook/7/0+10")
    );
    assert!(hook.sink.take_rejected().is_empty());
}

#[test]
fn nothing_is_sent_before_the_engine_knows_of_a_failure() {
    let server = Server::start(|n, _| status(if n == 0 { 503 } else { 200 }));
    let mut hook = Hook::with_options(&server, json!({"body": "object"}));
    hook.write(0..3).unwrap();
    assert_eq!(hook.first_error().code, "SW2052");
    assert_eq!((hook.sink.delivery().under_way(), server.seen().len()), (0, 1));
    assert!(hook.settle().is_empty());
    assert_eq!(server.delivered(), [0, 1, 2]);
}

#[test]
fn while_the_endpoint_is_away_no_rows_are_taken_and_no_epoch_ends() {
    let server = Server::start(|_, _| status(503));
    let mut hook = Hook::new(&server);
    hook.write(0..10).unwrap();
    hook.first_error();
    let held = hook.sink.delivery().held();
    for _ in 0..3 {
        assert_eq!(hook.write(10..20).unwrap_err().code, "SW2052");
        let barrier = Barrier { epoch: 1, flush: false };
        assert_eq!(hook.sink.barrier(barrier).unwrap_err().code, "SW2052");
    }
    assert_eq!(hook.sink.delivery().held(), held);
    assert_eq!(server.delivered(), [0_i64; 0]);
}

#[test]
fn a_pause_that_the_endpoint_asks_for_is_kept() {
    let server = Server::start(|n, _| match n {
        0 => status(429).with_header("retry-after", "120"),
        _ => status(200),
    });
    let mut hook = Hook::new(&server);
    let start = Instant::now();
    hook.write(0..10).unwrap();
    let error = hook.first_error();
    assert!(error.message.contains("429 Too Many Requests"), "{error}");
    let until = hook.sink.delivery().outage().paused_until().unwrap();
    let asked = Duration::from_secs(120);
    assert!(until >= start + asked && until <= Instant::now() + asked);
    assert_eq!(hook.durable(), 0);
    assert_eq!(hook.write(10..20).unwrap_err().code, "SW2052");
    assert_eq!((hook.sink.delivery().under_way(), server.seen().len()), (0, 1));
    hook.sink.delivery().outage().end_pause();
    assert!(hook.settle().is_empty());
    assert_eq!(server.delivered(), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_refused_connection_is_tried_until_the_endpoint_is_back() {
    let gone = Server::start(|_, _| status(200));
    let mut hook = Hook::new(&gone);
    let address = gone.address();
    // The server's listener closes some time after its task was told to end.
    drop(gone);
    let deadline = Instant::now() + DEADLINE;
    while std::net::TcpStream::connect(address).is_ok() {
        assert!(Instant::now() < deadline);
    }
    hook.write(0..10).unwrap();
    let error = hook.first_error().to_string();
    assert!(
        error.starts_with(&format!("deliver rows to `{address}`: Connection refused")),
        "{error}"
    );
    let back = Server::gated(address, |_, _| status(200));
    back.let_all_through();
    hook.settle();
    assert_eq!(back.delivered(), (0..10).collect::<Vec<_>>());
    let metrics = hook.metrics.text().unwrap();
    assert!(metrics.contains("status=\"unreachable\""), "{metrics}");
}

#[test]
fn an_answer_that_takes_too_long_is_given_up() {
    let server = Server::gated("127.0.0.1:0".parse().unwrap(), |_, _| status(200));
    let mut hook = Hook::with_options(&server, json!({"timeout": "20ms"}));
    hook.write(0..10).unwrap();
    let error = hook.first_error();
    assert!(error.message.ends_with("no answer within 20ms"), "{error}");
    server.let_all_through();
    hook.settle();
    let metrics = hook.metrics.text().unwrap();
    assert!(metrics.contains("status=\"timeout\""), "{metrics}");
}

#[test]
fn wrong_credentials_and_addresses_are_no_fault_of_the_rows() {
    for (code, hint) in [(401, "`auth`"), (404, "path in `url`"), (308, "redirects")] {
        let server = Server::start(move |n, _| match n {
            0 => status(code).with_header("location", "/elsewhere"),
            _ => status(200),
        });
        let mut hook = Hook::new(&server);
        hook.write(0..10).unwrap();
        let errors = hook.settle();
        let [error] = &errors[..] else { panic!("{errors:?}") };
        assert_eq!((error.kind, error.code), (ErrorKind::Unavailable, "SW2053"));
        assert!(error.hint.as_ref().unwrap().contains(hint), "{error}");
        assert!(hook.sink.take_rejected().is_empty());
        assert_eq!(server.delivered(), (0..10).collect::<Vec<_>>());
        assert!(server.seen().iter().all(|request| request.path == "/bids"));
    }
}
