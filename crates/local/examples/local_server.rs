//! What the tests of the local target run as a server: the program that calls [`dispatch`], as the provider does.
//!
//! The endpoint's name chooses how the server behaves, because what matters here is a server that misbehaves:
//! `stuck…` never ends by itself and ignores SIGTERM, `mute…` holds the lock and answers nothing, `broken…` ends with
//! status 3 after a word on standard error, `stray…` claims another nonce. Every other name is the real model server.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::ExitCode;

use mlops_core::serving::{
    EXIT_ADDRESS_IN_USE, Identity, MetricsSnapshot, ServerConfig, Shutdown, Status,
};
use mlops_local::target::child::dispatch;

fn main() -> ExitCode {
    let args = std::env::args_os();
    dispatch(args, serve).unwrap_or_else(|| {
        eprintln!("this program is a server of tests");
        ExitCode::FAILURE
    })
}

fn serve(config: ServerConfig) -> u8 {
    let behaves = |name: &str| config.endpoint.starts_with(name);
    if behaves("broken") {
        eprintln!("the model caught fire, password=hunter2");
        return 3;
    }
    if behaves("mute") {
        loop {
            std::thread::park();
        }
    }
    if !behaves("stuck") && !behaves("stray") {
        return mlops_serve::run(config).err().map_or(0, |error| {
            eprintln!("{error}");
            error.exit_code() as u8
        });
    }
    let Ok(data) = TcpListener::bind(config.listen) else {
        return EXIT_ADDRESS_IN_USE as u8;
    };
    let socket = config
        .admin_socket
        .clone()
        .expect("the target names a socket");
    let _ = std::fs::remove_file(&socket);
    let admin = UnixListener::bind(&socket).expect("the socket can be bound");
    std::fs::set_permissions(&socket, PermissionsExt::from_mode(0o600)).expect("it is ours");
    if behaves("stuck") {
        ignore_sigterm();
    }
    std::thread::spawn(move || {
        for stream in data.incoming().flatten() {
            answer(stream, |_| "{}".to_owned());
        }
    });
    for stream in admin.incoming().flatten() {
        let mut ends = false;
        answer(stream, |path| {
            ends = path.starts_with("/shutdown") && !behaves("stuck");
            reply(&config, path)
        });
        if ends {
            break;
        }
    }
    0
}

/// A signal that tokio was once asked for never again has its default effect in the process.
fn ignore_sigterm() {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime can be made");
    let _runtime = runtime.enter();
    let _signal = signal(SignalKind::terminate()).expect("SIGTERM can be caught");
}

fn reply(config: &ServerConfig, path: &str) -> String {
    let nonce = match config.endpoint.starts_with("stray") {
        true => "another".to_owned(),
        false => config.nonce.clone(),
    };
    let json = match path.split('?').next() {
        Some("/identity") => serde_json::to_string(&Identity {
            nonce,
            pid: std::process::id(),
            endpoint: config.endpoint.clone(),
            started_at_unix_ms: 0,
            server_version: "test".into(),
        }),
        Some("/status") => serde_json::to_string(&Status {
            endpoint: config.endpoint.clone(),
            listen: config.listen,
            accepting: true,
            ready: false,
            variants: BTreeMap::new(),
        }),
        Some("/metrics/snapshot") => serde_json::to_string(&MetricsSnapshot {
            nonce,
            taken_at_unix_ms: 0,
            revisions: BTreeMap::new(),
        }),
        _ => serde_json::to_string(&Shutdown { in_flight: 0 }),
    };
    json.expect("the protocol's types are JSON")
}

fn answer(stream: impl Read + Write, reply: impl FnOnce(&str) -> String) {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    let mut line = String::new();
    let _ = reader.read_line(&mut first);
    while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
        line.clear();
    }
    let body = reply(first.split(' ').nth(1).unwrap_or_default());
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = reader
        .get_mut()
        .write_all(format!("{head}{body}").as_bytes());
}
