//! The built binary, and a server that it runs.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

pub(crate) fn mlops(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlops"));
    command.args(arguments).stdin(Stdio::null());
    for variable in [
        "TF_WORKSPACE",
        "TF_DATA_DIR",
        "TG_DOWNLOAD_DIR",
        "TERRAGRUNT_DOWNLOAD",
        "ATLANTIS_TERRAFORM_VERSION",
    ] {
        command.env_remove(variable);
    }
    command
}

pub(crate) fn ended(output: &Output) -> (i32, String) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), text)
}

pub(crate) fn digits() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart/models/digits-v1.onnx")
}

/// A server that is ended with the test.
pub(crate) struct Served(pub(crate) Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `mlops serve` and waits for its log to name the address.
pub(crate) fn serve(arguments: &[&str]) -> (Served, String) {
    let mut child = mlops(&["serve", "--foreground"])
        .args(arguments)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let served = Served(child);
    let mut line = String::new();
    loop {
        line.clear();
        assert_ne!(
            log.read_line(&mut line).unwrap(),
            0,
            "it ended before it listened"
        );
        let event: Value = serde_json::from_str(&line).unwrap_or_default();
        if let Some(address) = event["address"].as_str() {
            let address = address.to_owned();
            // The log is read to its end, or the server would block on it.
            std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
            return (served, address);
        }
    }
}

pub(crate) fn post(address: &str, path: &str, body: &Value) -> String {
    ask(address, "POST", path, &body.to_string())
}

pub(crate) fn get(address: &str, path: &str) -> String {
    ask(address, "GET", path, "")
}

fn ask(address: &str, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
