//! Asks a server for its health as a client would: over its public port.

use std::net::SocketAddr;
use std::time::Duration;

use mlops_core::endpoint::Period;
use mlops_core::endpoint::spec::HealthCheck;
use mlops_core::target::Probe;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// The longest that a server that was just started may take to say that it lives.
const LIMIT: Duration = Duration::from_secs(1);
/// The longest status line that is read.
const LINE_LIMIT: u64 = 1024;

/// Whether the server on `address` lives.
pub(super) async fn is_live(address: SocketAddr) -> bool {
    probe(address, HealthCheck::DEFAULT_PATH, LIMIT)
        .await
        .healthy
}

/// Asks `GET path` on `address` once. Redirects are not followed.
pub(super) async fn probe(address: SocketAddr, path: &str, limit: Duration) -> Probe {
    match tokio::time::timeout(limit, status(address, path)).await {
        Ok(Ok(Some(status))) => Probe {
            healthy: (200..300).contains(&status),
            answer: format!("status {status}"),
        },
        Ok(Ok(None)) => bad("an answer that is not HTTP"),
        Ok(Err(error)) => bad(format!("no answer: {error}")),
        Err(_) => {
            let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
            bad(format!("no answer within {}", Period::millis(limit)))
        }
    }
}

fn bad(answer: impl Into<String>) -> Probe {
    Probe {
        healthy: false,
        answer: answer.into(),
    }
}

async fn status(address: SocketAddr, path: &str) -> std::io::Result<Option<u16>> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut line = String::new();
    BufReader::new(stream.take(LINE_LIMIT))
        .read_line(&mut line)
        .await?;
    let mut words = line.split(' ');
    let http = words.next().is_some_and(|word| word.starts_with("HTTP/"));
    Ok(words
        .next()
        .filter(|_| http)
        .and_then(|word| word.trim_end().parse().ok()))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Answers one connection so, and says what was asked.
    async fn answered(answer: &'static str) -> (SocketAddr, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut line = String::new();
            BufReader::new(&mut stream)
                .read_line(&mut line)
                .await
                .unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            line
        });
        (address, asked)
    }

    #[tokio::test]
    async fn a_status_of_the_two_hundreds_is_healthy_and_every_other_is_not() {
        for (answer, healthy, said) in [
            ("HTTP/1.1 200 OK\r\n\r\n", true, "status 200"),
            ("HTTP/1.1 204\r\n\r\n", true, "status 204"),
            ("HTTP/1.1 302 Found\r\n\r\n", false, "status 302"),
            ("HTTP/1.1 503 no\r\n\r\n", false, "status 503"),
            ("SSH-2.0 200 x\r\n", false, "an answer that is not HTTP"),
        ] {
            let (address, asked) = answered(answer).await;
            let seen = probe(address, "/up?deep=1", Duration::from_secs(5)).await;
            assert_eq!((seen.healthy, seen.answer.as_str()), (healthy, said));
            assert_eq!(asked.await.unwrap(), "GET /up?deep=1 HTTP/1.1\r\n");
        }
    }

    #[tokio::test]
    async fn silence_is_bad_and_ends_with_the_limit() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = probe(address, "/", Duration::from_millis(20)).await;
        assert_eq!(seen, bad("no answer within 20ms"));
        drop(listener);
        let seen = probe(address, "/", Duration::from_secs(5)).await;
        assert!(
            !seen.healthy && seen.answer.starts_with("no answer: "),
            "{seen:?}"
        );
    }
}
