//! Where a PostgreSQL is and how it is spoken to: options checked, connections made.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::Secret;
use swiftwater_engine::{Error, Result};
use tokio_postgres::config::{Host, SslMode as Negotiated};
use tokio_postgres::{Client, Config, NoTls};

use super::faults::{told, within};
use super::tls::Tls;
use crate::io_runtime;

/// Whether a connection to PostgreSQL is encrypted, in the words of its own tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SslMode {
    /// Not encrypted.
    Disable,
    /// Encrypted, with whoever answers: the certificate is not verified.
    Require,
    /// Encrypted, and the certificate must be one for the host's name by a trusted authority.
    VerifyFull,
}

/// What the options say of a server.
pub(crate) struct ServerOptions<'a> {
    pub(crate) url: Option<&'a Secret>,
    pub(crate) host: Option<&'a str>,
    pub(crate) port: Option<u16>,
    pub(crate) user: Option<&'a str>,
    pub(crate) password: Option<&'a Secret>,
    pub(crate) database: Option<&'a str>,
    pub(crate) sslmode: Option<SslMode>,
    pub(crate) ca_file: Option<&'a PathBuf>,
    pub(crate) timeout: Duration,
}

/// A server that can be connected to.
#[derive(Clone)]
pub(crate) struct Server {
    config: Config,
    sslmode: SslMode,
    ca_file: Option<PathBuf>,
    /// Longest time a call may take.
    pub(crate) timeout: Duration,
    /// Host and port, for messages.
    pub(super) place: String,
}

fn wrong(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::config("SW2201", message).with_hint(hint)
}

/// Takes `sslmode` out of a URL, as the client knows only some of its words.
fn split_sslmode(url: &str) -> Result<(String, Option<SslMode>)> {
    let Some((base, query)) = url.split_once('?') else { return Ok((url.to_owned(), None)) };
    let (modes, rest): (Vec<&str>, Vec<&str>) =
        query.split('&').partition(|pair| pair.starts_with("sslmode="));
    let mode = match modes.first().map(|pair| pair.trim_start_matches("sslmode=")) {
        None => None,
        Some("disable") => Some(SslMode::Disable),
        Some("require") => Some(SslMode::Require),
        Some("verify-full") => Some(SslMode::VerifyFull),
        Some(other) => {
            return Err(wrong(
                format!("connect with `sslmode={other}`"),
                "use disable, require or verify-full: what falls back to an open line protects nobody",
            ));
        }
    };
    let rest = rest.join("&");
    let question = if rest.is_empty() { "" } else { "?" };
    Ok((format!("{base}{question}{rest}"), mode))
}

fn is_local(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    })
}

/// Host, user and so on, with the `sslmode` of the URL.
fn address(options: &ServerOptions<'_>) -> Result<(Config, Option<SslMode>)> {
    let (mut config, mode) = match options.url {
        Some(_) if options.host.is_some() || options.port.is_some() => {
            return Err(wrong("use `url` beside `host` or `port`", "give one or the other"));
        }
        Some(url) => {
            let (url, mode) = split_sslmode(url.expose())?;
            let config = url.parse::<Config>().map_err(|e| {
                let why = std::error::Error::source(&e).map(ToString::to_string);
                wrong(
                    format!("read `url`: {}", why.unwrap_or_default()),
                    "give an address such as `postgres://user@host:5432/database`",
                )
            })?;
            (config, mode)
        }
        None => (Config::new(), None),
    };
    if let Some(host) = options.host {
        config.host(host);
    }
    if let Some(port) = options.port {
        config.port(port);
    }
    if let Some(user) = options.user {
        config.user(user);
    }
    if let Some(password) = options.password {
        config.password(password.expose());
    }
    if let Some(database) = options.database {
        config.dbname(database);
    }
    if config.get_hosts().is_empty() || config.get_user().is_none() {
        return Err(wrong(
            "tell which server and user to connect with",
            "give `url`, or `host` and `user`",
        ));
    }
    Ok((config, mode))
}

