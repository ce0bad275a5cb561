//! An object made in parts: begun, or found where it was left, and finished.

use std::collections::BTreeMap;
use std::sync::Mutex;

use aws_sdk_s3::types::{ChecksumType, CompletedMultipartUpload, CompletedPart};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use mlops_core::Error;

use super::blocking;
use super::body::{FILES, Opened, line};
use super::bucket::{Bucket, Condition, length, whole};
use super::known::Known;
use super::survey::{Part, Surveyed, written};
use super::sweep;
use crate::fault::{Failure, Kind};

/// Where the bytes come from.
#[derive(Clone, Copy)]
pub(super) enum Origin<'a> {
    Disk(&'a Opened),
    Object(&'a Known),
}

/// Makes the object; its entity tag, or `None` if what is known of has other bytes.
///
/// An upload that somebody left under this key, perhaps by being killed, is gone on with: the
/// parts that arrived are kept where the service's checksum of them is the file's. What fails
/// here leaves the upload for the next who comes, unless the file has changed.
pub(super) async fn upload(
    bucket: &Bucket,
    file: &Surveyed,
    key: &str,
    condition: &Condition,
    origin: Origin<'_>,
) -> Result<Option<String>, Failure> {
    let (id, arrived) = match find(bucket, key, file).await? {
        Some(found) => found,
        None => (bucket.begin(key, file).await?, BTreeMap::new()),
    };
    let mut missing = file.parts.clone();
    missing.retain(|part| !arrived.contains_key(&part.number));
    let tags = Mutex::new(arrived.clone());
    let outcome = stream::iter(missing)
        .map(|part: Part| {
            let (id, tags) = (&id, &tags);
            async move {
                let _line = line().await;
                let tag = match origin {
                    Origin::Disk(opened) => {
                        let opened = opened.for_a_part();
                        Some((bucket.put_part(key, id, file, &opened, part).await?, true))
                    }
                    Origin::Object(known) => bucket.copy_part(known, key, id, part).await?,
                };
                let whole = tag.is_some();
                if let Some(tag) = tag {
                    let mut tags = tags
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner);
                    tags.insert(part.number, tag);
                }
                Ok::<_, Failure>(whole)
            }
        })
        .buffer_unordered(FILES)
        .try_fold(true, async |all, one| Ok(all && one))
        .await;
    let outcome = match (outcome, origin) {
        (Ok(true), Origin::Disk(_)) => {
            let owned = file.clone();
            blocking(move || owned.unchanged())
                .await
                .map(|()| true)
                .map_err(|error| Failure::before(&bucket.about("UploadPart", key), error))
        }
        (outcome, _) => outcome,
    };
    let changed = match origin {
        Origin::Disk(opened) => opened.is_changed(),
        Origin::Object(_) => false,
    };
    match outcome {
        Ok(true) => {}
        // Neither is worth a second look.
        Ok(false) => {
            sweep::abort(bucket, key, &id).await?;
            return Ok(None);
        }
        Err(failure) => {
            if changed || file.unchanged().is_err() {
                sweep::abort(bucket, key, &id).await?;
            }
            return Err(failure);
        }
    }
    let tags = tags
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let tag = complete(bucket, file, key, &id, condition, &tags).await?;
    // A call to begin whose answer was lost leaves an upload without parts.
    for other in sweep::list(bucket, key).await? {
        if other.key == key {
            sweep::abort(bucket, key, &other.id).await?;
        }
    }
    Ok(Some(tag))
}

/// Entity tags, and whether the service keeps the part's checksum: ministack has none of copies.
type Arrived = BTreeMap<i32, (String, bool)>;

/// The latest upload under this key, and the entity tags of those of its parts that are right.
async fn find(
    bucket: &Bucket,
    key: &str,
    file: &Surveyed,
) -> Result<Option<(String, Arrived)>, Failure> {
    let all = sweep::list(bucket, key).await?;
    let latest = all
        .into_iter()
        .filter(|begun| begun.key == key)
        .max_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    let Some(latest) = latest else {
        return Ok(None);
    };
    match arrived(bucket, key, &latest.id, file).await {
        Ok(parts) => Ok(Some((latest.id, parts))),
        // Somebody finished it or gave it up.
        Err(failure) if failure.kind == Kind::Missing => Ok(None),
        Err(failure) => Err(failure),
    }
}

async fn arrived(
    bucket: &Bucket,
    key: &str,
    id: &str,
    file: &Surveyed,
) -> Result<Arrived, Failure> {
    let call = bucket.about("ListParts", key);
    let mut found = BTreeMap::new();
    let mut marker: Option<String> = None;
    loop {
        let sent = bucket.run(&call, |client| {
            let request = client
                .list_parts()
                .bucket(bucket.name())
                .key(key)
                .upload_id(id)
                .set_part_number_marker(marker.clone())
                .set_expected_bucket_owner(bucket.owner())
                .customize()
                .config_override(bucket.limit(0));
            Box::pin(request.send())
        });
        let page = sent.await?;
        for part in page.parts() {
            let number = part.part_number().unwrap_or_default();
            let expected = file.parts.iter().find(|part| part.number == number);
            let right = expected.is_some_and(|expected| {
                part.size() == Some(length(expected.size))
                    && part.checksum_crc64_nvme() == Some(&written(expected.crc))
            });
            if let (true, Some(tag)) = (right, part.e_tag()) {
                found.insert(number, (tag.to_owned(), true));
            }
        }
        let next = page.next_part_number_marker;
        if page.is_truncated != Some(true) || next.is_none() || next == marker {
            return Ok(found);
        }
        marker = next;
    }
}

async fn complete(
    bucket: &Bucket,
    file: &Surveyed,
    key: &str,
    id: &str,
    condition: &Condition,
    tags: &Arrived,
) -> Result<String, Failure> {
    let call = bucket.about("CompleteMultipartUpload", key);
    let parts = file.parts.iter().map(|part| {
        CompletedPart::builder()
            .part_number(part.number)
            .set_e_tag(tags.get(&part.number).map(|(tag, _)| tag.clone()))
            .set_checksum_crc64_nvme(
                tags.get(&part.number)
                    .filter(|(_, kept)| *kept)
                    .map(|_| written(part.crc)),
            )
            .build()
    });
    let parts = CompletedMultipartUpload::builder()
        .set_parts(Some(parts.collect()))
        .build();
    let sent = bucket.run(&call, |client| {
        let request = client
            .complete_multipart_upload()
            .bucket(bucket.name())
            .key(key)
            .upload_id(id)
            .multipart_upload(parts.clone())
            .mpu_object_size(length(file.entry.size))
            .checksum_type(ChecksumType::FullObject)
            .set_if_none_match(condition.none_match())
            .set_if_match(condition.matches())
            .set_expected_bucket_owner(bucket.owner())
            .customize()
            // The service puts the whole object together before it answers.
            .config_override(bucket.limit(file.entry.size));
        Box::pin(request.send())
    });
    let answer = sent.await?;
    // The parts' checksums were demanded; the service's of the whole follows from them.
    let made = whole(answer.checksum_crc64_nvme());
    if made.is_some_and(|made| made != written(file.crc)) {
        let error = Error::corrupt(format!(
            "{} was put together with other bytes than were sent; run the operation again",
            bucket.uri(key)
        ));
        return Err(Failure::before(&call, error));
    }
    Ok(answer.e_tag.unwrap_or_default())
}
