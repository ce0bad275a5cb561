//! The calls to one bucket, each with its conditions, checksums, encryption and time limit.

use std::error::Error as StdError;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder as Override;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, ChecksumType, MetadataDirective, ServerSideEncryption,
};
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::byte_stream::ByteStream;
use futures::future::BoxFuture;
use mlops_core::Result;
use mlops_core::artifacts::FileEntry;

use super::S3Settings;
use super::body::Opened;
use super::crc::{Check, Sums, written_of};
use super::explain::{Terms, explain};
use super::known::Known;
use super::layout::Layout;
use super::survey::{Part, Surveyed};
use crate::clients::AwsClients;
use crate::fault::{Call, Failure, Kind};

/// A service that copies or puts together fewer bytes a second than this is taken for dead.
const SLOWEST_SERVICE: u64 = 4 << 20;
/// So often the time for retries begins anew, each time after bytes have moved.
const RENEWALS: u32 = 5;
/// The user metadata with a file's digest: what tells it where a service keeps no checksum.
const DIGEST: &str = "mlops-sha256";

/// What has to hold for a write.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    /// There is no such object.
    Absent,
    /// The object there is still this one.
    Replaces(String),
}

impl Condition {
    pub(super) fn none_match(&self) -> Option<String> {
        matches!(self, Self::Absent).then(|| "*".to_owned())
    }

    pub(super) fn matches(&self) -> Option<String> {
        match self {
            Self::Absent => None,
            Self::Replaces(tag) => Some(tag.clone()),
        }
    }
}

/// What is known of an object.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) tag: String,
    pub(super) size: u64,
    nvme: Option<String>,
    castagnoli: Option<String>,
    sha256: Option<String>,
    digest: Option<String>,
}

impl Object {
    /// Whether it holds this file, as far as the service can tell.
    pub(super) fn is(&self, file: &Surveyed) -> bool {
        let entry = &file.entry;
        if self.size != entry.size {
            return false;
        }
        let named = self.digest.as_deref() == Some(&entry.digest.hex());
        match (&self.nvme, &self.sha256, &self.castagnoli) {
            (Some(crc), _, _) => *crc == file.sums.written(Check::Nvme),
            (None, Some(sha256), _) => *sha256 == encoded(entry),
            // 32 bits alone are few.
            (None, None, Some(crc)) => named && *crc == file.sums.written(Check::Castagnoli),
            (None, None, None) => named,
        }
    }

    /// Whether the service keeps this checksum of it.
    pub(super) fn has(&self, check: Check) -> bool {
        match check {
            Check::Nvme => self.nvme.is_some(),
            Check::Castagnoli => self.castagnoli.is_some(),
        }
    }
}

/// The digest as S3 writes checksums.
fn encoded(entry: &FileEntry) -> String {
    let hex = entry.digest.hex();
    let bytes: Vec<u8> = hex
        .as_bytes()
        .chunks_exact(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    aws_smithy_types::base64::encode(bytes)
}

/// A checksum that covers the whole object: those of an object's parts end with their number.
pub(super) fn whole(checksum: Option<&str>) -> Option<String> {
    checksum
        .filter(|checksum| !checksum.contains('-'))
        .map(str::to_owned)
}

/// One bucket and how it is used.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) clients: AwsClients,
    pub(super) settings: S3Settings,
    pub(super) layout: Layout,
    pub(super) terms: &'static Terms,
}

impl Bucket {
    pub(super) fn name(&self) -> String {
        self.settings.bucket.clone()
    }

    pub(super) fn owner(&self) -> Option<String> {
        self.settings.expected_bucket_owner.clone()
    }

    fn encryption(&self) -> Option<ServerSideEncryption> {
        let key = self.settings.kms_key_arn.as_ref();
        key.map(|_| ServerSideEncryption::AwsKms)
    }

