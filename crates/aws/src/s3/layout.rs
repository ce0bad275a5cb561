//! Where objects lie, and how files are cut into parts.

use mlops_core::artifacts::Digest;

/// S3 takes no part below 5 MiB except an upload's last, and no object in one call above 5 GiB.
/// Source of all three: "Amazon S3 multipart upload limits", S3 User Guide.
pub(super) const LEAST_PART: u64 = 5 << 20;
/// S3 takes 10,000 parts an upload.
pub(super) const MOST_PARTS: u64 = 10_000;
/// The greatest object that one `CopyObject` or `PutObject` makes.
pub(super) const GREATEST_CALL: u64 = 5 << 30;
/// The greatest object. S3 announced 50 TiB in December 2025 for newer multipart uploads; what
/// every S3 takes is 5 TiB.
pub(super) const GREATEST_OBJECT: u64 = 5 << 40;
/// Below this a look for a known copy costs more than sending the file again.
pub(super) const LEAST_KNOWN: u64 = 16 << 10;

/// The keys below one prefix.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// Empty, or ends with a slash.
    pub(super) prefix: String,
}

impl Layout {
    /// The directory of an artifact, with its last slash.
    pub(super) fn artifact(&self, artifact: &Digest) -> String {
        format!("{}sha256/{}/", self.prefix, artifact.hex())
    }

    /// The directory of all artifacts, with its last slash.
    pub(super) fn artifacts(&self) -> String {
        format!("{}sha256/", self.prefix)
    }

    /// Whose directory a key lies in; `None` for what is not the registry's.
    pub(super) fn artifact_of(&self, key: &str) -> Option<Digest> {
        let (hex, _) = key.strip_prefix(&self.artifacts())?.split_once('/')?;
        format!("sha256:{hex}").parse().ok()
    }

    pub(super) fn manifest(&self, artifact: &Digest) -> String {
        format!("{}manifest", self.artifact(artifact))
    }

    pub(super) fn file(&self, artifact: &Digest, path: &str) -> String {
        format!("{}files/{path}", self.artifact(artifact))
    }

    /// Where it is written of which chunks a large file consists. No file lies there.
    pub(super) fn chunks(&self, artifact: &Digest, path: &str) -> String {
        format!("{}{path}", self.all_chunks(artifact))
    }

    /// The directory of what [`Layout::chunks`] names.
    pub(super) fn all_chunks(&self, artifact: &Digest) -> String {
        format!("{}chunks/", self.artifact(artifact))
    }

    /// Where it is written which large file holds a chunk.
    pub(super) fn hint(&self, chunk: &blake3::Hash) -> String {
        format!("{}known/chunks/{chunk}", self.prefix)
    }

    /// Where it is written which object holds a file's bytes.
    pub(super) fn known(&self, file: &Digest) -> String {
        format!("{}known/{}", self.prefix, file.hex())
    }
}

/// The size of a file's parts: `smallest`, or for a file beyond 10,000 of them the least whole
/// number of MiB that makes do.
pub(super) fn part_size(size: u64, smallest: u64) -> u64 {
    const MIB: u64 = 1 << 20;
    let needed = size.div_ceil(MOST_PARTS);
    if needed <= smallest {
        return smallest;
    }
    needed.div_ceil(MIB) * MIB
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_every_size_are_cut_as_s3_demands() {
        for size in [0, 1, LEAST_PART, 80 << 30, 83_886_080_001, GREATEST_OBJECT] {
            let part = part_size(size, LEAST_PART);
            assert!((LEAST_PART..=GREATEST_CALL).contains(&part), "{size}");
            assert!(size.div_ceil(part) <= MOST_PARTS, "{size} by {part}");
        }
        assert_eq!(part_size(100, 8 << 20), 8 << 20);
        assert_eq!(part_size(GREATEST_OBJECT, 8 << 20), 525 << 20);
    }

    #[test]
    fn keys_tell_their_artifact_and_those_of_others_none() {
        let layout = Layout {
            prefix: "ml/".to_owned(),
        };
        let digest = Digest::of(b"x");
        let hex = digest.hex();
        for key in [layout.manifest(&digest), layout.file(&digest, "a/b")] {
            assert_eq!(layout.artifact_of(&key), Some(digest), "{key}");
        }
        for key in [
            format!("sha256/{hex}/manifest"),
            format!("ml/sha256/{hex}"),
            format!("ml/sha256/{}/manifest", &hex[1..]),
            format!("ml/known/{hex}"),
            "ml/sha256/README/x".to_owned(),
        ] {
            assert_eq!(layout.artifact_of(&key), None, "{key}");
        }
    }

    #[test]
    fn no_file_lies_where_the_manifest_lies() {
        let layout = Layout {
            prefix: "ml/".to_owned(),
        };
        let digest = Digest::of(b"x");
        let hex = digest.hex();
        assert_eq!(
            layout.manifest(&digest),
            format!("ml/sha256/{hex}/manifest")
        );
        assert_eq!(
            layout.file(&digest, "manifest"),
            format!("ml/sha256/{hex}/files/manifest")
        );
    }
}
