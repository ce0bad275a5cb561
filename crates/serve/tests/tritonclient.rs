//! NVIDIA's Python client, as it comes from PyPI, talks to the server.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use mlops_core::serving::path;
use support::{TestServer, routing, spec};

/// What the virtual environment holds; a change makes a new one.
const REQUIREMENTS: [&str; 2] = ["tritonclient[http]==2.62.0", "numpy==2.2.6"];

fn output(command: &mut Command) -> Result<String, String> {
    let done = command
        .output()
        .map_err(|e| format!("{command:?} cannot be started: {e}"))?;
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    if done.status.success() {
        Ok(text)
    } else {
        Err(format!("{command:?}: {}", text.trim()))
    }
}

/// A Python with the client, made once below the target directory.
fn python() -> Result<PathBuf, String> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let venv = target.join(format!(
        "tritonclient-{}",
        support::sha256(REQUIREMENTS.concat().as_bytes())
            .split_at(12)
            .0
    ));
    let python = venv.join("bin/python");
    if venv.join("complete").exists() {
        return Ok(python);
    }
    output(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&venv),
    )?;
    output(
        Command::new(&python)
            .args(["-m", "pip", "install", "-q", "--disable-pip-version-check"])
            .args(REQUIREMENTS),
    )?;
    std::fs::write(venv.join("complete"), "").map_err(|e| e.to_string())?;
    Ok(python)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tritonclient_talks_to_the_server() {
    let python = match python() {
        Ok(python) => python,
        Err(reason) => {
            let reason = reason.lines().last().unwrap_or_default().to_string();
            println!("SKIP tritonclient_talks_to_the_server: {reason}");
            return;
        }
    };
    let test = TestServer::serving("add").await;
    let mut text = spec("identity_string", 2);
    text.variant = "text".into();
    test.load("t1", &text).await;
    test.put_ok(
        path::ROUTING,
        &routing(&[
            ("main", 10_000, 0, &[("r1", 10_000)]),
            ("text", 0, 0, &[("t1", 10_000)]),
        ]),
    )
    .await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ask_with_tritonclient.py");
    let mut command = Command::new(python);
    command.arg(script).arg(test.server.address().to_string());
    let said = tokio::task::spawn_blocking(move || output(&mut command))
        .await
        .unwrap();
    assert!(
        said.as_ref()
            .is_ok_and(|said| said.contains("tritonclient: ok")),
        "{said:?}"
    );
}
