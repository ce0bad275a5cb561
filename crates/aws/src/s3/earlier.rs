//! What of a large file an earlier version holds.
//!
//! Beside each large file lies an index of its chunks. It is found through hints: one small object
//! for each of the file's eight least chunk digests, which says where the index lies. Of two files
//! that share most of their chunks, some of these are the same (min-hash: Broder, "On the resemblance
//! and containment of documents", 1997), whatever the models and files are called.
//!
//! Neither is trusted. A copy is made only of the very object that the index was written for, by its entity
//! tag, and its checksum is compared; an index that no longer holds costs a few calls.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};

use super::body::FILES;
use super::bucket::Bucket;
use super::crc::Check;
use super::known::Known;
use super::survey::{Chunk, ChunkDigest, Surveyed};
use crate::fault::Failure;

const HINT: &str = "mlops-chunks-hint-v1";
const INDEX: &str = "mlops-chunks-v1";
/// So many hints there are of one file.
const HINTS: usize = 8;

/// An object that shares chunks with a file.
#[derive(Debug)]
pub(super) struct Earlier {
    pub(super) object: Known,
    /// Where it holds the file's chunks.
    pub(super) found: Vec<Option<u64>>,
    /// What an upload that copies from it is checked by: not by the checksum that the object has.
    /// versitygw 1.8 gives a copied range that of its whole source, instead of computing it.
    pub(super) check: Check,
}

impl Earlier {
    /// The object holds the very same file.
    pub(super) async fn same(
        bucket: &Bucket,
        file: &Surveyed,
        known: &Known,
    ) -> Result<Option<Self>, Failure> {
        let offsets = file.chunks.iter().scan(0, |end, chunk| {
            *end += chunk.size;
            Some(Some(*end - chunk.size))
        });
        Self::checked(bucket, known.clone(), offsets.collect()).await
    }

    /// An object that shares enough with the file, as far as hints tell.
    pub(super) async fn find(
        bucket: &Bucket,
        file: &Surveyed,
        key: &str,
    ) -> Result<Option<Self>, Failure> {
        let mut votes: BTreeMap<String, usize> = BTreeMap::new();
        for index in hints(bucket, &file.chunks).await?.into_iter().flatten() {
            *votes.entry(index).or_default() += 1;
        }
        let Some((index, _)) = votes.into_iter().max_by_key(|(_, votes)| *votes) else {
            return Ok(None);
        };
        let text = bucket.get_text(&index).await?;
        let Some(index) = text.and_then(|(text, _)| Index::read(&text)) else {
            return Ok(None);
        };
        let found = index.locate(&file.chunks);
        if index.object.key == key || found.iter().all(Option::is_none) {
            return Ok(None);
        }
        Self::checked(bucket, index.object, found).await
    }

    /// If the object is there still.
    async fn checked(
        bucket: &Bucket,
        object: Known,
        found: Vec<Option<u64>>,
    ) -> Result<Option<Self>, Failure> {
        let there = bucket.head(&object.key).await?;
        let there = there.filter(|there| there.tag == object.tag);
        Ok(there.map(|there| Self {
            check: match there.has(Check::Nvme) {
                true => Check::Castagnoli,
                false => Check::Nvme,
            },
            object,
            found,
        }))
    }
}

/// What an index says.
#[derive(Debug, PartialEq, Eq)]
struct Index {
    object: Known,
    chunks: Vec<(u64, ChunkDigest)>,
}

impl Index {
    fn of(file: &Surveyed, object: Known) -> Self {
        let chunks = file.chunks.iter();
        Self {
            object,
            chunks: chunks
                .filter_map(|chunk| Some((chunk.size, chunk.digest?)))
                .collect(),
        }
    }

    fn write(&self) -> String {
        let mut text = format!("{INDEX}\n{}\n{}\n", self.object.tag, self.object.key);
        for (size, digest) in &self.chunks {
            text.push_str(&format!("{size} {digest}\n"));
        }
        text
    }

    fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next() != Some(INDEX) {
            return None;
        }
        let (tag, key) = (lines.next()?.to_owned(), lines.next()?.to_owned());
        let chunks: Option<Vec<_>> = lines
            .map(|line| {
                let (size, digest) = line.split_once(' ')?;
                Some((size.parse().ok()?, ChunkDigest::from_hex(digest).ok()?))
            })
            .collect();
        Some(Self {
            object: Known { key, tag },
            chunks: chunks.filter(|chunks| !chunks.is_empty())?,
        })
    }

    /// Where the object holds these chunks. One that it holds several times: behind the one
    /// before it, if it can be.
    fn locate(&self, chunks: &[Chunk]) -> Vec<Option<u64>> {
        let mut offsets: HashMap<(u64, ChunkDigest), BTreeSet<u64>> = HashMap::new();
        let mut offset = 0u64;
        for (size, digest) in &self.chunks {
            offsets.entry((*size, *digest)).or_default().insert(offset);
            offset = offset.saturating_add(*size);
        }
        let mut next = 0;
        let locate = chunks.iter().map(|chunk| {
            let all = offsets.get(&(chunk.size, chunk.digest?))?;
            let from = all.get(&next).or(all.first()).copied()?;
            next = from + chunk.size;
            Some(from)
        });
        locate.collect()
    }
}

