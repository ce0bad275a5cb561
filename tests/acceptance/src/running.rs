//! A Terraform command that runs in the background, and what it said when it ended.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::plan::Diagnostic;
use crate::process::{self, Process};
use crate::wait;

/// A command with `-json` output that has not ended yet.
#[derive(Debug)]
pub struct Running {
    child: Child,
    output: Arc<Mutex<Vec<u8>>>,
    readers: Vec<JoinHandle<()>>,
    started: Instant,
}

/// A command that ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// How long it took.
    pub took: Duration,
    /// Its errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// Everything that it printed.
    pub output: String,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        let output = Arc::new(Mutex::new(Vec::new()));
        let readers = vec![
            collect(child.stdout.take().expect("stdout is piped"), &output),
            collect(child.stderr.take().expect("stderr is piped"), &output),
        ];
        Self {
            child,
            output,
            readers,
            started: Instant::now(),
        }
    }

    /// Terraform's process id.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("process ids fit into an i32")
    }

    /// The provider processes that it has started and that run now.
    pub fn providers(&self) -> Vec<Process> {
        process::children(self.pid())
            .into_iter()
            .filter(Process::is_provider)
            .collect()
    }

    /// What it printed so far.
    pub fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.output.lock().unwrap_or_else(PoisonError::into_inner))
            .into_owned()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ctrl-C, as a terminal sends it: to Terraform and to its providers.
    pub fn interrupt(&self) {
        for provider in self.providers() {
            process::interrupt(provider.pid);
        }
        process::interrupt(self.pid());
    }

    /// `kill -9` of Terraform alone.
    pub fn kill(&mut self) {
        // It may have ended on its own by now.
        let _ = self.child.kill();
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// If it does not end within `limit`; it is killed then.
    #[track_caller]
    pub fn wait(mut self, limit: Duration) -> Ended {
        let started = self.started;
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if started.elapsed() < limit => thread::sleep(Duration::from_millis(10)),
                Ok(None) => {
                    let _ = self.child.kill();
                    panic!(
                        "the command did not end within {limit:?}; it said:\n{}",
                        self.so_far()
                    );
                }
                Err(error) => panic!("cannot wait for the command: {error}"),
            }
        };
        let took = started.elapsed();
        // A provider that outlives a killed Terraform holds the pipe, so do not wait for its end for ever.
        let done = Instant::now();
        while self.readers.iter().any(|reader| !reader.is_finished())
            && done.elapsed() < Duration::from_secs(2)
        {
            thread::sleep(Duration::from_millis(5));
        }
        let output = self.so_far();
        Ended {
            status,
            took,
            diagnostics: diagnostics(&output),
            output,
        }
    }

    /// Waits until it has printed `text`.
    #[track_caller]
    pub fn expect(&self, text: &str, limit: Duration) {
        wait::until(&format!("the command prints {text:?}"), limit, || {
            self.so_far().contains(text)
        });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A failed test must not leave a Terraform behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Its errors, each in one line.
    pub fn errors(&self) -> Vec<String> {
        self.diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.error)
            .map(Diagnostic::text)
            .collect()
    }

    /// Its warnings, each in one line.
    pub fn warnings(&self) -> Vec<String> {
        self.diagnostics
            .iter()
            .filter(|diagnostic| !diagnostic.error)
            .map(Diagnostic::text)
            .collect()
    }

    /// Asserts that it failed with exit code 1 and an error that holds each of `parts`.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn failed_with(&self, parts: &[&str]) -> &Self {
        assert_eq!(
            self.status.code(),
            Some(1),
            "it was expected to fail with {parts:?}; it said:\n{}",
            self.story()
        );
        let errors = self.errors();
        let told = errors
            .iter()
            .any(|error| parts.iter().all(|part| error.contains(part)));
        assert!(
            told,
            "no error holds all of {parts:?}; the errors:\n{}",
            errors.join("\n")
        );
        self
    }

    /// Asserts that it succeeded.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn succeeded(&self) -> &Self {
        assert!(
            self.status.success(),
            "it failed ({}); it said:\n{}",
            self.status,
            self.story()
        );
        self
    }

    /// What it told a reader: the messages of its JSON lines, and other lines as they are.
    pub fn story(&self) -> String {
        let told = |line: &str| match serde_json::from_str::<Value>(line) {
            Ok(json) => {
                let message = json["@message"].as_str().unwrap_or(line).to_owned();
                match json.pointer("/diagnostic/detail").and_then(Value::as_str) {
                    Some(detail) => format!("{message}: {detail}"),
                    None => message,
                }
            }
            Err(_) => line.to_owned(),
        };
        self.output.lines().map(told).collect::<Vec<_>>().join("\n")
    }
}

/// Line by line: what comes by two pipes in pieces would else be mixed within lines.
fn collect(from: impl Read + Send + 'static, to: &Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    let to = Arc::clone(to);
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            to.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .append(&mut line);
        }
    })
}

fn diagnostics(output: &str) -> Vec<Diagnostic> {
    let lines = output
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|line| line["type"] == "diagnostic")
        .map(|line| Diagnostic::read(&line["diagnostic"]))
        .collect()
}
