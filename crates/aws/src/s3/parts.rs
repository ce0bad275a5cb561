//! An object made in parts: begun, or found where it was left, and finished.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use futures::future::BoxFuture;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use mlops_core::Error;

use super::blocking;
use super::body::{FILES, Opened, line};
use super::bucket::{Bucket, Condition, agrees, length, whole};
use super::crc::Check;
use super::earlier::Earlier;
use super::plan::{self, Planned};
use super::survey::{Part, Surveyed};
use super::sweep;
use crate::fault::{Failure, Kind};

/// About as much is copied in one call: more goes on side by side.
const COPY: u64 = 128 << 20;

/// Makes the object; its entity tag. What an `earlier` object holds of it is copied, the rest is
/// sent, and so is what cannot be copied after all.
///
/// An upload that somebody left under this key, perhaps by being killed, is gone on with: the
/// parts that arrived are kept where the service's checksum of them is the file's. What fails
/// here leaves the upload for the next who comes, unless the file has changed.
pub(super) async fn upload(
    bucket: &Bucket,
    file: &Surveyed,
    key: &str,
    condition: &Condition,
    opened: &Opened,
    earlier: Option<&Earlier>,
) -> Result<String, Failure> {
    let check = earlier.map_or(Check::Nvme, |earlier| earlier.check);
    let planned = match earlier {
        Some(earlier) => {
            let copies = COPY.min(bucket.settings.copy_limit);
            plan::planned(&file.chunks, &earlier.found, file.part_size, copies)
        }
        None => plan::all_sent(&file.parts),
    };
    let parts: Vec<Part> = planned.iter().map(|planned| planned.part).collect();
    let (id, arrived) = match find(bucket, key, &parts, check).await? {
        Some(found) => found,
        None => (bucket.begin(key, file, check).await?, BTreeMap::new()),
    };
    let upload = Upload {
        bucket,
        file,
        key,
        id: &id,
        check,
        opened,
    };
    let missing: Vec<Planned> = planned
        .into_iter()
        .filter(|planned| !arrived.contains_key(&planned.part.number))
        .collect();
    // Boxed one after another: ten thousand at once would take more memory than their bytes.
    let made: Result<Vec<_>, Failure> = stream::iter(missing)
        .map(|planned: Planned| -> BoxFuture<'_, _> { Box::pin(upload.make(planned, earlier)) })
        .buffer_unordered(FILES)
        .try_collect()
        .await;
    let made = match made {
        Ok(made) => {
            let owned = file.clone();
            blocking(move || owned.unchanged())
                .await
                .map(|()| made)
                .map_err(|error| Failure::before(&bucket.about("UploadPart", key), error))
        }
        Err(failure) => Err(failure),
    };
    let made = match made {
        Ok(made) => made,
        Err(failure) => {
            // It is not worth a second look.
            if opened.is_changed() || file.unchanged().is_err() {
                sweep::abort(bucket, key, &id).await?;
            }
            return Err(failure);
        }
    };
    let tags = arrived.into_iter().chain(made).collect();
    let tag = complete(&upload, &parts, condition, &tags).await?;
    // A call to begin whose answer was lost leaves an upload without parts.
    for other in sweep::list(bucket, key).await? {
        if other.key == key {
            sweep::abort(bucket, key, &other.id).await?;
        }
    }
    Ok(tag)
}

/// An upload that was begun.
struct Upload<'a> {
    bucket: &'a Bucket,
    file: &'a Surveyed,
    key: &'a str,
    id: &'a str,
    check: Check,
    opened: &'a Opened,
}

