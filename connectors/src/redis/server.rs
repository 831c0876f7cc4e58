//! Where a Redis is, and connections to it.

use std::path::Path;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    TlsCertificates,
};
use swiftwater_config::Secret;
use swiftwater_engine::{Error, Result};

use super::faults::told;

/// What the options say of a server.
pub(crate) struct ServerOptions<'a> {
    pub(crate) url: &'a Secret,
    pub(crate) username: Option<&'a str>,
    pub(crate) password: Option<&'a Secret>,
    pub(crate) ca_file: Option<&'a Path>,
    pub(crate) timeout: Duration,
}

/// A server that can be connected to.
#[derive(Clone)]
pub(crate) struct Server {
    info: ConnectionInfo,
    ca_file: Option<std::path::PathBuf>,
    timeout: Duration,
    /// Host and port, for messages.
    pub(crate) place: String,
}

fn wrong(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::config("SW2211", message).with_hint(hint)
}

impl Server {
    /// Checks the options; with what `check` should warn about. Connects nothing.
    ///
    /// # Errors
    /// `Config` (`SW2211`). The URL is not quoted: it may hold a password.
    pub(crate) fn check(options: &ServerOptions<'_>) -> Result<(Self, Vec<String>)> {
        let url = options.url.expose();
        let example = "give an address such as `redis://localhost:6379/0`, or `rediss://…` for TLS";
        let mut info = url.into_connection_info().map_err(|_| wrong("read `url`", example))?;
        let mut login = info.redis_settings().clone();
        if let Some(username) = options.username {
            login = login.set_username(username);
        }
        if let Some(password) = options.password {
            login = login.set_password(password.expose());
        }
        let has_password = login.password().is_some();
        info = info.set_redis_settings(login);
        if options.timeout.is_zero() {
            return Err(wrong(
                "wait for answers with `timeout: 0s`",
                "give it some time, such as `10s`",
            ));
        }
        let (place, open, local) = match info.addr() {
            ConnectionAddr::Tcp(host, port) => {
                let ip = host.parse::<std::net::IpAddr>();
                let local = host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
                (format!("{host}:{port}"), true, local)
            }
            ConnectionAddr::TcpTls { host, port, insecure, .. } => {
                if *insecure {
                    return Err(wrong(
                        "connect without verifying the certificate",
                        "remove `#insecure` from `url`, and name the authority in `ca_file`",
                    ));
                }
                (format!("{host}:{port}"), false, false)
            }
            ConnectionAddr::Unix(path) => (path.display().to_string(), false, true),
            _ => return Err(wrong("read `url`", example)),
        };
        if options.ca_file.is_some() && open {
            return Err(wrong("use `ca_file` on an open line", "give a `rediss://` address"));
        }
        let mut warnings = Vec::new();
        if open && !local && has_password {
            warnings
                .push("the password goes out unencrypted: use a `rediss://` address".to_owned());
        }
        let ca_file = options.ca_file.map(Path::to_owned);
        Ok((Self { info, ca_file, timeout: options.timeout, place }, warnings))
    }

    fn client(&self) -> Result<Client> {
        let bad = |e: redis::RedisError| {
            told(&format!("prepare a connection to Redis at `{}`", self.place), e)
        };
        let Some(path) = &self.ca_file else {
            return Client::open(self.info.clone()).map_err(bad);
        };
        let pem = std::fs::read(path).map_err(|e| {
            wrong(format!("read `ca_file: {}`", path.display()), "give a PEM file").with_source(e)
        })?;
        let certificates = TlsCertificates { client_tls: None, root_cert: Some(pem) };
        Client::build_with_tls(self.info.clone(), certificates).map_err(bad)
    }

    /// A connection.
    ///
    /// # Errors
    /// `Unavailable` (`SW2215`) where the server cannot be reached; `Config` where it refuses.
    pub(crate) async fn connect(&self) -> Result<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout.min(Duration::from_secs(10))))
            .set_response_timeout(Some(self.timeout));
        let connected = self.client()?.get_multiplexed_async_connection_with_config(&config).await;
        connected.map_err(|e| told(&format!("connect to Redis at `{}`", self.place), e))
    }
}
