//! The end of a server's log, fit to be kept: what looks like a secret is struck out.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::layout::{ServerDir, is_absent};

/// Read of the end of a file: enough for the lines, and a bound on the memory.
const TAIL_BYTES: u64 = 256 * 1024;

/// What stands in a secret's place.
const STRUCK: &str = "***";

/// Words that make a name the name of a secret.
const SECRET_WORDS: [&str; 4] = ["password", "token", "secret", "key"];

/// The last `lines` lines of a server's log and of its standard error, oldest first.
pub(super) fn last_lines(dir: &ServerDir, lines: usize) -> io::Result<Vec<String>> {
    let mut last = VecDeque::new();
    // Standard error last: it holds the reason if the server did not get as far as its log, and little otherwise.
    for path in [dir.rotated_log(), dir.log(), dir.stderr()] {
        for line in tail(&path)?.lines() {
            if last.len() == lines {
                last.pop_front();
            }
            last.push_back(redact(line));
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

/// Strikes out the value of every `NAME=value`, `"NAME":"value"` and `NAME: value` whose name ends in a word for a
/// secret.
fn redact(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(['=', ':']) {
        let (name, value) = (&rest[..at], &rest[at + 1..]);
        out.push_str(&rest[..=at]);
        rest = value;
        if !names_a_secret(name) {
            continue;
        }
        let (before, length) = extent(value);
        out.push_str(&value[..before]);
        if length > 0 {
            out.push_str(STRUCK);
        }
        rest = &value[before + length..];
    }
    out.push_str(rest);
    out
}

/// Whether the text before a separator ends in a name with one of the words in it. Escaped quotes count as quotes: a log
/// line may hold JSON inside a JSON string.
fn names_a_secret(text: &str) -> bool {
    let text = text.trim_end_matches(['"', '\'', '\\', ' ']);
    let name = text
        .rsplit(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')))
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// Where a value begins (after spaces and its opening quote) and how long it is.
fn extent(value: &str) -> (usize, usize) {
    let spaces = value.len() - value.trim_start_matches(' ').len();
    let quote_at = spaces + value[spaces..].len() - value[spaces..].trim_start_matches('\\').len();
    let escaped = quote_at > spaces;
    let quote = value[quote_at..]
        .chars()
        .next()
        .filter(|c| matches!(c, '"' | '\''));
    match quote {
        Some(quote) => {
            let begin = quote_at + 1;
            let body = &value[begin..];
            let mut backslash = false;
            for (at, c) in body.char_indices() {
                if c == quote && !backslash {
                    return (begin, at);
                }
                if c == quote && escaped {
                    return (begin, at - 1);
                }
                backslash = c == '\\' && !backslash;
            }
            (begin, body.len())
        }
        None => {
            let body = &value[spaces..];
            let end = body
                .find(|c: char| {
                    c.is_whitespace() || matches!(c, ',' | ';' | '&' | '}' | ']' | ')' | '"')
                })
                .unwrap_or(body.len());
            (spaces, end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secret_names_are_struck_and_the_rest_stays() {
        for (line, expected) in [
            ("password=hunter2 user=ann", "password=*** user=ann"),
            ("DB_PASSWORD=hunter2", "DB_PASSWORD=***"),
            ("url?api_key=abc&x=1", "url?api_key=***&x=1"),
            (r#"{"token":"abc","n":1}"#, r#"{"token":"***","n":1}"#),
            (
                r#"{"Secret" : "a b \" c", "n": 1}"#,
                r#"{"Secret" : "***", "n": 1}"#,
            ),
            (
                r#"{"message":"x {\"token\":\"abc\"} y"}"#,
                r#"{"message":"x {\"token\":\"***\"} y"}"#,
            ),
            ("secret='a b' rest", "secret='***' rest"),
            ("token: abc, next", "token: ***, next"),
            ("secret=", "secret="),
            ("plain text at 12:30:01", "plain text at 12:30:01"),
            ("requests=5 errors=0", "requests=5 errors=0"),
            ("clé=é token=é", "clé=é token=***"),
            (r#"token="unfinished"#, r#"token="***"#),
        ] {
            assert_eq!(redact(line), expected);
        }
    }

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
