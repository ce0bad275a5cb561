//! Who may ask: the bearer token, and what stands in for it on the loopback interface.

use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use mlops_core::{Error, Result};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::answer::Refusal;
use crate::api::Inner;

/// The fewest characters of a token; 22 random characters of base64 are 128 bits.
const SHORTEST: usize = 22;
/// The most bytes of a token's file that are read.
const LONGEST: u64 = 4096;

/// A bearer token. Only its SHA-256 is kept, so that no log or memory dump of ours shows it.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// This token.
    ///
    /// # Errors
    /// `Invalid` if it is shorter than 22 characters or holds a character that a header cannot.
    pub fn new(token: &str) -> Result<Self> {
        if token.len() < SHORTEST {
            return Err(Error::invalid(format!(
                "the token has {} characters and needs {SHORTEST} or more; make one with: openssl rand -base64 32",
                token.len()
            )));
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::invalid(
                "the token holds a space or a character outside of ASCII; make one with: openssl rand -base64 32",
            ));
        }
        Ok(Self(Sha256::digest(token.as_bytes()).into()))
    }

    /// The token in a file, without white space around it.
    ///
    /// # Errors
    /// `Invalid` for a file that is missing, that others than its owner may open, that belongs to
    /// somebody else, or that holds no token. No message shows what the file says.
    pub fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let failed = |cause| {
            Error::invalid(format!("the token file {shown} could not be read")).because(cause)
        };
        let mut file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(Error::invalid(format!(
                "the token file {shown} is not a file"
            )));
        }
        if metadata.mode() & 0o077 != 0 {
            return Err(Error::invalid(format!(
                "the token file {shown} has mode {:04o}: others may open it; run: chmod 600 {shown}",
                metadata.mode() & 0o7777
            )));
        }
        let me = rustix::process::geteuid().as_raw();
        if metadata.uid() != me {
            return Err(Error::invalid(format!(
                "the token file {shown} belongs to user {} and not to user {me}, who runs the server",
                metadata.uid()
            )));
        }
        let mut text = String::new();
        file.by_ref()
            .take(LONGEST)
            .read_to_string(&mut text)
            .map_err(|_| Error::invalid(format!("the token file {shown} is not text")))?;
        Self::new(text.trim()).map_err(|error| {
            Error::invalid(format!("the token file {shown} holds no usable token")).because(error)
        })
    }

    /// Compares in a time that does not depend on how much of it is right.
    fn is(&self, presented: &str) -> bool {
        let presented: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
        self.0.ct_eq(&presented).into()
    }
}

/// Refuses callers who may not ask, before anything is read.
pub(crate) async fn check(State(api): State<Arc<Inner>>, request: Request, next: Next) -> Response {
    let allowed = match &api.settings.token {
        Some(token) => presents(request.headers(), token),
        None => comes_from_here(request.headers()),
    };
    match allowed {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn presents(headers: &HeaderMap, token: &Token) -> Result<(), Refusal> {
    let header = headers
        .get(header::AUTHORIZATION)
        .ok_or_else(|| {
            Refusal::unauthenticated(
                "this registry asks for a bearer token; set MLFLOW_TRACKING_TOKEN, or send the header Authorization: Bearer TOKEN",
            )
        })?;
    let presented = header.to_str().ok().and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    if presented.is_some_and(|presented| token.is(presented)) {
        return Ok(());
    }
    Err(Refusal::unauthenticated(
        "the bearer token is not this registry's",
    ))
}

/// Without a token only this machine can connect; what is left to fend off is a page in a browser
/// on it, which sends another host's name (DNS rebinding) or its own origin.
fn comes_from_here(headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(host) = text(header::HOST)
        && !is_loopback(host)
    {
        return Err(Refusal::denied(format!(
            "host {host:?} is not this machine's loopback address; start the server with a token to be asked under another name"
        )));
    }
    if let Some(origin) = text(header::ORIGIN) {
        let host = origin.split_once("://").map_or(origin, |(_, host)| host);
        if !is_loopback(host) {
            return Err(Refusal::denied(format!(
                "pages of origin {origin:?} may not use this registry"
            )));
        }
    }
    Ok(())
}

fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const GOOD: &str = "0123456789abcdefghijklmnop";

    fn file(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn a_token_file_that_others_may_open_is_refused_without_showing_it() {
        for mode in [0o644, 0o640, 0o604, 0o660] {
            let error = Token::read(file(GOOD, mode).path()).unwrap_err();
            assert!(error.to_string().contains("chmod 600"), "{error}");
            assert!(!error.chain().to_string().contains(GOOD));
        }
        for mode in [0o600, 0o400] {
            let token = Token::read(file(&format!("{GOOD}\n"), mode).path()).unwrap();
            assert!(token.is(GOOD));
        }
    }

    #[test]
    fn a_token_that_could_be_guessed_or_cannot_be_sent_is_refused_without_showing_it() {
        for text in [
            "",
            "short",
            "with a space in the middle",
            "ümlaut-ümlaut-ümlaut-ümlaut",
        ] {
            let error = Token::read(file(text, 0o600).path()).unwrap_err();
            let message = error.chain().to_string();
            assert!(message.contains("openssl rand"), "{message}");
            assert!(text.is_empty() || !message.contains(text), "{message}");
        }
    }

    #[test]
    fn a_token_shows_itself_nowhere() {
        let token = Token::new(GOOD).unwrap();
        assert_eq!(format!("{token:?}"), "Token");
        assert!(!token.is(&GOOD[1..]));
    }

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for yes in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1:5000",
            "127.9.9.9",
            "[::1]:5000",
        ] {
            assert!(is_loopback(yes), "{yes}");
        }
        for no in [
            "",
            "example.com",
            "localhost.example.com",
            "10.0.0.1:5000",
            "[::2]",
            "null",
        ] {
            assert!(!is_loopback(no), "{no}");
        }
    }
}
