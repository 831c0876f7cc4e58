//! Connections that break, servers that refuse, and lines that are encrypted.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use serde_json::json;
use swiftwater_engine::{ErrorKind, ExactlyOnce, Stream};

use crate::database::{Database, numbers, open, try_open, url};
use crate::sink::{batch, until_done, write};

/// Ends sessions of this product that work on the schema's tables, each time after at least one call
/// has got through, and whatever is under way then.
fn disturb(schema: &str, calls: &AtomicU64, ended: &AtomicI64, stop: &AtomicBool) {
    let database = Database::new("disturber");
    let mut seen = 0;
    while !stop.load(Ordering::Acquire) {
        let done = calls.load(Ordering::Acquire);
        if done == seen {
            std::thread::yield_now();
            continue;
        }
        let end = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'swiftwater%' \
             AND query LIKE '%{schema}%' AND pid <> pg_backend_pid()"
        );
        let now = database.number(&end);
        if now > 0 {
            seen = done;
        }
        ended.fetch_add(now, Ordering::AcqRel);
    }
}

/// Stops the disturber also where the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn a_connection_that_breaks_in_the_middle_costs_no_row_and_doubles_none() {
    for exactly_once in [true, false] {
        let database = Database::new("broken");
        database.run("CREATE TABLE $s.t (n bigint PRIMARY KEY, text text)");
        let key = if exactly_once { json!([]) } else { json!(["n"]) };
        let options = database.options("t", json!({"key": key}));
        let schema = numbers(0..1).schema();
        let mut sink = until_done(|| {
            let exactly_once = exactly_once.then(ExactlyOnce::default);
            try_open(&options, &schema, Stream::append(), exactly_once)
        });
        let (calls, ended) = (AtomicU64::new(0), AtomicI64::new(0));
        let stop = AtomicBool::new(false);
        let call = || calls.fetch_add(1, Ordering::AcqRel);
        let mut rows = 0;
        std::thread::scope(|scope| {
            scope.spawn(|| disturb(&database.schema, &calls, &ended, &stop));
            let _stopping = Stop(&stop);
            let (mut sequence, mut epoch) = (0, 0);
            // The disturber may begin late: there is work until it has disturbed some of it.
            while epoch < 12 || ended.load(Ordering::Acquire) < 4 {
                epoch += 1;
                assert!(epoch < 5000, "{} sessions were ended", ended.load(Ordering::Acquire));
                for n in (rows..rows + 100).step_by(20) {
                    assert!(write(sink.as_mut(), &mut sequence, &numbers(n..n + 20)).is_empty());
                    call();
                }
                rows += 100;
                if exactly_once {
                    let staged = until_done(|| sink.stage(epoch));
                    call();
                    until_done(|| sink.finalise(epoch, &staged));
                    call();
                }
            }
        });
        let found = database.query("SELECT count(*), count(DISTINCT n), max(n) FROM $s.t");
        let all = format!("{rows}|{rows}|{}", rows - 1);
        assert_eq!(found, [all], "exactly once: {exactly_once}");
    }
}

#[test]
fn a_server_that_is_away_is_unavailable_and_a_wrong_password_is_not() {
    let schema = numbers(0..1).schema();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = json!({"url": format!("postgres://u:hunter2@{nobody}/d"), "table": "t"});
    let error = try_open(&options, &schema, Stream::append(), None).err().unwrap();
    assert_eq!((error.kind, error.code), (ErrorKind::Unavailable, "SW2205"));
    assert!(error.message.contains(&nobody.to_string()), "{error}");
    let options = json!({"url": url(), "password": "hunter2", "table": "t"});
    let refused = try_open(&options, &schema, Stream::append(), None).err().unwrap();
    assert_eq!((refused.kind, refused.code), (ErrorKind::Config, "SW2203"), "{refused}");
    for error in [error, refused] {
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn a_table_that_goes_away_is_told() {
    let database = Database::new("dropped");
    let options = database.options("t", json!({"create": true}));
    let mut sink = open(&options, &numbers(0..1).schema());
    write(sink.as_mut(), &mut 0, &numbers(0..1));
    database.run("DROP TABLE $s.t");
    let error = sink.write(2, &batch(numbers(1..2))).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Config, "{error}");
}

#[test]
fn an_encrypted_line_is_verified() {
    let database = Database::new("tls");
    let directory = tempfile::tempdir().unwrap();
    let (right, wrong) = (directory.path().join("ca.pem"), directory.path().join("other.pem"));
    // The server's own superuser may read its files.
    let pem = database.query("SELECT pg_read_file(current_setting('ssl_ca_file'))")[0].clone();
    std::fs::write(&right, pem).unwrap();
    let made = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=other",
            "-keyout",
            "/dev/null",
            "-out",
        ])
        .arg(&wrong)
        .output()
        .unwrap();
    assert!(made.status.success());
    let schema = numbers(0..1).schema();
    let attempt = |mode: &str, ca: Option<&std::path::Path>| {
        let table = format!("t_{mode}");
        let mut options = database.options(&table, json!({"create": true, "sslmode": mode}));
        if let Some(ca) = ca {
            options["ca_file"] = ca.to_str().unwrap().into();
        }
        let mut sink = try_open(&options, &schema, Stream::append(), None)?;
        write(sink.as_mut(), &mut 0, &numbers(0..10));
        Ok::<i64, swiftwater_engine::Error>(
            database.number(&format!("SELECT count(*) FROM $s.{table}")),
        )
    };
    assert_eq!(attempt("verify_full", Some(&right)).unwrap(), 10);
    assert_eq!(attempt("require", None).unwrap(), 10);
    let error = attempt("verify_full", Some(&wrong)).unwrap_err();
    assert!(error.to_string().to_lowercase().contains("certificate"), "{error}");
    let encrypted = database.query("SELECT count(*) FROM pg_stat_ssl WHERE ssl")[0].clone();
    assert_ne!(encrypted, "", "{encrypted}");
}
