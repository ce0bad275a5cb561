//! One request, one answer, over one connection.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use mlops_core::{Class, Error, Result};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::trust::Trust;

/// How long a question may take in all.
const LIMIT: Duration = Duration::from_secs(8);

/// The longest answer that is read: it holds one number.
const ANSWER_LIMIT: usize = 1024 * 1024;

/// A bearer token, as it stands in a header. Cannot be printed.
pub(crate) struct Token(HeaderValue);

impl Token {
    /// `None` if there is a character in it that a header cannot have.
    pub(crate) fn new(token: &str) -> Option<Self> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.trim())).ok()?;
        value.set_sensitive(true);
        Some(Self(value))
    }
}

/// What came back.
pub(crate) struct Received {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// Asks for `url`, whatever the status of the answer.
pub(crate) async fn get(trust: &Trust, url: &str, token: Option<Token>) -> Result<Received> {
    let uri: Uri = url.parse().map_err(|cause| {
        Error::invalid(format!("{url:?} is not a URL"))
            .because(cause)
            .at("address")
    })?;
    let place = place(&uri);
    match tokio::time::timeout(LIMIT, converse(trust, &uri, &place, token)).await {
        Ok(received) => received,
        Err(_) => Err(
            Error::unavailable(format!("{place} did not answer within {LIMIT:?}")).at("address"),
        ),
    }
}

/// Whom an error names: what a URL says after its host may be a secret.
fn place(uri: &Uri) -> String {
    format!(
        "{}://{}",
        uri.scheme_str().unwrap_or("http"),
        uri.authority().map_or("", |authority| authority.as_str())
    )
}

/// What a status says that is no answer; `attribute` is at fault where the other side refuses what it was asked.
pub(crate) fn refusal(uri: &str, status: StatusCode, attribute: &str, said: &str) -> Error {
    let place = uri
        .parse()
        .map_or_else(|_| uri.to_owned(), |uri| place(&uri));
    let said = if said.is_empty() {
        String::new()
    } else {
        format!(": {said}")
    };
    let message = format!("{place} answered with status {}{said}", status.as_u16());
    let (class, at) = match status.as_u16() {
        401 | 403 => (Class::Denied, "bearer_token_env"),
        429 => (Class::Throttled, "address"),
        500.. => (Class::Unavailable, "address"),
        404 | 405 => (Class::Invalid, "address"),
        400..500 => (Class::Invalid, attribute),
        // A redirect: the token would go to whoever it names.
        _ => (Class::Invalid, "address"),
    };
    Error::new(class, message).at(at)
}

async fn converse(trust: &Trust, uri: &Uri, place: &str, token: Option<Token>) -> Result<Received> {
    let is_secure = uri.scheme_str() == Some("https");
    let host = uri.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
    let stream = TcpStream::connect((host, port)).await.map_err(|cause| {
        Error::unavailable(format!("nobody answers at {place}"))
            .because(cause)
            .at("address")
    })?;
    if !is_secure {
        return exchange(stream, uri, place, token).await;
    }
    let name = ServerName::try_from(host.to_owned()).map_err(|cause| {
        Error::invalid(format!("{place} has no host that a certificate could name"))
            .because(cause)
            .at("address")
    })?;
    let connector = TlsConnector::from(trust.config()?);
    let stream = connector.connect(name, stream).await;
    exchange(
        stream.map_err(|cause| untrusted(place, cause))?,
        uri,
        place,
        token,
    )
    .await
}

fn untrusted(place: &str, cause: io::Error) -> Error {
    let reason = cause.get_ref().and_then(|inner| inner.downcast_ref());
    let error = match reason {
        Some(rustls::Error::InvalidCertificate(_)) => Error::invalid(format!(
            "the certificate of {place} is not trusted here; SSL_CERT_FILE may name a file of certificates that are"
        )),
        _ => Error::unavailable(format!("no TLS connection to {place} could be made")),
    };
    error.because(cause).at("address")
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    uri: &Uri,
    place: &str,
    token: Option<Token>,
) -> Result<Received> {
    let lost = |cause: hyper::Error| {
        let what = cause.source().map(ToString::to_string);
        Error::unavailable(format!("{place} broke off its answer"))
            .because(what.unwrap_or_else(|| cause.to_string()))
            .at("address")
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(lost)?;
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let mut request = Request::get(target)
        .header(HOST, host)
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, concat!("mlops/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(|cause| {
            Error::invalid(format!("{place} cannot be asked so"))
                .because(cause)
                .at("address")
        })?;
    if let Some(Token(value)) = token {
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    // The connection is driven beside the exchange and dropped with it: nothing runs on after a time-out.
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(lost)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_LIMIT)
            .collect()
            .await;
        let body = body.map_err(|cause| {
            Error::unavailable(format!("the answer of {place} was not read to its end"))
                .because(cause)
                .at("address")
        })?;
        Ok(Received {
            status,
            body: body.to_bytes(),
        })
    };
    tokio::pin!(connection);
    tokio::pin!(exchange);
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        // The connection ends first when the server closes it; what it read by then is still handed over.
        _ = &mut connection => exchange.await,
    }
}
