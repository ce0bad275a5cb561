//! A small HTTP/1.1 client over one connection, which tells a refused request from one that was cut off.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde_json::Value;

/// Longer than any answer of a server that works.
const LIMIT: Duration = Duration::from_secs(30);

/// A connection to a server, opened when it is needed and kept open.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    host: String,
    connection: Option<BufReader<TcpStream>>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// The address that a URL names.
///
/// # Panics
/// If it is not `http://HOST:PORT…`.
pub fn address(url: &str) -> SocketAddr {
    let rest = url
        .strip_prefix("http://")
        .unwrap_or_else(|| panic!("{url:?} is no http URL"));
    let authority = rest.split('/').next().unwrap_or_default();
    let mut addresses = authority
        .to_socket_addrs()
        .unwrap_or_else(|error| panic!("{url:?} names no address: {error}"));
    addresses
        .next()
        .unwrap_or_else(|| panic!("{url:?} names no address"))
}

impl Client {
    /// A client of the server at this URL. It connects with the first request.
    pub fn new(url: &str) -> Self {
        let address = address(url);
        Self {
            address,
            host: address.to_string(),
            connection: None,
        }
    }

    /// The same client, which asks for a host of this name: what a record of DNS for the address would make of it.
    #[must_use]
    pub fn of_host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// GET.
    ///
    /// # Errors
    /// If no answer comes.
    pub fn get(&mut self, path: &str) -> io::Result<Response> {
        self.request("GET", path, &[], b"")
    }

    /// POST of JSON.
    ///
    /// # Errors
    /// If no answer comes.
    pub fn post(&mut self, path: &str, json: &[u8]) -> io::Result<Response> {
        self.request("POST", path, &[("content-type", "application/json")], json)
    }

    /// One request. A connection that fails is dropped, and the request is not repeated.
    ///
    /// # Errors
    /// If no answer comes.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Response> {
        let answer = self.exchange(method, path, headers, body);
        match &answer {
            Ok(response) if response.header("connection") != Some("close") => {}
            _ => self.connection = None,
        }
        answer
    }

    fn exchange(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Response> {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n",
            self.host,
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                let stream = TcpStream::connect_timeout(&self.address, LIMIT)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(LIMIT))?;
                stream.set_write_timeout(Some(LIMIT))?;
                none.insert(BufReader::new(stream))
            }
        };
        let mut message = head.into_bytes();
        message.extend_from_slice(body);
        connection.get_mut().write_all(&message)?;
        read(connection)
    }
}

fn read(from: &mut impl BufRead) -> io::Result<Response> {
    let status = line(from)?;
    let status = status
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| malformed("status line"))?;
    let mut headers = Vec::new();
    loop {
        let line = line(from)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("header"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut response = Response {
        status,
        headers,
        body: Vec::new(),
    };
    if response.header("transfer-encoding") == Some("chunked") {
        loop {
            let size = usize::from_str_radix(line(from)?.trim(), 16)
                .map_err(|_| malformed("chunk size"))?;
            let mut chunk = vec![0; size];
            from.read_exact(&mut chunk)?;
            response.body.extend_from_slice(&chunk);
            line(from)?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = response.header("content-length") {
        let mut body = vec![0; length.parse().map_err(|_| malformed("content-length"))?];
        from.read_exact(&mut body)?;
        response.body = body;
    }
    Ok(response)
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if from.take(64 * 1024).read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_answer_is_put_together() {
        let text =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        let response = read(&mut text.as_bytes()).expect("it is well formed");
        assert_eq!((response.status, response.text().as_str()), (200, "abcde"));
    }

    #[test]
    fn an_answer_that_is_cut_off_is_an_error() {
        let text = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc";
        assert_eq!(
            read(&mut text.as_bytes())
                .expect_err("it is cut off")
                .kind(),
            io::ErrorKind::UnexpectedEof
        );
    }
}
