//! Asks a server for its health as a client would: over its public port.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// The longest that an answer from this machine may take.
const LIMIT: Duration = Duration::from_secs(1);

/// Whether `GET /v2/health/live` answers 200 on `address`.
pub(super) async fn is_live(address: SocketAddr) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        let request =
            format!("GET /v2/health/live HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut status = String::new();
        BufReader::new(stream).read_line(&mut status).await?;
        Ok::<_, std::io::Error>(status.split(' ').nth(1) == Some("200"))
    };
    matches!(tokio::time::timeout(LIMIT, ask).await, Ok(Ok(true)))
}
