//! The image that a version of a model is.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Reference;
use crate::artifacts::{Artifact, Digest, FileEntry};
use crate::error::{Error, Result};

/// An image that is registered as a version in place of a model's files.
///
/// Its artifact is a document of one line that names it by its digest, so that all that holds of artifacts holds of it: equal bytes are the same
/// version, a moved registry takes it along, and nothing else needs to know of images. The image itself stays where it is. Why:
/// `docs/decisions/0035-container-versions.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerImage {
    /// `REPOSITORY@sha256:DIGEST`.
    pub uri: String,
    /// What it runs on, sorted, such as `linux/amd64`.
    #[serde(default)]
    pub platforms: Vec<String>,
    /// What one machine pulls at most, in bytes, if its registry tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

impl ContainerImage {
    /// What the version's `framework` is.
    pub const FRAMEWORK: &str = "container";
    /// The name of the document in the artifact, which is a directory: a single file would lose its name.
    pub const FILE_NAME: &str = "image.json";

    /// The image that `written` names, which has `digest` now.
    pub fn new(
        written: &Reference,
        digest: &str,
        platforms: Vec<String>,
        size: Option<u64>,
    ) -> Self {
        Self {
            uri: written.with_digest(digest).to_string(),
            platforms,
            size,
        }
    }

    /// Its digest, `sha256:DIGEST`.
    ///
    /// # Errors
    /// A bug: `uri` has none.
    pub fn digest(&self) -> Result<&str> {
        let (_, digest) = self.uri.split_once('@').ok_or_else(|| {
            Error::bug(format!("image {:?} of a version has no digest", self.uri))
        })?;
        Ok(digest)
    }

    /// The document, the same for the same digest in the same repository.
    pub fn document(&self) -> String {
        format!("{}\n", json!({ "image": self.uri }))
    }

    /// The artifact that holds the document.
    pub fn artifact(&self) -> Result<Artifact> {
        let document = self.document();
        Artifact::new(vec![FileEntry {
            path: Self::FILE_NAME.to_owned(),
            size: document.len() as u64,
            digest: Digest::of(document.as_bytes()),
        }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifacts::{NoDigestCache, hash_source};

    const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn image(written: &str, platforms: &[&str]) -> ContainerImage {
        let written = written.parse().unwrap();
        let platforms = platforms.iter().map(ToString::to_string).collect();
        ContainerImage::new(&written, DIGEST, platforms, Some(7))
    }

    #[test]
    fn its_artifact_is_what_a_store_makes_of_its_document() {
        let image = image("example.com/fraud:v3", &["linux/amd64"]);
        assert_eq!(image.uri, format!("example.com/fraud@{DIGEST}"));
        assert_eq!(image.digest().unwrap(), DIGEST);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(ContainerImage::FILE_NAME);
        std::fs::write(&path, image.document()).unwrap();
        let stored = hash_source(directory.path(), &NoDigestCache).unwrap();
        assert_eq!(image.artifact().unwrap(), stored);
    }

    #[test]
    fn another_tag_of_the_same_bytes_is_the_same_artifact_and_another_repository_is_not() {
        let artifact = |written| image(written, &[]).artifact().unwrap().digest;
        let first = artifact("example.com/fraud:v3");
        assert_eq!(artifact("example.com/fraud:latest"), first);
        assert_ne!(artifact("example.com/other:v3"), first);
    }
}