    pub(super) fn uri(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.settings.bucket)
    }

    pub(super) fn about(&self, operation: &'static str, key: &str) -> Call {
        Call {
            service: "S3",
            operation,
            resource: self.uri(key),
        }
    }

    /// The time limit of one attempt of a call in which the service moves so many bytes.
    pub(super) fn limit(&self, bytes: u64) -> Override {
        let attempt = self.clients.retries().patience().attempt;
        let limit = attempt + Duration::from_secs(bytes / SLOWEST_SERVICE);
        aws_sdk_s3::Config::builder().timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(limit)
                .build(),
        )
    }

    /// Makes a call until it succeeds, fails for good, or time is up.
    pub(super) async fn run<'a, T, E>(
        &'a self,
        call: &'a Call,
        once: impl Fn(&'a Client) -> BoxFuture<'a, Result<T, SdkError<E, Response>>>,
    ) -> Result<T, Failure>
    where
        T: 'a,
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let before = |error| Failure::before(call, error);
        let client = self.clients.s3().await.map_err(before)?;
        let region = self.clients.region().await.map_err(before)?;
        let retries = self.clients.retries();
        retries
            .run(|| {
                let (sent, region) = (once(client), region.clone());
                Box::pin(async move {
                    sent.await
                        .map_err(|error| explain(&self.settings, self.terms, &region, call, error))
                })
            })
            .await
    }

    /// The same for a call that carries the bytes of an open file. It has no time limit while
    /// they move: a line is slow, or it is dead.
    async fn run_moving<'a, T, E>(
        &'a self,
        call: &'a Call,
        file: &'a Surveyed,
        opened: &'a Opened,
        once: impl Fn(&'a Client) -> BoxFuture<'a, Result<T, SdkError<E, Response>>>,
    ) -> Result<T, Failure>
    where
        T: 'a,
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let before = |error| Failure::before(call, error);
        let client = self.clients.s3().await.map_err(before)?;
        let region = self.clients.region().await.map_err(before)?;
        let retries = self.clients.retries();
        let mut attempts = retries.attempts();
        let mut renewed = 0;
        loop {
            attempts.permit().await;
            let moved = opened.moved();
            let failure = match watched(once(client), opened, retries.patience().attempt).await {
                Ok(value) => {
                    attempts.succeeded();
                    return Ok(value);
                }
                Err(error) => explain(&self.settings, self.terms, &region, call, error),
            };
            if opened.is_changed() {
                return Err(Failure::before(call, file.changed()));
            }
            if failure.kind.is_passing() && opened.moved() != moved && renewed < RENEWALS {
                renewed += 1;
                attempts = retries.attempts();
            }
            if !attempts.again(failure.kind).await {
                return Err(failure);
            }
        }
    }

    /// What lies under `key`, with the service's checksums.
    pub(super) async fn head(&self, key: &str) -> Result<Option<Object>, Failure> {
        let call = self.about("HeadObject", key);
        let sent = self.run(&call, |client| {
            let request = client
                .head_object()
                .bucket(self.name())
                .key(key)
                .checksum_mode(ChecksumMode::Enabled)
                .set_expected_bucket_owner(self.owner())
                .customize()
                .config_override(self.limit(0));
            Box::pin(request.send())
        });
        match sent.await {
            Ok(found) => {
                let digest = found.metadata().and_then(|all| all.get(DIGEST));
                Ok(Some(Object {
                    size: found
                        .content_length()
                        .and_then(|size| size.try_into().ok())
                        .unwrap_or(0),
                    nvme: whole(found.checksum_crc64_nvme()),
                    castagnoli: whole(found.checksum_crc32_c()),
                    sha256: whole(found.checksum_sha256()),
                    digest: digest.cloned(),
                    tag: found.e_tag.unwrap_or_default(),
                }))
            }
            Err(failure) if failure.kind == Kind::Missing => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Writes a file of one part; the object's entity tag. The service compares the bytes with
    /// the file's digest before it keeps them.
    pub(super) async fn put_file(
        &self,
        key: &str,
        file: &Surveyed,
        opened: &Opened,
        condition: &Condition,
    ) -> Result<String, Failure> {
        let call = self.about("PutObject", key);
        let part = file.parts[0];
        let sent = self.run_moving(&call, file, opened, |client| {
            let request = client
                .put_object()
                .bucket(self.name())
                .key(key)
                .body(opened.body(part))
                .content_length(length(part.size))
                .checksum_algorithm(ChecksumAlgorithm::Sha256)
                .checksum_sha256(encoded(&file.entry))
                .metadata(DIGEST, file.entry.digest.hex())
                .set_if_none_match(condition.none_match())
                .set_if_match(condition.matches())
                .set_server_side_encryption(self.encryption())
                .set_ssekms_key_id(self.settings.kms_key_arn.clone())
                .set_expected_bucket_owner(self.owner());
            Box::pin(request.send())
        });
        let answer = sent.await?;
        Ok(answer.e_tag.unwrap_or_default())
    }

    /// Writes a small object of text.
    pub(super) async fn put_text(
        &self,
        key: &str,
        text: &str,
        condition: Option<&Condition>,
    ) -> Result<(), Failure> {
        let call = self.about("PutObject", key);
        let sent = self.run(&call, |client| {
            let request = client
                .put_object()
                .bucket(self.name())
                .key(key)
                .body(ByteStream::from(text.as_bytes().to_vec()))
                .content_type("text/plain; charset=utf-8")
                .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
                .checksum_crc64_nvme(written_of(text))
                .set_if_none_match(condition.and_then(Condition::none_match))
                .set_if_match(condition.and_then(Condition::matches))
                .set_server_side_encryption(self.encryption())
                .set_ssekms_key_id(self.settings.kms_key_arn.clone())
                .set_expected_bucket_owner(self.owner())
                .customize()
                .config_override(self.limit(text.len() as u64));
            Box::pin(request.send())
        });
        sent.await.map(drop)
    }

    /// Reads a small object of text, and its entity tag.
    pub(super) async fn get_text(&self, key: &str) -> Result<Option<(String, String)>, Failure> {
        let call = self.about("GetObject", key);
        let sent = self.run(&call, |client| {
            let request = client
                .get_object()
                .bucket(self.name())
                .key(key)
                .set_expected_bucket_owner(self.owner())
                .customize()
                .config_override(self.limit(0));
            Box::pin(async {
                let answer = request.send().await?;
                let tag = answer.e_tag.unwrap_or_default();
                let body = answer.body.collect().await;
                let body = body.map_err(SdkError::timeout_error)?;
                Ok((body.into_bytes(), tag))
            })
        });
        match sent.await {
            Ok((bytes, tag)) => Ok(Some((String::from_utf8_lossy(&bytes).into_owned(), tag))),
            Err(failure) if failure.kind == Kind::Missing => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Has the service copy an object that is still the one it was; true if what was made is this
    /// file as far as the service can tell.
    pub(super) async fn copy(
        &self,
        known: &Known,
        key: &str,
        file: &Surveyed,
        condition: &Condition,
    ) -> Result<bool, Failure> {
        let call = self.about("CopyObject", key);
        let sent = self.run(&call, |client| {
            let request = client
                .copy_object()
                .copy_source(self.source(&known.key))
                .copy_source_if_match(&known.tag)
                .bucket(self.name())
                .key(key)
                .metadata_directive(MetadataDirective::Copy)
                .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
                .set_if_none_match(condition.none_match())
                .set_if_match(condition.matches())
                .set_server_side_encryption(self.encryption())
                .set_ssekms_key_id(self.settings.kms_key_arn.clone())
                .set_expected_bucket_owner(self.owner())
                .set_expected_source_bucket_owner(self.owner())
                .customize()
                .config_override(self.limit(file.entry.size));
            Box::pin(request.send())
        });
        let answer = sent.await?;
        let made = answer.copy_object_result.as_ref();
        let crc = made.and_then(|made| whole(made.checksum_crc64_nvme()));
        Ok(crc.is_none_or(|crc| crc == file.sums.written(Check::Nvme)))
    }

    /// A copy's source: the path of a URL.
    fn source(&self, key: &str) -> String {
        let mut path = format!("{}/", self.settings.bucket);
        for byte in key.bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
                path.push(char::from(byte));
            } else {
                path.push_str(&format!("%{byte:02X}"));
            }
        }
        path
    }

    /// Begins an upload in parts; its id.
    pub(super) async fn begin(
        &self,
        key: &str,
        file: &Surveyed,
        check: Check,
    ) -> Result<String, Failure> {
        let call = self.about("CreateMultipartUpload", key);
        let sent = self.run(&call, |client| {
            let request = client
                .create_multipart_upload()
                .bucket(self.name())
                .key(key)
                .checksum_algorithm(check.algorithm())
                .checksum_type(ChecksumType::FullObject)
                .metadata(DIGEST, file.entry.digest.hex())
                .set_server_side_encryption(self.encryption())
                .set_ssekms_key_id(self.settings.kms_key_arn.clone())
                .set_expected_bucket_owner(self.owner())
                .customize()
                .config_override(self.limit(0));
            Box::pin(request.send())
        });
        let answer = sent.await?;
        Ok(answer.upload_id.unwrap_or_default())
    }

    /// Sends a part; its entity tag.
    pub(super) async fn put_part(
        &self,
        key: &str,
        id: &str,
        file: &Surveyed,
        opened: &Opened,
        part: Part,
        check: Check,
    ) -> Result<String, Failure> {
        let call = self.about("UploadPart", key);
        let sent = self.run_moving(&call, file, opened, |client| {
            let request = client
                .upload_part()
                .bucket(self.name())
                .key(key)
                .upload_id(id)
                .part_number(part.number)
                .body(opened.body(part))
                .content_length(length(part.size))
                .checksum_algorithm(check.algorithm())
                .set_checksum_crc64_nvme(part.sums.only(check, Check::Nvme))
                .set_checksum_crc32_c(part.sums.only(check, Check::Castagnoli))
                .set_expected_bucket_owner(self.owner());
            Box::pin(request.send())
        });
        let answer = sent.await?;
        Ok(answer.e_tag.unwrap_or_default())
    }

    /// Has the service copy a stretch of an object, from this offset on, into a part; its entity
    /// tag, or `None` if the service found other bytes there than the file's, and whether it keeps a
    /// checksum of it.
    pub(super) async fn copy_part(
        &self,
        known: &Known,
        from: u64,
        key: &str,
        id: &str,
        part: Part,
    ) -> Result<Option<(String, bool)>, Failure> {
        let call = self.about("UploadPartCopy", key);
        let sent = self.run(&call, |client| {
            let last = from + part.size.saturating_sub(1);
            let request = client
                .upload_part_copy()
                .copy_source(self.source(&known.key))
                .copy_source_if_match(&known.tag)
                .copy_source_range(format!("bytes={from}-{last}"))
                .bucket(self.name())
                .key(key)
                .upload_id(id)
                .part_number(part.number)
                .set_expected_bucket_owner(self.owner())
                .set_expected_source_bucket_owner(self.owner())
                .customize()
                .config_override(self.limit(part.size));
            Box::pin(request.send())
        });
        let Some(made) = sent.await?.copy_part_result else {
            return Ok(None);
        };
        let (nvme, castagnoli) = (made.checksum_crc64_nvme(), made.checksum_crc32_c());
        let kept = match agrees(part.sums, nvme, castagnoli) {
            Some(false) => return Ok(None),
            compared => compared.is_some(),
        };
        Ok(Some((made.e_tag.unwrap_or_default(), kept)))
    }
}

/// Whether the checksum that a service reports is this; `None` if it reports none.
pub(super) fn agrees(sums: Sums, nvme: Option<&str>, castagnoli: Option<&str>) -> Option<bool> {
    match (nvme, castagnoli) {
        (Some(crc), _) => Some(crc == sums.written(Check::Nvme)),
        (None, Some(crc)) => Some(crc == sums.written(Check::Castagnoli)),
        (None, None) => None,
    }
}

/// Ends a call during whose last stretch of time no byte moved and no answer came.
async fn watched<T, E>(
    mut call: BoxFuture<'_, Result<T, SdkError<E, Response>>>,
    opened: &Opened,
    stretch: Duration,
) -> Result<T, SdkError<E, Response>> {
    loop {
        let moved = opened.moved();
        match tokio::time::timeout(stretch, &mut call).await {
            Ok(answer) => return answer,
            Err(elapsed) if opened.moved() == moved => {
                return Err(SdkError::timeout_error(elapsed));
            }
            Err(_) => {}
        }
    }
}

/// S3 counts lengths with a sign; none comes near its end.
pub(super) fn length(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mlops_core::artifacts::Digest;

    #[test]
    fn a_digest_is_written_as_s3_writes_checksums() {
        let entry = FileEntry {
            path: "a".to_owned(),
            size: 3,
            digest: Digest::of(b"abc"),
        };
        assert_eq!(
            encoded(&entry),
            "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
        );
    }

    #[test]
    fn a_checksum_of_checksums_says_nothing_about_the_object() {
        assert_eq!(whole(Some("rosUhgp5mIg=")).as_deref(), Some("rosUhgp5mIg="));
        assert_eq!(whole(Some("rosUhgp5mIg=-3")), None);
    }
}
