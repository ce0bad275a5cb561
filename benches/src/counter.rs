//! A proxy that notes requests, and counts the bytes that clients send.

mod heads;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};

use self::heads::Heads;

pub(crate) use self::heads::Request;

/// A request that passed.
pub(crate) struct Call {
    pub(crate) at: Instant,
    pub(crate) request: Request,
}

#[derive(Default)]
struct Counts {
    calls: Mutex<Vec<Call>>,
    bytes: AtomicU64,
}

/// Forwards every connection to one server.
pub(crate) struct Counter {
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    counts: Arc<Counts>,
}

impl Counter {
    /// A proxy before the server at `url`. It lasts as long as this process.
    pub(crate) fn before(url: &str) -> Result<Self> {
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

    /// What was asked since the last time, in turn.
    pub(crate) fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut *self.counts.calls())
    }

    /// The same, counted by operation.
    pub(crate) fn take(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in self.calls() {
            *counts.entry(call.request.operation).or_default() += 1;
        }
        counts
    }

    /// How many bytes clients sent since the last time that they were taken.
    pub(crate) fn bytes(&self) -> u64 {
        self.counts.bytes.load(Ordering::Relaxed)
    }

    /// The same, and begins anew.
    pub(crate) fn take_bytes(&self) -> u64 {
        self.counts.bytes.swap(0, Ordering::Relaxed)
    }
}

impl Counts {
    fn calls(&self) -> MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forward(client: TcpStream, server: TcpStream, counts: &Counts) -> std::io::Result<()> {
    // Else each small answer waits for the confirmation of the one before.
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
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
        let at = Instant::now();
        let calls = heads.feed(&bytes[..read]).into_iter();
        counts
            .calls()
            .extend(calls.map(|request| Call { at, request }));
        counts.bytes.fetch_add(read as u64, Ordering::Relaxed);
        server.write_all(&bytes[..read])?;
    }
    server.shutdown(Shutdown::Write)?;
    let _ = back.join();
    Ok(())
}
