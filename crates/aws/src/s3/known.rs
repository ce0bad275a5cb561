//! Which object already holds a file's bytes: hints, each one small object, that later uploads
//! copy from. A hint that no longer holds costs a call and nothing else: a copy is made only of
//! the very object that the hint was written for, by its entity tag.

use mlops_core::artifacts::Digest;

use super::bucket::Bucket;
use super::layout::LEAST_KNOWN;
use super::survey::Surveyed;
use crate::fault::Failure;

/// An object that held the file when the hint was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) key: String,
    pub(super) tag: String,
}

const HEADER: &str = "mlops-known-v1";

/// The object that a hint names, if there is a hint that this program understands.
pub(super) async fn find(bucket: &Bucket, file: &Surveyed) -> Result<Option<Known>, Failure> {
    if file.entry.size < LEAST_KNOWN {
        return Ok(None);
    }
    let text = bucket
        .get_text(&bucket.layout.known(&file.entry.digest))
        .await?;
    Ok(text.and_then(|(text, _)| read(&text)))
}

/// Writes down which object holds the file. Without a condition: the latest is the best.
pub(super) async fn remember(
    bucket: &Bucket,
    file: &Surveyed,
    known: Known,
) -> Result<(), Failure> {
    if file.entry.size < LEAST_KNOWN {
        return Ok(());
    }
    let text = format!("{HEADER}\n{}\n{}\n", known.tag, known.key);
    let key = bucket.layout.known(&file.entry.digest);
    bucket.put_text(&key, &text, None).await
}

/// Removes the hint about this content, if it points to an object below `prefix`.
pub(super) async fn forget(bucket: &Bucket, content: &Digest, prefix: &str) -> Result<(), Failure> {
    let key = bucket.layout.known(content);
    let text = bucket.get_text(&key).await?;
    match text.and_then(|(text, _)| read(&text)) {
        Some(known) if known.key.starts_with(prefix) => bucket.delete(&key).await,
        _ => Ok(()),
    }
}

fn read(text: &str) -> Option<Known> {
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return None;
    }
    Some(Known {
        tag: lines.next()?.to_owned(),
        key: lines.next().filter(|key| !key.is_empty())?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_of_another_form_is_no_hint() {
        let known = read("mlops-known-v1\n\"abc-2\"\nml/sha256/x/files/a b.bin\n");
        assert_eq!(
            known,
            Some(Known {
                key: "ml/sha256/x/files/a b.bin".into(),
                tag: "\"abc-2\"".into(),
            })
        );
        for other in [
            "",
            "mlops-known-v2\na\nb\n",
            "mlops-known-v1\na\n",
            "mlops-known-v1\na\n\n",
        ] {
            assert_eq!(read(other), None, "{other:?}");
        }
    }
}
