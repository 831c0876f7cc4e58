//! A real Apache Kafka, started by `scripts/kafka.sh` or named by `SWIFTWATER_TEST_BROKERS`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;

use super::server;

/// A broker that is up.
pub(crate) struct Broker {
    bootstrap: String,
    /// `None` where it is not this test's alone.
    own: Option<Own>,
}

struct Own {
    directory: TempDir,
    addresses: BTreeMap<String, String>,
}

const SCRIPT: &str = "kafka.sh";

fn script(command: &str, directory: &Path, options: &[&str]) -> String {
    server::said(SCRIPT, &server::call(SCRIPT, command, directory, options))
}

impl Broker {
    /// The broker that all tests of this process share; tests keep apart by the names of their
    /// topics and groups.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Broker> = OnceLock::new();
        SHARED.get_or_init(|| {
            let bootstrap = server::shared("SWIFTWATER_TEST_BROKERS", SCRIPT);
            Self { bootstrap, own: None }
        })
    }

    /// A broker of the test's own, for tests that stop it or need options such as `--secure` or
    /// `--set key=value`.
    pub(crate) fn start(options: &[&str]) -> Self {
        let directory = TempDir::with_prefix("swiftwater-kafka-").expect("a temporary directory");
        // Should this process end without unwinding, the script still stops the broker.
        let process = std::process::id().to_string();
        let mut all = vec!["--with", process.as_str()];
        all.extend(options);
        let bootstrap = script("start", directory.path(), &all);
        let status = script("status", directory.path(), &[]);
        let addresses = status
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Self { bootstrap, own: Some(Own { directory, addresses }) }
    }

    /// `host:port` of the plaintext listener.
    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// `host:port` of a listener of a `--secure` broker: `SASL_PLAINTEXT`, `SASL_SSL` or `SSL`.
    pub(crate) fn listener(&self, name: &str) -> &str {
        &self.own().addresses[name]
    }

    /// A file beside the broker's data, such as `ca.pem` of a `--secure` one.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.own().directory.path().join(name)
    }

    /// Stops the broker in order; its data and ports stay.
    pub(crate) fn stop(&self) {
        script("stop", self.directory(), &["--keep"]);
    }

    /// Kills the broker with SIGKILL; its data and ports stay.
    pub(crate) fn kill(&self) {
        script("kill", self.directory(), &[]);
    }

    /// Starts the broker again on the data and ports it had.
    pub(crate) fn start_again(&self) {
        let process = std::process::id().to_string();
        let again = script("start", self.directory(), &["--with", &process]);
        assert_eq!(again, self.bootstrap, "the broker kept its address");
    }

    /// Runs one of Kafka's own tools (`TopicCommand`, `AclCommand`) against the broker.
    pub(crate) fn tool(&self, arguments: &[&str]) -> String {
        script("tool", self.directory(), arguments)
    }

    fn own(&self) -> &Own {
        self.own
            .as_ref()
            .expect("only a broker that the test started itself can be stopped or looked into")
    }

    fn directory(&self) -> &Path {
        self.own().directory.path()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(own) = &self.own {
            // Where that fails, `--with` stops the broker.
            server::call(SCRIPT, "stop", own.directory.path(), &[]);
        }
    }
}
