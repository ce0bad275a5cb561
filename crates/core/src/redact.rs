//! What looks like a secret is struck out of texts that leave the process: log lines that are kept of a failure, the
//! reasons of a stopped deployment, and so events, errors and `--json`.
//!
//! | what | example |
//! |---|---|
//! | the value of a name that says so | `password=…`, `"api_key": "…"`, `AWS_SECRET_ACCESS_KEY=…` |
//! | what follows an authorization scheme | `Bearer …`, `Basic …` |
//! | the password of an address, or a user's name that stands alone | `https://ann:…@host`, `https://…@host` |
//! | an AWS access key id | `AKIA…`, `ASIA…` |
//! | a JSON web token | `eyJ….….…` |
//!
//! It guesses: a secret that looks like a word is not found. Values that are known are struck out by whoever knows them.

use serde_json::Value;

/// What stands in a secret's place. Striking out a text twice changes nothing more.
pub const STRUCK: &str = "***";

/// A name with one of these in it is the name of a secret.
const ANYWHERE: [&str; 5] = ["password", "passwd", "passphrase", "secret", "credential"];
/// A name that ends in one of these is: `api_key`, but not the `token_ids` of a model.
const AT_THE_END: [&str; 3] = ["token", "key", "x-amz-signature"];

/// Authorization schemes that are followed by a secret.
const SCHEMES: [&str; 2] = ["bearer ", "basic "];

/// Shorter words after a scheme are prose: `basic auth`.
const SHORTEST_TOKEN: usize = 8;

/// The text without secrets.
pub fn text(text: &str) -> String {
    named(&words(&authorized(&addresses(text))))
}

/// The document without secrets: in its texts, and under names of secrets.
pub fn value(value: Value) -> Value {
    match value {
        Value::String(found) => Value::String(text(&found)),
        Value::Array(items) => Value::Array(items.into_iter().map(self::value).collect()),
        Value::Object(fields) => {
            let strike = |(name, field): (String, Value)| {
                let field = match field {
                    Value::String(_) if names_a_secret(&name) => STRUCK.into(),
                    other => self::value(other),
                };
                (name, field)
            };
            Value::Object(fields.into_iter().map(strike).collect())
        }
        other => other,
    }
}

/// Strikes out the credentials of `scheme://user:password@host`.
fn addresses(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after
            .find(|c: char| {
                c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>')
            })
            .unwrap_or(after.len());
        rest = after;
        // The last one: a password may hold another.
        if let Some(host) = after[..end].rfind('@') {
            if let Some(colon) = after[..host].find(':') {
                out.push_str(&after[..=colon]);
            }
            out.push_str(STRUCK);
            rest = &after[host..];
        }
    }
    out.push_str(rest);
    out
}

/// Strikes out what follows `Bearer` and `Basic`.
fn authorized(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    while let Some(begin) = SCHEMES
        .iter()
        .filter_map(|scheme| Some(done + lower[done..].find(scheme)? + scheme.len()))
        .min()
    {
        let end = text[begin..]
            .find(|c: char| !(c.is_ascii_alphanumeric() || "-._~+/=".contains(c)))
            .map_or(text.len(), |length| begin + length);
        out.push_str(&text[done..begin]);
        out.push_str(match end - begin >= SHORTEST_TOKEN {
            true => STRUCK,
            false => &text[begin..end],
        });
        done = end;
    }
    out.push_str(&text[done..]);
    out
}

/// Strikes out words that are secrets by their form.
fn words(text: &str) -> String {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find(part) {
        out.push_str(&rest[..begin]);
        let word = &rest[begin..];
        let end = word.find(|c| !part(c)).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        out.push_str(match is_access_key(word) || is_web_token(word) {
            true => STRUCK,
            false => word,
        });
        rest = after;
    }
    out.push_str(rest);
    out
}

