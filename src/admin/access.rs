//! Who may ask: everybody on this machine, or whoever shows the token.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;
use swiftwater_config::{Environment, ProcessEnvironment, Secret};
use swiftwater_engine::{Error, Result};

use super::Site;

/// A token shorter than this is guessed too easily.
const SHORTEST: usize = 16;

/// What a request must show.
pub(crate) struct Token(Secret);

impl Token {
    /// Reads a token from a file.
    ///
    /// # Errors
    /// `Config` where the file cannot be read or holds no good token.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let shown = path.display().to_string();
        let text = ProcessEnvironment::new()
            .secret_file(&shown)
            .map_err(|e| Error::config("SW4105", format!("read the token in `{shown}`: {e}")))?;
        let text = text.trim();
        if text.len() < SHORTEST {
            let message = format!("use the token in `{shown}`: it has {} characters", text.len());
            return Err(Error::config("SW4105", message).with_hint(format!(
                "give it {SHORTEST} or more, such as those of `openssl rand -hex 32`"
            )));
        }
        Ok(Self(Secret::new(text)))
    }

    /// Compares in a time that does not tell how much was right.
    fn accepts(&self, shown: &str) -> bool {
        let (expected, shown) = (self.0.expose().as_bytes(), shown.as_bytes());
        expected.ct_eq(shown).into()
    }
}

/// Refuses an address that others can reach, unless they must show a token.
pub(super) fn check(address: SocketAddr, token: Option<&Token>) -> Result<()> {
    if address.ip().is_loopback() || token.is_some() {
        return Ok(());
    }
    let message = format!("listen on `{address}`, which other machines reach, without a token");
    Err(Error::config("SW4106", message).with_hint(
        "give `--http-token-file` with a file that holds a token, or listen on 127.0.0.1",
    ))
}

/// Whether a request may see everything: no token is set, or it shows the right one.
pub(super) fn is_trusted(token: Option<&Token>, headers: &HeaderMap) -> bool {
    let shown = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok());
    let shown = shown.and_then(|v| v.strip_prefix("Bearer "));
    token.is_none_or(|token| shown.is_some_and(|shown| token.accepts(shown)))
}

/// Lets a request through that may see everything.
pub(super) async fn require(
    State(site): State<Arc<Site>>,
    request: Request,
    next: Next,
) -> Response {
    if is_trusted(site.token.as_ref(), request.headers()) {
        return next.run(request).await;
    }
    let challenge = [(WWW_AUTHENTICATE, "Bearer")];
    (StatusCode::UNAUTHORIZED, challenge, "a bearer token is required\n").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_others_reach_needs_a_token() {
        let refused = check("0.0.0.0:9464".parse().unwrap(), None).unwrap_err();
        assert!(refused.to_string().contains("--http-token-file"), "{refused}");
        let token = Token(Secret::new("0123456789abcdef"));
        check("0.0.0.0:9464".parse().unwrap(), Some(&token)).unwrap();
        check("[::1]:1".parse().unwrap(), None).unwrap();
    }

    #[test]
    fn only_the_whole_token_is_accepted() {
        let token = Token(Secret::new("0123456789abcdef"));
        assert!(token.accepts("0123456789abcdef"));
        for wrong in ["", "0123456789abcde", "0123456789abcdeF", "0123456789abcdef0"] {
            assert!(!token.accepts(wrong), "{wrong}");
        }
    }
}
