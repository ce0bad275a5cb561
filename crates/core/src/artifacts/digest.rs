//! Digests and manifests.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};

/// A SHA-256, printed as `sha256:` and 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// What a finished hasher says.
    pub fn finish(hasher: Sha256) -> Self {
        Self(hasher.finalize().into())
    }

    /// The 64 hex digits, without the algorithm.
    pub fn hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = String::with_capacity(64);
        for byte in self.0 {
            hex.push(DIGITS[usize::from(byte >> 4)] as char);
            hex.push(DIGITS[usize::from(byte & 15)] as char);
        }
        hex
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl std::str::FromStr for Digest {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::invalid(format!(
                "{text:?} is not a digest: write sha256: and 64 lower-case hex digits"
            ))
        };
        let hex = text.strip_prefix("sha256:").ok_or_else(wrong)?;
        let nibble = |c: u8| match c {
            b'0'..=b'9' => Some(c - b'0'),
            b'a'..=b'f' => Some(c - b'a' + 10),
            _ => None,
        };
        let mut bytes = [0; 32];
        if hex.len() != 64 {
            return Err(wrong());
        }
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            *byte = nibble(pair[0]).ok_or_else(wrong)? << 4 | nibble(pair[1]).ok_or_else(wrong)?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// A file of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileEntry {
    /// Relative path, joined by `/`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Of the file's bytes.
    pub digest: Digest,
}

/// An artifact: what its manifest says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Of the manifest.
    pub digest: Digest,
    /// Bytes of all files.
    pub size: u64,
    /// Sorted by path.
    pub files: Vec<FileEntry>,
}

const HEADER: &str = "mlops-manifest-v1\n";

impl Artifact {
    /// The artifact of these files, in any order. Paths must be unique and legal.
    pub fn new(mut files: Vec<FileEntry>) -> Result<Self> {
        files.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
        if files.is_empty() {
            return Err(Error::invalid("an artifact without files has no digest"));
        }
        for file in &files {
            check_path(&file.path)?;
        }
        if let Some(pair) = files.windows(2).find(|pair| pair[0].path == pair[1].path) {
            return Err(Error::invalid(format!(
                "the path {:?} stands twice in one artifact",
                pair[0].path
            )));
        }
        Ok(Self {
            digest: Digest::of(manifest_text(&files).as_bytes()),
            size: files.iter().map(|file| file.size).sum(),
            files,
        })
    }

    /// The manifest's text, of which [`Artifact::digest`] is the digest.
    pub fn manifest(&self) -> String {
        manifest_text(&self.files)
    }

    /// Reads a manifest and checks it against the digest under which it was found.
    pub fn parse(expected: &Digest, text: &str) -> Result<Self> {
        let wrong = |what: &str| {
            Error::corrupt(format!(
                "the manifest of artifact {expected} is damaged ({what}); restore it, or register the version again"
            ))
        };
        if Digest::of(text.as_bytes()) != *expected {
            return Err(wrong("its bytes have another digest"));
        }
        let body = text
            .strip_prefix(HEADER)
            .ok_or_else(|| wrong("unknown header"))?;
        let mut files = Vec::new();
        for line in body.lines() {
            let mut parts = line.splitn(3, ' ');
            let (Some(hex), Some(size), Some(path)) = (parts.next(), parts.next(), parts.next())
            else {
                return Err(wrong("a line has fewer than three fields"));
            };
            files.push(FileEntry {
                path: path.to_owned(),
                size: size.parse().map_err(|_| wrong("a size is not a number"))?,
                digest: format!("sha256:{hex}").parse()?,
            });
        }
        Self::new(files)
    }

    /// Fails if this is not the artifact that a plan found at `source`: conflict, attribute `source`.
    pub fn check_planned(&self, source: &Path, planned: &Digest) -> Result<()> {
        if self.digest == *planned {
            return Ok(());
        }
        Err(Error::conflict(format!(
            "{} changed between plan and apply: {planned} was planned, {} is there. Nothing was registered; plan again.",
            source.display(),
            self.digest
        ))
        .at("source"))
    }

    /// Each content once, with its size: files of one content have one digest.
    pub fn contents(&self) -> BTreeMap<Digest, u64> {
        let files = self.files.iter();
        files.map(|file| (file.digest, file.size)).collect()
    }

    /// The file of this path.
    pub fn file(&self, path: &str) -> Result<&FileEntry> {
        self.files
            .iter()
            .find(|file| file.path == path)
            .ok_or_else(|| {
                Error::not_found(format!(
                    "artifact {} has no file {path:?}; it has {}",
                    self.digest,
                    self.files
                        .iter()
                        .map(|f| f.path.as_str())
                        .collect::<Vec<_>>()
                        .join(", ")
                ))
            })
    }
}

fn manifest_text(files: &[FileEntry]) -> String {
    let mut text = String::from(HEADER);
    for file in files {
        text.push_str(&format!(
            "{} {} {}\n",
            file.digest.hex(),
            file.size,
            file.path
        ));
    }
    text
}

/// Refuses what a manifest line or a store's key could not carry, or what would leave the tree.
pub(super) fn check_path(path: &str) -> Result<()> {
    let legal = !path.chars().any(char::is_control)
        && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if legal {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the file name {path:?} cannot stand in an artifact: it holds control characters, or leaves the tree; rename the file"
    ))
    .at("source"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, bytes: &[u8]) -> FileEntry {
        FileEntry {
            path: path.into(),
            size: bytes.len() as u64,
            digest: Digest::of(bytes),
        }
    }

    #[test]
    fn the_manifest_of_a_known_tree_has_a_known_text_and_digest() {
        let artifact = Artifact::new(vec![
            entry("weights/b.bin", b"hello"),
            entry("a b.txt", b"abc"),
        ])
        .unwrap();
        assert_eq!(
            artifact.manifest(),
            "mlops-manifest-v1\n\
             ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad 3 a b.txt\n\
             2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 5 weights/b.bin\n"
        );
        assert_eq!(artifact.size, 8);
        assert_eq!(
            artifact.digest.to_string(),
            "sha256:e2196d36de583bdf73094d3629a0c068120b70cbe68494b850b572fec9b20d3f"
        );
        assert_eq!(
            Artifact::parse(&artifact.digest, &artifact.manifest()).unwrap(),
            artifact
        );
    }

    #[test]
    fn a_manifest_that_lost_a_byte_is_corrupt() {
        let artifact = Artifact::new(vec![entry("a", b"abc")]).unwrap();
        let text = artifact.manifest();
        let error = Artifact::parse(&artifact.digest, &text[..text.len() - 1]).unwrap_err();
        assert_eq!(error.class(), crate::Class::Corrupt);
        assert!(
            error.to_string().contains("its bytes have another digest"),
            "{error}"
        );
    }

    #[test]
    fn paths_that_leave_the_tree_are_refused() {
        for bad in ["../a", "a//b", "/a", "a/./b", "a\nb", ""] {
            let error = Artifact::new(vec![entry(bad, b"x")]).unwrap_err();
            assert_eq!(error.attribute(), Some("source"), "{bad:?}");
        }
    }

    #[test]
    fn a_digest_reads_back_what_it_prints_and_refuses_the_rest() {
        let digest = Digest::of(b"abc");
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        for bad in [
            "",
            "sha256:",
            "sha256:zz",
            &digest.hex(),
            &digest.to_string().to_uppercase(),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }
}