fn is_access_key(word: &str) -> bool {
    let word = word.trim_end_matches('.');
    (word.starts_with("AKIA") || word.starts_with("ASIA"))
        && word.len() == 20
        && word
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

fn is_web_token(word: &str) -> bool {
    word.starts_with("eyJ") && word.len() >= 40 && word.matches('.').count() == 2
}

/// Strikes out the value of every `NAME=value`, `"NAME":"value"` and `NAME: value` whose name is a secret's.
fn named(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['=', ':']) {
        let (name, value) = (&rest[..at], &rest[at + 1..]);
        out.push_str(&rest[..=at]);
        rest = value;
        // An address is no value: its credentials are struck out already.
        if !names_a_secret(name) || value.starts_with("//") {
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

/// Whether the text before a separator ends in the name of a secret. Escaped quotes count as quotes: a log line may hold
/// JSON inside a JSON string.
fn names_a_secret(text: &str) -> bool {
    let text = text.trim_end_matches(['"', '\'', '\\', ' ']);
    let name = text
        .rsplit(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')))
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    ANYWHERE.iter().any(|word| name.contains(word))
        || AT_THE_END.iter().any(|word| name.ends_with(word))
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
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn strikes(line: &str, expected: &str) {
        let struck = text(line);
        assert_eq!(struck, expected);
        assert_eq!(text(&struck), expected, "a second time");
    }

    #[test]
    fn values_of_secret_names_are_struck_and_the_rest_stays() {
        for (line, expected) in [
            ("password=hunter2 user=ann", "password=*** user=ann"),
            ("DB_PASSWORD=hunter2", "DB_PASSWORD=***"),
            ("url?api_key=abc&x=1", "url?api_key=***&x=1"),
            ("AWS_SECRET_ACCESS_KEY=a/b+c", "AWS_SECRET_ACCESS_KEY=***"),
            (
                r#"{"SecretAccessKey":"abc"}"#,
                r#"{"SecretAccessKey":"***"}"#,
            ),
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
            ("clé=é token=é", "clé=é token=***"),
            (r#"token="unfinished"#, r#"token="***"#),
        ] {
            strikes(line, expected);
        }
    }

    #[test]
    fn credentials_of_addresses_are_struck_out() {
        for (line, expected) in [
            ("https://ann:hunter2@host/x", "https://ann:***@host/x"),
            ("postgres://ann:p@ss@db:5432", "postgres://ann:***@db:5432"),
            (
                "get https://ghp_abc@host failed",
                "get https://***@host failed",
            ),
            ("http://127.0.0.1:8080/a@b", "http://127.0.0.1:8080/a@b"),
            (
                "https://b/o?X-Amz-Signature=0f&X-Amz-Date=1",
                "https://b/o?X-Amz-Signature=***&X-Amz-Date=1",
            ),
        ] {
            strikes(line, expected);
        }
    }

    #[test]
    fn authorization_and_keys_are_struck_out_by_their_form() {
        let token = format!("eyJ{}.{}.{}", "a".repeat(20), "b".repeat(20), "c");
        for (line, expected) in [
            (
                "authorization: Bearer abc.def-123 end",
                "authorization: Bearer *** end",
            ),
            ("Basic YW5uOmh1bnRlcjI=", "Basic ***"),
            // In two parts, so that scripts/check-secrets does not take it for a leak.
            (concat!("id AKIA", "IOSFODNN7EXAMPLE."), "id ***"),
            (concat!("id AKIA", "IOSFODNN7EXAMPLE, x"), "id ***, x"),
            (&format!("got {token}"), "got ***"),
        ] {
            strikes(line, expected);
        }
    }

    #[test]
    fn what_holds_no_secret_stays_as_it_is() {
        for line in [
            "plain text at 12:30:01",
            "requests=5 errors=0",
            "input \"token_ids\": shape [1, 2], not [1, 3]",
            "basic auth is off; the bearer of bad news",
            "model file \"/a/b.onnx\" has SHA-256 0a1b, not 0c as the registry recorded",
        ] {
            strikes(line, line);
        }
    }

    #[test]
    fn documents_are_struck_out_at_any_depth() {
        let document = json!({
            "log": ["Bearer abcdefgh", "ok"],
            "at": {"api_token": "abc", "n": 1, "key": {"password": "x"}},
        });
        let expected = json!({
            "log": ["Bearer ***", "ok"],
            "at": {"api_token": "***", "n": 1, "key": {"password": "***"}},
        });
        assert_eq!(value(document), expected);
    }
}
