//! A proxy that counts requests, and the bytes that clients send.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result};

#[derive(Default)]
struct Counts {
    requests: Mutex<BTreeMap<String, usize>>,
    bytes: AtomicU64,
}

/// Forwards every connection to one server.
pub(super) struct Counter {
    /// `http://127.0.0.1:PORT`.
    pub(super) url: String,
    counts: Arc<Counts>,
}

impl Counter {
    /// A proxy before the server at `url`. It lasts as long as this process.
    pub(super) fn before(url: &str) -> Result<Self> {
        let server: SocketAddr = url
            .trim_start_matches("http://")
            .parse()
            .context("an address")?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port")?;
        let url = format!("http://{}", listener.local_addr()?);
        let counts = Arc::<Counts>::default();
        let shared = Arc::clone(&counts);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let counts = Arc::clone(&shared);
                thread::spawn(move || {
                    if let Ok(server) = TcpStream::connect(server) {
                        // A connection that breaks is seen by both ends.
                        let _ = forward(client, server, &counts);
                    }
                });
            }
        });
        Ok(Self { url, counts })
    }

    /// What was asked since the last time: operations of DynamoDB by name, requests to S3 by method.
    pub(super) fn take(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut *self.counts.requests())
    }

    /// How many bytes clients sent since the last time that they were taken.
    pub(super) fn bytes(&self) -> u64 {
        self.counts.bytes.load(Ordering::Relaxed)
    }

    /// The same, and begins anew.
    pub(super) fn take_bytes(&self) -> u64 {
        self.counts.bytes.swap(0, Ordering::Relaxed)
    }
}

impl Counts {
    fn requests(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forward(client: TcpStream, server: TcpStream, counts: &Counts) -> std::io::Result<()> {
    let (mut answers, mut to_client) = (server.try_clone()?, client.try_clone()?);
    let back = thread::spawn(move || {
        let _ = std::io::copy(&mut answers, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    let (mut client, mut server) = (client, server);
    let (mut heads, mut bytes) = (Heads::default(), [0; 64 * 1024]);
    loop {
        let read = client.read(&mut bytes)?;
        if read == 0 {
            break;
        }
        for operation in heads.feed(&bytes[..read]) {
            *counts.requests().entry(operation).or_default() += 1;
        }
        counts.bytes.fetch_add(read as u64, Ordering::Relaxed);
        server.write_all(&bytes[..read])?;
    }
    server.shutdown(Shutdown::Write)?;
    let _ = back.join();
    Ok(())
}

/// Finds the heads of requests in what a client of HTTP/1.1 sends.
#[derive(Default)]
struct Heads {
    head: Vec<u8>,
    /// Bytes of the body that are still to come.
    body: u64,
}

impl Heads {
    /// The operations whose heads end in these bytes.
    fn feed(&mut self, mut bytes: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            if self.body > 0 {
                let skipped = self.body.min(bytes.len() as u64);
                self.body -= skipped;
                bytes = &bytes[usize::try_from(skipped).unwrap_or(bytes.len())..];
                continue;
            }
            self.head.push(bytes[0]);
            bytes = &bytes[1..];
            if self.head.ends_with(b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.head).to_ascii_lowercase();
                let value = |name: &str| {
                    let mut lines = head.lines();
                    lines
                        .find_map(|line| line.strip_prefix(name))
                        .map(str::trim)
                };
                let method = head.split(' ').next().unwrap_or_default();
                let operation = value("x-amz-target:").and_then(|target| target.split('.').nth(1));
                found.push(operation.unwrap_or(method).to_owned());
                self.body = value("content-length:")
                    .and_then(|text| text.parse().ok())
                    .unwrap_or(0);
                self.head.clear();
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_however_they_are_cut_and_whatever_they_hold() {
        let sent = b"PUT /b/k HTTP/1.1\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n\
            POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\ncontent-length: 2\r\n\r\n{}\
            GET /b/k HTTP/1.1\r\n\r\n";
        for size in [1, 7, sent.len()] {
            let mut heads = Heads::default();
            let found: Vec<_> = sent
                .chunks(size)
                .flat_map(|part| heads.feed(part))
                .collect();
            assert_eq!(found, ["put", "getitem", "get"], "in pieces of {size}");
        }
    }
}
