//! The first pass over a source: what its files are, before anything is sent.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use mlops_core::artifacts::{FileEntry, SourceFile};
use mlops_core::{Error, Result};

use super::crc::{Running, Sums};
use super::cuts::Cuts;
use super::layout::part_size;
use super::plan;

/// A file of so many parts is cut by content: of a smaller one, too little could be copied.
const WORTH_CUTTING: u64 = 4;
/// Of parts of more bytes none is made of chunks: with the last one it could have more than S3
/// takes in one call.
const GREATEST_CUT: u64 = 1 << 30;

/// What tells chunks apart: BLAKE3, against which nobody can make a second chunk.
pub(super) type ChunkDigest = blake3::Hash;

/// A stretch of a file from one cut to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) size: u64,
    pub(super) sums: Sums,
    /// Of a file that is cut by content.
    pub(super) digest: Option<ChunkDigest>,
}

/// A stretch of a file, of whole chunks, that travels in one call or is copied by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// From one, as S3 counts.
    pub(super) number: i32,
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) sums: Sums,
}

/// A file whose digest, and whose chunks' checksums, are known.
#[derive(Debug, Clone)]
pub(super) struct Surveyed {
    pub(super) source: SourceFile,
    pub(super) entry: FileEntry,
    /// One at least: an empty file has one empty chunk.
    pub(super) chunks: Vec<Chunk>,
    /// The least size of its parts but the last.
    pub(super) part_size: u64,
    /// Its parts if all of it is sent.
    pub(super) parts: Vec<Part>,
    /// Of the whole file.
    pub(super) sums: Sums,
}

/// Makes chunks of what streams by.
struct Cutter {
    cuts: Cuts,
    chunks: Vec<Chunk>,
    size: u64,
    sums: Running,
    digest: Option<blake3::Hasher>,
}

impl Cutter {
    fn take(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            let (taken, ends) = self.cuts.advance(piece);
            let (now, later) = piece.split_at(taken);
            self.sums.update(now);
            if let Some(digest) = &mut self.digest {
                digest.update(now);
            }
            self.size += taken as u64;
            if ends {
                self.cut();
            }
            piece = later;
        }
    }

    fn cut(&mut self) {
        self.chunks.push(Chunk {
            size: self.size,
            sums: self.sums.finish(),
            digest: self.digest.as_ref().map(blake3::Hasher::finalize),
        });
        self.size = 0;
        self.sums = Running::new();
        if let Some(digest) = &mut self.digest {
            digest.reset();
        }
    }
}

impl Surveyed {
    /// Reads the file once. Blocking.
    pub(super) fn read(source: SourceFile, smallest_part: u64) -> Result<Self> {
        let size = source.stamp.size;
        let part_size = part_size(size, smallest_part);
        let by_content = part_size <= GREATEST_CUT && size >= part_size * WORTH_CUTTING;
        let mut cutter = Cutter {
            cuts: match by_content {
                true => Cuts::by_content(size),
                false => Cuts::even(part_size),
            },
            chunks: Vec::new(),
            size: 0,
            sums: Running::new(),
            digest: by_content.then(blake3::Hasher::new),
        };
        let digest = source.read(|piece| {
            cutter.take(piece);
            Ok(())
        })?;
        if cutter.size > 0 || cutter.chunks.is_empty() {
            cutter.cut();
        }
        let chunks = cutter.chunks;
        let sums = chunks[1..].iter().fold(chunks[0].sums, |sums, chunk| {
            sums.and(chunk.sums, chunk.size)
        });
        Ok(Self {
            entry: FileEntry {
                path: source.path.clone(),
                size,
                digest,
            },
            parts: plan::sent(&chunks, part_size),
            chunks,
            part_size,
            sums,
            source,
        })
    }

    /// Whether it is so large that later versions may share chunks with it.
    pub(super) fn is_cut_by_content(&self) -> bool {
        self.chunks[0].digest.is_some()
    }

    /// Fails if the file on the disk is no longer the one that was read. Blocking.
    pub(super) fn unchanged(&self) -> Result<()> {
        let same = |found: &Metadata| {
            let stamp = &self.source.stamp;
            let nanos = i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec());
            (found.len(), found.ino(), nanos) == (stamp.size, stamp.inode, stamp.mtime_nanos)
        };
        match std::fs::metadata(&self.source.location) {
            Ok(found) if same(&found) => Ok(()),
            _ => Err(self.changed()),
        }
    }

    pub(super) fn changed(&self) -> Error {
        Error::conflict(format!(
            "source file {} changed while it was uploaded; wait until it is written and apply again",
            self.source.location.display()
        ))
        .at("source")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mlops_core::artifacts::{Digest, describe_source};

    fn surveyed(path: &std::path::Path, part: u64) -> Surveyed {
        let mut tree = describe_source(path).expect("a source");
        Surveyed::read(tree.files.remove(0), part).expect("read")
    }

    #[test]
    fn a_file_is_cut_into_parts_whose_checksums_make_up_its_own() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("model.bin");
        let bytes: Vec<u8> = (0..2_500_000u32).map(|n| (n % 251) as u8).collect();
        std::fs::write(&path, &bytes).expect("file");
        let surveyed = surveyed(&path, 1_000_000);
        let sizes: Vec<_> = surveyed.parts.iter().map(|part| part.size).collect();
        assert_eq!(sizes, [1_000_000, 1_000_000, 500_000]);
        for (part, bytes) in surveyed.parts.iter().zip(bytes.chunks(1_000_000)) {
            assert_eq!(part.sums, Sums::of(bytes), "part {}", part.number);
        }
        assert_eq!(surveyed.sums, Sums::of(&bytes));
        assert_eq!(surveyed.entry.digest, Digest::of(&bytes));
        surveyed.unchanged().expect("the same");
        std::fs::write(&path, &bytes[1..]).expect("file");
        let error = surveyed.unchanged().expect_err("another");
        assert_eq!(error.attribute(), Some("source"));
    }

    #[test]
    fn a_large_file_is_cut_by_content_and_a_small_one_evenly() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("model.bin");
        let bytes: Vec<u8> = (0..5_000_000u32).flat_map(u32::to_le_bytes).collect();
        std::fs::write(&path, &bytes).expect("file");
        let small = surveyed(&path, 5_000_001);
        assert!(!small.is_cut_by_content());
        assert_eq!(small.chunks.len(), small.parts.len());
        let large = surveyed(&path, 5_000_000);
        assert!(large.is_cut_by_content());
        let mut at = 0;
        for chunk in &large.chunks {
            let own = &bytes[at..][..usize::try_from(chunk.size).expect("small")];
            assert_eq!(chunk.digest, Some(blake3::hash(own)));
            at += own.len();
        }
        assert_eq!(at, bytes.len());
        assert_eq!(large.sums, small.sums);
    }
}
