//! TLS and logins, as options and as librdkafka's settings.

use rdkafka::config::ClientConfig;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::Secret;
use swiftwater_engine::{Error, Result};

use super::oauth::TokenServer;

/// How to reach brokers that do not speak plain text to everybody.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Security {
    /// Encrypts the connection and checks the broker's certificate; `tls: {}` trusts the
    /// authorities the system trusts.
    pub tls: Option<Tls>,
    /// Logs in by one mechanism: `plain`, `scram_sha_256`, `scram_sha_512` or `oauthbearer`.
    pub sasl: Option<Sasl>,
    /// Allows what sends secrets readable over the network or does not check who the broker is:
    /// `plain` and `oauthbearer` without `tls`, and `tls: {verify: false}`.
    pub insecure: bool,
}

/// Encryption, and certificates for both sides.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Authorities to trust instead of the system's: path of a PEM file, or the PEM text itself.
    pub ca: Option<String>,
    /// Our certificate (mutual TLS): path of a PEM file, or the PEM text itself.
    pub certificate: Option<String>,
    /// Its private key: path of a PEM file, or the PEM text itself.
    pub key: Option<Secret>,
    /// Password of the private key.
    pub key_password: Option<Secret>,
    /// Whether the broker's certificate and host name are checked; `false` needs `insecure: true`.
    pub verify: bool,
}

impl Default for Tls {
    fn default() -> Self {
        Self { ca: None, certificate: None, key: None, key_password: None, verify: true }
    }
}

/// A user's name and password.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Name of the user.
    pub username: String,
    /// Password of the user.
    pub password: Secret,
}

/// A token by the OAuth 2.0 client credentials grant.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OAuth {
    /// URL of the token server; `https` unless `insecure: true`.
    pub token_url: String,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: Secret,
    /// Scope to ask for.
    #[serde(default)]
    pub scope: Option<String>,
}

/// A login mechanism.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sasl {
    /// Name and password, readable on the way: only over TLS.
    Plain(Login),
    /// Name and proof of the password, SHA-256.
    #[serde(rename = "scram_sha_256")]
    ScramSha256(Login),
    /// Name and proof of the password, SHA-512.
    #[serde(rename = "scram_sha_512")]
    ScramSha512(Login),
    /// A bearer token that is fetched and renewed: only over TLS.
    #[serde(rename = "oauthbearer")]
    OAuthBearer(OAuth),
}

fn insecure(what: &str, cure: &str) -> Error {
    Error::config("SW2103", format!("use {what}"))
        .with_hint(format!("{cure}, or say `insecure: true` where the network is trusted"))
}

fn set_pem(config: &mut ClientConfig, name: &str, value: &str) {
    let kind = if value.trim_start().starts_with("-----BEGIN") { "pem" } else { "location" };
    config.set(format!("ssl.{name}.{kind}"), value);
}

impl Tls {
    fn apply(&self, insecure_allowed: bool, config: &mut ClientConfig) -> Result<()> {
        if !self.verify {
            if !insecure_allowed {
                return Err(insecure(
                    "TLS without checking the broker's certificate",
                    "remove `verify: false`",
                ));
            }
            config.set("enable.ssl.certificate.verification", "false");
        }
        let ends = if self.verify { "https" } else { "none" };
        config.set("ssl.endpoint.identification.algorithm", ends);
        if let Some(ca) = &self.ca {
            set_pem(config, "ca", ca);
        }
        match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                set_pem(config, "certificate", certificate);
                set_pem(config, "key", key.expose());
            }
            (None, None) => {}
            _ => {
                return Err(Error::config("SW2103", "use half of a certificate and key pair")
                    .with_hint("mutual TLS needs both `certificate` and `key`"));
            }
        }
        if let Some(password) = &self.key_password {
            config.set("ssl.key.password", password.expose());
        }
        Ok(())
    }
}

