//! Uploads in parts that were begun and never finished.

use std::time::{Duration, SystemTime};

use mlops_core::Result;
use mlops_core::artifacts::UnfinishedUploads;

use super::bucket::Bucket;
use crate::fault::{Failure, Kind};

/// An upload under way, or abandoned.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    pub(super) key: String,
    pub(super) id: String,
    pub(super) at: Option<SystemTime>,
}

/// The uploads whose keys begin with `prefix`.
pub(super) async fn list(bucket: &Bucket, prefix: &str) -> Result<Vec<Begun>, Failure> {
    let call = bucket.about("ListMultipartUploads", prefix);
    let mut found = Vec::new();
    let mut from: Option<(String, String)> = None;
    loop {
        let marker = from.clone().unzip();
        let sent = bucket.run(&call, |client| {
            let request = client
                .list_multipart_uploads()
                .bucket(bucket.name())
                .prefix(prefix)
                .set_key_marker(marker.0.clone())
                .set_upload_id_marker(marker.1.clone())
                .set_expected_bucket_owner(bucket.owner())
                .customize()
                .config_override(bucket.limit(0));
            Box::pin(request.send())
        });
        let page = sent.await?;
        for upload in page.uploads() {
            let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else {
                continue;
            };
            found.push(Begun {
                key: key.to_owned(),
                id: id.to_owned(),
                at: upload
                    .initiated()
                    .and_then(|at| SystemTime::try_from(*at).ok()),
            });
        }
        let next = page.next_key_marker.zip(page.next_upload_id_marker);
        if page.is_truncated != Some(true) || next.is_none() || next == from {
            return Ok(found);
        }
        from = next;
    }
}

/// Gives an upload up; one that is gone was given up.
pub(super) async fn abort(bucket: &Bucket, key: &str, id: &str) -> Result<(), Failure> {
    let call = bucket.about("AbortMultipartUpload", key);
    let sent = bucket.run(&call, |client| {
        let request = client
            .abort_multipart_upload()
            .bucket(bucket.name())
            .key(key)
            .upload_id(id)
            .set_expected_bucket_owner(bucket.owner())
            .customize()
            .config_override(bucket.limit(0));
        Box::pin(request.send())
    });
    match sent.await {
        Err(failure) if failure.kind != Kind::Missing => Err(failure),
        _ => Ok(()),
    }
}

/// Finds the uploads that were begun longer than `grace` ago, or gives them up.
pub(super) async fn end(
    bucket: &Bucket,
    grace: Duration,
    delete: bool,
) -> Result<UnfinishedUploads> {
    let prefix = bucket.layout.artifacts();
    let all = list(bucket, &prefix).await.map_err(Failure::into_error)?;
    let now = SystemTime::now();
    let mut found = UnfinishedUploads::default();
    for upload in all {
        let at = upload.at.and_then(|at| now.duration_since(at).ok());
        if at.is_none_or(|age| age < grace) {
            found.young += 1;
            continue;
        }
        if delete {
            abort(bucket, &upload.key, &upload.id)
                .await
                .map_err(Failure::into_error)?;
        }
        found.old.push(bucket.uri(&upload.key));
    }
    Ok(found)
}
