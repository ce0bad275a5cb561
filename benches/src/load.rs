//! A load client: HTTP/1.1 with one thread and one kept connection each, the next request after the answer to the last.
//!
//! The same client measures every server, so its own cost weighs on all alike.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// No answer takes this long unless the server hangs.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Where requests go and what they carry.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    /// JSON bodies, sent in turn.
    pub(crate) bodies: Vec<Vec<u8>>,
}

/// What a load saw.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    pub(crate) requests: usize,
    /// Answers that were not 200, and connections that broke.
    pub(crate) failed: usize,
    pub(crate) elapsed: Duration,
    /// In ascending order.
    latencies: Vec<Duration>,
}

impl Answers {
    /// Successful requests in a second.
    pub(crate) fn rate(&self) -> f64 {
        (self.requests - self.failed) as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that `share` (0 to 1) of all successful requests stay within.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies
            .get((last as f64 * share).round() as usize)
            .copied()
            .unwrap_or_default()
    }
}

/// An answer with its status.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// A kept connection.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        Self::patient(address, ANSWER_TIMEOUT)
    }

    /// One whose answers may take so long.
    pub(crate) fn patient(address: SocketAddr, limit: Duration) -> Result<Self> {
        let stream =
            TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true).context("cannot set TCP_NODELAY")?;
        stream
            .set_read_timeout(Some(limit))
            .context("cannot set a timeout")?;
        Ok(Self(BufReader::with_capacity(16 * 1024, stream)))
    }

    /// Sends one request (head and body) and reads its answer.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<Answer> {
        self.0
            .get_mut()
            .write_all(request)
            .context("cannot send a request")?;
        read_answer(&mut self.0)
    }
}

/// A POST of JSON, as bytes.
pub(crate) fn post(address: SocketAddr, path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Reads one answer with a length or in chunks.
fn read_answer(from: &mut impl BufRead) -> Result<Answer> {
    let mut line = String::new();
    let mut next = |from: &mut dyn BufRead| -> Result<String> {
        line.clear();
        ensure!(
            from.read_line(&mut line).context("cannot read an answer")? > 0,
            "the server closed the connection"
        );
        Ok(line.trim_end().to_owned())
    };
    let first = next(from)?;
    let status = first.split(' ').nth(1).and_then(|s| s.parse().ok());
    let status = status.with_context(|| format!("{first:?} is no status line"))?;
    let (mut length, mut chunked) = (0, false);
    loop {
        let header = next(from)?;
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value
                .trim()
                .parse()
                .with_context(|| format!("bad header {header:?}"))?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = value.trim().eq_ignore_ascii_case("chunked");
        }
    }
    let mut body = Vec::new();
    if !chunked {
        body.resize(length, 0);
        from.read_exact(&mut body)
            .context("the answer ends early")?;
        return Ok(Answer { status, body });
    }
    loop {
        let size = next(from)?;
        let size =
            usize::from_str_radix(&size, 16).with_context(|| format!("bad chunk size {size:?}"))?;
        from.take(size as u64)
            .read_to_end(&mut body)
            .context("the answer ends early")?;
        if !next(from)?.is_empty() {
            bail!("a chunk is longer than it says");
        }
        if size == 0 {
            return Ok(Answer { status, body });
        }
    }
}

/// Loads the target for `duration` with so many connections, after a warm-up that is not counted. `at` runs at the
/// beginning and at the end of what is counted.
pub(crate) fn run<T>(
    target: &Target,
    connections: usize,
    duration: Duration,
    at: impl Fn() -> Result<T>,
) -> Result<(Answers, T, T)> {
    drive(target, connections, duration / 5)?;
    let before = at()?;
    let answers = drive(target, connections, duration)?;
    let after = at()?;
    Ok((answers, before, after))
}