impl Server {
    /// Checks the options; with what `check` should warn about. Connects nothing.
    ///
    /// # Errors
    /// `Config` (`SW2201`), naming the option. A URL is not quoted: it may hold a password.
    pub(crate) fn check(options: &ServerOptions<'_>) -> Result<(Self, Vec<String>)> {
        let (mut config, of_url) = address(options)?;
        if options.timeout.is_zero() {
            return Err(wrong(
                "wait for answers with `timeout: 0s`",
                "give it some time, such as `60s`",
            ));
        }
        let local = is_local(&config);
        let default = if local { SslMode::Disable } else { SslMode::VerifyFull };
        let sslmode = options.sslmode.or(of_url).unwrap_or(default);
        config.ssl_mode(if sslmode == SslMode::Disable {
            Negotiated::Disable
        } else {
            Negotiated::Require
        });
        config.connect_timeout(options.timeout.min(Duration::from_secs(10)));
        config.keepalives_idle(Duration::from_secs(60));
        let mut warnings = Vec::new();
        if sslmode == SslMode::Require {
            warnings.push(
                "`sslmode: require` does not verify whose certificate it is: use `verify_full`"
                    .into(),
            );
        }
        if sslmode == SslMode::Disable && !local && config.get_password().is_some() {
            warnings.push("the connection is not encrypted: use `sslmode: verify_full`".into());
        }
        let place = place(&config);
        let ca_file = options.ca_file.cloned();
        Ok((Self { config, sslmode, ca_file, timeout: options.timeout, place }, warnings))
    }

    /// A connection that shows itself to the server as `application`, driven in the background.
    ///
    /// # Errors
    /// `Unavailable` (`SW2205`) where the server cannot be reached; `Config` where it refuses.
    pub(crate) async fn connect(&self, application: &str) -> Result<Client> {
        let mut config = self.config.clone();
        config.application_name(application);
        let what = format!("connect to PostgreSQL at `{}`", self.place);
        let connected = async {
            if self.sslmode == SslMode::Disable {
                let (client, connection) =
                    config.connect(NoTls).await.map_err(|e| told(&what, e))?;
                drive(connection)?;
                Ok(client)
            } else {
                let tls = Tls::new(self.sslmode == SslMode::VerifyFull, self.ca_file.as_deref())?;
                let (client, connection) = config.connect(tls).await.map_err(|e| told(&what, e))?;
                drive(connection)?;
                Ok(client)
            }
        };
        within(self.timeout, &what, connected).await
    }
}

fn drive(
    connection: impl Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
) -> Result<()> {
    io_runtime::handle()?.spawn(async move {
        if let Err(error) = connection.await {
            // Whoever uses the connection is told by the call that fails.
            tracing::debug!(%error, "a connection to PostgreSQL ended");
        }
    });
    Ok(())
}

fn place(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => String::new(),
    };
    let port = config.get_ports().first().map_or(5432, |port| *port);
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("{host}:{port}/{database}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: Option<&str>, sslmode: Option<SslMode>) -> Result<(Server, Vec<String>)> {
        let url = url.map(Secret::new);
        Server::check(&ServerOptions {
            url: url.as_ref(),
            host: None,
            port: None,
            user: None,
            password: None,
            database: None,
            sslmode,
            ca_file: None,
            timeout: Duration::from_secs(60),
        })
    }

    #[test]
    fn connections_to_elsewhere_are_encrypted_and_verified_unless_told_otherwise() {
        for (url, mode) in [
            ("postgres://u:p@localhost/d", SslMode::Disable),
            ("postgres://u:p@127.0.0.1:99/d", SslMode::Disable),
            ("postgres://u:p@db.example.com/d", SslMode::VerifyFull),
            ("postgres://u:p@db.example.com/d?sslmode=require", SslMode::Require),
            ("postgres://u@localhost/d?connect_timeout=3&sslmode=verify-full", SslMode::VerifyFull),
        ] {
            let (server, warnings) =
                check(Some(url), None).unwrap_or_else(|e| panic!("{url}: {e}"));
            assert_eq!(server.sslmode, mode, "{url}");
            assert_eq!(warnings.is_empty(), mode != SslMode::Require, "{url}");
        }
        let (server, _) = check(Some("postgres://u@h:7/d"), Some(SslMode::Disable)).unwrap();
        assert_eq!((server.sslmode, server.place.as_str()), (SslMode::Disable, "h:7/d"));
    }

    #[test]
    fn addresses_that_do_not_do_are_told_without_the_password() {
        for url in [
            None,
            Some("postgres://u:hunter2@h/d?sslmode=prefer"),
            Some("postgres://u:hunter2@h/d?nonsense=1"),
            Some("mysql:hunter2"),
        ] {
            let error = check(url, None).err().unwrap();
            assert_eq!(error.code, "SW2201");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }
}
