//! Artifacts in one S3 bucket, as plain objects that any tool can read.
//!
//! ```text
//! PREFIX/sha256/<hex>/files/<path>   the files of an artifact
//! PREFIX/sha256/<hex>/manifest       its manifest, which <hex> is the SHA-256 of; written last
//! PREFIX/sha256/<hex>/chunks/<path>  of which chunks a large file consists
//! PREFIX/known/<hex>                 which object holds the file of this digest: a hint
//! PREFIX/known/chunks/<hex>          which large file holds the chunk of this digest: a hint
//! ```
//!
//! `docs/decisions/0012-s3-layout.md` says why. Every object is written under the condition that
//! there is none, or that the one there is still the one that was found wrong.
//!
//! A removal deletes the manifest first, then the artifact's other objects, its unfinished uploads
//! and the hints that point to it. In a bucket that keeps versions, what is deleted stays as
//! noncurrent versions and costs money until a lifecycle rule of the bucket ends them.

mod body;
mod bucket;
mod crc;
mod cuts;
mod download;
mod earlier;
mod explain;
mod known;
mod layout;
mod listing;
mod parts;
mod plan;
mod removal;
mod source;
mod survey;
mod sweep;
mod upload;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mlops_core::artifacts::{
    Artifact, ArtifactReader, ArtifactStore, Digest, DigestCache, FileEntry, StoredArtifact,
    UnfinishedUploads,
};
use mlops_core::{Error, Result};

use crate::clients::AwsClients;
use bucket::Bucket;
use layout::{GREATEST_CALL, LEAST_PART, Layout};
pub use source::S3Sources;

/// Which bucket, and how it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Settings {
    /// Its name, or the ARN of an access point.
    pub bucket: String,
    /// What all keys begin with; empty: nothing. A slash is put after it.
    pub prefix: String,
    /// The KMS key that encrypts what is written. Without it, the bucket's own default does. An
    /// upload that was interrupted is finished with the key that it was begun with.
    pub kms_key_arn: Option<String>,
    /// The account that the bucket has to belong to, 12 digits: S3 refuses every call otherwise.
    pub expected_bucket_owner: Option<String>,
    /// Bytes of a part of an upload, from 5 MiB; files of more than 10,000 of them get larger
    /// ones. Files of one part at most go in one call.
    pub part_size: u64,
    /// A known file of more bytes than this is copied in parts; S3 takes 5 GiB at most.
    pub copy_limit: u64,
}

impl S3Settings {
    /// A bucket, without a prefix, in parts of 8 MiB.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            prefix: String::new(),
            kms_key_arn: None,
            expected_bucket_owner: None,
            part_size: 8 << 20,
            copy_limit: GREATEST_CALL,
        }
    }

    fn check(&self) -> Result<()> {
        let refuse = |attribute: &str, text: String| Err(Error::invalid(text).at(attribute));
        let bucket = &self.bucket;
        if !names_bucket(bucket) {
            return refuse(
                "registry.bucket",
                format!(
                    "{bucket:?} names no bucket: that is 3 to 63 lower-case letters, digits, '.' and '-', or the ARN of an access point"
                ),
            );
        }
        // A key has 1024 bytes at most ("Creating object key names", S3 User Guide), and the
        // paths of files need most of them.
        let prefix = &self.prefix;
        if prefix.len() > 256
            || prefix.starts_with('/')
            || prefix.contains("//")
            || prefix.chars().any(char::is_control)
        {
            return refuse(
                "registry.prefix",
                format!(
                    "{prefix:?} is no prefix of keys: write up to 256 bytes without a slash in front, such as ml/models"
                ),
            );
        }
        if let Some(owner) = &self.expected_bucket_owner
            && (owner.len() != 12 || !owner.bytes().all(|byte| byte.is_ascii_digit()))
        {
            return refuse(
                "registry.expected_bucket_owner",
                format!("{owner:?} is no account: write its 12 digits"),
            );
        }
        if let Some(key) = &self.kms_key_arn
            && !(key.starts_with("arn:") && key.contains(":kms:"))
        {
            return refuse(
                "registry.kms_key_arn",
                format!("{key:?} is no key's ARN: write arn:aws:kms:REGION:ACCOUNT:key/ID"),
            );
        }
        if !(LEAST_PART..=GREATEST_CALL).contains(&self.part_size) {
            return refuse(
                "registry.part_size",
                format!(
                    "parts of {} bytes cannot be sent: S3 takes 5 MiB to 5 GiB",
                    self.part_size
                ),
            );
        }
        if !(1..=GREATEST_CALL).contains(&self.copy_limit) {
            return refuse(
                "registry.copy_limit",
                format!(
                    "objects of {} bytes cannot be copied in one call: S3 takes up to 5 GiB",
                    self.copy_limit
                ),
            );
        }
        Ok(())
    }
}