impl Sasl {
    fn apply(
        &self,
        encrypted: bool,
        insecure_allowed: bool,
        config: &mut ClientConfig,
    ) -> Result<()> {
        let (mechanism, login) = match self {
            Self::Plain(login) => ("PLAIN", Some(login)),
            Self::ScramSha256(login) => ("SCRAM-SHA-256", Some(login)),
            Self::ScramSha512(login) => ("SCRAM-SHA-512", Some(login)),
            Self::OAuthBearer(_) => ("OAUTHBEARER", None),
        };
        let readable = matches!(self, Self::Plain(_) | Self::OAuthBearer(_));
        if readable && !encrypted && !insecure_allowed {
            let what = format!("{mechanism} over a connection that is not encrypted");
            return Err(insecure(&what, "add `tls: {}`"));
        }
        if let Self::OAuthBearer(oauth) = self
            && !oauth.token_url.starts_with("https://")
            && !insecure_allowed
        {
            let what = format!("the token server `{}`, which is not encrypted", oauth.token_url);
            return Err(insecure(&what, "use its https address"));
        }
        config.set("sasl.mechanism", mechanism);
        if let Some(login) = login {
            config.set("sasl.username", &login.username);
            config.set("sasl.password", login.password.expose());
        }
        Ok(())
    }
}

impl Security {
    /// Translates the options.
    ///
    /// # Errors
    /// `Config` (`SW2103`) for what would send secrets readable, unless `insecure` allows it.
    pub(super) fn apply(&self, config: &mut ClientConfig) -> Result<()> {
        let protocol = match (&self.tls, &self.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        if let Some(tls) = &self.tls {
            tls.apply(self.insecure, config)?;
        }
        if let Some(sasl) = &self.sasl {
            sasl.apply(self.tls.is_some(), self.insecure, config)?;
        }
        Ok(())
    }

    /// Where tokens come from, for a login that needs them.
    pub(super) fn token_server(&self) -> Option<TokenServer> {
        match &self.sasl {
            Some(Sasl::OAuthBearer(oauth)) => Some(TokenServer {
                url: oauth.token_url.clone(),
                client_id: oauth.client_id.clone(),
                client_secret: oauth.client_secret.clone(),
                scope: oauth.scope.clone(),
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(options: serde_json::Value) -> Result<ClientConfig> {
        let security: Security = serde_json::from_value(options).unwrap();
        let mut config = ClientConfig::new();
        security.apply(&mut config).map(|()| config)
    }

    #[test]
    fn readable_secrets_need_tls_or_consent() {
        let login = serde_json::json!({"plain": {"username": "u", "password": "p"}});
        let error = settings(serde_json::json!({"sasl": login})).unwrap_err();
        assert_eq!(error.code, "SW2103");
        assert!(!error.to_string().contains("\"p\""));
        let config = settings(serde_json::json!({"sasl": login, "tls": {}})).unwrap();
        assert_eq!(config.get("security.protocol"), Some("sasl_ssl"));
        assert_eq!(config.get("ssl.endpoint.identification.algorithm"), Some("https"));
        settings(serde_json::json!({"sasl": login, "insecure": true})).unwrap();
        settings(serde_json::json!({"tls": {"verify": false}})).unwrap_err();
        let scram = serde_json::json!({"scram_sha_512": {"username": "u", "password": "p"}});
        let config = settings(serde_json::json!({"sasl": scram})).unwrap();
        assert_eq!(config.get("sasl.mechanism"), Some("SCRAM-SHA-512"));
    }

    #[test]
    fn pem_text_and_paths_are_told_apart() {
        let config = settings(serde_json::json!({"tls": {
            "ca": "/etc/ca.pem", "certificate": "-----BEGIN CERTIFICATE-----\n", "key": "/k.pem"
        }}));
        let config = config.unwrap();
        assert_eq!(config.get("ssl.ca.location"), Some("/etc/ca.pem"));
        assert!(config.get("ssl.certificate.pem").is_some());
        assert_eq!(config.get("ssl.key.location"), Some("/k.pem"));
        settings(serde_json::json!({"tls": {"certificate": "/c.pem"}})).unwrap_err();
    }
}
