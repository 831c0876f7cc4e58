//! The token of an OAUTHBEARER login, fetched by the OAuth 2.0 client credentials grant (RFC 6749
//! §4.4). librdkafka has this built in only where it is linked with curl; here reqwest does it.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use swiftwater_config::Secret;
use swiftwater_engine::Clock;

/// Longest wait for the token server.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A bearer token.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) value: String,
    /// Who it speaks for: the `sub` claim, or the client's id where the token shows none.
    pub(super) principal: String,
    /// When it expires, in milliseconds since 1970.
    pub(super) expires_ms: i64,
}

/// Where tokens come from.
#[derive(Clone)]
pub(super) struct TokenServer {
    pub(super) url: String,
    pub(super) client_id: String,
    pub(super) client_secret: Secret,
    pub(super) scope: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: Option<i64>,
}

impl TokenServer {
    /// Asks for a token. The error is a reason without secrets.
    pub(super) fn fetch(&self) -> Result<Token, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| format!("start a runtime: {e}"))?;
        let answer = runtime.block_on(self.ask())?;
        let lifetime = answer.expires_in.unwrap_or(300).max(1);
        let now_ms = Clock::system().now().0 / 1000;
        Ok(Token {
            principal: subject(&answer.access_token).unwrap_or_else(|| self.client_id.clone()),
            value: answer.access_token,
            expires_ms: now_ms.saturating_add(lifetime.saturating_mul(1000)),
        })
    }

    async fn ask(&self) -> Result<Answer, String> {
        let mut form = HashMap::from([("grant_type", "client_credentials")]);
        if let Some(scope) = &self.scope {
            form.insert("scope", scope);
        }
        let told = |e: reqwest::Error| format!("token server {}: {e}", self.url);
        let answer = reqwest::Client::new()
            .post(&self.url)
            .basic_auth(&self.client_id, Some(self.client_secret.expose()))
            .form(&form)
            .timeout(TIMEOUT)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .map_err(told)?;
        answer.json().await.map_err(told)
    }
}

/// The `sub` claim of a JSON web token.
fn subject(token: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?.trim_end_matches('=')).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    Some(claims.get("sub")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subject_of_a_token_is_read_without_its_signature() {
        let claims = URL_SAFE_NO_PAD.encode(r#"{"sub":"swift","exp":1}"#);
        assert_eq!(subject(&format!("e30.{claims}.sig")), Some("swift".into()));
        assert_eq!(subject("opaque"), None);
    }
}
