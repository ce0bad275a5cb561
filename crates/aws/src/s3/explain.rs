//! What a bucket's refusals mean to the user of a registry.

use std::error::Error as StdError;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::http::Response;
use mlops_core::Error;

use super::S3Settings;
use crate::fault::{Call, Failure, Kind};

/// What a bucket is to the user: which attributes name it, and what helps.
#[derive(Debug)]
pub(super) struct Terms {
    bucket: &'static str,
    key: &'static str,
    elsewhere: &'static str,
    missing: &'static str,
    key_actions: &'static str,
}

/// The registry's own bucket.
pub(super) const REGISTRY: Terms = Terms {
    bucket: "registry.bucket",
    key: "registry.kms_key_arn",
    elsewhere: "set region to the bucket's, or name a bucket in",
    missing: "make it with modules/registry, or correct registry.bucket, region or the credentials",
    key_actions: "kms:GenerateDataKey and kms:Decrypt",
};

/// A bucket that a version's source lies in.
pub(super) const SOURCE: Terms = Terms {
    bucket: "source",
    key: "source",
    elsewhere: "copy the model to a bucket in",
    missing: "correct the source, region or the credentials",
    key_actions: "kms:Decrypt",
};

/// The action of IAM that an operation takes.
fn action(operation: &str) -> &'static str {
    match operation {
        "GetObject" | "HeadObject" => "s3:GetObject",
        "CopyObject" | "UploadPartCopy" => "s3:PutObject and s3:GetObject",
        "ListObjectsV2" => "s3:ListBucket",
        "ListMultipartUploads" => "s3:ListBucketMultipartUploads",
        "ListParts" => "s3:ListMultipartUploadParts",
        "AbortMultipartUpload" => "s3:AbortMultipartUpload",
        "DeleteObject" => "s3:DeleteObject",
        _ => "s3:PutObject",
    }
}

/// Reads the SDK's error; the few that concern the bucket as a whole get their own words.
pub(super) fn explain<E>(
    settings: &S3Settings,
    terms: &Terms,
    region: &str,
    call: &Call,
    error: SdkError<E, Response>,
) -> Failure
where
    E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
{
    // Ours says everything already: a file that changed never becomes a call.
    if StdError::source(&error).is_some_and(|source| source.is::<Error>()) {
        return match error.into_source().map(|source| source.downcast::<Error>()) {
            Ok(Ok(ours)) => Failure::before(call, *ours),
            Ok(Err(other)) => Failure::before(call, lost(call).because(other)),
            Err(other) => Failure::of(call, other),
        };
    }
    let bucket = &settings.bucket;
    let raw = error.raw_response();
    let status = raw.map(|raw| raw.status().as_u16());
    let elsewhere = raw
        .and_then(|raw| raw.headers().get("x-amz-bucket-region"))
        .filter(|found| *found != region)
        .map(str::to_owned);
    let code = error.code().unwrap_or_default().to_owned();
    let about_key = code.starts_with("KMS.")
        || error
            .message()
            .is_some_and(|message| message.to_lowercase().contains("kms"));
    let failure = Failure::of(call, error);
    let ours = if elsewhere.is_some()
        || matches!(status, Some(301 | 307))
        || matches!(
            code.as_str(),
            "PermanentRedirect"
                | "AuthorizationHeaderMalformed"
                | "IllegalLocationConstraintException"
        ) {
        let place = elsewhere.map_or("another region".to_owned(), |region| {
            format!("region {region}")
        });
        Error::invalid(format!(
            "bucket {bucket} lies in {place}, and this provider works in {region}; {} {region}",
            terms.elsewhere
        ))
        .at(terms.bucket)
    } else if code == "NoSuchBucket" {
        Error::invalid(format!(
            "bucket {bucket} does not exist in {region}; {}",
            terms.missing
        ))
        .at(terms.bucket)
    } else if code == "InvalidObjectState" {
        Error::invalid(format!(
            "{} cannot be done: the object lies in an archive; restore it (aws s3api restore-object), then run the operation again",
            named(call)
        ))
        .at(terms.bucket)
    } else if about_key && matches!(failure.kind, Kind::Denied | Kind::Refused) {
        let key = match &settings.kms_key_arn {
            Some(key) => format!("key {key}"),
            None => "the bucket's key".to_owned(),
        };
        Error::denied(format!(
            "{} cannot be done: KMS does not let this identity use {key}; permit {} in its policy and in the key's, or check that the key exists, is enabled and lies in {region}",
            named(call),
            terms.key_actions
        ))
        .at(terms.key)
    } else if failure.kind == Kind::Denied {
        let owner = match &settings.expected_bucket_owner {
            Some(owner) => format!(", and check that the bucket belongs to account {owner}"),
            None => String::new(),
        };
        Error::denied(format!(
            "{} was denied; let the identity that runs this do {} there, in its policy and in the bucket's{owner}",
            named(call),
            action(call.operation)
        ))
        .at(terms.bucket)
    } else {
        return failure;
    };
    Failure::before(call, ours.because(failure.into_error()))
}

fn named(call: &Call) -> String {
    format!("S3 {} on {}", call.operation, call.resource)
}

fn lost(call: &Call) -> Error {
    Error::unavailable(format!(
        "{} did not end; run the operation again",
        named(call)
    ))
}
