//! Servers that stand in for AWS. `scripts/parts` puts them there and starts them.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// A server that runs for as long as this process: it ends with its standard input.
pub struct Part {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// What it said before.
    pub said: String,
    _child: Child,
}

/// DynamoDB Local; `None`, and the test is skipped, where it cannot run.
pub fn dynamodb_local() -> Option<&'static Part> {
    static PART: OnceLock<Result<Part, String>> = OnceLock::new();
    started(&PART, "dynamodb-local")
}

/// ministack; `None`, and the test is skipped, where it cannot run.
pub fn ministack() -> Option<&'static Part> {
    static PART: OnceLock<Result<Part, String>> = OnceLock::new();
    started(&PART, "ministack")
}

/// ministack in a world where ECS runs containers; `None`, and the test is skipped, where that cannot be.
pub fn ecs_world() -> Option<&'static Part> {
    static PART: OnceLock<Result<Part, String>> = OnceLock::new();
    started(&PART, "ecs-world")
}

/// ministack in a world where ECS keeps books and runs no container; `None`, and the test is skipped, where it cannot run.
pub fn ecs_paper() -> Option<&'static Part> {
    static PART: OnceLock<Result<Part, String>> = OnceLock::new();
    started(&PART, "ecs-paper")
}

/// moto; `None`, and the test is skipped, where it cannot run.
pub fn moto() -> Option<&'static Part> {
    static PART: OnceLock<Result<Part, String>> = OnceLock::new();
    started(&PART, "moto")
}

/// versitygw; `None`, and the test is skipped, where it cannot run.
pub fn versitygw() -> Option<&'static Part> {
    static PART: OnceLock<Result<Part, String>> = OnceLock::new();
    started(&PART, "versitygw")
}

/// Toxiproxy, whose API is at its URL; `None`, and the test is skipped, where it cannot run.
pub fn toxiproxy() -> Option<&'static Part> {
    static PART: OnceLock<Result<Part, String>> = OnceLock::new();
    started(&PART, "toxiproxy")
}

fn started(part: &'static OnceLock<Result<Part, String>>, name: &str) -> Option<&'static Part> {
    match part.get_or_init(|| Part::start(name)) {
        Ok(part) => Some(part),
        Err(reason) => {
            super::skip(reason);
            None
        }
    }
}

impl Part {
    /// Starts `scripts/parts/NAME`. A script that cannot put its part there ends with code 3 and
    /// says why; every other failure is the test's.
    #[expect(
        clippy::zombie_processes,
        reason = "a part that runs ends with this process"
    )]
    pub fn start(name: &str) -> Result<Self, String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../scripts/parts")
            .join(name);
        let mut child = Command::new(&script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", script.display()));
        let stderr = child.stderr.take().expect("piped");
        // Read to the end on its own thread, so that the part never waits for us.
        let said = std::thread::spawn(move || {
            let mut said = String::new();
            let _ = BufReader::new(stderr).read_to_string(&mut said);
            said
        });
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line).expect("text") == 0 {
                let status = child.wait().expect("its exit status");
                let said = said.join().expect("what it said");
                assert_eq!(status.code(), Some(3), "{name} ended: {seen}{said}");
                let reason = said.lines().find(|line| line.starts_with("missing: "));
                return Err(reason.unwrap_or("missing: a part").to_owned());
            }
            if let Some(address) = line.trim().strip_prefix("listening on ") {
                let url = format!("http://{address}");
                std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
                return Ok(Self {
                    url,
                    said: seen,
                    _child: child,
                });
            }
            seen.push_str(&line);
        }
    }
}