/// The least digests: a file's hints.
fn least(digests: impl Iterator<Item = ChunkDigest>) -> Vec<ChunkDigest> {
    let all: BTreeMap<[u8; 32], ChunkDigest> =
        digests.map(|digest| (*digest.as_bytes(), digest)).collect();
    all.into_values().take(HINTS).collect()
}

/// Where the indexes lie that the file's hints name.
async fn hints(bucket: &Bucket, chunks: &[Chunk]) -> Result<Vec<Option<String>>, Failure> {
    let digests = least(chunks.iter().filter_map(|chunk| chunk.digest));
    let hints = digests.iter().map(|digest| named(bucket, digest).boxed());
    all(hints).await
}

/// Where the index lies that the hint of this chunk names.
async fn named(bucket: &Bucket, chunk: &ChunkDigest) -> Result<Option<String>, Failure> {
    let text = bucket.get_text(&bucket.layout.hint(chunk)).await?;
    let named = text.and_then(|(text, _)| {
        let key = text.strip_prefix(HINT)?.trim();
        (!key.is_empty()).then(|| key.to_owned())
    });
    Ok(named)
}

/// Writes down what the object of a file holds. Without a condition: the latest is the best.
pub(super) async fn remember(
    bucket: &Bucket,
    file: &Surveyed,
    index_key: String,
    object: Known,
) -> Result<(), Failure> {
    if !file.is_cut_by_content() {
        return Ok(());
    }
    let index = Index::of(file, object);
    bucket.put_text(&index_key, &index.write(), None).await?;
    let text = format!("{HINT}\n{index_key}\n");
    let digests = least(index.chunks.iter().map(|(_, digest)| *digest));
    let writes = digests.iter().map(|digest| {
        let (key, text) = (bucket.layout.hint(digest), text.clone());
        async move { bucket.put_text(&key, &text, None).await }.boxed()
    });
    all(writes).await.map(drop)
}

/// Removes the hints that name the index.
pub(super) async fn forget(bucket: &Bucket, index_key: &str) -> Result<(), Failure> {
    let text = bucket.get_text(index_key).await?;
    let Some(index) = text.and_then(|(text, _)| Index::read(&text)) else {
        return Ok(());
    };
    let digests = least(index.chunks.iter().map(|(_, digest)| *digest));
    let removals = digests.iter().map(|digest| {
        async move {
            match named(bucket, digest).await? {
                Some(named) if named == index_key => {
                    bucket.delete(&bucket.layout.hint(digest)).await
                }
                _ => Ok(()),
            }
        }
        .boxed()
    });
    all(removals).await.map(drop)
}

/// Makes the calls, a few at a time.
async fn all<'a, T>(
    calls: impl Iterator<Item = BoxFuture<'a, Result<T, Failure>>>,
) -> Result<Vec<T>, Failure> {
    // Collected first: the compiler does not see that a lazy iterator of futures may be sent.
    let calls: Vec<_> = calls.collect();
    stream::iter(calls)
        .buffer_unordered(FILES)
        .try_collect()
        .await
}

#[cfg(test)]
mod tests {
    use super::super::crc::Sums;
    use super::*;

    fn chunk(content: &[u8]) -> Chunk {
        Chunk {
            size: content.len() as u64,
            sums: Sums::of(content),
            digest: Some(blake3::hash(content)),
        }
    }

    fn index(contents: &[&[u8]]) -> Index {
        Index {
            object: Known {
                key: "ml/sha256/x/files/a b.bin".into(),
                tag: "\"abc-2\"".into(),
            },
            chunks: contents
                .iter()
                .map(|content| (content.len() as u64, blake3::hash(content)))
                .collect(),
        }
    }

    #[test]
    fn an_index_comes_back_and_one_of_another_form_is_none() {
        let index = index(&[b"one", b"three"]);
        let text = index.write();
        assert_eq!(Index::read(&text), Some(index));
        for other in [
            "".to_owned(),
            text.replace("-v1", "-v2"),
            text.replace("3 ", "x "),
            text[..text.len() - 2].to_owned(),
            text.lines()
                .take(3)
                .map(|line| format!("{line}\n"))
                .collect(),
        ] {
            assert_eq!(Index::read(&other), None, "{other:?}");
        }
    }

    #[test]
    fn chunks_are_found_where_the_object_holds_them() {
        let index = index(&[b"aa", b"b", b"aa", b"ccc"]);
        let wanted = [b"b".as_slice(), b"aa", b"new", b"ccc", b"aa"].map(chunk);
        assert_eq!(
            index.locate(&wanted),
            [Some(2), Some(3), None, Some(5), Some(0)]
        );
    }

    #[test]
    fn files_that_share_most_chunks_share_a_hint() {
        let digests = |from: u32| (from..from + 100).map(|n| blake3::hash(&n.to_le_bytes()));
        let (old, new) = (least(digests(0)), least(digests(10)));
        assert_eq!(old.len(), HINTS);
        assert!(old.iter().any(|digest| new.contains(digest)));
    }
}