/// Whether it is a bucket's name, or the ARN of an access point.
fn names_bucket(text: &str) -> bool {
    let legal =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    let named = (3..=63).contains(&text.len()) && text.bytes().all(legal);
    named || (text.starts_with("arn:") && text.contains(":accesspoint/"))
}

/// The store in one bucket. Cheap to make and to clone: nothing is called before it is used.
#[derive(Debug, Clone)]
pub struct S3Artifacts {
    bucket: Arc<Bucket>,
}

impl S3Artifacts {
    /// The artifacts in this bucket.
    ///
    /// # Errors
    /// `Invalid`, with the attribute of the provider's `registry` block.
    pub fn new(clients: AwsClients, settings: S3Settings) -> Result<Self> {
        settings.check()?;
        let trimmed = settings.prefix.trim_end_matches('/');
        let prefix = match trimmed {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Ok(Self {
            bucket: Arc::new(Bucket {
                clients,
                layout: Layout { prefix },
                settings,
                terms: &explain::REGISTRY,
            }),
        })
    }
}

#[async_trait]
impl ArtifactStore for S3Artifacts {
    async fn put_tree(&self, source: &Path, cache: &dyn DigestCache) -> Result<Artifact> {
        upload::put(&self.bucket, source, None, cache).await
    }

    async fn put_planned(
        &self,
        source: &Path,
        planned: &Digest,
        cache: &dyn DigestCache,
    ) -> Result<Artifact> {
        upload::put(&self.bucket, source, Some(planned), cache).await
    }

    async fn get(&self, digest: &Digest) -> Result<Artifact> {
        download::manifest(&self.bucket, digest).await
    }

    async fn list(&self) -> Result<Vec<StoredArtifact>> {
        removal::list(&self.bucket).await
    }

    async fn check(&self, digest: &Digest) -> Result<()> {
        removal::check(&self.bucket, digest).await
    }

    async fn remove(&self, digest: &Digest) -> Result<u64> {
        removal::remove(&self.bucket, digest).await
    }

    async fn end_uploads(&self, grace: Duration, delete: bool) -> Result<UnfinishedUploads> {
        sweep::end(&self.bucket, grace, delete).await
    }

    async fn open(&self, digest: &Digest, path: &str) -> Result<ArtifactReader> {
        let artifact = self.get(digest).await?;
        let file = artifact.file(path)?;
        download::open(&self.bucket, digest, file).await
    }

    async fn materialise(&self, digest: &Digest, directory: &Path) -> Result<()> {
        download::materialise(&self.bucket, digest, directory).await
    }

    fn path_of(&self, _: &FileEntry) -> Option<PathBuf> {
        None
    }

    fn uri(&self, digest: &Digest) -> String {
        self.bucket.uri(&self.bucket.layout.artifact(digest))
    }
}

/// Runs blocking file work off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        Error::bug("file work of the artifact store did not end; report this").because(error)
    })?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AwsSettings;

    #[test]
    fn settings_that_cannot_be_used_are_refused_naming_the_attribute() {
        let clients = AwsClients::new(AwsSettings::default()).expect("settings");
        let good = || S3Settings::new("acme-models");
        let cases = [
            (S3Settings::new("Acme"), "registry.bucket"),
            (S3Settings::new("a"), "registry.bucket"),
            (
                S3Settings {
                    prefix: "/ml".into(),
                    ..good()
                },
                "registry.prefix",
            ),
            (
                S3Settings {
                    prefix: "a//b".into(),
                    ..good()
                },
                "registry.prefix",
            ),
            (
                S3Settings {
                    kms_key_arn: Some("alias/x".into()),
                    ..good()
                },
                "registry.kms_key_arn",
            ),
            (
                S3Settings {
                    expected_bucket_owner: Some("12".into()),
                    ..good()
                },
                "registry.expected_bucket_owner",
            ),
            (
                S3Settings {
                    part_size: 1 << 20,
                    ..good()
                },
                "registry.part_size",
            ),
            (
                S3Settings {
                    copy_limit: 0,
                    ..good()
                },
                "registry.copy_limit",
            ),
        ];
        for (settings, attribute) in cases {
            let error = S3Artifacts::new(clients.clone(), settings).expect_err(attribute);
            assert_eq!(error.attribute(), Some(attribute), "{error}");
        }
        for (prefix, uri) in [
            ("", "s3://acme-models/sha256/"),
            ("ml/x/", "s3://acme-models/ml/x/sha256/"),
        ] {
            let settings = S3Settings {
                prefix: prefix.into(),
                ..good()
            };
            let store = S3Artifacts::new(clients.clone(), settings).expect("legal");
            let digest = Digest::of(b"x");
            assert_eq!(store.uri(&digest), format!("{uri}{}/", digest.hex()));
        }
    }
}
