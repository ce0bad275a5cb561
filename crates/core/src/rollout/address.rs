//! Where a source is asked: an absolute URL without credentials.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::template::Template;
use crate::error::{Error, Result};

/// An absolute `http` or `https` URL; its path and query may have placeholders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(Template);

impl Address {
    /// The whole, with its placeholders.
    pub fn template(&self) -> &Template {
        &self.0
    }

    /// Whether it ends in a query, as `?window=5m` is.
    pub fn has_query(&self) -> bool {
        self.0.as_str().contains('?')
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |what: &str| {
            Error::invalid(format!(
                "{text:?} {what}: write a URL, such as https://prometheus.example.com:9090"
            ))
        };
        let rest = (text.strip_prefix("http://"))
            .or_else(|| text.strip_prefix("https://"))
            .ok_or_else(|| wrong("does not begin with http:// or https://"))?;
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') {
            // Not told again: there is a password in it.
            return Err(Error::invalid(
                "the URL has credentials in it, which would be in the state and in logs; take them out, and name an environment \
                 variable that holds a token in bearer_token_env",
            ));
        }
        if !rest.chars().all(|c| c.is_ascii_graphic() || c == ' ') || rest.contains('#') {
            return Err(wrong("has a character that a URL does not have"));
        }
        // A placeholder may have spaces; nothing else may.
        if without_placeholders(rest).contains(' ') {
            return Err(wrong("has a space"));
        }
        if authority.contains(['{', '}', ' ']) {
            return Err(wrong("has no host"));
        }
        let (host, port) = match authority.rsplit_once(':') {
            // The colons of an IPv6 address stand in brackets.
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let is_bracketed = host.starts_with('[') && host.ends_with(']');
        if host.is_empty() || (host.contains([':', '[', ']']) && !is_bracketed) {
            return Err(wrong("has no host"));
        }
        if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port > 0)) {
            return Err(wrong("has a port that is none"));
        }
        text.parse().map(Self)
    }
}

fn without_placeholders(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        rest = after.split_once("}}").map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for Address {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_urls_are_addresses() {
        for text in [
            "http://127.0.0.1:9090",
            "https://prometheus.example.com/tenant/a",
            "http://[::1]:9090/x",
            "http://[::1]",
            "https://rates.internal/{{ endpoint }}?revision={{revision}}",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert!("http://a/?b".parse::<Address>().unwrap().has_query());
    }

    #[test]
    fn what_is_no_url_says_why() {
        for (text, what) in [
            ("prometheus:9090", "does not begin with http"),
            ("ftp://a", "does not begin with http"),
            ("http://", "has no host"),
            ("http://:9090", "has no host"),
            ("http://{{endpoint}}/", "has no host"),
            ("http://a b/", "has a space"),
            ("http://a:port/", "has a port that is none"),
            ("http://a:0", "has a port that is none"),
            ("http://::1/", "has no host"),
            ("http://a/#x", "a character that a URL does not have"),
            ("http://a/{{version}}", "stands for nothing"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(what), "{text}: {error}");
        }
    }

    #[test]
    fn credentials_in_a_url_are_refused_and_not_told() {
        let error = "https://ann:s3cret@prometheus.internal/"
            .parse::<Address>()
            .unwrap_err();
        let told = error.chain().to_string();
        assert!(told.contains("bearer_token_env"), "{told}");
        assert!(!told.contains("s3cret"), "{told}");
    }
}
