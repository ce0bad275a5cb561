//! The end of a server's log, fit to be kept: what looks like a secret is struck out.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use mlops_core::redact;

use super::layout::{ServerDir, is_absent};

/// Read of the end of a file: enough for the lines, and a bound on the memory.
const TAIL_BYTES: u64 = 256 * 1024;

/// The last `lines` lines of a server's log and of its standard error, oldest first.
pub(super) fn last_lines(dir: &ServerDir, lines: usize) -> io::Result<Vec<String>> {
    let mut last = VecDeque::new();
    // Standard error last: it holds the reason if the server did not get as far as its log, and little otherwise.
    for path in [dir.rotated_log(), dir.log(), dir.stderr()] {
        for line in tail(&path)?.lines() {
            if last.len() == lines {
                last.pop_front();
            }
            last.push_back(redact::text(line));
        }
    }
    Ok(last.into_iter().take(lines).collect())
}

fn tail(path: &Path) -> io::Result<String> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(String::new()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    let start = length.saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(match text.split_once('\n') {
        // Cut inside a line: the rest of it could be the middle of a secret.
        Some((_, whole)) if start > 0 => whole.to_owned(),
        None if start > 0 => String::new(),
        _ => text.into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_is_cut_at_a_line_and_at_the_count() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let text: String = (0..40_000).map(|n| format!("line {n}\n")).collect();
        std::fs::write(&path, &text).unwrap();
        let tail = tail(&path).unwrap();
        assert!(tail.len() <= 256 * 1024);
        assert!(text.ends_with(&tail));
        assert!(tail.starts_with("line "));
    }
}
