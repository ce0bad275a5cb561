//! What a client of AWS asks, read from the bytes that it sends.

use std::collections::BTreeMap;
use std::mem;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// The operation's name where the protocol names it, in small letters; else the method.
    pub(crate) operation: String,
    /// The parameters, of the Query protocol.
    pub(crate) parameters: BTreeMap<String, String>,
}

/// Finds the requests in what a client of HTTP/1.1 sends.
#[derive(Default)]
pub(super) struct Heads {
    head: Vec<u8>,
    /// The form of a request of the Query protocol, as far as it came.
    form: Option<Vec<u8>>,
    /// Bytes of the body that are still to come.
    body: usize,
}

impl Heads {
    /// The requests that are known by these bytes.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Vec<Request> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            if self.body > 0 {
                let (body, rest) = bytes.split_at(self.body.min(bytes.len()));
                self.body -= body.len();
                bytes = rest;
                if let Some(form) = &mut self.form {
                    form.extend(body);
                    if self.body == 0 {
                        found.push(of_form(&mem::take(form)));
                        self.form = None;
                    }
                }
                continue;
            }
            self.head.push(bytes[0]);
            bytes = &bytes[1..];
            if self.head.ends_with(b"\r\n\r\n") {
                found.extend(self.end_head());
            }
        }
        found
    }

    fn end_head(&mut self) -> Option<Request> {
        let head = String::from_utf8_lossy(&self.head).to_ascii_lowercase();
        self.head.clear();
        let value = |name: &str| {
            let mut lines = head.lines();
            lines
                .find_map(|line| line.strip_prefix(name))
                .map(str::trim)
        };
        let length = value("content-length:").and_then(|text| text.parse().ok());
        self.body = length.unwrap_or(0);
        let is_form = value("content-type:")
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        if is_form && self.body > 0 {
            self.form = Some(Vec::with_capacity(self.body));
            return None;
        }
        let method = head.split(' ').next().unwrap_or_default();
        let operation = value("x-amz-target:").and_then(|target| target.split('.').nth(1));
        Some(Request {
            operation: operation.unwrap_or(method).to_owned(),
            parameters: BTreeMap::new(),
        })
    }
}

fn of_form(form: &[u8]) -> Request {
    let parameters: BTreeMap<String, String> = form_urlencoded::parse(form).into_owned().collect();
    let action = parameters.get("Action").map(|name| name.to_lowercase());
    Request {
        operation: action.unwrap_or_else(|| "post".to_owned()),
        parameters,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_found_however_they_are_cut_and_whatever_they_hold() {
        let sent = b"PUT /b/k HTTP/1.1\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n\
            POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\ncontent-length: 2\r\n\r\n{}\
            POST / HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 36\r\n\r\n\
            Action=DescribeRules&RuleArn=a%3A%2F\
            GET /b/k HTTP/1.1\r\n\r\n";
        for size in [1, 7, sent.len()] {
            let mut heads = Heads::default();
            let found: Vec<_> = sent
                .chunks(size)
                .flat_map(|part| heads.feed(part))
                .collect();
            let operations: Vec<_> = found.iter().map(|one| one.operation.as_str()).collect();
            let expected = ["put", "getitem", "describerules", "get"];
            assert_eq!(operations, expected, "in pieces of {size}");
            assert_eq!(found[2].parameters["RuleArn"], "a:/");
        }
    }
}
