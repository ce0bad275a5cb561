//! How an image is named.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// The registry of names that have none.
const DEFAULT_REGISTRY: &str = "docker.io";
/// The tag of names that have neither tag nor digest.
const DEFAULT_TAG: &str = "latest";
/// How long a repository's name may be, with its registry.
const LONGEST_NAME: usize = 255;
/// How long a tag may be.
const LONGEST_TAG: usize = 128;

/// `REGISTRY/REPOSITORY:TAG` or `REGISTRY/REPOSITORY@sha256:DIGEST`, as the tools of containers read it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// Without tag and digest, as it was written.
    name: String,
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

impl Reference {
    /// The registry's host, with its port if it has one: `docker.io`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository in its registry: `library/alpine`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The digest, `sha256:DIGEST`, if it is named by it.
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// The tag, unless a digest says more.
    pub fn tag(&self) -> Option<&str> {
        match self.digest {
            Some(_) => None,
            None => Some(self.tag.as_deref().unwrap_or(DEFAULT_TAG)),
        }
    }

    /// What a registry is asked for: the digest, or the tag.
    pub fn selector(&self) -> &str {
        self.digest().or_else(|| self.tag()).unwrap_or(DEFAULT_TAG)
    }

    /// The same repository, with this digest.
    #[must_use]
    pub fn with_digest(&self, digest: &str) -> Self {
        Self {
            tag: None,
            digest: Some(digest.to_owned()),
            ..self.clone()
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::invalid(format!(
                "{text:?} names no image: {why}; write REPOSITORY:TAG, or REPOSITORY@sha256:DIGEST"
            ))
        };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) if is_digest(digest) => (rest, Some(digest.to_owned())),
            Some(_) => {
                return Err(wrong(
                    "a digest is sha256: and 64 hexadecimal digits in lower case",
                ));
            }
            None => (text, None),
        };
        // A colon before the last slash is that of a port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(wrong(
                "a tag has letters, digits, and ._- after the first of them, 128 in all",
            ));
        }
        let (registry, path) = match name.split_once('/') {
            Some((host, path)) if is_host(host) => (host, path),
            _ => (DEFAULT_REGISTRY, name),
        };
        if name.len() > LONGEST_NAME || !path.split('/').all(is_component) {
            return Err(wrong(
                "a repository has lower case letters and digits, divided by one of . _ - /",
            ));
        }
        let is_official = registry == DEFAULT_REGISTRY && !path.contains('/');
        Ok(Self {
            name: name.to_owned(),
            registry: registry.to_owned(),
            repository: match is_official {
                true => format!("library/{path}"),
                false => path.to_owned(),
            },
            tag: tag.map(str::to_owned),
            digest,
        })
    }
}

/// Whether it is what an image is known by: `sha256:` and 64 hexadecimal digits.
fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|digits| {
        digits.len() == 64
            && digits
                .bytes()
                .all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn is_tag(text: &str) -> bool {
    let is_word = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    let mut bytes = text.bytes();
    text.len() <= LONGEST_TAG
        && bytes.next().is_some_and(is_word)
        && bytes.all(|c| is_word(c) || matches!(c, b'.' | b'-'))
}

fn is_host(text: &str) -> bool {
    let is_one = text.contains(['.', ':']) || text == "localhost";
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b':' | b'-');
    is_one && text.bytes().all(plain)
}

/// Letters and digits, divided by one `.`, one or two `_`, or any number of `-`.
fn is_component(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let divided = text.split(is_plain);
    text.starts_with(is_plain)
        && text.ends_with(is_plain)
        && divided.into_iter().all(|between| {
            matches!(between, "" | "." | "_" | "__") || between.bytes().all(|c| c == b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest() -> String {
        format!("sha256:{}", "a".repeat(64))
    }

    #[test]
    fn an_image_is_read_as_the_tools_of_containers_read_it() {
        let digest = digest();
        for (text, registry, repository, selector) in [
            ("alpine", "docker.io", "library/alpine", "latest"),
            ("team/server:1.2", "docker.io", "team/server", "1.2"),
            ("localhost/server", "localhost", "server", "latest"),
            ("localhost:5000/a/b:c", "localhost:5000", "a/b", "c"),
            (
                "example.com:443/server",
                "example.com:443",
                "server",
                "latest",
            ),
            ("ghcr.io/a__b/c--d.e_f:V1", "ghcr.io", "a__b/c--d.e_f", "V1"),
            (
                &format!("111122223333.dkr.ecr.eu-west-1.amazonaws.com/own:1@{digest}"),
                "111122223333.dkr.ecr.eu-west-1.amazonaws.com",
                "own",
                &digest,
            ),
        ] {
            let read: Reference = text.parse().expect(text);
            assert_eq!(
                (read.registry(), read.repository(), read.selector()),
                (registry, repository, selector)
            );
            assert_eq!(read.to_string(), text);
        }
        let tagged: Reference = "own:1".parse().expect("a tag");
        assert_eq!(
            tagged.with_digest(&digest).to_string(),
            format!("own@{digest}")
        );
    }

    #[test]
    fn what_names_no_image_is_refused_with_the_reason() {
        for (text, why) in [
            ("", "a repository has"),
            ("own@sha256:beef", "a digest is"),
            (&format!("own@{}", digest().to_uppercase()), "a digest is"),
            ("own:", "a tag has"),
            ("own:.x", "a tag has"),
            (&format!("own:{}", "t".repeat(129)), "a tag has"),
            ("Own", "a repository has"),
            ("a//b", "a repository has"),
            ("a..b", "a repository has"),
            ("https://example.com/own", "a repository has"),
            (&"a".repeat(256), "a repository has"),
        ] {
            let error = text.parse::<Reference>().expect_err(text);
            assert!(error.to_string().contains(why), "{text}: {error}");
        }
    }
}