fn drive(target: &Target, connections: usize, duration: Duration) -> Result<Answers> {
    let requests: Vec<Vec<u8>> = target
        .bodies
        .iter()
        .map(|b| post(target.address, &target.path, b))
        .collect();
    let start = Instant::now();
    let end = start + duration;
    let parts: Vec<Result<(usize, Vec<Duration>)>> = thread::scope(|scope| {
        let requests = &requests;
        let threads: Vec<_> = (0..connections)
            .map(|n| scope.spawn(move || one(target.address, requests, n, end)))
            .collect();
        threads
            .into_iter()
            .map(|t| {
                t.join()
                    .unwrap_or_else(|_| bail!("a client thread panicked"))
            })
            .collect()
    });
    let elapsed = start.elapsed();
    let (mut failed, mut latencies) = (0, Vec::new());
    for part in parts {
        let (bad, good) = part?;
        failed += bad;
        latencies.extend(good);
    }
    latencies.sort_unstable();
    Ok(Answers {
        requests: latencies.len() + failed,
        failed,
        elapsed,
        latencies,
    })
}

/// One connection until `end`: failures, and the latencies of the others.
fn one(
    address: SocketAddr,
    requests: &[Vec<u8>],
    offset: usize,
    end: Instant,
) -> Result<(usize, Vec<Duration>)> {
    let mut connection = Connection::open(address)?;
    let (mut failed, mut latencies) = (0, Vec::new());
    for request in requests.iter().cycle().skip(offset) {
        let sent = Instant::now();
        if sent >= end {
            break;
        }
        match connection.ask(request) {
            Ok(answer) if answer.status == 200 => latencies.push(sent.elapsed()),
            Ok(_) => failed += 1,
            Err(_) => {
                failed += 1;
                connection = Connection::open(address)?;
            }
        }
    }
    Ok((failed, latencies))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn answer(text: &str) -> Result<Answer> {
        read_answer(&mut text.as_bytes())
    }

    #[test]
    fn an_answer_is_read_by_length_and_in_chunks() {
        let plain = answer("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").unwrap();
        assert_eq!(
            (plain.status, plain.body.as_slice()),
            (200, b"hi".as_slice())
        );
        let chunked = answer(
            "HTTP/1.1 429 Slow\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
        );
        let chunked = chunked.unwrap();
        assert_eq!(
            (chunked.status, chunked.body.as_slice()),
            (429, b"abc0123456789".as_slice())
        );
    }

    #[test]
    fn an_answer_that_ends_early_is_an_error() {
        for text in [
            "",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na",
        ] {
            assert!(answer(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn quantiles_are_taken_from_the_sorted_latencies() {
        let latencies: Vec<_> = (0..101).map(Duration::from_millis).collect();
        let answers = Answers {
            requests: 102,
            failed: 1,
            elapsed: Duration::from_secs(1),
            latencies,
        };
        assert_eq!(answers.quantile(0.5), Duration::from_millis(50));
        assert_eq!(answers.quantile(0.99), Duration::from_millis(99));
        assert_eq!(answers.rate(), 101.0);
    }

    #[test]
    fn answers_that_are_not_200_count_as_failed() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let mut seen = String::new();
                let mut answered = 0;
                // A request is its head, an empty line, and a body of two bytes.
                while stream.read_line(&mut seen).unwrap() > 0 {
                    if seen.ends_with("\r\n\r\n") {
                        let mut body = [0; 2];
                        stream.read_exact(&mut body).unwrap();
                        let status = if answered % 2 == 0 { 200 } else { 500 };
                        write!(
                            stream.get_mut(),
                            "HTTP/1.1 {status} x\r\ncontent-length: 2\r\n\r\nok"
                        )
                        .unwrap();
                        answered += 1;
                        seen.clear();
                    }
                }
            }
        });
        let target = Target {
            address,
            path: "/".into(),
            bodies: vec![b"{}".to_vec()],
        };
        let answers = drive(&target, 2, Duration::from_millis(100)).unwrap();
        assert!(
            answers.failed > 0 && answers.failed <= answers.requests / 2,
            "{answers:?}"
        );
    }
}