impl Upload<'_> {
    /// Has a part made; its number and its entity tag.
    async fn make(
        &self,
        planned: Planned,
        earlier: Option<&Earlier>,
    ) -> Result<(i32, Tag), Failure> {
        let _line = line().await;
        let Planned { part, from } = planned;
        if let (Some(earlier), Some(from)) = (earlier, from) {
            let made = self
                .bucket
                .copy_part(&earlier.object, from, self.key, self.id, part);
            match made.await {
                Ok(Some(tag)) => return Ok((part.number, tag)),
                Ok(None) => tracing::debug!(key = self.key, "a copied part has other bytes"),
                Err(failure)
                    if failure.kind.is_passing() || failure.code() == Some("NoSuchUpload") =>
                {
                    return Err(failure);
                }
                // Its object is gone or is another now, or may not be read: the bytes travel.
                Err(failure) => {
                    let why = failure.into_error();
                    tracing::debug!(why = %why.chain(), "a part is not copied but sent");
                }
            }
        }
        let opened = self.opened.for_a_part();
        let sent = self
            .bucket
            .put_part(self.key, self.id, self.file, &opened, part, self.check);
        Ok((part.number, (sent.await?, true)))
    }
}

/// A part's entity tag, and whether the service keeps its checksum: ministack has none of copies.
type Tag = (String, bool);
type Arrived = BTreeMap<i32, Tag>;

/// The latest upload under this key, and the entity tags of those of its parts that are right.
async fn find(
    bucket: &Bucket,
    key: &str,
    parts: &[Part],
    check: Check,
) -> Result<Option<(String, Arrived)>, Failure> {
    let all = sweep::list(bucket, key).await?;
    let latest = all
        .into_iter()
        .filter(|begun| begun.key == key)
        .max_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    let Some(latest) = latest else {
        return Ok(None);
    };
    match arrived(bucket, key, &latest.id, parts, check).await {
        Ok(found) => Ok(found.map(|found| (latest.id, found))),
        // Somebody finished it or gave it up.
        Err(failure) if failure.kind == Kind::Missing => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// `None` if the upload is checked by another checksum.
async fn arrived(
    bucket: &Bucket,
    key: &str,
    id: &str,
    parts: &[Part],
    check: Check,
) -> Result<Option<Arrived>, Failure> {
    let expected: HashMap<i32, &Part> = parts.iter().map(|part| (part.number, part)).collect();
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
        let other = |found: &ChecksumAlgorithm| *found != check.algorithm();
        if page.checksum_algorithm().is_some_and(other) {
            return Ok(None);
        }
        for part in page.parts() {
            let number = part.part_number().unwrap_or_default();
            let (nvme, castagnoli) = (part.checksum_crc64_nvme(), part.checksum_crc32_c());
            let right = expected.get(&number).is_some_and(|expected| {
                part.size() == Some(length(expected.size))
                    && agrees(expected.sums, nvme, castagnoli) == Some(true)
            });
            if let (true, Some(tag)) = (right, part.e_tag()) {
                found.insert(number, (tag.to_owned(), true));
            }
        }
        let next = page.next_part_number_marker;
        if page.is_truncated != Some(true) || next.is_none() || next == marker {
            return Ok(Some(found));
        }
        marker = next;
    }
}

async fn complete(
    upload: &Upload<'_>,
    parts: &[Part],
    condition: &Condition,
    tags: &Arrived,
) -> Result<String, Failure> {
    let Upload {
        bucket,
        file,
        key,
        id,
        check,
        ..
    } = *upload;
    let call = bucket.about("CompleteMultipartUpload", key);
    let parts = parts.iter().map(|part| {
        let tag = tags.get(&part.number);
        let kept = tag.is_some_and(|(_, kept)| *kept);
        let sum = |of| part.sums.only(check, of).filter(|_| kept);
        CompletedPart::builder()
            .part_number(part.number)
            .set_e_tag(tag.map(|(tag, _)| tag.clone()))
            .set_checksum_crc64_nvme(sum(Check::Nvme))
            .set_checksum_crc32_c(sum(Check::Castagnoli))
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
    let nvme = whole(answer.checksum_crc64_nvme());
    let castagnoli = whole(answer.checksum_crc32_c());
    if agrees(file.sums, nvme.as_deref(), castagnoli.as_deref()) == Some(false) {
        let error = Error::corrupt(format!(
            "{} was put together with other bytes than were sent; run the operation again",
            bucket.uri(key)
        ));
        return Err(Failure::before(&call, error));
    }
    Ok(answer.e_tag.unwrap_or_default())
}
