//! The log: one JSON object a line, written by a thread of its own so that no request waits for a disk.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use mlops_core::serving::LogTarget;
use serde::Serialize;

use crate::error::ServeError;

/// Lines that may wait for the disk; further ones are dropped and counted.
const WAITING: usize = 4_096;

pub(crate) struct Log {
    lines: Mutex<Option<SyncSender<String>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    dropped: AtomicU64,
}

#[derive(Serialize)]
struct Line<'a, T: Serialize> {
    timestamp: String,
    level: &'a str,
    event: &'a str,
    #[serde(flatten)]
    fields: T,
}

impl Log {
    pub(crate) fn open(target: &LogTarget) -> Result<Self, ServeError> {
        let mut sink = match target {
            LogTarget::Stderr => Sink::Stderr,
            LogTarget::File { path, max_bytes } => {
                Sink::open(path.clone(), *max_bytes).map_err(|source| ServeError::Log {
                    path: path.clone(),
                    source,
                })?
            }
        };
        let (sender, receiver) = sync_channel(WAITING);
        let writer = std::thread::Builder::new()
            .name("mlops-log".into())
            .stack_size(128 * 1024)
            .spawn(move || write(&receiver, &mut sink))
            .map_err(|source| ServeError::Runtime { source })?;
        Ok(Self {
            lines: Mutex::new(Some(sender)),
            writer: Mutex::new(Some(writer)),
            dropped: AtomicU64::new(0),
        })
    }

    /// Writes a line; `fields` is an object.
    pub(crate) fn event(&self, level: &str, event: &str, fields: impl Serialize) {
        let timestamp = jiff::Timestamp::now().to_string();
        let Ok(mut line) = serde_json::to_string(&Line {
            timestamp,
            level,
            event,
            fields,
        }) else {
            return;
        };
        line.push('\n');
        let sender = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sender) = sender.as_ref() else {
            return;
        };
        let dropped = self.dropped.load(Relaxed);
        if dropped > 0
            && sender
                .try_send(format!(
                    "{{\"level\":\"warn\",\"event\":\"log\",\"dropped\":{dropped}}}\n"
                ))
                .is_ok()
        {
            self.dropped.fetch_sub(dropped, Relaxed);
        }
        if sender.try_send(line).is_err() {
            self.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Writes what waits, and no more.
    pub(crate) fn close(&self) {
        drop(
            self.lines
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(writer) = writer {
            // It ends when the last sender is gone; a panic there has nobody to be told to.
            let _ = writer.join();
        }
    }
}

enum Sink {
    Stderr,
    File {
        path: PathBuf,
        file: File,
        size: u64,
        max_bytes: u64,
    },
}

impl Sink {
    fn open(path: PathBuf, max_bytes: u64) -> std::io::Result<Self> {
        let file = create(&path)?;
        let size = file.metadata()?.len();
        Ok(Sink::File {
            path,
            file,
            size,
            max_bytes,
        })
    }

    fn write(&mut self, text: &str) -> std::io::Result<()> {
        match self {
            Sink::Stderr => std::io::stderr().lock().write_all(text.as_bytes()),
            Sink::File {
                path,
                file,
                size,
                max_bytes,
            } => {
                if *size > 0 && *size + text.len() as u64 > *max_bytes {
                    let mut old = path.clone().into_os_string();
                    old.push(".1");
                    std::fs::rename(&*path, old)?;
                    *file = create(path)?;
                    *size = 0;
                }
                file.write_all(text.as_bytes())?;
                *size += text.len() as u64;
                Ok(())
            }
        }
    }
}

fn create(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

fn write(lines: &Receiver<String>, sink: &mut Sink) {
    while let Ok(mut text) = lines.recv() {
        // What has gathered meanwhile goes in the same write.
        while text.len() < 64 * 1024
            && let Ok(more) = lines.try_recv()
        {
            text.push_str(&more);
        }
        // A full disk must not stop the server: these lines are lost.
        let _ = sink.write(&text);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_log_file_is_private_and_never_takes_more_than_twice_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut sink = Sink::open(path.clone(), 100).unwrap();
        for i in 0..50 {
            sink.write(&format!("{{\"line\":{i}}}\n")).unwrap();
        }
        let size = |p: &Path| std::fs::metadata(p).unwrap().len();
        let old = dir.path().join("log.1");
        assert!(size(&path) <= 100 && size(&old) <= 100);
        assert!(
            std::fs::read_to_string(&path)
                .unwrap()
                .ends_with("{\"line\":49}\n")
        );
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}
